"""How does a sheet come in, page by page, and who decides on it?

Good rows are not held back by bad ones. The importer keeps the file; what is held is told by its
reason and its cell, never by its content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from services.records.domain.batches import commands as c
from services.records.domain.batches import events as e
from services.records.domain.batches.rejections import BatchIsUnknown
from services.records.domain.batches.state import EVIDENCE_CLASS, BatchKind, RowDone
from services.records.domain.dossiers.commands import BatchRow, RecordService
from services.records.edge import batches_examples as examples
from services.records.edge.batch_rows import ReadRow, read_row, source_of
from services.records.edge.batches import batch_target
from services.records.edge.batches_queries import BatchQueries, SheetRow
from services.records.edge.persons import Persons
from shared.auth import require
from shared.ids import random_hex, row_command_id
from shared.ledger import Accepted, Answer, Decided, LedgerApi, Outcome
from shared.messages import Actor, Rejection
from shared.problems import not_found, of_rejection
from shared.requests import CommandContext, Page, command, page, page_of, submit

ROWS_PER_PAGE: Final = 500
# What one commit of the ledger takes.
ROWS_RESOLVED_AT_ONCE: Final = 128

BatchId = Annotated[
    str, Path(pattern="^[0-9a-f]{32}$", examples=["0f8fad5bd9cb469fa165708677289501"])
]
Recorder = Annotated[CommandContext, Depends(command("recorder", "city_reviewer"))]
Decider = Annotated[CommandContext, Depends(command("approver", "recorder", "city_reviewer"))]
Reader = Annotated[Actor, Depends(require("recorder", "approver", "city_reviewer", "auditor"))]
Asked = Annotated[Page, Depends(page)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Opening(_Body):
    kind: BatchKind = Field(examples=["spreadsheet"])
    organisation_id: str = Field(min_length=1, max_length=80, examples=["org-sunrise"])
    sheet_digest: str = Field(
        pattern="^[0-9a-f]{64}$", description="SHA-256 of the file", examples=[64 * "e"]
    )
    rows: int = Field(ge=1, le=100_000, examples=[200])
    declared_minutes: int | None = Field(default=None, ge=0, examples=[24_000])
    decision_id: str | None = Field(default=None, max_length=100)


class Rows(_Body):
    rows: list[dict[str, Any]] = Field(
        min_length=1, max_length=ROWS_PER_PAGE, examples=[[examples.ROW, examples.HOURS_ROW]]
    )


class Refusing(_Body):
    reason_code: str = Field(max_length=200, examples=["not_present"])


class Revoking(_Body):
    reason: str = Field(max_length=200, examples=["duplicate"])
    evidence_id: str | None = Field(default=None, max_length=80)
    decision_id: str | None = Field(default=None, max_length=100)


def router(ledger: LedgerApi, queries: BatchQueries, persons: Persons) -> APIRouter:
    """The routes under ``/batches``."""
    made = APIRouter(prefix="/batches", tags=["导入 imports"])
    _commands(made, ledger)
    _rows(made, ledger, queries, persons)
    _reads(made, queries)
    return made


def _commands(made: APIRouter, ledger: LedgerApi) -> None:
    @made.post("", status_code=201, summary="建立批次 · open a batch", responses=examples.OPENED)
    async def open_batch(body: Opening, context: Recorder) -> Response:
        wish = c.OpenBatch(**context.meta(), batch_id=context.command_id.hex, **body.model_dump())
        return await submit(ledger, wish, context, _opened)

    @made.post("/{batch_id}/close", summary="关闭批次 · close a batch", responses=examples.CLOSED)
    async def close(batch_id: BatchId, context: Recorder) -> Response:
        wish = c.CloseBatch(**context.meta(), batch_id=batch_id)
        return await submit(ledger, wish, context, _status)

    @made.post(
        "/{batch_id}/approve",
        summary="批准批次 · approve a batch",
        responses=examples.BATCH_APPROVED,
    )
    async def approve(
        batch_id: BatchId, context: Annotated[CommandContext, Depends(command("approver"))]
    ) -> Response:
        wish = c.ApproveBatch(**context.meta(), batch_id=batch_id)
        return await submit(ledger, wish, context, _status)

    @made.post(
        "/{batch_id}/reject", summary="退回批次 · reject a batch", responses=examples.BATCH_REJECTED
    )
    async def reject(batch_id: BatchId, body: Refusing, context: Decider) -> Response:
        wish = c.RejectBatch(**context.meta(), batch_id=batch_id, reason_code=body.reason_code)
        return await submit(ledger, wish, context, _status)

    @made.post(
        "/{batch_id}/revoke", summary="撤销批次 · revoke a batch", responses=examples.BATCH_REVOKED
    )
    async def revoke(batch_id: BatchId, body: Revoking, context: Decider) -> Response:
        wish = c.RevokeBatch(**context.meta(), batch_id=batch_id, **body.model_dump())
        return await submit(ledger, wish, context, _status)


def _opened(decided: Decided) -> Answer:
    """The batch opened, or the opener's own one that was cut off: its id is the answer."""
    opening = decided.command
    assert isinstance(opening, c.OpenBatch)
    batch = decided.states[batch_target(opening.batch_id)]
    if not decided.events and batch.same_sheet is not None:
        return Answer(200, {"batch_id": batch.same_sheet.batch_id, "resumed": True})
    return Answer(201, {"batch_id": opening.batch_id, "resumed": False})


