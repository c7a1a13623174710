"""How do states, custody and events become JSON, and the states come back?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from services.transfer.contract.types import NAMES
from services.transfer.domain import events
from services.transfer.domain.custody import Custody, RequestLog
from services.transfer.domain.state import DestinationState, OriginState, State
from shared.canonical import canonical

_ORIGIN: TypeAdapter[Any] = TypeAdapter(Annotated[OriginState, Field(discriminator="status")])
_DESTINATION: TypeAdapter[Any] = TypeAdapter(
    Annotated[DestinationState, Field(discriminator="status")]
)
_CUSTODY: TypeAdapter[Custody] = TypeAdapter(Custody)
_LOG: TypeAdapter[RequestLog] = TypeAdapter(RequestLog)


def state_json(state: State) -> Mapping[str, Any]:
    """The row of a move."""
    adapter = _ORIGIN if state.course.role == "origin" else _DESTINATION
    found: Mapping[str, Any] = adapter.dump_python(state, mode="json")
    return found


def state_of(row: Mapping[str, Any]) -> State:
    """The state in a row."""
    adapter = _ORIGIN if row["course"]["role"] == "origin" else _DESTINATION
    found: State = adapter.validate_python(row)
    return found


def custody_json(custody: Custody) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _CUSTODY.dump_python(custody, mode="json")
    return found


def custody_of(row: Mapping[str, Any]) -> Custody:
    return _CUSTODY.validate_python(row)


def log_json(log: RequestLog) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _LOG.dump_python(log, mode="json")
    return found


def log_of(row: Mapping[str, Any]) -> RequestLog:
    return _LOG.validate_python(row)


_EVENTS: dict[type[events.TransferEvent], TypeAdapter[Any]] = {
    shape: TypeAdapter(shape) for shape in NAMES
}


def event_json(event: events.TransferEvent) -> tuple[str, dict[str, Any]]:
    """(type, data) of an event as the outside reads it."""
    data: dict[str, Any] = _EVENTS[type(event)].dump_python(event, mode="json")
    if data.get("certificate") is not None:
        # Read back from the database its members may stand in another order: the same event must
        # be the same bytes whatever batch it was decided in.
        data["certificate"] = json.loads(canonical(data["certificate"]))
    if "refusal_class" in data:
        data["class"] = data.pop("refusal_class")
    return NAMES[type(event)], data
