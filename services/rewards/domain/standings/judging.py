"""How do minutes and stars become a level? Arithmetic over a standing, for one policy at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from uuid import UUID, uuid5

from services.rewards.domain.policies.model import Level, StarPolicy, in_force
from services.rewards.domain.standings import events as e
from services.rewards.domain.standings.state import (
    Cell,
    CellMinutes,
    Frozen,
    Holdings,
    Home,
    PolicyStanding,
    Star,
    View,
)


def eligible_minutes(policy: StarPolicy, cells: Iterable[CellMinutes], day: date) -> int:
    """The minutes that a policy admits, never below zero (R6, R14)."""
    return max(0, sum(one.minutes for one in cells if _admits(policy, one.cell, day)))


def _admits(policy: StarPolicy, cell: Cell, day: date) -> bool:
    return (
        (policy.measure == "cumulative_minutes" or cell.year == day.year)
        and (policy.evidence_classes is None or cell.evidence_class in policy.evidence_classes)
        and cell.category not in policy.exclude_categories
        and (policy.source_systems is None or cell.source_system in policy.source_systems)
        and (policy.counts_minutes_of_other_cities or cell.own)
    )


def standing_stars(stars: Iterable[Star]) -> tuple[Star, ...]:
    """Of each issuer and policy the star that stands: the latest that no other star lowers."""
    known = tuple(stars)
    lowered = {(one.lowers.issuer, one.lowers.entry_id) for one in known if one.lowers is not None}
    latest: dict[tuple[str, str], Star] = {}
    for star in known:
        if (star.issuer, star.entry_id) in lowered:
            continue
        former = latest.get((star.issuer, star.policy_id))
        if former is None or _order(star) > _order(former):
            latest[star.issuer, star.policy_id] = star
    return tuple(latest[key] for key in sorted(latest))


def _order(star: Star) -> tuple[date, str]:
    # An own award without an entry yet is the newest there is; "~" sorts after every ULID.
    return star.occurred_on, star.entry_id or f"~{star.award_id}"


def counts_as(policy: StarPolicy, star: Star) -> int:
    """The level at which a star counts under a policy: an own one as it is, one of another city up
    to the level whose threshold its basis reaches (R41)."""
    if star.own:
        return star.level if star.policy_id == policy.policy_id else 0
    if not policy.recognises_stars:
        return 0
    return min(star.level, policy.reached(star.basis_minutes))


def star_held(policy: StarPolicy, stars: Iterable[Star]) -> tuple[int, Star | None]:
    """The level held under a policy and the star that gives it; 0 and None: none."""
    best: tuple[int, Star | None] = (0, None)
    for star in standing_stars(stars):
        level = counts_as(policy, star)
        if level > best[0]:
            best = (level, star)
    return best


def threshold(policy: StarPolicy, view: View, level: int, star: Star) -> int:
    """The minutes that a held level rests on: of the version that gave it; of a recognised star,
    of the local level that it counts as."""
    given = view.window.policy(star.policy_id, star.policy_version) if star.own else policy
    found = (given or policy).level(level)
    return found.minutes_min if found else 0


def judge(view: View, subject_id: str, day: date, cause: UUID) -> Iterator[e.StandingEvent]:
    """What follows from the sums and stars as they are: one policy after another.

    ``day`` is the local day of the fact judged (R48); ``cause`` the command, from which the ids of
    awards are derived.
    """
    standing = view.standing
    if not isinstance(standing, Home | Frozen):
        return
    for policy in in_force(view.window.policies, day, view.region()):
        yield from _judge_one(
            view, standing.holdings, policy, subject_id, day, cause, isinstance(standing, Frozen)
        )


def _judge_one(
    view: View,
    holdings: Holdings,
    policy: StarPolicy,
    subject_id: str,
    day: date,
    cause: UUID,
    frozen: bool,
) -> Iterator[e.StandingEvent]:
    minutes = eligible_minutes(policy, holdings.cells, day)
    prior = holdings.standings.get(policy.policy_id)
    before = prior or PolicyStanding(policy_version=policy.version, eligible_minutes=0)
    reached = policy.reached(minutes)
    held, star = star_held(policy, holdings.stars)

    if reached > max(before.announced, held):
        yield e.StarBecameEligible(
            subject_id=subject_id,
            policy_id=policy.policy_id,
            policy_version=policy.version,
            eligible_minutes=minutes,
            as_of=day,
            level=reached,
        )
    elif minutes != before.eligible_minutes or (prior and prior.policy_version != policy.version):
        yield e.StandingChanged(
            subject_id=subject_id,
            policy_id=policy.policy_id,
            policy_version=policy.version,
            eligible_minutes=minutes,
            as_of=day,
        )
    if not frozen and reached > held:
        yield from _awards(view, policy, subject_id, day, cause, held, reached, minutes)
    if star is not None and before.review is None and policy.demotion_on_revocation == "review":
        floor = threshold(policy, view, held, star)
        if minutes < floor <= before.eligible_minutes:
            yield e.HeldStarReviewOpened(
                subject_id=subject_id,
                policy_id=policy.policy_id,
                policy_version=policy.version,
                level=held,
                cause="revocation",
                eligible_minutes=minutes,
                minutes_min=floor,
                opened_on=day,
            )


def _awards(
    view: View,
    policy: StarPolicy,
    subject_id: str,
    day: date,
    cause: UUID,
    held: int,
    reached: int,
    minutes: int,
) -> Iterator[e.StarAwarded]:
    """Automatic awards: each level on the way where one decision gives one level."""
    levels = range(held + 1, reached + 1) if policy.one_level_per_decision else (reached,)
    for number in levels:
        level = policy.level(number)
        if level is None or level.award_mode != "automatic" or policy.publicity_days > 0:
            continue
        yield award(view, policy, level, subject_id, day, cause, minutes, day, None)


def award(
    view: View,
    policy: StarPolicy,
    level: Level,
    subject_id: str,
    day: date,
    cause: UUID,
    basis_minutes: int,
    cutoff_on: date,
    decision_id: str | None,
) -> e.StarAwarded:
    """The award of one level, with everything that its entry will say."""
    return e.StarAwarded(
        subject_id=subject_id,
        award_id=str(award_id(cause, policy.policy_id, level.level)),
        level=level.level,
        name=level.name,
        policy_id=policy.policy_id,
        policy_version=policy.version,
        basis_minutes=basis_minutes,
        cutoff_on=cutoff_on,
        award_mode=level.award_mode,
        authority_level=level.authority,
        decision_id=decision_id,
        awarded_on=day,
        decided_by=view.window.body,
    )


def award_id(cause: UUID, policy_id: str, level: int) -> UUID:
    """The id of an award, derived from the command that caused it."""
    return uuid5(cause, f"star\n{policy_id}\n{level}")


def missing_for_next(
    policy: StarPolicy, holdings: Holdings, day: date
) -> tuple[Level | None, int, int]:
    """(next level or None, minutes missing for it, level held) under a policy."""
    held, _ = star_held(policy, holdings.stars)
    minutes = eligible_minutes(policy, holdings.cells, day)
    following = min(
        (level for level in policy.levels if level.level > held),
        key=lambda level: level.level,
        default=None,
    )
    return following, max(0, following.minutes_min - minutes) if following else 0, held
