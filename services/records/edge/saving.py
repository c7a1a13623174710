"""How do entries, leaves, standings and claims follow a decision? Set-wise, in the write phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.state import Dossier, Present
from services.records.domain.entries import Card, EntryKey, card_of
from services.records.domain.overlap import credited
from services.records.domain.staging import events as s
from services.records.domain.staging.state import StagingView
from services.records.edge.rows import STANDING_COLUMNS, put, standing_values
from shared.canonical import canonical
from shared.ledger import Conflict, Decided, Target
from shared.postgres import Connection, by_columns, execute_together

_NAMES = ", ".join(column.split()[0] for column in STANDING_COLUMNS.split(", "))
_ARRAYS = ", ".join(
    f"${n}::{column.split()[1]}[]" for n, column in enumerate(STANDING_COLUMNS.split(", "), 1)
)
_STANDING = f"""
INSERT INTO standing AS t ({_NAMES})
SELECT * FROM unnest({_ARRAYS})
ON CONFLICT (log_id, issuer, entry_id) DO UPDATE SET
    {
    ", ".join(
        f"{name} = excluded.{name}"
        for name in _NAMES.split(", ")
        if name not in ("log_id", "issuer", "entry_id", "ulid", "subject_id")
    )
}
"""
_ENTRY = """
INSERT INTO entry_version AS t
    (issuer, entry_id, version, subject_id, digest, signed, held_order, held_epoch, brought_by)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[],
    $7::bigint[], $8::int[], $9::text[])
ON CONFLICT (issuer, entry_id, version) DO UPDATE SET
    held_order = excluded.held_order, held_epoch = excluded.held_epoch, brought_by = NULL
WHERE t.digest = excluded.digest
"""
_STAGED_ENTRY = """
INSERT INTO entry_version
    (issuer, entry_id, version, subject_id, digest, signed, held_order, held_epoch, brought_by)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[],
    $7::bigint[], $8::int[], $9::text[])
ON CONFLICT (issuer, entry_id, version) DO NOTHING
"""
_JOINED = """
UPDATE entry_version AS t SET held_order = NULL, held_epoch = NULL
FROM unnest($1::text[], $2::text[], $3::int[]) AS x(issuer, entry_id, version)
WHERE t.issuer = x.issuer AND t.entry_id = x.entry_id AND t.version = x.version
"""
_LEAF = """
INSERT INTO leaf SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::int[],
    $6::text[])
"""
_CLAIM = """
INSERT INTO fact_claim AS t
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[])
ON CONFLICT (key) DO UPDATE SET content = excluded.content WHERE t.entry_id = excluded.entry_id
"""
_QUARANTINE = """
INSERT INTO quarantine SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[],
    $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[])
ON CONFLICT DO NOTHING
"""
_RELEASED = """
DELETE FROM quarantine AS t
USING unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[]) AS x(s, i, e, v, d)
WHERE t.subject_id = x.s AND t.issuer = x.i AND t.entry_id = x.e AND t.version = x.v
    AND t.digest = x.d
"""
_SHARED = """
UPDATE standing AS t SET shared = x.shared
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS x(log_id, i, e, shared)
WHERE t.log_id = x.log_id AND t.issuer = x.i AND t.entry_id = x.e
"""
_ONLY_BROUGHT = """
DELETE FROM entry_version AS v
WHERE v.brought_by = ANY ($1::text[]) AND v.held_order IS NULL AND NOT EXISTS (
    SELECT FROM leaf AS l WHERE l.issuer = v.issuer AND l.entry_id = v.entry_id
        AND l.version = v.version)
