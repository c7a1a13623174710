"""How does a command become committed state, events and an answer, once?

The one way through: read, decide, write once, commit; then answer (decisions/0001).
"""

from __future__ import annotations

from shared.ledger.engine import Ledger
from shared.ledger.gate import Gate
from shared.ledger.rows import EventRow, append_events, last_sequences
from shared.ledger.types import (
    Accepted,
    Answer,
    Attachment,
    Cancel,
    CommandIdReused,
    Conflict,
    Decided,
    Defect,
    Domain,
    FieldIsWrong,
    LedgerApi,
    Outcome,
    Reach,
    Request,
    Schedule,
    StreamKey,
    Target,
    Waiting,
)

__all__ = [
    "Accepted",
    "Answer",
    "Attachment",
    "Cancel",
    "CommandIdReused",
    "Conflict",
    "Decided",
    "Defect",
    "Domain",
    "EventRow",
    "FieldIsWrong",
    "Gate",
    "Ledger",
    "LedgerApi",
    "Outcome",
    "Reach",
    "Request",
    "Schedule",
    "StreamKey",
    "Target",
    "Waiting",
    "append_events",
    "last_sequences",
]
