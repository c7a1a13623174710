"""What follows from each command at each state of an import?

A row of a batch is decided as the recording of a single service is; what is refused there is held
here, with its reason, and holds no other row back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.records.domain.batches import commands as c
from services.records.domain.batches import events as e
from services.records.domain.batches import rejections as r
from services.records.domain.batches.state import (
    Absent,
    Approved,
    Batch,
    Closed,
    Open,
    Rejected,
    Revoked,
    RowDone,
    Sheet,
)
from services.records.domain.dossiers.decider import decide as decide_dossier
from services.records.domain.dossiers.events import EntryRecorded, LateChangeHeld
from services.records.domain.dossiers.facts_of_service import judge_service, wrong_reason
from services.records.domain.dossiers.finding import RESERVED
from services.records.domain.dossiers.folding import City
from services.records.domain.dossiers.recording import claim_keys, natural_key, record_service
from services.records.domain.dossiers.state import Dossier
from services.records.domain.rejections import (
    ActorMayNot,
    DecisionIsMissing,
    FieldIsWrong,
    OrganisationIsUnknown,
    ReasonIsMissing,
    RecordedByYou,
    RecorderMayNotAct,
    SameFactExists,
)
from shared.clock import local_day
from shared.messages import Actor, Event, Grant, Rejection

Ruling = tuple[Event, ...] | Rejection

# A school term of a large city; more comes as several sheets.
MAX_ROWS: Final = 100_000
MAX_DECLARED_MINUTES: Final = MAX_ROWS * 1_440


def decide(
    batch: Batch, command: c.BatchCommand, city: City, dossier: Dossier | None = None
) -> Ruling:
    """Events, silence, or a refusal; ``dossier`` is that of the row's subject."""
    if isinstance(command, c.OpenBatch):
        return _open(batch, command)
    if isinstance(batch.row, Absent):
        return r.BatchIsUnknown()
    match command:
        case c.ImportRow():
            return _import_row(batch, batch.row.sheet, command, city, dossier)
        case c.CloseBatch():
            return _close(batch, command)
        case c.ApproveBatch():
            return _approve(batch, batch.row.sheet, command)
        case c.RejectBatch():
            return _reject(batch, batch.row.sheet, command)
        case c.RevokeBatch():
            return _revoke(batch, batch.row.sheet, command)
        case c.DecideRow():
            assert dossier is not None
            return decide_row(dossier, command, city)
        case c.AdvanceBatch(after=None):
            return ()
        case c.AdvanceBatch(after=int(after)):
            return (
                e.BatchAdvanced(batch_id=batch.batch_id, decision=command.decision, after=after),
            )
    raise TypeError(f"a batch knows no command {type(command).__name__}")


def _open(batch: Batch, command: c.OpenBatch) -> Ruling:
    legacy = command.kind == "legacy"
    recorders = {grant.organisation_id for grant in command.actor.holding("recorder")}
    if legacy:
        if not command.actor.has("city_reviewer"):
            return ActorMayNot()
        if command.decision_id is None:
            return DecisionIsMissing()
    elif command.organisation_id not in recorders:
        return ActorMayNot()
    if not 1 <= command.rows <= MAX_ROWS:
        return FieldIsWrong("rows", "not_1_to_100000")
    if not 0 <= (command.declared_minutes or 0) <= MAX_DECLARED_MINUTES:
        return FieldIsWrong("declared_minutes", "out_of_range")
    if batch.organisation is None:
        return OrganisationIsUnknown(command.organisation_id)
    stopped = batch.organisation.stopped_on(local_day(command.at))
    if stopped is not None:
        return RecorderMayNotAct(stopped)
    known = batch.same_sheet
    if known is not None:
        # Cut off and begun again: the opener goes on with what is there.
        resumed = known.open and known.opened_by == command.actor.actor_id
        return () if resumed else r.SameSheetImported(known.batch_id)
    if not isinstance(batch.row, Absent):
        return ()
    sheet = Sheet(
        kind=command.kind,
        organisation_id=command.organisation_id,
        sheet_digest=command.sheet_digest,
        rows=command.rows,
        declared_minutes=command.declared_minutes,
        opened_by=command.actor.actor_id,
        opened_at=command.at,
        decision_id=command.decision_id if legacy else None,
    )
    return (e.BatchOpened(batch_id=command.batch_id, sheet=sheet),)


