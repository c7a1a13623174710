"""What may be asked of a dossier and its entries?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shared.messages import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where it was done; names of places, never of people or addresses."""

    region_code: str
    station_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """What was done (domain.md 3.2, kind ``service``).

    Both times, or ``occurred_on`` and ``minutes`` (classes of sheets alone). ``distinct`` tells
    apart facts without times that are alike on one day.
    """

    activity_name: str
    category: str
    place: Place
    project_name: str | None = None
    field_code: str | None = None
    programme: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    break_minutes: int = 0
    occurred_on: date | None = None
    minutes: int | None = None
    distinct: int = 1
    content: str | None = None
    service_object_groups: tuple[str, ...] = ()
    responsible_person: str | None = None
    lead_social_worker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFacts:
    """A course: its minutes are learning minutes, never service (R7)."""

    name: str
    held_by: str
    occurred_on: date
    minutes: int
    content: str | None = None
    qualification: str | None = None
    distinct: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where another system keeps this fact; one of it per recorder organisation."""

    system: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRow:
    """The row of a sheet that makes an entry; ``opened_at`` gives the ULID its time.

    ``decision_id``: of a legacy batch, whose rows are approved at once under it.
    """

    batch_id: str
    row_no: int
    opened_at: datetime
    decision_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDossier(Command):
    subject_id: str
    first_registered_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordService(Command):
    """``salt``: 16 random bytes in hex, made at the edge."""

    subject_id: str
    salt: str
    organisation_id: str
    evidence_class: str
    facts: ServiceFacts
    evidence_id: str | None = None
    team_id: str | None = None
    source: Source | None = None
    batch: BatchRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTraining(Command):
    subject_id: str
    salt: str
    organisation_id: str
    evidence_class: str
    facts: TrainingFacts
    evidence_id: str | None = None
    team_id: str | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """The body that decided, as at the time; it is the recorder of what it decided."""

    organisation_id: str
    name: str
    kind: str
    uscc: str | None = None
    filing: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowers:
    """The star entry that a lower star takes the place of."""

    issuer: str
    entry_id: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStar(Command):
    """A star that rewards awarded, or lowered (level 0: none left). Approved at once."""

    subject_id: str
    salt: str
    awarded_at: datetime
    award_id: str
    level: int
    name: str
    policy_id: str
    policy_version: int
    basis_minutes: int
    cutoff_on: date | None
    award_mode: str
    authority_level: str
    decision_id: str | None
    awarded_on: date
    decided_by: Authority
    lowers: Lowers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCommand(Command):
    """A change of one entry; ``salt`` for its next version."""

    subject_id: str
    issuer: str
    entry_id: str
    salt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveEntry(EntryCommand):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectEntry(EntryCommand):
    reason_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectEntry(EntryCommand):
    """``changes``: members of the facts by their names, with their new values.

    ``reason``: a code, or a code, ``: `` and a text. With ``decision_id`` a reviewer decides.
    """

    from_version: int
    changes: Mapping[str, Any]
    reason: str
    evidence_id: str | None
    decision_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeEntry(EntryCommand):
    reason: str | None
    evidence_id: str | None = None
    decision_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeDossier(Command):
    """Rewards has frozen for this move; nothing joins from now on (protocol.md 7)."""

    subject_id: str
    transfer_id: str
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishFreeze(Command):
    """The state digest of a dossier too large for one transaction, reckoned by a job."""

    subject_id: str
    transfer_id: str
    state_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThawDossier(Command):
    subject_id: str
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartDossier(Command):
    """``epoch`` is the one that ends here, ``new_epoch`` that of the new home."""

    subject_id: str
    transfer_id: str
    epoch: int
    new_epoch: int
    home: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptDossier(Command):
    """The release names this city; ``staged_by`` is the transfer that brought the entries."""

    subject_id: str
    transfer_id: str
    new_epoch: int
    state_digest: str
    staged_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSupplement(Command):
    """Entries came along a channel; a job reads and judges them."""

    subject_id: str
    transfer_id: str
    sender: str
    incarnation: int
    k: int
    digest: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedEntry:
    """A signed entry of a supplement as the edge judged it by protocol.md 8, check 8.

    ``code``: the refusal that its form, bounds, key or signature earns, or None. Of one that is
    refused only the key is read. ``stored_digest``: of what stands here under that key, wherever.
    """

    issuer: str
    entry_id: str
    version: int
    signed: Mapping[str, Any]
    digest: str
    code: str | None = None
    stored_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyLateChange(Command):
    """At most 50 versions of one supplement, all in one transaction."""

    subject_id: str
    transfer_id: str
    sender: str
    incarnation: int
    k: int
    entries: tuple[JudgedEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseQuarantined(Command):
    """Quarantined versions that pass by a newer directory join as if they came now."""

    subject_id: str
    entries: tuple[JudgedEntry, ...]


DossierCommand = (
    OpenDossier
    | RecordService
    | RecordTraining
    | RecordStar
    | ApproveEntry
    | RejectEntry
    | CorrectEntry
    | RevokeEntry
    | FreezeDossier
    | FinishFreeze
    | ThawDossier
    | DepartDossier
    | AdoptDossier
    | ReceiveSupplement
    | ApplyLateChange
    | ReleaseQuarantined
)
