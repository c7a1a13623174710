"""Which entries does a list show, and to whom? Of a subject, and those that wait for approval."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from services.records.domain import tiers
from services.records.domain.dossiers.state import Departed
from services.records.domain.entries import Card
from services.records.domain.knowledge import (
    Organisation,
    PolicyVersion,
    policy_on,
    recording_rules,
)
from services.records.edge.queries import Queries
from services.records.edge.rows import card_of_row, kept_organisation, kept_policy
from shared.messages import Actor
from shared.postgres import Connection
from shared.problems import field_is_wrong, not_found
from shared.requests import Page

STAFF: Final = ("recorder", "approver", "org_admin")
COLUMNS: Final = (
    "ulid, issuer, entry_id, subject_id, version, kind, state, minutes, counted, shared, "
    "occurred_on, organisation_id, region_code, review_tier, late, due_on"
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What an actor may see of entries: all of a subject, or those of his bodies and regions.

    ``prefixes`` are region codes without their trailing zeros.
    """

    whole: bool
    organisations: tuple[str, ...]
    prefixes: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        return not (self.whole or self.organisations or self.prefixes)


def sight_of(actor: Actor, subject_id: str | None) -> Sight:
    """A volunteer sees her own dossier whole, an auditor every one, staff what is theirs."""
    own = subject_id is not None and actor.subject_id == subject_id and actor.has("volunteer")
    organisations = {each.organisation_id for each in actor.holding(*STAFF)}
    regions = {each.region for each in actor.holding(*tiers.REVIEWERS)}
    return Sight(
        whole=own or actor.has("auditor"),
        organisations=tuple(sorted(each for each in organisations if each)),
        prefixes=tuple(sorted(_prefix(each) for each in regions if each)),
    )


def sees(sight: Sight, versions: Sequence[dict[str, Any]]) -> bool:
    """Whether this history may be shown: by what its newest version says of it."""
    if sight.whole or not versions:
        return bool(versions)
    detail = versions[-1]["signed"]["body"]["detail"]
    recorder = detail.get("recorder")
    recorder = recorder if isinstance(recorder, dict) else {}
    bodies = {recorder.get("organisation_id"), recorder.get("supervising_body_id")}
    if bodies & set(sight.organisations):
        return True
    content = detail.get("body")
    place = content.get("place") if isinstance(content, dict) else None
    region = place.get("region_code") if isinstance(place, dict) else None
    return isinstance(region, str) and region.startswith(sight.prefixes)


def visible(sight: Sight, first: int) -> tuple[str, list[list[str]]]:
    """The condition on ``standing AS s``, with its parameters from ``$first`` on.

    Only what applies stands in it, so that the lists of a body are found by their index.
    """
    if sight.whole:
        return "true", []
    ways: list[str] = []
    values: list[list[str]] = []
    if sight.organisations:
        values.append(list(sight.organisations))
        place = first + len(values) - 1
        ways.append(f"s.organisation_id = ANY (${place}::text[])")
        ways.append(f"s.supervising_body_id = ANY (${place}::text[])")
    if sight.prefixes:
        values.append([f"{each}%" for each in sight.prefixes])
        ways.append(f"s.region_code LIKE ANY (${first + len(values) - 1}::text[])")
    return (f"({' OR '.join(ways)})" if ways else "false"), values


async def entries_of(
    queries: Queries,
    subject_id: str,
    sight: Sight,
    asked: Page,
    *,
    state: str | None = None,
    kind: str | None = None,
    year: int | None = None,
    issuer: str | None = None,
) -> list[asyncpg.Record]:
    """Standing entries of a subject, newest first; 404 where the actor may see none of them."""
    if sight.nothing:
        raise not_found()
    after = _after(asked, "~")
    async with queries.snapshot() as connection:
        row = await queries.present(connection, subject_id)
        seen, more = visible(sight, 2)
        if not sight.whole and not await connection.fetchval(
            f"SELECT true FROM standing AS s WHERE s.log_id = $1 AND {seen} LIMIT 1",
            row.log.log_id,
            *more,
        ):
            raise not_found()
        if isinstance(row, Departed):
            # What others recorded is at home elsewhere now; we keep what we issued.
            issuer = queries.node
        seen, more = visible(sight, 9)
        return await connection.fetch(
            f"""SELECT {COLUMNS} FROM standing AS s
                WHERE s.log_id = $1 AND {seen}
                  AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR kind = $3)
                  AND ($4::int IS NULL OR extract(year FROM occurred_on) = $4)
                  AND ($5::text IS NULL OR issuer = $5)
                  AND (ulid, issuer) < ($6, $7)
                ORDER BY ulid DESC, issuer DESC LIMIT $8""",
            row.log.log_id,
            state,
            kind,
            year,
            issuer,
            *after,
            asked.fetch,
            *more,
        )


