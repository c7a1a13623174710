"""What stands in the data of each event, member by member?

A fact summary stands flat in the data of every event about an entry (domain.md 3.0). Members of
``BY_KIND`` are there for their kind alone; all others always, ``null`` where there is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

Kind = Literal[
    "service",
    "training",
    "commendation",
    "evaluation",
    "star",
    "complaint",
    "consumption",
    "donation",
    "adjustment",
]
EntryState = Literal["pending", "publicised", "approved", "rejected", "disputed", "revoked"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CellData:
    """By what a star policy may choose minutes; ``own``: this node is the issuer."""

    year: int
    category: str | None
    evidence_class: str | None
    source_system: str | None
    field_code: str | None
    own: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class MovedData:
    """One entry whose credited minutes an event changed. Sum ``after − before`` per cell.

    ``cell`` is null for kinds other than service and adjustment. An entry whose cell changed has
    two items: the old cell to 0, the new one from 0.
    """

    issuer: str
    entry_id: str
    cell: CellData | None
    before: int
    after: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryRef:
    """An entry, whatever its version."""

    issuer: str
    entry_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LowersData:
    """The star entry that this one lowers, and why."""

    issuer: str
    entry_id: str
    cause: Literal["revocation", "redemption", "violation"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FactSummary:
    """What everyone may know of an entry version. ``stands``: no higher version is known here."""

    issuer: str
    entry_id: str
    version: int
    kind: Kind
    state: EntryState
    stands: bool
    minutes: int
    counted_minutes: int
    moved: tuple[MovedData, ...]
    occurred_on: date
    minutes_by_day: Mapping[str, int]
    organisation_id: str | None
    region_code: str | None
    late: bool | None
    digest: str
    # star
    level: int | None = None
    basis_minutes: int | None = None
    award_mode: str | None = None
    lowers: LowersData | None = None
    # star (its star policy), service (its recording policy)
    policy_id: str | None = None
    policy_version: int | None = None
    # consumption
    account: str | None = None
    eligibility: str | None = None
    # evaluation
    of_entry_id: str | None = None
    score_hundredths: int | None = None
    scale_max_hundredths: int | None = None


BY_KIND: Final[Mapping[str, frozenset[str]]] = {
    "star": frozenset(
        {"level", "basis_minutes", "award_mode", "lowers", "policy_id", "policy_version"}
    ),
    "service": frozenset({"policy_id", "policy_version"}),
    "consumption": frozenset({"account", "eligibility"}),
    "evaluation": frozenset({"of_entry_id", "score_hundredths", "scale_max_hundredths"}),
}
ONLY_BY_KIND: Final = frozenset().union(*BY_KIND.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryData(FactSummary):
    """An event about an entry. ``reason_code``: why this version, from version 2 on."""

    subject_id: str
    due_on: date | None
    review_tier: str | None
    reason_code: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldData(EntryData):
    """A version taken while the dossier is frozen or elsewhere; ``moved`` is empty."""

    transfer_id: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedData:
    """A dossier began."""

    subject_id: str
    first_registered_on: date
    custody_epoch: int
    log_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TotalsData:
    """Minutes over the standing versions (protocol.md 3.1); credited may be negative."""

    credited_minutes: int
    pending_minutes: int
    disputed_minutes: int
    learning_minutes: int
    consumed_minutes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FrozenData:
    """The fence is up; ``head`` is the signed head of the freeze point, with its state digest."""

    subject_id: str
    transfer_id: str
    epoch: int
    log_id: str
    head: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ThawedData:
    """The fence is down; what was held follows, each with its own event."""

    subject_id: str
    transfer_id: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DepartedData:
    """The dossier left for ``home``; it stands there under ``new_epoch``."""

    subject_id: str
    transfer_id: str
    new_epoch: int
    home: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedData:
    """A dossier under way is on disk here, invisible; the digest is of what stands here."""

    subject_id: str
    transfer_id: str
    state_digest: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StagingFailedData:
    """It could not be staged: ``TR-411`` (same key, other content), ``TR-413``, ``TR-506``."""

    subject_id: str
    transfer_id: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StagingData:
    """A staging was discarded, or is missing where it should be adopted."""

    subject_id: str
    transfer_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CellMinutes:
    """Credited minutes of one cell."""

    cell: CellData
    minutes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AdoptedData:
    """The dossier is at home here. Its cells *replace* what a reader had of the subject.

    Above 500 cells ``cells`` is null; ``cells_path`` names them, under ``cells_digest``, for the
    node's own services alone: a subscriber keeps ``totals.credited_minutes`` then.
    ``stars`` are the fact summaries of its approved star entries, ``moved`` empty.
    """

    subject_id: str
    transfer_id: str
    new_epoch: int
    state_digest: str
    count: int
    totals: TotalsData
    cells: tuple[CellMinutes, ...] | None
    cells_digest: str | None
    cells_path: str | None
    stars: tuple[Mapping[str, Any], ...]
    first_registered_on: date


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinedData:
    """The first version of a supplement that failed its judgement, with the code."""

    issuer: str
    entry_id: str
    version: int
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplementAppliedData:
    """Supplement ``k`` of a channel was judged: new + duplicates + quarantined = its entries."""

    subject_id: str
    transfer_id: str
    sender: str
    incarnation: int
    k: int
    new: int
    duplicates: int
    quarantined: int
    first_quarantined: QuarantinedData | None
