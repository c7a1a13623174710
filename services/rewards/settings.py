"""What must rewards be told before it starts?"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from services.rewards.domain.standings.state import Body
from shared.settings import ServiceSettings

Text = Annotated[str, Field(min_length=1, max_length=100)]
# The kinds of organisations that a registry knows.
BodyKind = Literal[
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
# GB 32100: 18 characters without I, O, S, V and Z.
Uscc = Annotated[str, Field(pattern=r"^[0-9A-HJ-NPQRTUWXY]{18}$")]


class Settings(ServiceSettings):
    """The deciding authority where no person decides is the body that runs the node."""

    service: ClassVar[str] = "rewards"

    body_organisation_id: Text
    """The organisation id of the body that runs the node: it decides stars that no person does."""
    body_name: Text
    """The name of that body, as a star entry shows it."""
    body_kind: BodyKind = "public_service_body"
    """The kind of that body, as a star entry names it."""
    body_uscc: Uscc | None = None
    """The unified social credit code of that body."""

    def body(self) -> Body:
        """That body as a star entry names it."""
        return Body(
            organisation_id=self.body_organisation_id,
            name=self.body_name,
            kind=self.body_kind,
            uscc=self.body_uscc,
        )
