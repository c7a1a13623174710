"""Which tables do this service's GETs read, and how do they follow a decision?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.rewards.domain.policies.model import in_force
from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings import events as e
from services.rewards.domain.standings.decider import local_day
from services.rewards.domain.standings.judging import star_held
from services.rewards.domain.standings.state import Frozen, Home, View
from shared.ledger import Decided
from shared.postgres import Connection

_STANDING = """
INSERT INTO standing AS t
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::int[], $6::text[])
ON CONFLICT (subject_id, policy_id) DO UPDATE SET
    policy_version = excluded.policy_version, eligible_minutes = excluded.eligible_minutes,
    level = excluded.level, region = excluded.region
"""
_APPLICATION = """
INSERT INTO application
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::text[], $6::text[],
    $7::text[], $8::bigint[], $9::date[], $10::date[], $11::date[])
"""
_REVIEW = """
INSERT INTO held_star_review
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::date[])
"""
_CLEAR_APPLICATIONS = "DELETE FROM application WHERE subject_id = ANY($1::text[])"
_CLEAR_REVIEWS = "DELETE FROM held_star_review WHERE subject_id = ANY($1::text[])"
_REASON = """
INSERT INTO decision_reason
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::timestamptz[])
"""


async def save_standings(connection: Connection, decided: Sequence[Decided]) -> None:
    """Puts the rows of every subject that this batch touched as they are after it."""
    last: dict[str, tuple[View, Decided]] = {}
    for one in decided:
        if isinstance(one.command, c.StandingCommand):
            last[one.command.subject_id] = next(iter(one.states.values())), one
    if not last:
        return
    subjects = sorted(last)
    gone = [one for one in subjects if not isinstance(last[one][0].standing, Home | Frozen)]
    if gone:
        await connection.execute("DELETE FROM standing WHERE subject_id = ANY($1::text[])", gone)
    await _put(connection, _STANDING, (row for one in subjects for row in _standings(*last[one])))
    # Most batches only move sums: these tables are written where an event of theirs happened.
    reviewed = sorted({one.command.subject_id for one in decided if _touches(one)})  # type: ignore[attr-defined]
    if reviewed:
        await connection.execute(_CLEAR_APPLICATIONS, reviewed)
        await connection.execute(_CLEAR_REVIEWS, reviewed)
        open_ones = (row for one in reviewed for row in _open(last[one][0], one))
        await _put(connection, _APPLICATION, open_ones)
        held = (row for one in reviewed for row in _held(last[one][0], one))
        await _put(connection, _REVIEW, held)
    await _put(connection, _REASON, _reasons(decided))


_REVIEWING = (
    e.StarApplied
    | e.StarReviewed
    | e.StarPublicised
    | e.StarLapsed
    | e.StarRefused
    | e.StarAwarded
    | e.StarDemoted
    | e.StarKept
    | e.HeldStarReviewOpened
    | e.PersonNoted
    | e.RewardsDeparted
    | e.RewardsAdopted
)


def _touches(one: Decided) -> bool:
    return any(isinstance(event, _REVIEWING) for event in one.events)


async def _put(connection: Connection, sql: str, rows: Iterable[Sequence[object]]) -> None:
    columns = list(zip(*rows, strict=True))
    if columns:
        await connection.execute(sql, *columns)


def _standings(view: View, one: Decided) -> Iterable[Sequence[object]]:
    standing, command = view.standing, one.command
    if not isinstance(standing, Home | Frozen) or not isinstance(command, c.StandingCommand):
        return
    policies = in_force(view.window.policies, local_day(command.at), view.region())
    for policy in policies:
        known = standing.holdings.standings.get(policy.policy_id)
        level, _ = star_held(policy, standing.holdings.stars)
        yield (
            command.subject_id,
            policy.policy_id,
            policy.version,
            known.eligible_minutes if known else 0,
            level,
            view.region(),
        )


def _open(view: View, subject_id: str) -> Iterable[Sequence[object]]:
    standing = view.standing
    if not isinstance(standing, Home | Frozen):
        return
    for one in sorted(standing.holdings.applications, key=lambda x: x.policy_id):
        policy = view.window.policy(one.policy_id, one.policy_version)
        level = policy.level(one.level) if policy else None
        yield (
            subject_id,
            one.policy_id,
            one.policy_version,
            one.level,
            one.stage,
            level.authority if level else "county",
            view.region(),
            one.basis_minutes,
            one.applied_on,
            one.due_on,
            one.publicised_until,
        )


def _held(view: View, subject_id: str) -> Iterable[Sequence[object]]:
    standing = view.standing
    if not isinstance(standing, Home | Frozen):
        return
    for policy_id, known in sorted(standing.holdings.standings.items()):
        if known.review is not None:
            yield (
                subject_id,
                policy_id,
                known.review.level,
                known.review.cause,
                view.region(),
                known.review.opened_on,
            )


def _reasons(decided: Sequence[Decided]) -> Iterable[Sequence[object]]:
    for one in decided:
        command = one.command
        if isinstance(command, c.ReviewStar | c.RefuseStar | c.KeepStar | c.DemoteStar):
            yield (
                command.command_id,
                command.subject_id,
                command.policy_id,
                type(command).__name__,
                command.reasons,
                command.actor.actor_id,
                command.at,
            )
