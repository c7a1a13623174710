"""What may be asked of an import?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from services.records.domain.batches.state import BatchKind
from services.records.domain.dossiers.commands import (
    ApproveEntry,
    RecordService,
    RejectEntry,
    RevokeEntry,
)
from shared.messages import Command

Decision = Literal["approve", "reject", "revoke"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCommand(Command):
    batch_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch(BatchCommand):
    """``rows`` 1–100,000; ``decision_id`` for a legacy sheet, whose rows it approves."""

    kind: BatchKind
    organisation_id: str
    sheet_digest: str
    rows: int
    declared_minutes: int | None = None
    decision_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow(BatchCommand):
    """One row: the service that it tells of, or what already held it.

    ``final``: a refusal that waits holds the row too, instead of asking for it again.
    """

    row_no: int
    record: RecordService | None = None
    held_reason: str | None = None
    held_field: str | None = None
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseBatch(BatchCommand):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveBatch(BatchCommand):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectBatch(BatchCommand):
    reason_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeBatch(BatchCommand):
    """``reason`` and ``decision_id`` as of ``RevokeEntry``."""

    reason: str
    evidence_id: str | None = None
    decision_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideRow(BatchCommand):
    """A job carries a decision out, one row at a time, as the person who decided.

    It reads and changes the row's dossier alone; how the batch was decided, the job knows.
    """

    row_no: int
    decision: Decision
    entry: ApproveEntry | RejectEntry | RevokeEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceBatch(BatchCommand):
    """A page of rows is decided; ``after`` is the last of it, None when there is none left.

    ``carried``: what the next page's job needs of the decision (reason, evidence, its id).
    """

    decision: Decision
    after: int | None
    carried: Mapping[str, str | None] = field(default_factory=dict)
