"""What shapes may an application have, and the status of a transfer that the volunteer sees?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from services.registry.domain import ages
from services.registry.domain.applicants.events import Role, TransferClass
from services.registry.domain.consents import Consent
from services.registry.domain.volunteers.events import AgeBand, DocumentKey, Level


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptCode:
    """The code of her attempts; its key stands in the vault, encrypted, ``until`` then."""

    code_id: str
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """She asks to be taken over. ``born`` is the window's: read from the vault, never stored."""

    status: Literal["applied"] = "applied"
    applicant_ref: str
    registered_on: date
    residence_region: str
    age_band: AgeBand
    verification: Level
    checked_at: datetime | None
    login_id: str
    documents: tuple[DocumentKey, ...]
    consents: tuple[Consent, ...]
    code: KeptCode | None = None
    born: date | None = field(default=None, repr=False)

    def band_on(self, day: date) -> AgeBand:
        """Her age band that day; the one of her application where the vault was not asked."""
        return self.age_band if self.born is None else ages.band_on(day, self.born)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """It led to no move so far; a new request takes it up again until it is forgotten."""

    status: Literal["ended"] = "ended"
    was: Applied
    ended_on: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Linked:
    """Her dossier is here: she is this subject now."""

    status: Literal["linked"] = "linked"
    applicant_ref: str
    subject_id: str
    login_id: str
    documents: tuple[DocumentKey, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten:
    """Nothing is left but the reference."""

    status: Literal["forgotten"] = "forgotten"
    applicant_ref: str


Applicant = Applied | Ended | Linked | Forgotten


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferSeen:
    """What the volunteer is shown of a transfer: the highest rank heard of.

    ``first_registered_on``: of the dossier that comes, for the registration that it leads to.
    """

    status: Literal["transfer"] = "transfer"
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


def application(state: Applicant | None) -> Applied | None:
    """The application, open or ended; None where there is none any more."""
    match state:
        case Applied():
            return state
        case Ended():
            return state.was
    return None
