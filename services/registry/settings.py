"""What does registry need to be told before it starts?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.auth import OidcIssuer
from shared.settings import ExistingFile, ServiceSettings, Url

# Of domain.md 3.0; ``login``, ``volunteer`` and ``system`` are never given by an issuer.
STAFF_ROLES = (
    "guardian",
    "near_relative",
    "recorder",
    "approver",
    "org_admin",
    "station_worker",
    "social_worker",
    "county_reviewer",
    "city_reviewer",
    "province_reviewer",
    "node_operator",
    "auditor",
)
MAX_ISSUERS_FILE_BYTES = 262_144


class IssuerSettings(BaseModel):
    """One login service.

    ``roles_claim``: the claim that lists staff roles, as objects {role, organisation_id?, region?}
    or as texts ``recorder:<organisation id>``, ``county_reviewer@500103``. ``may_grant``: the
    roles that are taken from it; none by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, Field(pattern=r"^https?://[^\s?#]{1,500}$")]
    audience: Annotated[str, Field(min_length=1, max_length=255)]
    algorithms: Annotated[tuple[Literal["RS256", "EdDSA"], ...], Field(min_length=1)]
    jwks_url: Url | None = None
    roles_claim: Annotated[str, Field(max_length=100)] = "jiexu_roles"
    may_grant: Annotated[tuple[str, ...], Field(max_length=20)] = ()

    def oidc(self) -> OidcIssuer:
        """As the verifier of foreign tokens takes it."""
        return OidcIssuer(
            issuer=self.issuer,
            audience=self.audience,
            algorithms=self.algorithms,
            jwks_url=self.jwks_url,
        )


_ISSUERS = TypeAdapter(tuple[IssuerSettings, ...])


def read_issuers(path: Path | None) -> tuple[IssuerSettings, ...]:
    """The issuers that a JSON file lists; raises ``ValueError`` without quoting it."""
    if path is None:
        return ()
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_ISSUERS_FILE_BYTES:
            raise ValueError("is longer than 256 KiB")
        issuers = _ISSUERS.validate_python(json.loads(raw))
    except (OSError, ValidationError, json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError("is no list of issuers in JSON") from None
    for each in issuers:
        if not set(each.may_grant) <= set(STAFF_ROLES):
            raise ValueError("lets an issuer grant a role that is no staff role")
    if len({each.issuer for each in issuers}) < len(issuers):
        raise ValueError("names an issuer twice")
    return issuers


def _issuers_file(path: Path) -> Path:
    read_issuers(path)
    return path


def _welcome_file(path: Path) -> Path:
    try:
        found: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise ValueError("is no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("is no JSON object")
    return path


class RegistrySettings(ServiceSettings):
    """Beside those of every service. Keys: token.key, vault.key, pepper.key (and seal.key)."""

    service: ClassVar[str] = "registry"

    oidc_issuers: Annotated[ExistingFile, AfterValidator(_issuers_file)] | None = None
    """A JSON file of the OpenID Connect issuers whose logins are taken: issuer, audience,
    algorithms, jwks_url, roles_claim, may_grant."""
    roster: Path | None = None
    """The file that real names are checked against; it may be away at times."""
    welcome: Annotated[ExistingFile, AfterValidator(_welcome_file)] | None = None
    """A JSON file: what the page at / shows beside the API documents."""
