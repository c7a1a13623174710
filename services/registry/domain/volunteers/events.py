"""What has happened to a volunteer? No name, number, birth date or contact stands here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from hmac import compare_digest
from typing import Literal

from services.registry.domain.documents import DocumentType
from services.registry.domain.identity import Secrets
from shared.messages import Event

AgeBand = Literal["under_8", "age_8_13", "age_14_17", "adult"]
Level = Literal["none", "claimed", "document_seen", "verified_online"]
Method = Literal["online", "document", "manual"]
CheckResult = Literal["matched", "mismatched", "unavailable"]
RegisteredVia = Literal["self", "organisation"]
ConsentGiver = Literal["subject", "guardian"]


@dataclass(frozen=True, slots=True)
class Hold:
    """By law the dossier may not leave before ``until``; ``authority`` ordered it (TR-305)."""

    authority: str
    until: date


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """How a document is found again without its number: keyed digests, never on a topic.

    ``digest`` is over type and canonical number, ``named`` over these and the name.
    """

    type: DocumentType
    digest: str
    named: str

    def matches(self, other: DocumentKey) -> bool:
        """The same document and the same name on it; compared in constant time."""
        mine, theirs = f"{self.digest} {self.named}", f"{other.digest} {other.named}"
        return compare_digest(mine.encode(), theirs.encode())


@dataclass(frozen=True, kw_only=True, slots=True)
class VolunteerRegistered(Event):
    """A person became a volunteer here. Records opens the dossier (domain.md 3.1).

    ``first_registered_on`` is the local day of the command. ``claimed``: a login of her own is
    bound. ``organisation_id``: who registered her, if not she herself.
    """

    subject_id: str
    first_registered_on: date
    residence_region: str
    age_band: AgeBand
    verification: Level
    registered_via: RegisteredVia
    organisation_id: str | None
    claimed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationRecorded(Event):
    """A check of the person's document was answered; ``level`` is what holds from now on."""

    subject_id: str
    level: Level
    method: Method
    result: CheckResult
    checked_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RegistrationClaimed(Event):
    """She proved to be the person whom someone else registered; her login is bound."""

    subject_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentGiven(Event):
    """A permission, under the text that was in force that day."""

    subject_id: str
    consent_id: str
    purpose: str
    receiver: str | None
    manner: str
    data_kinds: tuple[str, ...]
    text_id: str
    text_version: int
    channel: str
    expires_on: date | None
    given_by: ConsentGiver
    given_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentWithdrawn(Event):
    """A permission ended; it does not undo the past (PIPL Art 15)."""

    subject_id: str
    consent_id: str
    purpose: str
    withdrawn_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectDeparted(Event):
    """Her dossier was released to ``home``; here she is a pointer to it (protocol.md 7)."""

    subject_id: str
    transfer_id: str
    home: str
    new_epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectLinked(Event):
    """An applicant turned out to be this subject: her dossier is here, and so is she."""

    applicant_ref: str
    subject_id: str
    residence_region: str
    age_band: AgeBand
    transfer_id: str
    claimed: Literal[True] = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileKept(Event):
    """Her profile stands in the vault (own; the stored row leaves the keyed digests out).

    ``epoch``: of the custody that begins here. ``first_registered_on``: of the dossier that came.
    """

    subject_id: str
    documents: tuple[DocumentKey, ...]
    verification: Level
    checked_at: datetime | None
    epoch: int
    first_registered_on: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferCodeIssued(Event):
    """She took a transfer code (own). ``secrets`` never leave the process."""

    subject_id: str
    code_id: str
    purpose: Literal["move"]
    receiver: str | None
    guardian_consented: bool
    holds: tuple[Hold, ...]
    issued_at: datetime
    expires_at: datetime
    secrets: Secrets | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldPlaced(Event):
    """An authority forbids by law that her dossier leaves before ``until`` (own).

    ``code_id``: the code that she holds, which tells other cities of it.
    """

    subject_id: str
    code_id: str | None
    hold: Hold
    decision_id: str


VolunteerEvent = (
    VolunteerRegistered
    | VerificationRecorded
    | RegistrationClaimed
    | ConsentGiven
    | ConsentWithdrawn
    | SubjectDeparted
    | SubjectLinked
    | ProfileKept
    | TransferCodeIssued
    | HoldPlaced
)