"""

Log = str


@dataclass(slots=True)
class _Rows:
    """What one batch writes, gathered in the order of its events."""

    entries: dict[tuple[str, str, int], tuple[Any, ...]] = field(default_factory=dict)
    staged: dict[tuple[str, str, int], tuple[Any, ...]] = field(default_factory=dict)
    joined: list[tuple[str, str, int]] = field(default_factory=list)
    leaves: list[tuple[Any, ...]] = field(default_factory=list)
    moved: dict[str, set[EntryKey]] = field(default_factory=dict)
    touched: dict[str, set[EntryKey]] = field(default_factory=dict)
    standings: dict[tuple[Log, EntryKey], tuple[Any, ...]] = field(default_factory=dict)
    claims: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    quarantined: dict[tuple[Any, ...], tuple[Any, ...]] = field(default_factory=dict)
    released: list[tuple[Any, ...]] = field(default_factory=list)
    shared: list[tuple[Any, ...]] = field(default_factory=list)
    discarded: list[tuple[str, str]] = field(default_factory=list)


class Saver:
    """Writes what followed. ``signed`` gives the signed text of a version made here."""

    def __init__(self, signed: Mapping[str, str]) -> None:
        self._signed = signed

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        rows = _Rows()
        last: dict[str, Dossier] = {}
        views: dict[str, StagingView] = {}
        for one in decided:
            for event in one.events:
                self._gather(rows, event, one, last)
            _keep(one.states, last, views)
        self._standings(rows, last)
        _staged_standings(rows, decided)
        await _write(connection, rows)

    def _gather(self, rows: _Rows, event: Any, one: Decided, last: Mapping[str, Dossier]) -> None:
        match event:
            case e.EntryEvent():
                self._entry(rows, event, one)
            case e.DossierAdopted() if not event.again:
                # What was touched before belongs to the log that is left behind.
                self._standings(rows, last, only=event.subject_id)
                rows.touched.pop(event.subject_id, None)
                rows.moved.pop(event.subject_id, None)
            case e.EntryQuarantined():
                key = (event.subject_id, *_entry_key(event), event.digest)
                text, at = text_of(event.signed), one.command.at
                rows.quarantined[key] = (*key, event.code, text, event.transfer_id, at)
            case e.QuarantineEnded():
                rows.released.append((event.subject_id, *_entry_key(event), event.digest))
            case s.BundleStaged():
                _bundle(rows, event)
            case s.DossierStaged() if event.shared:
                log_id = event.log.log_id
                rows.shared += [(log_id, *key, n) for key, n in sorted(event.shared.items())]
            case s.StagingDiscarded() if event.log_id is not None:
                rows.discarded.append((event.transfer_id, event.log_id))

    def _entry(self, rows: _Rows, event: e.EntryEvent, one: Decided) -> None:
        version = event.version
        held = event.held_index if isinstance(event, e.LateChangeHeld) else None
        key = (*version.key, version.version)
        signed = self._text(event, rows.entries.get(key))
        if signed is None:
            rows.joined.append(key)
        else:
            epoch = event.custody_epoch if held is not None else None
            values = (*key, event.subject_id, version.digest, signed, held, epoch, None)
            rows.entries[key] = values
        if held is None:
            log_id = _log_of(one, event.subject_id)
            rows.leaves.append((log_id, event.index, *key, version.digest))
            rows.touched.setdefault(event.subject_id, set()).add(version.key)
            moved = {(each.issuer, each.entry_id) for each in event.moved}
            rows.moved.setdefault(event.subject_id, set()).update(moved)
        for claim in event.claims:
            rows.freed.discard(claim.key)
            rows.claims[claim.key] = (
                claim.key,
                claim.entry_id,
                claim.subject_id,
                claim.content,
                claim.batch_id,
                claim.row_no,
            )
        for freed in event.freed:
            rows.claims.pop(freed, None)
            rows.freed.add(freed)

    def _text(self, event: e.EntryEvent, here: tuple[Any, ...] | None) -> str | None:
        """The signed text; None where it stands in the table already: held, and joining now."""
        if event.signed is not None:
            return text_of(event.signed)
        if event.made_here:
            return self._signed[event.version.digest]
        return None if here is None else str(here[5])

    @staticmethod
    def _standings(rows: _Rows, last: Mapping[str, Dossier], *, only: str | None = None) -> None:
        """The rows of all entries that were touched, as they are after the whole batch."""
        for subject_id, keys in rows.touched.items():
            if only is not None and subject_id != only:
                continue
            dossier = last[subject_id]
            assert isinstance(dossier.row, Present)
            log_id, cards = dossier.row.log.log_id, dossier.window.cards
            for key in sorted(keys):
                card = cards[key]
                shared = card.counted - credited(card, cards.values())
                rows.standings[(log_id, key)] = standing_values(log_id, subject_id, card, shared)
            for key in sorted(rows.moved.get(subject_id, set()) - keys):
                card = cards[key]
                shared = card.counted - credited(card, cards.values())
                rows.shared.append((log_id, *key, shared))


def _entry_key(event: e.EntryQuarantined | e.QuarantineEnded) -> tuple[str, str, int]:
    return (event.issuer, event.entry_id, event.version)


def text_of(signed: Mapping[str, Any]) -> str:
    """The canonical text of a signed object, as it is stored and served."""
    return canonical(signed).decode("utf-8")


def _log_of(one: Decided, subject_id: str) -> str:
    dossier = one.states[Target("dossier", subject_id)]
    log_id: str = dossier.row.log.log_id
    return log_id


def _keep(
    states: Mapping[Target, Any], last: dict[str, Dossier], views: dict[str, StagingView]
) -> None:
    for target, state in states.items():
        if target.kind == "dossier":
            last[target.id] = state
        elif target.kind == "staging":
            views[target.id] = state


def _bundle(rows: _Rows, event: s.BundleStaged) -> None:
    log_id = event.log.log_id
    for place, entry in enumerate(event.entries):
        version = entry.version
        key = (*version.key, version.version)
        assert version.body is not None
        subject = version.body["subject_id"]
        rows.staged[key] = (
            *key,
            subject,
            version.digest,
            text_of(entry.signed),
            None,
            None,
            event.transfer_id,
        )
        rows.leaves.append((log_id, event.first_index + place, *key, version.digest))


def _staged_standings(rows: _Rows, decided: Sequence[Decided]) -> None:
    """Of staged logs: as the versions known so far make them; what overlaps comes at the end."""
    for one in decided:
        for event in one.events:
            if isinstance(event, s.BundleStaged):
                view = one.states[Target("staging", event.transfer_id)]
                for key in {entry.version.key for entry in event.entries}:
                    card: Card = card_of(view.known[key])
                    body = card.standing.body
                    subject = body["subject_id"] if body else _subject(view)
                    log_id = event.log.log_id
                    rows.standings[(log_id, key)] = standing_values(log_id, subject, card, 0)


def _subject(view: StagingView) -> str:
    order = getattr(view.row, "order", None)
    return order.subject_id if order else ""


async def _write(connection: Connection, rows: _Rows) -> None:
    for transfer_id, log_id in rows.discarded:
        await connection.execute("DELETE FROM leaf WHERE log_id = $1", log_id)
        await connection.execute("DELETE FROM standing WHERE log_id = $1", log_id)
        del transfer_id
    if rows.discarded:
        await connection.execute(_ONLY_BROUGHT, [each[0] for each in rows.discarded])
    if rows.freed:
        await connection.execute(
            "DELETE FROM fact_claim WHERE key = ANY ($1::text[])", sorted(rows.freed)
        )
    # Together: of one batch no two of these write the same row, and none reads what another wrote.
    first = [
        (_CLAIM, _sorted(rows.claims), "a claim was taken"),
        (_ENTRY, _sorted(rows.entries), "a version stands here with other content"),
    ]
    then = [
        (_LEAF, sorted(rows.leaves), "a leaf was not written"),
        (_STANDING, _sorted(rows.standings), "a standing was not written"),
    ]
    if rows.joined or rows.staged:
        # Rows of the same table, in the order in which every batch takes them.
        await _all(connection, first)
        await put(connection, _JOINED, sorted(rows.joined))
        await put(connection, _STAGED_ENTRY, _sorted(rows.staged))
        first = []
    await _all(connection, first + then)
    await put(connection, _SHARED, sorted(rows.shared))
    await put(connection, _QUARANTINE, _sorted(rows.quarantined))
    await put(connection, _RELEASED, sorted(rows.released))


async def _all(
    connection: Connection, changes: Sequence[tuple[str, list[tuple[Any, ...]], str]]
) -> None:
    """Statement, rows, and what it means where not all of them were written: decided again, the
    command is told so."""
    kept = [change for change in changes if change[1]]
    done = await execute_together(connection, [(sql, by_columns(rows)) for sql, rows, _ in kept])
    for (_, rows, lost), written in zip(kept, done, strict=True):
        if written != len(rows):
            raise Conflict(lost)


def _sorted(rows: Mapping[Any, tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [rows[key] for key in sorted(rows)]
