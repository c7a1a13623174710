"""What shapes may an organisation have? None: nobody known by that id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.registry.domain.organisations.events import Filing, Kind, SanctionKind, Standing


@dataclass(frozen=True, slots=True)
class Sanction:
    """A decision against the body, as it was heard."""

    kind: SanctionKind
    decision_id: str
    begins: date
    until: date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """A body with a unified social credit code."""

    status: Literal["registered"] = "registered"
    organisation_id: str
    name: str
    kind: Kind
    uscc: str
    seat_region: str
    standing: Standing = "active"
    sanctions: tuple[Sanction, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Filed:
    """A body without a code: its key is office and number of the filing."""

    status: Literal["filed"] = "filed"
    organisation_id: str
    name: str
    kind: Kind
    filing: Filing
    seat_region: str
    standing: Standing = "active"
    sanctions: tuple[Sanction, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A code or a filing number that a body has; one body each."""

    status: Literal["taken"] = "taken"
    organisation_id: str


Organisation = Registered | Filed
