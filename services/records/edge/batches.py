"""What does the ledger ask of imports? Reach, window, outgoing events, jobs, tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from services.records.contract.topics import BATCHES
from services.records.domain.batches import commands as c
from services.records.domain.batches import events as e
from services.records.domain.batches.state import (
    Absent,
    Batch,
    BatchRow,
    RowDone,
    SameSheet,
)
from services.records.domain.knowledge import Organisation
from shared.ledger import Decided, Schedule, StreamKey, Target
from shared.messages import Actor, Command, Event, Outgoing
from shared.postgres import Connection

BATCH: Final = "batch"
DECIDE_JOB: Final = "decide-batch"

TYPES: Final[dict[type[e.BatchEvent], str]] = {
    e.BatchOpened: "records.batch-opened.v1",
    e.RowImported: "records.row-imported.v1",
    e.RowHeld: "records.row-held.v1",
    e.BatchClosed: "records.batch-closed.v1",
    e.BatchApproved: "records.batch-approved.v1",
    e.BatchRejected: "records.batch-rejected.v1",
    e.BatchRevoked: "records.batch-revoked.v1",
    e.RowRefused: "records.row-refused.v1",
    e.BatchAdvanced: "records.batch-advanced.v1",
}
# On no topic: what the job did, kept for audit.
OWN: Final = frozenset({e.RowRefused, e.BatchAdvanced})

_ROWS: TypeAdapter[BatchRow] = TypeAdapter(BatchRow)
_EVENTS = {shape: TypeAdapter(shape) for shape in TYPES}
_ACTOR: TypeAdapter[Actor] = TypeAdapter(Actor)


def batch_target(batch_id: str) -> Target:
    """The aggregate of an import."""
    return Target(BATCH, batch_id)


def batch_stream(batch_id: str) -> StreamKey:
    """Its stream on ``records.batches.v1``."""
    return StreamKey(BATCHES.name, batch_id)


def sheet_claim(command: Command) -> tuple[str, ...]:
    """One sheet of an organisation is opened once: what the unique index of ``batch`` guards."""
    if isinstance(command, c.OpenBatch):
        return (f"sheet|{command.organisation_id}|{command.sheet_digest}",)
    return ()


def encode(batch: Batch) -> Mapping[str, Any]:
    """The aggregate's row."""
    row: Mapping[str, Any] = _ROWS.dump_python(batch.row, mode="json")
    return row


async def load(
    connection: Connection,
    commands: Sequence[Command],
    rows: Mapping[Target, Mapping[str, Any] | None],
    organisations: Mapping[str, Organisation],
) -> dict[Target, Batch]:
    """The batches among the targets, with sheets and rows that the commands name."""
    found = {target: row for target, row in rows.items() if target.kind == BATCH}
    if not found:
        return {}
    named = [one for one in commands if isinstance(one, c.BatchCommand)]
    sheets = await _same_sheets(connection, [x for x in named if isinstance(x, c.OpenBatch)])
    done = await _rows_done(connection, [x for x in named if isinstance(x, c.ImportRow)])
    return {
        target: Batch(
            batch_id=target.id,
            row=Absent() if row is None else _ROWS.validate_python(row),
            same_sheet=sheets.get(target.id),
            rows=done.get(target.id, {}),
            organisation=_organisation(target.id, named, organisations),
        )
        for target, row in found.items()
    }


def _organisation(
    batch_id: str, commands: Iterable[c.BatchCommand], known: Mapping[str, Organisation]
) -> Organisation | None:
    for command in commands:
        if isinstance(command, c.OpenBatch) and command.batch_id == batch_id:
            return known.get(command.organisation_id)
    return None


async def _same_sheets(
    connection: Connection, opening: Sequence[c.OpenBatch]
) -> dict[str, SameSheet]:
    if not opening:
        return {}
    rows = await connection.fetch(
        """SELECT x.batch_id AS asked, t.batch_id, t.opened_by, t.status
        FROM unnest($1::text[], $2::text[], $3::text[]) AS x(batch_id, organisation_id, digest)
        JOIN batch AS t ON t.organisation_id = x.organisation_id AND t.sheet_digest = x.digest
        WHERE t.status NOT IN ('rejected', 'revoked')""",
        [one.batch_id for one in opening],
        [one.organisation_id for one in opening],
        [one.sheet_digest for one in opening],
    )
    return {
        row["asked"]: SameSheet(
            batch_id=row["batch_id"], opened_by=row["opened_by"], open=row["status"] == "open"
        )
        for row in rows
    }


async def _rows_done(
    connection: Connection, importing: Sequence[c.ImportRow]
) -> dict[str, dict[int, RowDone]]:
    if not importing:
        return {}
    rows = await connection.fetch(
        """SELECT t.batch_id, t.row_no, t.state, t.entry_id, t.reason, t.field
        FROM unnest($1::text[], $2::int[]) AS x(batch_id, row_no)
        JOIN batch_row AS t ON t.batch_id = x.batch_id AND t.row_no = x.row_no""",
        [one.batch_id for one in importing],
        [one.row_no for one in importing],
    )
    done: dict[str, dict[int, RowDone]] = {}
    for row in rows:
        done.setdefault(row["batch_id"], {})[row["row_no"]] = RowDone(
            state=row["state"],
            entry_id=row["entry_id"],
            reason=row["reason"],
            field=row["field"],
        )
    return done


