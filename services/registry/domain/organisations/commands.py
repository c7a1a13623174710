"""What may be asked of an organisation?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from services.registry.domain.organisations.events import Filing, Kind, SanctionKind
from services.registry.domain.people import Contact
from shared.messages import Command

DirectCategory = Literal["industry", "science", "charity", "community_service"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Responsible:
    """Who answers for the body, and how to reach her; it goes to the vault."""

    name: str = field(repr=False)
    contact: Contact = field(default_factory=Contact, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterOrganisation(Command):
    """A body with a code. ``uscc`` as given; ``uscc_key`` its canonical form, where valid."""

    organisation_id: str
    name: str
    kind: Kind
    uscc: str
    uscc_key: str
    seat_region: str
    scope: str
    established_on: date
    charity: bool
    supervising_body_id: str | None
    direct_category: DirectCategory | None
    responsible_person: Responsible | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FileOrganisation(Command):
    """A body without a code, accepted by a street or township office."""

    organisation_id: str
    name: str
    kind: Kind
    filing: Filing
    seat_region: str
    scope: str
    established_on: date
    charity: bool
    supervising_body_id: str
    responsible_person: Responsible | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SanctionOrganisation(Command):
    """A decision of an authority against a body."""

    organisation_id: str
    kind: SanctionKind
    begins: date
    until: date | None
    law_article: str
    decision_id: str
    public: bool


OrganisationCommand = RegisterOrganisation | FileOrganisation | SanctionOrganisation


def filing_key(filing: Filing) -> str:
    """How a filing is found again: one office gives a number once."""
    return f"{len(filing.office)}:{filing.office}{filing.number}"
