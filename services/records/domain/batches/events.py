"""What has happened to an import? All lie on ``records.batches.v1`` but the job's own progress."""

from __future__ import annotations

from dataclasses import dataclass

from services.records.domain.batches.commands import Decision
from services.records.domain.batches.state import BatchKind, Sheet
from shared.messages import Actor, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEvent(Event):
    batch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOpened(BatchEvent):
    sheet: Sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class RowImported(BatchEvent):
    """``repeat``: the fact stood already, with the same content; ``entry_id`` is that entry's."""

    row_no: int
    subject_id: str
    entry_id: str
    minutes: int
    repeat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowHeld(BatchEvent):
    """``reason``: the refusal's name; ``same_as_row``: the row of this sheet that is alike."""

    row_no: int
    reason: str
    field: str | None = None
    same_as_row: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchClosed(BatchEvent):
    kind: BatchKind
    imported: int
    held: int
    repeats: int
    minutes: int
    declared_minutes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchApproved(BatchEvent):
    """``decided_by`` carries the job's authority: the rows are approved as that person."""

    decided_by: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRejected(BatchEvent):
    reason_code: str
    decided_by: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRevoked(BatchEvent):
    reason: str
    evidence_id: str | None
    decision_id: str | None
    decided_by: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRefused(BatchEvent):
    """Own: a decision on the batch did not reach this row; it stays as it is and is listed.

    It changes no state, the batch's neither.
    """

    row_no: int
    decision: Decision
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAdvanced(BatchEvent):
    """Own: the next page of rows is due."""

    decision: Decision
    after: int
