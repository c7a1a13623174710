"""What shapes may a volunteer's registration have? None: nobody known by that subject."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from services.registry.domain.consents import Consent
from services.registry.domain.volunteers.events import (
    AgeBand,
    DocumentKey,
    Hold,
    Level,
    RegisteredVia,
)

# A code a day more than this refuses; the state remembers no more of them.
CODES_A_DAY = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeTaken:
    """A code she took, and when."""

    code_id: str
    issued_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """A volunteer of this city. ``first_registered_on`` None: she moved here and it was not told.

    ``codes``: the last few, newest last. ``epoch``: of the custody that began here.
    """

    status: Literal["registered"] = "registered"
    subject_id: str
    first_registered_on: date | None
    residence_region: str
    age_band: AgeBand
    verification: Level
    checked_at: datetime | None
    registered_via: RegisteredVia
    organisation_id: str | None
    claimed: bool
    documents: tuple[DocumentKey, ...] = ()
    consents: tuple[Consent, ...] = ()
    codes: tuple[CodeTaken, ...] = ()
    holds: tuple[Hold, ...] = ()
    epoch: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Departed:
    """Her dossier is at ``home``; what was known of her here stays, as a pointer."""

    status: Literal["departed"] = "departed"
    was: Registered
    transfer_id: str
    home: str
    new_epoch: int


Volunteer = Registered | Departed


def registration(state: Volunteer | None) -> Registered | None:
    """What is known of her here, whether she is here or departed."""
    return state.was if isinstance(state, Departed) else state


def epoch_of(state: Volunteer) -> int:
    """The custody epoch last heard of: this city's own, or that with which she left."""
    return state.new_epoch if isinstance(state, Departed) else state.epoch
