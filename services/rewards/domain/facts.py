"""What does this service read of its neighbours' events? Only the fields that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from services.rewards.domain.policies.model import AwardMode


@dataclass(frozen=True, kw_only=True, slots=True)
class VolunteerRegistered:
    subject_id: str
    first_registered_on: date
    residence_region: str
    claimed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrationClaimed:
    subject_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectLinked:
    subject_id: str
    residence_region: str
    claimed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyPublished:
    policy_id: str
    version: int
    kind: str
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class CellFact:
    year: int
    category: str | None
    evidence_class: str | None
    source_system: str | None
    field_code: str | None
    own: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """Credited minutes of one entry, before and after; kinds without minutes have no cell."""

    cell: CellFact | None
    before: int
    after: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LoweredFact:
    issuer: str
    entry_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryFact:
    """The fact summary of an entry event; the star's own fields are None for other kinds."""

    subject_id: str
    issuer: str
    entry_id: str
    kind: str
    state: str
    stands: bool
    moved: tuple[Moved, ...]
    occurred_on: date
    level: int | None = None
    policy_id: str | None = None
    policy_version: int | None = None
    basis_minutes: int | None = None
    award_mode: AwardMode | None = None
    lowers: LoweredFact | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StarFact:
    """A star entry in the table of an adoption."""

    issuer: str
    entry_id: str
    state: str
    stands: bool
    occurred_on: date
    level: int
    policy_id: str
    policy_version: int
    basis_minutes: int
    award_mode: AwardMode
    lowers: LoweredFact | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CellSum:
    cell: CellFact
    minutes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierAdopted:
    """``cells`` is None where the table was too large for an event: digest and path stand then."""

    subject_id: str
    transfer_id: str
    new_epoch: int
    cells: tuple[CellSum, ...] | None
    cells_digest: str | None
    cells_path: str | None
    stars: tuple[StarFact, ...]
    first_registered_on: date


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferAdmitted:
    subject_id: str
    transfer_id: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferEnded:
    """Aborted at the origin. ``subject_id`` is None while the transfer did not know it."""

    subject_id: str | None
    transfer_id: str
    role: Literal["origin", "destination"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierReleased:
    subject_id: str
    transfer_id: str
    new_epoch: int
    home: str


Fact = (
    VolunteerRegistered
    | RegistrationClaimed
    | SubjectLinked
    | PolicyPublished
    | EntryFact
    | DossierAdopted
    | TransferAdmitted
    | TransferEnded
    | DossierReleased
)

FACTS: dict[str, type[Any]] = {
    "registry.volunteer-registered.v1": VolunteerRegistered,
    "registry.registration-claimed.v1": RegistrationClaimed,
    "registry.subject-linked.v1": SubjectLinked,
    "registry.policy-published.v1": PolicyPublished,
    "records.service-recorded.v1": EntryFact,
    "records.training-recorded.v1": EntryFact,
    "records.star-recorded.v1": EntryFact,
    "records.adjustment-recorded.v1": EntryFact,
    "records.redemption-recorded.v1": EntryFact,
    "records.entry-shown.v1": EntryFact,
    "records.entry-approved.v1": EntryFact,
    "records.entry-rejected.v1": EntryFact,
    "records.entry-corrected.v1": EntryFact,
    "records.entry-revoked.v1": EntryFact,
    "records.dispute-opened.v1": EntryFact,
    "records.dossier-adopted.v1": DossierAdopted,
    "transfer.transfer-admitted.v1": TransferAdmitted,
    "transfer.transfer-aborted.v1": TransferEnded,
    "transfer.dossier-released.v1": DossierReleased,
}