def _status(decided: Decided) -> Answer:
    target = next(target for target in decided.states if target.kind == "batch")
    row = decided.states[target].row
    return Answer(
        200,
        {
            "batch_id": target.id,
            "status": row.status,
            "rows": row.sheet.rows,
            "imported": row.counts.imported,
            "repeats": row.counts.repeats,
            "held": row.counts.held,
            "minutes": row.counts.minutes,
            "declared_minutes": row.sheet.declared_minutes,
        },
    )


def _rows(made: APIRouter, ledger: LedgerApi, queries: BatchQueries, persons: Persons) -> None:
    @made.post(
        "/{batch_id}/rows",
        summary="导入一页 · import a page of rows",
        responses=examples.ROWS_TAKEN,
    )
    async def import_rows(
        batch_id: BatchId,
        body: Rows,
        context: Recorder,
        dry_run: Annotated[
            bool, Query(description="只判断不写入 · judges, writes nothing")
        ] = False,
        final: Annotated[
            bool, Query(description="等待的也扣下 · holds rows that would wait")
        ] = False,
    ) -> Response:
        """Each row is answered imported, repeat, held, or again (send it once more)."""
        sheet = await queries.sheet(batch_id)
        if sheet is None or sheet.opened_by != context.actor.actor_id:
            raise of_rejection(BatchIsUnknown())
        read = [read_row(raw, sheet.seat_region) for raw in body.rows]
        unnumbered = [index for index, row in enumerate(read) if row is None]
        numbered = [row for row in read if row is not None]

        async def commands_of(rows: Sequence[ReadRow]) -> list[c.ImportRow]:
            subjects = await persons.resolve(rows)
            return [_command(context, sheet, row, subjects.get(row.row_no), final) for row in rows]

        if dry_run:
            commands = await commands_of(numbered)
            found = await ledger.rehearse(commands)
            outcomes = [found[one.command_id] for one in commands]
        else:
            commands, outcomes = await _decided(ledger, numbered, commands_of)
        answers = [
            _answer(command_, outcome, context.language)
            for command_, outcome in zip(commands, outcomes, strict=True)
        ]
        return JSONResponse({"batch_id": batch_id, "rows": answers, "unnumbered": unnumbered})


def _command(
    context: CommandContext,
    sheet: SheetRow,
    row: ReadRow,
    person: str | e.RowHeld | None,
    final: bool,
) -> c.ImportRow:
    meta = context.meta() | {"command_id": row_command_id(sheet.batch_id, row.row_no)}
    head: dict[str, Any] = {**meta, "batch_id": sheet.batch_id, "row_no": row.row_no}
    if row.held is not None:
        return c.ImportRow(**head, held_reason=row.held.reason, held_field=row.held.field)
    if not isinstance(person, str) or row.facts is None:
        held = person if isinstance(person, e.RowHeld) else None
        return c.ImportRow(
            **head,
            held_reason=held.reason if held else "PersonIsUnknown",
            held_field=held.field if held else "document",
        )
    kind: BatchKind = sheet.kind
    record = RecordService(
        **meta,
        subject_id=person,
        salt=random_hex(16),
        organisation_id=sheet.organisation_id,
        evidence_class=EVIDENCE_CLASS[kind],
        facts=row.facts,
        source=source_of(row, kind, sheet.sheet_digest),
        batch=BatchRow(
            batch_id=sheet.batch_id,
            row_no=row.row_no,
            opened_at=sheet.opened_at,
            decision_id=sheet.decision_id,
        ),
    )
    return c.ImportRow(**head, record=record, final=final)


