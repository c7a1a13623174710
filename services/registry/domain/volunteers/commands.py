"""What may be asked of a volunteer's registration?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from services.registry.domain.consents import ConsentAsked, Rules
from services.registry.domain.identity import Secrets
from services.registry.domain.people import Asked
from services.registry.domain.volunteers.events import (
    CheckResult,
    DocumentKey,
    Hold,
    Level,
    Method,
)
from shared.messages import Command


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterVolunteer(Command):
    """She herself (``login_id``: her login is bound), a guardian, or an organisation with consent.

    ``registered_elsewhere``: the city that she says keeps her dossier.
    """

    subject_id: str
    asked: Asked
    login_id: str | None
    organisation_id: str | None
    registered_elsewhere: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimRegistration(Command):
    """Someone registered her; with the claim reference she proves to be that person.

    ``key`` is over the name and document that she gave; ``check`` what the real-name service
    says of them.
    """

    subject_id: str
    login_id: str
    claim_expires_at: datetime
    key: DocumentKey
    check: CheckResult | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordVerification(Command):
    """A document was checked. ``level`` None: what follows. ``attempt`` counts retries."""

    subject_id: str
    level: Level | None
    method: Method
    result: CheckResult
    checked_at: datetime
    attempt: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class GiveConsent(Command):
    """A permission under a text in force. ``rules`` name the texts of that day."""

    subject_id: str
    consent_id: str
    consent: ConsentAsked
    rules: Rules


@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawConsent(Command):
    """Ends a permission; it undoes nothing of the past."""

    subject_id: str
    consent_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueTransferCode(Command):
    """A code with which another city may ask for her dossier.

    ``previous_code_id``: the code she holds, as the edge read it; the new one takes its place.
    ``city``: this one. ``needs_guardian``: she is a minor that day. ``secrets``: the new code's key
    and her identities.
    """

    subject_id: str
    city: str
    code_id: str
    previous_code_id: str | None
    purpose: Literal["move"]
    receiver: str | None
    needs_guardian: bool
    guardian_consented: bool
    secrets: Secrets = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceHold(Command):
    """By law her dossier may not leave before ``hold.until`` (TR-305).

    ``code_id``: the code she holds, as the edge read it; the hold is told with it.
    """

    subject_id: str
    code_id: str | None
    hold: Hold
    decision_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkDeparted(Command):
    """Her dossier was released to another city (a fact of transfer)."""

    subject_id: str
    transfer_id: str
    home: str
    new_epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkSubject(Command):
    """The dossier that an applicant asked for is here (a fact of transfer)."""

    applicant_ref: str
    subject_id: str
    transfer_id: str
    new_epoch: int


VolunteerCommand = (
    RegisterVolunteer
    | ClaimRegistration
    | RecordVerification
    | GiveConsent
    | WithdrawConsent
    | IssueTransferCode
    | PlaceHold
    | MarkDeparted
    | LinkSubject
)