def _import_row(
    batch: Batch, sheet: Sheet, command: c.ImportRow, city: City, dossier: Dossier | None
) -> Ruling:
    if command.actor.actor_id != sheet.opened_by:
        return ActorMayNot()
    if command.row_no in batch.rows:
        return ()
    if not isinstance(batch.row, Open):
        return r.BatchIsNotOpen(batch.row.status)
    if not 1 <= command.row_no <= sheet.rows:
        return FieldIsWrong("row_no", "not_in_this_sheet")
    if command.record is None or dossier is None:
        return (_held(command, command.held_reason or "PersonIsUnknown", command.held_field),)
    ruling = record_service(dossier, command.record, city)
    if isinstance(ruling, Rejection):
        if ruling.waits and not command.final:
            return ruling
        same_row = ruling.row_no if isinstance(ruling, SameFactExists) else None
        field = getattr(ruling, "field", None)
        return (_held(command, type(ruling).__name__, field, same_row),)
    if not ruling:
        return (_repeat(batch, command, dossier),)
    entered = next(x for x in ruling if isinstance(x, EntryRecorded | LateChangeHeld))
    imported = e.RowImported(
        batch_id=batch.batch_id,
        row_no=command.row_no,
        subject_id=command.record.subject_id,
        entry_id=entered.version.entry_id,
        minutes=entered.version.minutes,
        repeat=False,
    )
    return (*ruling, imported)


def _held(
    command: c.ImportRow, reason: str, field: str | None, same_row: int | None = None
) -> e.RowHeld:
    return e.RowHeld(
        batch_id=command.batch_id,
        row_no=command.row_no,
        reason=reason,
        field=field,
        same_as_row=same_row,
    )


def _repeat(batch: Batch, command: c.ImportRow, dossier: Dossier) -> e.RowImported | e.RowHeld:
    """The fact stands already with the same content: the row is done, and names that entry.

    Two rows of one sheet that are alike are asked about, also where the fact came before the
    sheet: the second names the first (R15).
    """
    record = command.record
    assert record is not None
    keys, _ = claim_keys(record, natural_key(record))
    claim = next(claim for key in keys if (claim := dossier.window.claims.get(key)) is not None)
    for row_no, done in batch.rows.items():
        if done.entry_id == claim.entry_id:
            return _held(command, SameFactExists.__name__, None, row_no)
    # The same content has the same minutes: judged again, for that entry itself was not read.
    judged = judge_service(record.facts, record.evidence_class, command.at)
    assert not isinstance(judged, Rejection)
    return e.RowImported(
        batch_id=command.batch_id,
        row_no=command.row_no,
        subject_id=record.subject_id,
        entry_id=claim.entry_id,
        minutes=judged.minutes,
        repeat=True,
    )


def _close(batch: Batch, command: c.CloseBatch) -> Ruling:
    row = batch.row
    if isinstance(row, Absent) or command.actor.actor_id != row.sheet.opened_by:
        return ActorMayNot()
    if not isinstance(row, Open):
        return ()
    sheet, counts = row.sheet, row.counts
    if counts.done < sheet.rows:
        return r.RowsAreMissing(sheet.rows - counts.done)
    declared = sheet.declared_minutes
    if declared is not None and counts.held == 0 and declared != counts.minutes:
        return r.MinutesDisagreeWithDeclared(counts.minutes, declared)
    closed = e.BatchClosed(
        batch_id=batch.batch_id,
        kind=sheet.kind,
        imported=counts.imported,
        held=counts.held,
        repeats=counts.repeats,
        minutes=counts.minutes,
        declared_minutes=declared,
    )
    if sheet.kind == "legacy":
        # Its rows were approved under the decision when they were recorded.
        return closed, e.BatchApproved(batch_id=batch.batch_id, decided_by=command.actor)
    return (closed,)


def _approver(sheet: Sheet, actor: Actor) -> bool:
    return any(
        grant.organisation_id == sheet.organisation_id for grant in actor.holding("approver")
    )