async def _decided(
    ledger: LedgerApi,
    rows: Sequence[ReadRow],
    commands_of: Callable[[Sequence[ReadRow]], Awaitable[list[c.ImportRow]]],
) -> tuple[list[c.ImportRow], list[Outcome]]:
    """In their order; while the ledger has some of them, registry is asked for the next.

    Should it be away then, those before stay taken: the page is sent again, and told the same.
    """
    commands: list[c.ImportRow] = []
    under_way: list[asyncio.Task[Outcome]] = []
    try:
        for first in range(0, len(rows), ROWS_RESOLVED_AT_ONCE):
            made = await commands_of(rows[first : first + ROWS_RESOLVED_AT_ONCE])
            commands += made
            under_way += [asyncio.create_task(ledger.submit(one)) for one in made]
    except Exception:
        # Whoever sends the page again meets them done, not half way.
        await asyncio.gather(*under_way, return_exceptions=True)
        raise
    return commands, await asyncio.gather(*under_way)


def _answer(
    command_: c.ImportRow, outcome: Outcome, language: Literal["zh", "en"]
) -> dict[str, Any]:
    if isinstance(outcome, Rejection):
        if not outcome.waits:
            raise of_rejection(outcome)
        problem = of_rejection(outcome)
        return {
            "row_no": command_.row_no,
            "outcome": "again",
            "reason": type(outcome).__name__,
            "detail": problem.zh if language == "zh" else problem.en,
        }
    return {"row_no": command_.row_no, **_became(command_, outcome)}


def _became(command_: c.ImportRow, outcome: Accepted) -> Mapping[str, Any]:
    for event in outcome.events:
        if isinstance(event, e.RowImported):
            state = "repeat" if event.repeat else "imported"
            return {"outcome": state, "entry_id": event.entry_id, "minutes": event.minutes}
        if isinstance(event, e.RowHeld):
            return {
                "outcome": "held",
                "reason": event.reason,
                "field": event.field,
                "same_as_row": event.same_as_row,
            }
    batch = outcome.states[batch_target(command_.batch_id)]
    done: RowDone = batch.rows[command_.row_no]
    if done.state == "held":
        return {"outcome": "held", "reason": done.reason, "field": done.field, "same_as_row": None}
    return {"outcome": done.state, "entry_id": done.entry_id, "minutes": None}


def _reads(made: APIRouter, queries: BatchQueries) -> None:
    @made.get("", summary="本单位的批次 · batches of my organisations", responses=examples.BATCHES)
    async def batches(actor: Reader, asked: Asked) -> dict[str, Any]:
        rows = await queries.batches(organisations_of(actor), asked)
        return page_of(rows, asked, queries.shown, lambda row: (row["opened_at"], row["batch_id"]))

    @made.get("/{batch_id}", summary="批次 · a batch", responses=examples.BATCH_SHOWN)
    async def batch(batch_id: BatchId, actor: Reader) -> dict[str, Any]:
        found = await queries.batch(batch_id, organisations_of(actor))
        if found is None:
            raise not_found()
        return found

    @made.get(
        "/{batch_id}/rows", summary="批次各行 · what became of the rows", responses=examples.ROWS
    )
    async def rows(
        batch_id: BatchId,
        actor: Reader,
        asked: Asked,
        state: Annotated[Literal["imported", "repeat", "held", "refused"] | None, Query()] = None,
    ) -> dict[str, Any]:
        if await queries.batch(batch_id, organisations_of(actor)) is None:
            raise not_found()
        found = await queries.rows(batch_id, state, asked)
        return page_of(found, asked, dict, lambda row: (row["row_no"],))


def organisations_of(actor: Actor) -> tuple[str, ...]:
    """The organisations whose batches an actor sees; ``*``: reviewers and auditors see all."""
    if actor.has("city_reviewer", "auditor"):
        return ("*",)
    grants = actor.holding("recorder", "approver")
    return tuple(sorted({grant.organisation_id for grant in grants if grant.organisation_id}))
