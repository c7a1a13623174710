"""What has happened to an organisation? Its responsible person's contact stands in the vault."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from shared.messages import Event

Kind = Literal[
    "social_group",
    "social_service_agency",
    "foundation",
    "grassroots_self_government",
    "event_organiser",
    "public_service_body",
    "unit_internal_group",
    "other_body",
    "grassroots_team",
]
SanctionKind = Literal[
    "warning",
    "correction_by",
    "stop_and_rectify",
    "licence_revoked",
    "fine_fen",
    "return_pay",
]
Standing = Literal["active", "stopped"]


@dataclass(frozen=True, slots=True)
class Filing:
    """Acceptance 备案 by a street or township office; what a filed body has instead of a code."""

    office: str
    number: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganisationRegistered(Event):
    """A body with a unified social credit code."""

    organisation_id: str
    name: str
    kind: Kind
    uscc: str
    filing: None
    seat_region: str
    scope: str
    established_on: date
    charity: bool
    supervising_body_id: str | None
    status: Literal["active"] = "active"


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganisationFiled(Event):
    """A body without a code, known by office and number of its filing."""

    organisation_id: str
    name: str
    kind: Kind
    uscc: None
    filing: Filing
    seat_region: str
    scope: str
    established_on: date
    charity: bool
    supervising_body_id: str
    status: Literal["active"] = "active"


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganisationSanctioned(Event):
    """A decision against a body. ``status`` "stopped": it records nothing new (R18).

    ``from_`` is ``from`` on the wire.
    """

    organisation_id: str
    kind: SanctionKind
    from_: date
    until: date | None
    law_article: str
    decision_id: str
    public: bool
    status: Standing


OrganisationEvent = OrganisationRegistered | OrganisationFiled | OrganisationSanctioned
