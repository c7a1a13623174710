"""What must rewards be told before it starts?"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from services.rewards.domain.standings.state import Body
from shared.settings import ServiceSettings

Text = Annotated[str, Field(min_length=1, max_length=100)]
# The kinds of organisations that registry knows: no service imports another, so a test holds the
# two lists together.
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


def _code(text: str) -> str:
    """In its one form. The reason of a wrong one names no value."""
    try:
        return str(uscc.validate(text))
    except ValidationError:
        raise ValueError("this is no unified social credit code") from None


Uscc = Annotated[str, AfterValidator(_code)]


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
