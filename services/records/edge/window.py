"""What must be read of the entries before a command is decided, and never more? (architecture.md 3)

Read after the aggregates' rows, set-wise for all commands of a batch: the entries that commands
name, what their old and new intervals meet, what these meet, the days' minutes, the claims.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from services.records.domain.dossiers.state import (
    Claim,
    Dossier,
    Known,
    Place,
    Present,
    Row,
    Window,
    held_count,
)
from services.records.domain.entries import Card, EntryKey, Version, read_body
from services.records.domain.knowledge import Organisation, PolicyVersion
from services.records.domain.overlap import interval
from services.records.edge.rows import card_of_row, kept_organisation, kept_policy
from shared.postgres import Connection

Span = tuple[datetime, datetime]
TEN_YEARS_SECONDS: Final = 10 * 366 * 86_400


@dataclass(slots=True)
class Need:
    """What the commands of a batch need of one dossier; needs of one subject are added up.

    ``corrections``: changes whose times depend on the body that they change. ``held``: all that is
    held joins, or may. ``lines``: a freeze may be decided. ``whole``: all entries. ``staged``: the
    log that is adopted.
    """

    entries: set[EntryKey] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)
    days: set[date] = field(default_factory=set)
    claims: set[str] = field(default_factory=set)
    claims_of: set[str] = field(default_factory=set)
    organisations: set[str] = field(default_factory=set)
    corrections: list[tuple[EntryKey, Mapping[str, Any]]] = field(default_factory=list)
    held: bool = False
    lines: bool = False
    whole: bool = False
    staged: str | None = None

    def add(self, other: Need) -> None:
        self.entries |= other.entries
        self.spans += other.spans
        self.days |= other.days
        self.claims |= other.claims
        self.claims_of |= other.claims_of
        self.organisations |= other.organisations
        self.corrections += other.corrections
        self.held |= other.held
        self.lines |= other.lines
        self.whole |= other.whole
        self.staged = other.staged or self.staged


@dataclass(slots=True)
class _View:
    """One log of one dossier while its window is read."""

    subject_id: str
    row: Row
    log_id: str
    longest: int
    epoch: int
    need: Need
    node: str
    known: dict[EntryKey, list[Known]] = field(default_factory=lambda: defaultdict(list))
    held: list[Version] = field(default_factory=list)
    cards: dict[EntryKey, Card] = field(default_factory=dict)
    lines: dict[EntryKey, str] | None = None

    def seeds(self) -> list[Span]:
        """Every interval, old or new, that something in this batch may give an entry."""
        found = list(self.need.spans)
        for key in self.need.entries:
            times = [each for known in self.known.get(key, ()) for each in _times(known.version)]
            times += [each for card in self._card(key) for each in _times(card.counting)]
            for named, changes in self.need.corrections:
                if named == key:
                    times += [v for v in changes.values() if isinstance(v, datetime)]
            # The hull: one correction after another in this batch stays inside it.
            if times:
                found.append((min(times), max(times)))
        found += [span for version in self.held for span in _span(version)]
        return found

    def days(self) -> set[date]:
        days = set(self.need.days)
        for key in self.need.entries:
            for known in self.known.get(key, ()):
                days |= {date.fromisoformat(day) for day in known.version.minutes_by_day}
        return days

    def _card(self, key: EntryKey) -> tuple[Card, ...]:
        return (self.cards[key],) if key in self.cards else ()


def _times(version: Version) -> tuple[datetime, ...]:
    if version.started_at is None or version.ended_at is None:
        return ()
    return version.started_at, version.ended_at


def _span(version: Version) -> tuple[Span, ...]:
    times = _times(version)
    return ((times[0], times[1]),) if times else ()


async def load_dossiers(
    connection: Connection, rows: Mapping[str, Row], needs: Mapping[str, Need], node: str
) -> dict[str, Dossier]:
    """The dossiers of a batch, each with its window; ``rows`` by subject."""
    views = [
        _view(subject, row, needs.get(subject) or Need(), node) for subject, row in rows.items()
    ]
    adopted = [_staged(view, view.need.staged) for view in views if view.need.staged is not None]
    every = [*views, *adopted]
    await _read_versions(connection, every)
    await _read_held(connection, every)
    await _read_cards(connection, every, {view.log_id: _keys(view) for view in every})
    await _read_neighbours(connection, every)
    await _read_days(connection, every)
    await _read_adjustments(connection, every)
    await _read_whole(connection, every)
    claims = await _read_claims(connection, views)
    organisations = await _read_organisations(connection, views)
    policies = await _read_policies(connection)
    later = {view.subject_id: _window(view) for view in adopted}
    return {
        view.subject_id: Dossier(
            view.row,
            _window(
                view,
                claims=claims[view.subject_id],
                organisations=organisations,
                policies=policies,
                adopted=later.get(view.subject_id),
            ),
        )
        for view in views
    }


def _view(subject_id: str, row: Row, need: Need, node: str) -> _View:
    if isinstance(row, Present):
        longest, epoch = row.log.longest_seconds, row.epoch
        return _View(subject_id, row, row.log.log_id, longest, epoch, need, node)
    # No log: a name that no log has, so that nothing is found under it.
    return _View(subject_id, row, f"none-{subject_id}", 0, 0, need, node)


def _staged(view: _View, log_id: str) -> _View:
    # Its own longest interval is in the staging's row, not here. Too long only widens what is read.
    longest = TEN_YEARS_SECONDS
    return _View(view.subject_id, view.row, log_id, longest, -1, view.need, view.node)


def _keys(view: _View) -> set[EntryKey]:
    keys = set(view.need.entries) | {version.key for version in view.held}
    for known in view.known.values():
        keys |= {each.version.reduces for each in known if each.version.reduces}
    return keys | {version.reduces for version in view.held if version.reduces}


def _window(view: _View, **more: Any) -> Window:
    return Window(
        cards=view.cards,
        known={key: tuple(known) for key, known in view.known.items()},
        held=tuple(view.held),
        lines=view.lines,
        whole=view.need.whole,
        **more,
    )


_VERSIONS = """
    SELECT v.issuer, v.entry_id, v.version, v.digest, v.signed, v.held_epoch, x.log_id,
        EXISTS (SELECT FROM leaf AS l WHERE l.issuer = v.issuer AND l.entry_id = v.entry_id
                AND l.version = v.version AND l.log_id = x.log_id) AS in_log
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS x(log_id, s, issuer, entry_id)
    JOIN entry_version AS v ON v.issuer = x.issuer AND v.entry_id = x.entry_id
        AND v.subject_id = x.s
    ORDER BY v.version
