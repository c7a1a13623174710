"""What waits for approval, and whose is it? The tier follows from the day as it stands now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from services.records.domain import tiers
from services.records.domain.entries import Card
from services.records.domain.knowledge import (
    PolicyVersion,
    TierBody,
    policy_on,
    recording_rules,
)
from services.records.edge.lists import COLUMNS, after, sight_of, visible
from services.records.edge.queries import Queries
from services.records.edge.rows import card_of_row
from services.records.edge.window_rows import POLICIES, read_organisations, take_policies
from shared.messages import Actor
from shared.postgres import Connection
from shared.requests import Page

# The days as the index of counted days finds them: no entry has days more than seven apart.
_OF_TIER: Final = """coalesce((
    SELECT max(line.rank)
    FROM (SELECT r.reign - 1 AS reign
          FROM unnest({prefix}::text[], {since}::date[], {until}::date[])
              WITH ORDINALITY AS r(prefix, since, until, reign)
          WHERE s.kind = 'service' AND starts_with(coalesce(s.region_code, $1), r.prefix)
              AND s.occurred_on >= r.since AND s.occurred_on < r.until
          ORDER BY length(r.prefix) DESC LIMIT 1) AS law
    JOIN unnest({reign}::int[], {above}::int[], {upto}::int[], {line}::int[])
        AS line(reign, above, upto, rank) USING (reign)
    JOIN (SELECT own.minutes::bigint + coalesce((
              SELECT sum((coalesce(t.counting, t.standing) -> 'minutes_by_day'
                          ->> own.day)::bigint)
              FROM standing AS t
              WHERE t.log_id = s.log_id AND t.first_day IS NOT NULL
                  AND t.first_day BETWEEN own.day::date - 7 AND own.day::date
                  AND t.last_day >= own.day::date
                  AND (t.issuer, t.entry_id) <> (s.issuer, s.entry_id)), 0) AS whole
          FROM jsonb_each_text(s.standing -> 'minutes_by_day') AS own(day, minutes)) AS day
        ON day.whole > line.above AND day.whole <= line.upto), 0) = {rank}"""


async def awaiting(
    queries: Queries, actor: Actor, asked: Page, *, tier: TierBody | None, late: bool
) -> list[dict[str, Any]]:
    """What waits for approval where this actor approves: with the tier as it is now.

    ``tier``, ``late``: only those. ``yours``: the tier is his to approve. Oldest first.
    """
    sight = sight_of(actor, None)
    if sight.nothing:
        return []
    seen, more = visible(sight, 6)
    columns = ", ".join(f"s.{each}" for each in COLUMNS.split(", "))
    async with queries.snapshot() as connection:
        policies = take_policies(await connection.fetch(POLICIES[0]))
        wanted, ranked = _of_tier(tier, policies, 6 + len(more))
        rows = await connection.fetch(
            f"""SELECT {columns}, s.log_id, s.standing, s.counting
                FROM standing AS s
                JOIN aggregate AS a ON a.kind = 'dossier' AND a.id = s.subject_id
                    AND a.state -> 'log' ->> 'log_id' = s.log_id
                WHERE s.state IN ('pending', 'publicised') AND s.issuer = $1
                  AND {seen} AND {wanted} AND (NOT $2 OR s.late) AND (s.ulid, s.issuer) > ($3, $4)
                  AND NOT EXISTS (SELECT FROM entry_version AS v WHERE v.issuer = s.issuer
                      AND v.entry_id = s.entry_id AND v.version > s.version
                      AND v.held_order IS NOT NULL)
                ORDER BY s.ulid, s.issuer LIMIT $5""",
            queries.node,
            late,
            *after(asked, ""),
            asked.fetch,
            *more,
            *ranked,
        )
        return await _with_tiers(connection, rows, actor, policies, queries.node)


def _of_tier(
    tier: TierBody | None, policies: Sequence[PolicyVersion], first: int
) -> tuple[str, list[Any]]:
    """The condition that ``standing AS s`` has this tier now, as ``_tier`` says it of a row.

    Its parameters from ``$first`` on; ``$1`` is the node. It is asked row by row until the page is
    full, so a page is never short while more follow.
    """
    if tier is None:
        return "true", []
    found = list(tiers.reigns(policies))
    lines = [(n, *line) for n, each in enumerate(found) for line in each.lines]
    names = ("rank", "prefix", "since", "until", "reign", "above", "upto", "line")
    at = {name: f"${first + n}" for n, name in enumerate(names)}
    return _OF_TIER.format_map(at), [
        tiers.RANK[tier],
        [each.prefix for each in found],
        [each.since for each in found],
        [each.until for each in found],
        *([each[n] for each in lines] for n in range(4)),
    ]


async def _with_tiers(
    connection: Connection,
    rows: Sequence[asyncpg.Record],
    actor: Actor,
    policies: tuple[PolicyVersion, ...],
    node: str,
) -> list[dict[str, Any]]:
    recorders = await read_organisations(
        connection, {each for row in rows if (each := row["organisation_id"])}
    )
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


def _tier(
    card: Card, around: list[Card], policies: tuple[PolicyVersion, ...], node: str
) -> TierBody:
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
