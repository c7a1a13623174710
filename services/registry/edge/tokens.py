"""Who is this login here, and which roles has she? What an exchanged token says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.registry.domain.applicants.state import Linked
from services.registry.domain.logins.state import Login
from services.registry.domain.regions import is_region
from services.registry.edge import shapes
from services.registry.settings import IssuerSettings
from shared.messages import Grant
from shared.postgres import Connection

MAX_ROLES: Final = 32
# recorder:<organisation id>, county_reviewer@<region>, both, or the role alone.
_TEXT: Final = re.compile(
    r"(?P<role>[a-z_]{1,40})(?::(?P<organisation>[0-9A-Za-z-]{1,64}))?(?:@(?P<region>[0-9]{6}))?"
)
_ORGANISATION: Final = re.compile(r"[0-9A-Za-z-]{1,64}")


@dataclass(frozen=True, slots=True)
class Bound:
    """What a login is bound to: a subject, or applications under way, or nothing."""

    subject_id: str | None = None
    applicant_ref: str | None = None


async def bound(connection: Connection, login_id: str) -> Bound:
    """Reads the login; an applicant whose dossier has come is the subject already."""
    login = await _state(connection, "login", login_id)
    if not isinstance(login, Login) or login.owner is None:
        return Bound()
    if login.owner.kind == "subject":
        return Bound(subject_id=login.owner.ref)
    applicant = await _state(connection, "applicant", login.owner.ref)
    if isinstance(applicant, Linked):
        return Bound(subject_id=applicant.subject_id)
    return Bound(applicant_ref=login.owner.ref)


def grants(issuer: IssuerSettings, claims: Mapping[str, Any], who: Bound) -> list[Grant]:
    """``volunteer`` for a subject, else ``login``; beside it what the issuer may grant."""
    found = [Grant("volunteer" if who.subject_id is not None else "login")]
    listed = claims.get(issuer.roles_claim)
    if isinstance(listed, list):
        read = (_grant(item) for item in listed[:MAX_ROLES])
        found += [each for each in read if each is not None and each.role in issuer.may_grant]
    return found


def _grant(item: Any) -> Grant | None:
    """What cannot be read gives nothing: an issuer's claim never widens by a mistake."""
    if isinstance(item, str):
        match = _TEXT.fullmatch(item)
        if match is None:
            return None
        item = {
            "role": match["role"],
            "organisation_id": match["organisation"],
            "region": match["region"],
        }
    if not isinstance(item, Mapping):
        return None
    role, organisation_id, region = (
        item.get(name) for name in ("role", "organisation_id", "region")
    )
    if not isinstance(role, str):
        return None
    if organisation_id is not None and not (
        isinstance(organisation_id, str) and _ORGANISATION.fullmatch(organisation_id)
    ):
        return None
    if region is not None and not (isinstance(region, str) and is_region(region)):
        return None
    return Grant(role, organisation_id, region)


async def _state(connection: Connection, kind: str, ref: str) -> Any:
    row = await connection.fetchval(
        "SELECT state FROM aggregate WHERE kind = $1 AND id = $2", kind, ref
    )
    return shapes.state_of_text(kind, row)
