"""How do states and events stand in JSON? pydantic reads and writes the domain's dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from services.registry.contract.types import NAMES
from services.registry.domain.applicants.state import Applicant, Applied, Ended, TransferSeen
from services.registry.domain.codes.state import Check, Code
from services.registry.domain.logins.state import DocumentOwners, Login
from services.registry.domain.organisations.state import Organisation, Taken
from services.registry.domain.policies.state import Policy
from services.registry.domain.volunteers.state import Volunteer
from shared.messages import Event

_STATES: dict[str, TypeAdapter[Any]] = {
    "volunteer": TypeAdapter(Volunteer),
    "applicant": TypeAdapter(Applicant),
    "transfer": TypeAdapter(TransferSeen),
    "organisation": TypeAdapter(Organisation),
    "uscc": TypeAdapter(Taken),
    "filing": TypeAdapter(Taken),
    "policy": TypeAdapter(Policy),
    "code": TypeAdapter(Code),
    "check": TypeAdapter(Check),
    "login": TypeAdapter(Login),
    "document": TypeAdapter(DocumentOwners),
}
_EVENTS: dict[type[Event], TypeAdapter[Any]] = {shape: TypeAdapter(shape) for shape in NAMES}


def state_of(kind: str, row: Mapping[str, Any] | None) -> Any:
    """The state that a row holds; None where there is none."""
    return None if row is None else _STATES[kind].validate_python(row)


def state_of_text(kind: str, text: str | None) -> Any:
    """The same of a row's text, as a GET reads it."""
    return None if text is None else _STATES[kind].validate_json(text)


def row_of(kind: str, state: Any) -> Mapping[str, Any]:
    """The row of a state, without what only the window knew."""
    row: Mapping[str, Any] = _STATES[kind].dump_python(without_window(state), mode="json")
    return row


def without_window(state: Any) -> Any:
    """The state as it is stored: secrets and birth dates live in the vault alone."""
    match state:
        case Code():
            return replace(state, secrets=None)
        case Applied():
            return replace(state, born=None)
        case Ended():
            return replace(state, was=replace(state.was, born=None))
    return state


def wire(event: Event, left_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The event's data as it travels; a trailing underscore is dropped (``from_`` → ``from``)."""
    data = _EVENTS[type(event)].dump_python(event, mode="json", exclude=set(left_out) or None)
    return {name.rstrip("_"): value for name, value in data.items()}


def event_of(shape: type[Event], data: Mapping[str, Any]) -> Event:
    """The event in its data; raises pydantic's ``ValidationError``."""
    names = {name.rstrip("_"): name for name in shape.__dataclass_fields__}
    event: Event = _EVENTS[shape].validate_python(
        {names.get(name, name): value for name, value in data.items()}
    )
    return event
