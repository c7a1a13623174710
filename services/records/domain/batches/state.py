"""In which shapes does an import stand, and what does a decision on it need to see?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.records.domain.knowledge import Organisation

BatchKind = Literal["paper", "spreadsheet", "legacy", "national"]
RowState = Literal["imported", "repeat", "held"]

# How an entry of each kind of sheet came to be (记录方式); policies may weigh the class.
EVIDENCE_CLASS: Mapping[BatchKind, str] = {
    "paper": "paper",
    "spreadsheet": "batch_import",
    "legacy": "legacy",
    "national": "batch_import",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What was said of the sheet when it was opened, and by whom.

    ``sheet_digest``: SHA-256 of the file. ``declared_minutes``: the sum its sender states.
    """

    kind: BatchKind
    organisation_id: str
    sheet_digest: str
    rows: int
    declared_minutes: int | None
    opened_by: str
    opened_at: datetime
    decision_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows by what became of them; minutes of the imported and the repeated ones."""

    imported: int = 0
    repeats: int = 0
    held: int = 0
    minutes: int = 0

    @property
    def done(self) -> int:
        return self.imported + self.repeats + self.held


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    status: Literal["absent"] = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Rows are being taken."""

    status: Literal["open"] = "open"
    sheet: Sheet
    counts: Counts = Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """All rows are there; a second person decides."""

    status: Literal["closed"] = "closed"
    sheet: Sheet
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """A job approves the rows one by one; of a legacy sheet they were approved when recorded."""

    status: Literal["approved"] = "approved"
    sheet: Sheet
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    status: Literal["rejected"] = "rejected"
    sheet: Sheet
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    status: Literal["revoked"] = "revoked"
    sheet: Sheet
    counts: Counts


BatchRow = Absent | Open | Closed | Approved | Rejected | Revoked


@dataclass(frozen=True, slots=True, kw_only=True)
class SameSheet:
    """Another batch of the same organisation and file that was neither rejected nor revoked."""

    batch_id: str
    opened_by: str
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDone:
    """What became of a row; ``reason`` and ``field`` of a held one."""

    state: RowState
    entry_id: str | None = None
    reason: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """An import as a decision sees it: its row, and the window on sheet, rows, organisation.

    ``rows``: those that commands name, and those whose entries stand for the same facts.
    """

    batch_id: str
    row: BatchRow = Absent()
    same_sheet: SameSheet | None = None
    rows: Mapping[int, RowDone] = field(default_factory=dict)
    organisation: Organisation | None = None
