"""What do we read of transfer's events? Only the fields that we need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from shared.messages import Unreadable

Role = Literal["origin", "destination"]
Class = Literal["F", "R", "T"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferFact:
    """What every event of transfer says. ``kind`` is the type without service and version."""

    kind: str
    transfer_id: str
    role: Role
    origin: str
    destination: str
    subject_id: str | None
    applicant_ref: str | None
    refusal_class: Class | None
    code: str | None
    due: date | None
    code_id: str | None
    proof: str | None
    purpose: str | None
    new_epoch: int | None
    home: str | None
    assisted: bool
    first_registered_on: date | None

    @property
    def other_city(self) -> str:
        """The city on the other side of the move."""
        return self.destination if self.role == "origin" else self.origin


def read(type_: str, data: Mapping[str, Any]) -> TransferFact:
    """The fact in an event of transfer; raises ``Unreadable`` naming a field, never its value."""
    return TransferFact(
        kind=type_.removeprefix("transfer.").rsplit(".v", 1)[0],
        transfer_id=_hex(data, "transfer_id", 64),
        role=_role(data),
        origin=_need(data, "origin"),
        destination=_need(data, "destination"),
        subject_id=_optional(data, "subject_id"),
        applicant_ref=_optional(data, "applicant_ref"),
        refusal_class=_class(data),
        code=_optional(data, "code"),
        due=_date(data, "due") or _date(data, "review_due"),
        code_id=_optional(data, "code_id"),
        proof=_optional(data, "proof"),
        purpose=_optional(data, "purpose"),
        new_epoch=_count(data, "new_epoch"),
        home=_optional(data, "home"),
        assisted=data.get("assisted") is True,
        first_registered_on=_date(data, "first_registered_on"),
    )


def _need(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"{name} is no text")
    return value


def _optional(data: Mapping[str, Any], name: str) -> str | None:
    return None if data.get(name) is None else _need(data, name)


def _hex(data: Mapping[str, Any], name: str, length: int) -> str:
    value = _need(data, name)
    if len(value) != length or any(character not in "0123456789abcdef" for character in value):
        raise Unreadable(f"{name} is no hex of {length} digits")
    return value


def _role(data: Mapping[str, Any]) -> Role:
    match data.get("role"):
        case "origin":
            return "origin"
        case "destination":
            return "destination"
    raise Unreadable("role is neither origin nor destination")


def _class(data: Mapping[str, Any]) -> Class | None:
    match data.get("class"):
        case None:
            return None
        case "F":
            return "F"
        case "R":
            return "R"
        case "T":
            return "T"
    raise Unreadable("class is none of F, R, T")


def _date(data: Mapping[str, Any], name: str) -> date | None:
    text = _optional(data, name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unreadable(f"{name} is no date") from None


def _count(data: Mapping[str, Any], name: str) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Unreadable(f"{name} is no positive whole number")
    return value
