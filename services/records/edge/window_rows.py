"""Which rows of entries, logs and claims does a batch read? Set-wise, after the aggregates.

Each reading is a statement, None where it is not needed, and what is made of its rows: so that
``window`` can send several at once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.records.domain.dossiers.state import (
    MAX_LEAVES_AT_ONCE,
    Claim,
    Known,
    Place,
    held_count,
)
from services.records.domain.entries import Card, EntryKey, read_body
from services.records.domain.knowledge import Organisation, PolicyVersion
from services.records.domain.overlap import interval
from services.records.edge.needed import Span, View
from services.records.edge.rows import card_of_row, kept_organisation, kept_policy
from shared.postgres import Connection, Statement, by_columns

# A row as ``fetch_together`` gives it.
Values = tuple[Any, ...]

_VERSIONS = """
    SELECT v.issuer, v.entry_id, v.version, v.digest, v.signed, v.held_epoch, x.log_id,
        EXISTS (SELECT FROM leaf AS l WHERE l.issuer = v.issuer AND l.entry_id = v.entry_id
                AND l.version = v.version AND l.log_id = x.log_id) AS in_log
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS x(log_id, s, issuer, entry_id)
    JOIN entry_version AS v ON v.issuer = x.issuer AND v.entry_id = x.entry_id
        AND v.subject_id = x.s
    ORDER BY v.version
"""


def versions_of(views: list[View]) -> Statement | None:
    """All versions of the named entries: in the log, held, or issued here in an earlier custody."""
    return _statement(
        _VERSIONS,
        (
            (view.log_id, view.subject_id, *key)
            for view in views
            for key in sorted(view.need.entries)
        ),
    )


def take_versions(views: list[View], rows: Iterable[Values]) -> None:
    by_log = {view.log_id: view for view in views}
    for issuer, _, _, digest, signed, held_epoch, log_id, in_log in rows:
        view = by_log[log_id]
        place: Place
        if in_log:
            place = "log"
        elif held_epoch is not None and held_epoch == view.epoch:
            place = "held"
        elif issuer == view.node:
            place = "past"
        else:
            # Of another city, in no log of ours: of a staging, or of a custody that is over.
            continue
        version = read_body(json.loads(signed)["body"], digest)
        view.known[version.key].append(Known(version, place))


_HELD = """
    SELECT x.log_id, v.digest, v.signed
    FROM unnest($1::text[], $2::text[], $3::int[]) AS x(log_id, subject_id, epoch)
    JOIN entry_version AS v ON v.subject_id = x.subject_id AND v.held_epoch = x.epoch
    WHERE v.held_order IS NOT NULL
    ORDER BY v.held_order
"""


async def read_held(connection: Connection, views: list[View]) -> None:
    """All that is held since this custody was fenced or ended; at most 20,000, mostly none.

    Not sent together with others: so many signed texts are too much for one row of an answer.
    """
    by_log = {view.log_id: view for view in views}
    wanted = [
        (view.log_id, view.subject_id, view.epoch)
        for view in views
        if view.epoch >= 0 and held_count(view.row)
    ]
    if not wanted:
        return
    for log_id, digest, signed in await connection.fetch(_HELD, *by_columns(wanted)):
        view = by_log[log_id]
        version = read_body(json.loads(signed)["body"], digest)
        view.held.append(version)
        if version.key not in view.need.entries:
            view.known[version.key].append(Known(version, "held"))
    # What is held joins the versions that the log has of the same entries.
    joined = [
        (view.log_id, view.subject_id, *key)
        for view in views
        if view.need.held
        for key in sorted({version.key for version in view.held} - view.need.entries)
    ]
    if joined:
        for row in await connection.fetch(_VERSIONS, *by_columns(joined)):
            if row["in_log"]:
                version = read_body(json.loads(row["signed"])["body"], row["digest"])
                by_log[row["log_id"]].known[version.key].append(Known(version, "log"))


_CARDS = """
    SELECT t.log_id, t.standing, t.counting
    FROM unnest($1::text[], $2::text[], $3::text[]) AS x(log_id, issuer, entry_id)
    JOIN standing AS t ON t.log_id = x.log_id AND t.issuer = x.issuer AND t.entry_id = x.entry_id
"""


def cards_of(views: list[View], keys: Mapping[str, Iterable[EntryKey]]) -> Statement | None:
    """Of each log, the entries of these keys."""
    return _statement(
        _CARDS, ((view.log_id, *key) for view in views for key in sorted(keys[view.log_id]))
    )


def take_cards(views: list[View], rows: Iterable[Values]) -> dict[str, list[Card]]:
    """The cards that were not there before, by log."""
    by_log = {view.log_id: view for view in views}
    new: dict[str, list[Card]] = defaultdict(list)
    for log_id, standing, counting in rows:
        view = by_log[log_id]
        card = card_of_row(standing, counting)
        if card.key not in view.cards:
            view.cards[card.key] = card
            new[view.log_id].append(card)
    return new


_MEETING = """
    SELECT DISTINCT ON (t.log_id, t.issuer, t.entry_id) t.log_id, t.standing, t.counting
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[])
        AS x(log_id, since, first, last)
    JOIN standing AS t ON t.log_id = x.log_id AND t.started_at IS NOT NULL
        AND t.started_at >= x.since AND t.started_at <= x.last AND t.ended_at >= x.first