async def awaiting(
    queries: Queries, actor: Actor, asked: Page, *, late: bool
) -> list[dict[str, Any]]:
    """What waits for approval where this actor approves: with the tier as it is now.

    ``yours``: the tier is his to approve. Oldest first.
    """
    sight = sight_of(actor, None)
    if sight.nothing:
        return []
    after = _after(asked, "")
    seen, more = visible(sight, 6)
    columns = ", ".join(f"s.{each}" for each in COLUMNS.split(", "))
    async with queries.snapshot() as connection:
        rows = await connection.fetch(
            f"""SELECT {columns}, s.log_id, s.standing, s.counting
                FROM standing AS s
                JOIN aggregate AS a ON a.kind = 'dossier' AND a.id = s.subject_id
                    AND a.state -> 'log' ->> 'log_id' = s.log_id
                WHERE s.state IN ('pending', 'publicised') AND s.issuer = $1
                  AND {seen} AND (NOT $2 OR s.late) AND (s.ulid, s.issuer) > ($3, $4)
                  AND NOT EXISTS (SELECT FROM entry_version AS v WHERE v.issuer = s.issuer
                      AND v.entry_id = s.entry_id AND v.version > s.version
                      AND v.held_order IS NOT NULL)
                ORDER BY s.ulid, s.issuer LIMIT $5""",
            queries.node,
            late,
            *after,
            asked.fetch,
            *more,
        )
        return await _with_tiers(connection, rows, actor, queries.node)


async def _with_tiers(
    connection: Connection, rows: Sequence[asyncpg.Record], actor: Actor, node: str
) -> list[dict[str, Any]]:
    policies = await _policies(connection)
    recorders = await _organisations(connection, {row["organisation_id"] for row in rows})
    cards = [card_of_row(row["standing"], row["counting"]) for row in rows]
    around = await _same_days(connection, rows, cards)
    found = []
    for row, card in zip(rows, cards, strict=True):
        item = {name: row[name] for name in COLUMNS.split(", ")}
        tier = _tier(card, around.get(row["log_id"], []), policies, node)
        recorder = recorders.get(row["organisation_id"])
        region = row["region_code"] or (recorder.seat_region if recorder else None) or node
        item["tier"] = tier
        item["yours"] = (
            recorder is not None
            and actor.subject_id != row["subject_id"]
            and tiers.may_approve(actor, tier, recorder, region)
        )
        found.append(item)
    return found


def _tier(card: Card, around: list[Card], policies: tuple[PolicyVersion, ...], node: str) -> Any:
    one = card.standing
    policy = policy_on(policies, "recording", one.region_code or node, one.occurred_on)
    if policy is None or one.kind != "service":
        return "recorder"
    return tiers.tier_of(one.minutes_by_day, around, one.key, recording_rules(policy))


async def _same_days(
    connection: Connection, rows: Sequence[asyncpg.Record], cards: Sequence[Card]
) -> dict[str, list[Card]]:
    wanted = sorted(
        {
            (row["log_id"], day)
            for row, card in zip(rows, cards, strict=True)
            for day in card.standing.minutes_by_day
        }
    )
    if not wanted:
        return {}
    found: dict[str, list[Card]] = {}
    for row in await connection.fetch(
        """SELECT DISTINCT ON (t.log_id, t.issuer, t.entry_id) t.log_id, t.standing, t.counting
           FROM unnest($1::text[], $2::text[]) AS x(log_id, day)
           JOIN standing AS t ON t.log_id = x.log_id AND t.first_day IS NOT NULL
               AND t.first_day BETWEEN x.day::date - 7 AND x.day::date
               AND t.last_day >= x.day::date""",
        [each[0] for each in wanted],
        [each[1] for each in wanted],
    ):
        card = card_of_row(row["standing"], row["counting"])
        found.setdefault(row["log_id"], []).append(card)
    return found


async def _policies(connection: Connection) -> tuple[PolicyVersion, ...]:
    rows = await connection.fetch("SELECT state::text AS s FROM aggregate WHERE kind = 'policy'")
    return tuple(version for row in rows for version in kept_policy(json.loads(row["s"])).versions)


async def _organisations(connection: Connection, ids: set[str | None]) -> dict[str, Organisation]:
    rows = await connection.fetch(
        "SELECT id, state::text AS s FROM aggregate WHERE kind = 'organisation' AND id = ANY ($1)",
        sorted(each for each in ids if each),
    )
    kept = {row["id"]: kept_organisation(json.loads(row["s"])).organisation for row in rows}
    return {key: each for key, each in kept.items() if each is not None}


def _after(asked: Page, beginning: str) -> tuple[str, str]:
    """Where the page begins: ULID and issuer; a cursor of another list is a wrong field."""
    match asked.after:
        case None:
            return beginning, beginning
        case (str() as ulid, str() as issuer):
            return ulid, issuer
        case _:
            raise field_is_wrong("after", "not_a_cursor")


def _prefix(region: str) -> str:
    while region.endswith("00") and len(region) > 2:
        region = region[:-2]
    return region