def outgoing(event: e.BatchEvent, decided: Decided) -> Outgoing:
    """Who decided rides as an id alone; roles and grants stay in the job."""
    data: dict[str, Any] = _EVENTS[type(event)].dump_python(event, mode="json")
    if "decided_by" in data:
        data["decided_by"] = data["decided_by"]["actor_id"]
    if "sheet" in data:
        data |= data.pop("sheet")
    return Outgoing(
        topic=None if type(event) in OWN else BATCHES.name,
        key=event.batch_id,
        type=TYPES[type(event)],
        data=data,
        occurred_at=decided.command.at,
    )


def jobs(decided: Decided) -> tuple[Schedule, ...]:
    """A decision on a batch is carried out row by row, a page at a time."""
    wishes: list[Schedule] = []
    for event in decided.events:
        match event:
            case e.BatchApproved() if not _legacy(decided, event.batch_id):
                wishes.append(_page(event.batch_id, "approve", 0, event.decided_by, {}))
            case e.BatchRejected():
                wishes.append(
                    _page(
                        event.batch_id,
                        "reject",
                        0,
                        event.decided_by,
                        {"reason_code": event.reason_code},
                    )
                )
            case e.BatchRevoked():
                wishes.append(
                    _page(
                        event.batch_id,
                        "revoke",
                        0,
                        event.decided_by,
                        {
                            "reason": event.reason,
                            "evidence_id": event.evidence_id,
                            "decision_id": event.decision_id,
                        },
                    )
                )
            case e.BatchAdvanced():
                wishes.append(_next_page(decided, event))
    return tuple(wishes)


def _legacy(decided: Decided, batch_id: str) -> bool:
    batch = decided.states[batch_target(batch_id)]
    return bool(batch.row.sheet.kind == "legacy")


def _page(
    batch_id: str, decision: c.Decision, after: int, actor: Actor, more: Mapping[str, Any]
) -> Schedule:
    return Schedule(
        DECIDE_JOB,
        batch_target(batch_id),
        data={
            "batch_id": batch_id,
            "decision": decision,
            "after": after,
            "actor": _ACTOR.dump_python(actor, mode="json"),
            **more,
        },
        discriminator=f"{decision}\n{after}",
    )


def _next_page(decided: Decided, event: e.BatchAdvanced) -> Schedule:
    command = decided.command
    assert isinstance(command, c.AdvanceBatch)
    return _page(event.batch_id, event.decision, event.after, command.actor, dict(command.carried))


async def save(connection: Connection, decided: Sequence[Decided]) -> None:
    """The tables that lists of imports and their rows are read from."""
    last: dict[str, Batch] = {}
    rows: list[tuple[object, ...]] = []
    refused: list[tuple[str, int, str, str]] = []
    for one in decided:
        for target, state in one.states.items():
            if target.kind == BATCH:
                last[target.id] = state
        for event in one.events:
            row = _row(event)
            if row is not None:
                rows.append(row)
            if isinstance(event, e.RowRefused):
                refused.append((event.batch_id, event.row_no, event.decision, event.reason))
    await _put_batches(connection, last)
    if rows:
        await connection.execute(
            """INSERT INTO batch_row (batch_id, row_no, state, subject_id, entry_id, minutes,
                reason, field, same_as_row)
            SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[],
                $6::bigint[], $7::text[], $8::text[], $9::int[])""",
            *zip(*sorted(rows, key=lambda row: (row[0], row[1])), strict=True),
        )
    if refused:
        await connection.execute(
            """UPDATE batch_row AS t SET refused_decision = x.decision, refused_reason = x.reason
            FROM unnest($1::text[], $2::int[], $3::text[], $4::text[])
                AS x(batch_id, row_no, decision, reason)
            WHERE t.batch_id = x.batch_id AND t.row_no = x.row_no""",
            *zip(*sorted(refused), strict=True),
        )


def _row(event: Event) -> tuple[object, ...] | None:
    match event:
        case e.RowImported():
            state = "repeat" if event.repeat else "imported"
            return (
                event.batch_id,
                event.row_no,
                state,
                event.subject_id,
                event.entry_id,
                event.minutes,
                None,
                None,
                None,
            )
        case e.RowHeld():
            return (
                event.batch_id,
                event.row_no,
                "held",
                None,
                None,
                0,
                event.reason,
                event.field,
                event.same_as_row,
            )
        case _:
            return None


async def _put_batches(connection: Connection, batches: Mapping[str, Batch]) -> None:
    rows = [
        (
            batch_id,
            batch.row.sheet.organisation_id,
            batch.row.sheet.kind,
            batch.row.status,
            batch.row.sheet.sheet_digest,
            batch.row.sheet.rows,
            batch.row.sheet.declared_minutes,
            batch.row.sheet.opened_by,
            batch.row.sheet.opened_at,
            batch.row.counts.imported,
            batch.row.counts.repeats,
            batch.row.counts.held,
            batch.row.counts.minutes,
        )
        for batch_id, batch in sorted(batches.items())
        if not isinstance(batch.row, Absent)
    ]
    if rows:
        await connection.execute(
            """INSERT INTO batch AS t (batch_id, organisation_id, kind, status, sheet_digest, rows,
                declared_minutes, opened_by, opened_at, imported, repeats, held, minutes)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
                $6::int[], $7::bigint[], $8::text[], $9::timestamptz[], $10::int[], $11::int[],
                $12::int[], $13::bigint[])
            ON CONFLICT (batch_id) DO UPDATE SET status = excluded.status,
                imported = excluded.imported, repeats = excluded.repeats, held = excluded.held,
                minutes = excluded.minutes""",
            *zip(*rows, strict=True),
        )