"""


def meeting(views: list[View], spans: Mapping[str, Iterable[Span]]) -> Statement | None:
    """What these intervals of each log meet."""
    return _statement(
        _MEETING,
        (
            (view.log_id, _long_before(first, view.longest), first, last)
            for view in views
            for first, last in spans.get(view.log_id, ())
        ),
    )


def spans_of(cards: Iterable[Card]) -> list[Span]:
    """The intervals of entries that were met, which may meet others. Entries that were named are
    seeds themselves."""
    return [
        (card.counting.started_at, card.counting.ended_at)
        for card in cards
        if interval(card) is not None
        and card.counting.started_at is not None
        and card.counting.ended_at is not None
    ]


def _long_before(instant: datetime, seconds: int) -> datetime:
    # No interval of the log is longer, so nothing that began before can reach this far.
    return instant - timedelta(seconds=seconds)


_ON_DAYS = """
    SELECT DISTINCT ON (t.log_id, t.issuer, t.entry_id) t.log_id, t.standing, t.counting
    FROM unnest($1::text[], $2::date[]) AS x(log_id, day)
    JOIN standing AS t ON t.log_id = x.log_id AND t.first_day IS NOT NULL
        AND t.first_day BETWEEN x.day - 7 AND x.day AND t.last_day >= x.day
"""


def on_days(views: list[View]) -> Statement | None:
    """What counts on the days in question; no entry has days more than seven apart."""
    return _statement(
        _ON_DAYS, ((view.log_id, day) for view in views for day in sorted(view.days()))
    )


_REDUCING = """
    SELECT t.log_id, t.standing, t.counting
    FROM unnest($1::text[], $2::text[], $3::text[]) AS x(log_id, issuer, entry_id)
    JOIN standing AS t ON t.log_id = x.log_id AND t.reduces_issuer = x.issuer
        AND t.reduces_entry_id = x.entry_id
"""


def adjustments(views: list[View]) -> Statement | None:
    """Adjustments of the entries that may change: their minutes stand in those entries' cells."""
    return _statement(
        _REDUCING,
        (
            (view.log_id, *key)
            for view in views
            for key in sorted(view.need.entries | {version.key for version in view.held})
        ),
    )


async def read_whole(connection: Connection, views: list[View]) -> None:
    """All entries, or the state lines of all: only for a freeze, or an adoption said again."""
    for view in views:
        if view.need.whole if view.epoch >= 0 else view.need.staged_whole:
            take_cards(
                [view],
                await connection.fetch(
                    "SELECT log_id, standing, counting FROM standing WHERE log_id = $1",
                    view.log_id,
                ),
            )
        # Above the bound a job reads them, once the fence is up.
        if view.need.lines and view.count <= MAX_LEAVES_AT_ONCE:
            rows = await connection.fetch(
                "SELECT issuer, entry_id, line FROM standing WHERE log_id = $1", view.log_id
            )
            view.lines = {(row["issuer"], row["entry_id"]): row["line"] for row in rows}


_CLAIMS = """
    SELECT t.key, t.entry_id, t.subject_id, t.content, t.batch_id, t.row_no
    FROM unnest($1::text[]) AS x(key) JOIN fact_claim AS t ON t.key = x.key
    UNION
    SELECT t.key, t.entry_id, t.subject_id, t.content, t.batch_id, t.row_no
    FROM unnest($2::text[]) AS x(id) JOIN fact_claim AS t ON t.entry_id = x.id
"""


def claims_of(views: list[View]) -> Statement | None:
    keys = {key for view in views for key in view.need.claims}
    ids = {entry_id for view in views for entry_id in view.need.claims_of}
    return (_CLAIMS, (sorted(keys), sorted(ids))) if keys or ids else None


def take_claims(views: list[View], rows: Iterable[Values]) -> dict[str, dict[str, Claim]]:
    """The claims that each subject's commands named, by key, or by the entry that made them."""
    claims = {row[0]: Claim(*row) for row in rows}
    of_entry: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims.values():
        of_entry[claim.entry_id].append(claim)
    found: dict[str, dict[str, Claim]] = {}
    for view in views:
        named = [claims[key] for key in view.need.claims if key in claims]
        named += [claim for each in view.need.claims_of for claim in of_entry.get(each, ())]
        found[view.subject_id] = {claim.key: claim for claim in named}
    return found


_ORGANISATIONS = """
    SELECT t.id, t.state::text AS state FROM unnest($1::text[]) AS x(id)
    JOIN aggregate AS t ON t.kind = 'organisation' AND t.id = x.id
"""


def organisations_named(ids: Iterable[str]) -> Statement | None:
    return _statement(_ORGANISATIONS, ((each,) for each in sorted(ids)))


def recorders_of(views: list[View]) -> set[str]:
    """The organisations that recorded the named entries."""
    return {
        each.version.organisation_id
        for view in views
        for known in view.known.values()
        for each in known
        if each.version.organisation_id
    }


def take_organisations(rows: Iterable[Values]) -> dict[str, Organisation]:
    kept = {key: kept_organisation(json.loads(state)).organisation for key, state in rows}
    return {key: organisation for key, organisation in kept.items() if organisation is not None}


async def read_organisations(
    connection: Connection, ids: Iterable[str]
) -> dict[str, Organisation]:
    """By id, those of these that are known."""
    asked = organisations_named(ids)
    return {} if asked is None else take_organisations(await connection.fetch(asked[0], *asked[1]))


# Every version of every recording and pair policy: a handful.
POLICIES: Statement = (
    "SELECT state::text AS state FROM aggregate WHERE kind = 'policy' ORDER BY id",
    (),
)


def take_policies(rows: Iterable[Values]) -> tuple[PolicyVersion, ...]:
    return tuple(
        version for (state,) in rows for version in kept_policy(json.loads(state)).versions
    )


def _statement(sql: str, rows: Iterable[tuple[Any, ...]]) -> Statement | None:
    columns = by_columns(rows)
    return (sql, columns) if columns else None
