"""Where do imports and their rows stand in tables? Read for a decision, written after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from services.records.domain.batches import commands as c
from services.records.domain.batches import events as e
from services.records.domain.batches.state import Absent, Batch, BatchRow, RowDone, SameSheet
from services.records.domain.dossiers.recording import claim_keys, natural_key
from services.records.domain.knowledge import Organisation
from services.records.edge.window_rows import read_organisations
from shared.ledger import Decided, Target
from shared.messages import Command, Event
from shared.postgres import Connection

BATCH: Final = "batch"

ROWS: TypeAdapter[BatchRow] = TypeAdapter(BatchRow)


async def load(
    connection: Connection,
    commands: Sequence[Command],
    rows: Mapping[Target, Mapping[str, Any] | None],
) -> dict[Target, Batch]:
    """The batches among the targets, with sheets and rows that the commands name."""
    named = [one for one in commands if isinstance(one, c.BatchCommand)]
    sheets = await _same_sheets(connection, [x for x in named if isinstance(x, c.OpenBatch)])
    done = await _rows_done(connection, [x for x in named if isinstance(x, c.ImportRow)])
    organisations = await _organisations(
        connection, [x for x in named if isinstance(x, c.OpenBatch)]
    )
    return {
        target: Batch(
            batch_id=target.id,
            row=Absent() if row is None else ROWS.validate_python(row),
            same_sheet=sheets.get(target.id),
            rows=done.get(target.id, {}),
            organisation=organisations.get(target.id),
        )
        for target, row in rows.items()
    }


async def _organisations(
    connection: Connection, opening: Sequence[c.OpenBatch]
) -> dict[str, Organisation | None]:
    """By batch: the recorder as registry last told of it."""
    if not opening:
        return {}
    known = await read_organisations(connection, {one.organisation_id for one in opening})
    return {one.batch_id: known.get(one.organisation_id) for one in opening}


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
    facts = [
        (one.batch_id, key)
        for one in importing
        if one.record is not None
        for key in claim_keys(one.record, natural_key(one.record))[0]
    ]
    # The claim first, then its row: joined freely, a planner that thinks the table small reads
    # the whole batch for each fact (measured: 918 ms instead of 2 for 128 rows of 2,500). Claims
    # are collated otherwise than rows, by which no index of rows could be looked into.
    rows = await connection.fetch(
        """WITH claimed AS MATERIALIZED (
            SELECT x.batch_id, f.entry_id COLLATE "default" AS entry_id
            FROM unnest($3::text[], $4::text[]) AS x(batch_id, key)
            JOIN fact_claim AS f ON f.key = x.key)
        SELECT t.batch_id, t.row_no, t.state, t.entry_id, t.reason, t.field
        FROM unnest($1::text[], $2::int[]) AS x(batch_id, row_no)
        JOIN batch_row AS t ON t.batch_id = x.batch_id AND t.row_no = x.row_no
        UNION
        SELECT t.batch_id, t.row_no, t.state, t.entry_id, t.reason, t.field
        FROM claimed AS x
        JOIN batch_row AS t ON t.batch_id = x.batch_id AND t.entry_id = x.entry_id""",
        [one.batch_id for one in importing],
        [one.row_no for one in importing],
        [batch_id for batch_id, _ in facts],
        [key for _, key in facts],
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