def _approve(batch: Batch, sheet: Sheet, command: c.ApproveBatch) -> Ruling:
    if not _approver(sheet, command.actor):
        return ActorMayNot()
    if command.actor.actor_id == sheet.opened_by:
        return RecordedByYou()
    match batch.row:
        case Open():
            return r.BatchIsOpen()
        case Closed():
            return (e.BatchApproved(batch_id=batch.batch_id, decided_by=command.actor),)
        case Approved():
            return ()
        case row:
            return r.BatchIsDecided(row.status)


def _reject(batch: Batch, sheet: Sheet, command: c.RejectBatch) -> Ruling:
    if not _approver(sheet, command.actor) and command.actor.actor_id != sheet.opened_by:
        return ActorMayNot()
    if (wrong := wrong_reason(command.reason_code, RESERVED)) is not None:
        return wrong
    match batch.row:
        case Open() | Closed():
            return (
                e.BatchRejected(
                    batch_id=batch.batch_id,
                    reason_code=command.reason_code,
                    decided_by=_withdrawing(sheet, command.actor),
                ),
            )
        case Rejected():
            return ()
        case row:
            return r.BatchIsDecided(row.status)


def _withdrawing(sheet: Sheet, actor: Actor) -> Actor:
    """The opener takes back what nobody has approved: for these rows she acts as its approver."""
    if actor.actor_id != sheet.opened_by or _approver(sheet, actor):
        return actor
    return Actor(actor.actor_id, (*actor.grants, Grant("approver", sheet.organisation_id)))


def _revoke(batch: Batch, sheet: Sheet, command: c.RevokeBatch) -> Ruling:
    recorders = {grant.organisation_id for grant in command.actor.holding("recorder")}
    reviewer = command.actor.has("city_reviewer")
    if sheet.organisation_id not in recorders and not reviewer:
        return ActorMayNot()
    if reviewer and sheet.organisation_id not in recorders and command.decision_id is None:
        return DecisionIsMissing()
    if not command.reason.strip():
        return ReasonIsMissing()
    match batch.row:
        case Approved():
            return (
                e.BatchRevoked(
                    batch_id=batch.batch_id,
                    reason=command.reason,
                    evidence_id=command.evidence_id,
                    decision_id=command.decision_id,
                    decided_by=command.actor,
                ),
            )
        case Revoked():
            return ()
        case row:
            return r.BatchIsNotApproved(row.status)


def decide_row(dossier: Dossier, command: c.DecideRow, city: City) -> Ruling:
    """What the decision on its batch makes of one row; it needs the row's dossier alone."""
    ruling = decide_dossier(dossier, command.entry, city)
    if not isinstance(ruling, Rejection) or ruling.waits:
        return ruling
    return (
        e.RowRefused(
            batch_id=command.batch_id,
            row_no=command.row_no,
            decision=command.decision,
            reason=type(ruling).__name__,
        ),
    )


def evolve(batch: Batch, event: e.BatchEvent) -> Batch:
    """The import after an event, its window moved along."""
    row = batch.row
    match event:
        case e.BatchOpened(sheet=sheet):
            return replace(batch, row=Open(sheet=sheet))
        case e.RowImported() if isinstance(row, Open):
            done = RowDone(state="repeat" if event.repeat else "imported", entry_id=event.entry_id)
            counts = replace(
                row.counts,
                imported=row.counts.imported + (not event.repeat),
                repeats=row.counts.repeats + event.repeat,
                minutes=row.counts.minutes + event.minutes,
            )
        case e.RowHeld() if isinstance(row, Open):
            done = RowDone(state="held", reason=event.reason, field=event.field)
            counts = replace(row.counts, held=row.counts.held + 1)
        case e.BatchClosed() if isinstance(row, Open):
            return replace(batch, row=Closed(sheet=row.sheet, counts=row.counts))
        case e.BatchApproved() if not isinstance(row, Absent):
            return replace(batch, row=Approved(sheet=row.sheet, counts=row.counts))
        case e.BatchRejected() if not isinstance(row, Absent):
            return replace(batch, row=Rejected(sheet=row.sheet, counts=row.counts))
        case e.BatchRevoked() if not isinstance(row, Absent):
            return replace(batch, row=Revoked(sheet=row.sheet, counts=row.counts))
        case _:
            return batch
    return replace(batch, row=replace(row, counts=counts), rows={**batch.rows, event.row_no: done})
