"""What has happened to an application from another city? All but the link is this service's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from services.registry.domain.consents import Consent
from services.registry.domain.volunteers.events import (
    AgeBand,
    CheckResult,
    DocumentKey,
    Level,
    Method,
)
from shared.messages import Event

Role = Literal["origin", "destination"]
TransferClass = Literal["F", "R", "T"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicantRegistered(Event):
    """A person asks this city to take over her dossier (own).

    The stored row leaves keyed digests and birth date out. ``consents`` become events with the
    link.
    """

    applicant_ref: str
    registered_on: date
    residence_region: str
    age_band: AgeBand
    verification: Level
    checked_at: datetime | None
    login_id: str
    documents: tuple[DocumentKey, ...]
    consents: tuple[Consent, ...]
    born: date | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicantVerified(Event):
    """A check of the applicant's document was answered (own)."""

    applicant_ref: str
    level: Level
    method: Method
    result: CheckResult
    checked_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeKept(Event):
    """The key of her code is kept, encrypted, for further attempts (own)."""

    applicant_ref: str
    code_id: str
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicationResumed(Event):
    """An application that had ended is taken up again with a new request (own)."""

    applicant_ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeDropped(Event):
    """The key of her code is destroyed: seven days have passed, or the application ended (own)."""

    applicant_ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicationEnded(Event):
    """The application led to no move; it is forgotten in 30 days (own)."""

    applicant_ref: str
    ended_on: date


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplicantForgotten(Event):
    """The application's vault data is destroyed (own)."""

    applicant_ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferStatusNoted(Event):
    """What the volunteer sees of a transfer, by the highest rank heard of (own; protocol.md 12).

    ``first_registered_on``: of the verified dossier, once transfer has told it.
    """

    transfer_id: str
    role: Role
    rank: int
    shown: str
    since: datetime
    applicant_ref: str | None
    subject_id: str | None
    other_city: str | None
    due: date | None
    refusal_class: TransferClass | None
    code: str | None
    first_registered_on: date | None = None


ApplicantEvent = (
    ApplicantRegistered
    | ApplicantVerified
    | CodeKept
    | ApplicationResumed
    | CodeDropped
    | ApplicationEnded
    | ApplicantForgotten
    | TransferStatusNoted
)