"""


async def _read_versions(connection: Connection, views: list[_View]) -> None:
    """All versions of the named entries: in the log, held, or issued here in an earlier custody."""
    by_log = {view.log_id: view for view in views}
    wanted = [
        (view.log_id, view.subject_id, *key) for view in views for key in sorted(view.need.entries)
    ]
    if not wanted:
        return
    for row in await connection.fetch(_VERSIONS, *_columns(wanted)):
        view = by_log[row["log_id"]]
        place: Place
        if row["in_log"]:
            place = "log"
        elif row["held_epoch"] is not None and row["held_epoch"] == view.epoch:
            place = "held"
        elif row["issuer"] == view.node:
            place = "past"
        else:
            # Of another city, in no log of ours: of a staging, or of a custody that is over.
            continue
        body = json.loads(row["signed"])["body"]
        version = read_body(body, row["digest"])
        view.known[version.key].append(Known(version, place))


_HELD = """
    SELECT x.log_id, v.digest, v.signed
    FROM unnest($1::text[], $2::text[], $3::int[]) AS x(log_id, subject_id, epoch)
    JOIN entry_version AS v ON v.subject_id = x.subject_id AND v.held_epoch = x.epoch
    WHERE v.held_order IS NOT NULL
    ORDER BY v.held_order
"""


async def _read_held(connection: Connection, views: list[_View]) -> None:
    """All that is held since this custody was fenced or ended; at most 20,000, mostly none."""
    by_log = {view.log_id: view for view in views}
    wanted = [
        (view.log_id, view.subject_id, view.epoch)
        for view in views
        if view.epoch >= 0 and held_count(view.row)
    ]
    if not wanted:
        return
    for row in await connection.fetch(_HELD, *_columns(wanted)):
        view = by_log[row["log_id"]]
        version = read_body(json.loads(row["signed"])["body"], row["digest"])
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
        for row in await connection.fetch(_VERSIONS, *_columns(joined)):
            if row["in_log"]:
                version = read_body(json.loads(row["signed"])["body"], row["digest"])
                by_log[row["log_id"]].known[version.key].append(Known(version, "log"))


_CARDS = """
    SELECT t.log_id, t.standing, t.counting
    FROM unnest($1::text[], $2::text[], $3::text[]) AS x(log_id, issuer, entry_id)
    JOIN standing AS t ON t.log_id = x.log_id AND t.issuer = x.issuer AND t.entry_id = x.entry_id
"""


async def _read_cards(
    connection: Connection, views: list[_View], keys: Mapping[str, Iterable[EntryKey]]
) -> None:
    wanted = [(view.log_id, *key) for view in views for key in sorted(keys[view.log_id])]
    if wanted:
        _take(views, await connection.fetch(_CARDS, *_columns(wanted)))


def _take(views: list[_View], rows: Iterable[Any]) -> dict[str, list[Card]]:
    by_log = {view.log_id: view for view in views}
    new: dict[str, list[Card]] = defaultdict(list)
    for row in rows:
        view = by_log[row["log_id"]]
        card = card_of_row(row["standing"], row["counting"])
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


async def _read_neighbours(connection: Connection, views: list[_View]) -> None:
    """What every interval of this batch meets, and what these meet."""
    seeds = {view.log_id: view.seeds() for view in views}
    for _ in range(2):
        wanted = [
            (view.log_id, _long_before(first, view.longest), first, last)
            for view in views
            for first, last in seeds.get(view.log_id, ())
        ]
        if not wanted:
            return
        new = _take(views, await connection.fetch(_MEETING, *_columns(wanted)))
        # Entries that were named are seeds themselves; only what is newly met can meet more.
        seeds = {
            log_id: [
                (card.counting.started_at, card.counting.ended_at)
                for card in cards
                if interval(card) is not None
                and card.counting.started_at is not None
                and card.counting.ended_at is not None
            ]
            for log_id, cards in new.items()
        }


def _long_before(instant: datetime, seconds: int) -> datetime:
    # No interval of the log is longer, so nothing that began before can reach this far.
    return instant - timedelta(seconds=seconds)


_ON_DAYS = """
    SELECT DISTINCT ON (t.log_id, t.issuer, t.entry_id) t.log_id, t.standing, t.counting
    FROM unnest($1::text[], $2::date[]) AS x(log_id, day)
    JOIN standing AS t ON t.log_id = x.log_id AND t.first_day IS NOT NULL
        AND t.first_day BETWEEN x.day - 7 AND x.day AND t.last_day >= x.day
