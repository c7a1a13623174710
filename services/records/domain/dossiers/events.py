"""What has happened to a dossier? Entry events carry the whole version; the wire its summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.records.domain.dossiers.state import Claim, Ending, Log, Totals
from services.records.domain.entries import Cell, Version
from services.records.domain.overlap import Moved
from shared.messages import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierEvent(Event):
    """``custody_epoch``: under which this node held the dossier then; None if it did not."""

    subject_id: str
    custody_epoch: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryEvent(DossierEvent):
    """A version of an entry came to be here.

    ``stands``: no higher version is known. ``index``: its leaf, or None while it is held.
    ``signed``: as it came from its issuer, else None. ``made_here``: by this very command, so that
    the edge signs it; what was held before stands here signed, and is never signed anew (B26).
    """

    version: Version
    stands: bool
    moved: tuple[Moved, ...] = ()
    index: int | None = None
    made_here: bool = True
    signed: Mapping[str, Any] | None = None
    claims: tuple[Claim, ...] = ()
    freed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecorded(EntryEvent):
    """``service-recorded`` and its sisters, by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryShown(EntryEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryApproved(EntryEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRejected(EntryEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCorrected(EntryEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRevoked(EntryEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened(EntryEvent):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class LateChangeHeld(EntryEvent):
    """Taken while the dossier is frozen, or elsewhere; no leaf, in no sum.

    ``held_index``: its place in the order of arrival since this custody, from 0.
    """

    transfer_id: str
    held_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierOpened(DossierEvent):
    first_registered_on: date
    log_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceRaised(DossierEvent):
    """*Own.* Nothing joins any more; a job reckons the state digest of a large dossier."""

    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierFrozen(DossierEvent):
    """``head``: the body that the edge signs."""

    transfer_id: str
    head: Mapping[str, Any]
    log_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierThawed(DossierEvent):
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierDeparted(DossierEvent):
    transfer_id: str
    new_epoch: int
    home: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingNoted(DossierEvent):
    """*Own.* A move ended before its order came; the order will be silence."""

    transfer_id: str
    ending: Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingMissing(DossierEvent):
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellMinutes:
    cell: Cell
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierAdopted(DossierEvent):
    """The staged log is the dossier's from now on. ``again``: said before; nothing changes."""

    transfer_id: str
    staged_by: str
    state_digest: str
    log: Log
    totals: Totals
    cells: tuple[CellMinutes, ...]
    stars: tuple[Version, ...]
    first_registered_on: date
    homes: tuple[str, ...]
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplementTaken(DossierEvent):
    """*Own.* A job reads and judges the entries of this supplement."""

    transfer_id: str
    sender: str
    incarnation: int
    k: int
    digest: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuarantined(DossierEvent):
    """*Own.* A version that failed its judgement: kept apart, never forwarded, an alarm."""

    transfer_id: str | None
    issuer: str
    entry_id: str
    version: int
    digest: str
    code: str
    signed: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEnded(DossierEvent):
    """*Own.* It passes now; it joined."""

    issuer: str
    entry_id: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplementApplied(DossierEvent):
    transfer_id: str
    sender: str
    incarnation: int
    k: int
    new: int
    duplicates: int
    quarantined: int
    first_quarantined: EntryQuarantined | None