"""


async def _read_days(connection: Connection, views: list[_View]) -> None:
    """What counts on the days in question; no entry has days more than seven apart."""
    wanted = [(view.log_id, day) for view in views for day in sorted(view.days())]
    if wanted:
        _take(views, await connection.fetch(_ON_DAYS, *_columns(wanted)))


_REDUCING = """
    SELECT t.log_id, t.standing, t.counting
    FROM unnest($1::text[], $2::text[], $3::text[]) AS x(log_id, issuer, entry_id)
    JOIN standing AS t ON t.log_id = x.log_id AND t.reduces_issuer = x.issuer
        AND t.reduces_entry_id = x.entry_id
"""


async def _read_adjustments(connection: Connection, views: list[_View]) -> None:
    """Adjustments of the entries that may change: their minutes stand in those entries' cells."""
    wanted = [
        (view.log_id, *key)
        for view in views
        for key in sorted(view.need.entries | {version.key for version in view.held})
    ]
    if wanted:
        _take(views, await connection.fetch(_REDUCING, *_columns(wanted)))


async def _read_whole(connection: Connection, views: list[_View]) -> None:
    """All entries, or the state lines of all: only for a freeze, or an adoption said again."""
    for view in views:
        if view.need.whole and view.epoch >= 0:
            _take(
                [view],
                await connection.fetch(
                    "SELECT log_id, standing, counting FROM standing WHERE log_id = $1",
                    view.log_id,
                ),
            )
        if view.need.lines:
            rows = await connection.fetch(
                "SELECT issuer, entry_id, line FROM standing WHERE log_id = $1", view.log_id
            )
            view.lines = {(row["issuer"], row["entry_id"]): row["line"] for row in rows}


_CLAIMS = """
    SELECT t.* FROM unnest($1::text[]) AS x(key) JOIN fact_claim AS t ON t.key = x.key
    UNION
    SELECT t.* FROM unnest($2::text[]) AS x(id) JOIN fact_claim AS t ON t.entry_id = x.id
"""


async def _read_claims(connection: Connection, views: list[_View]) -> dict[str, dict[str, Claim]]:
    found: dict[str, dict[str, Claim]] = {view.subject_id: {} for view in views}
    keys = {key for view in views for key in view.need.claims}
    ids = {entry_id for view in views for entry_id in view.need.claims_of}
    if not keys and not ids:
        return found
    claims = {
        row["key"]: Claim(
            key=row["key"],
            entry_id=row["entry_id"],
            subject_id=row["subject_id"],
            content=row["content"],
            batch_id=row["batch_id"],
            row_no=row["row_no"],
        )
        for row in await connection.fetch(_CLAIMS, sorted(keys), sorted(ids))
    }
    for view in views:
        found[view.subject_id] = {
            key: claim
            for key, claim in claims.items()
            if key in view.need.claims or claim.entry_id in view.need.claims_of
        }
    return found


async def _read_organisations(
    connection: Connection, views: list[_View]
) -> dict[str, Organisation]:
    """The named recorders, and those of the named entries."""
    ids = {each for view in views for each in view.need.organisations}
    for view in views:
        for known in view.known.values():
            ids |= {each.version.organisation_id for each in known if each.version.organisation_id}
    if not ids:
        return {}
    rows = await connection.fetch(
        """SELECT t.id, t.state::text AS state FROM unnest($1::text[]) AS x(id)
           JOIN aggregate AS t ON t.kind = 'organisation' AND t.id = x.id""",
        sorted(ids),
    )
    kept = {row["id"]: kept_organisation(json.loads(row["state"])).organisation for row in rows}
    return {key: organisation for key, organisation in kept.items() if organisation is not None}


async def _read_policies(connection: Connection) -> tuple[PolicyVersion, ...]:
    """Every version of every recording and pair policy: a handful."""
    rows = await connection.fetch(
        "SELECT state::text AS state FROM aggregate WHERE kind = 'policy' ORDER BY id"
    )
    return tuple(
        version for row in rows for version in kept_policy(json.loads(row["state"])).versions
    )


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
