"""What do the facts of an entry read with these changes, and may they change at all?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from services.records.domain.dossiers.commands import Place, ServiceFacts, TrainingFacts
from services.records.domain.rejections import FieldIsWrong, ProvenanceIsFixed
from shared.clock import read
from shared.messages import Unreadable

PROVENANCE: Final = frozenset(
    {"recorder", "organisation_id", "issuer", "subject_id", "entry_id", "home", "team_id"}
)


def corrected_facts(
    body: Mapping[str, Any], changes: Mapping[str, Any]
) -> ServiceFacts | TrainingFacts | FieldIsWrong | ProvenanceIsFixed:
    """The facts of an entry of ours with some members changed; ``{}`` gives them as they are.

    New times without new minutes make the minutes anew.
    """
    for name in changes:
        if name in PROVENANCE:
            return ProvenanceIsFixed(name)
    readers = _SERVICE if body["kind"] == "service" else _TRAINING
    values = _read_service(body) if body["kind"] == "service" else _read_training(body)
    for name, value in changes.items():
        reader = readers.get(name)
        if reader is None:
            return FieldIsWrong(f"changes.{name}", "unknown")
        try:
            values[name] = reader(value)
        except (TypeError, ValueError, KeyError, Unreadable):
            return FieldIsWrong(f"changes.{name}", "wrong_form")
    if body["kind"] != "service":
        return TrainingFacts(**values)
    if values["started_at"] is not None:
        if not {"minutes"} & changes.keys():
            values["minutes"] = None
        if "occurred_on" not in changes:
            values["occurred_on"] = None
    return ServiceFacts(**values)


def _read_service(body: Mapping[str, Any]) -> dict[str, Any]:
    said = body["detail"]["body"]
    return {
        "activity_name": said["activity_name"],
        "category": said["category"],
        "place": _place(said["place"]),
        "project_name": said["project_name"],
        "field_code": said["field_code"],
        "programme": said["programme"],
        "started_at": _optional(_instant)(said["started_at"]),
        "ended_at": _optional(_instant)(said["ended_at"]),
        "break_minutes": said["break_minutes"],
        "occurred_on": date.fromisoformat(body["occurred_on"]),
        "minutes": body["minutes"],
        "distinct": said["distinct"],
        "content": said["content"],
        "service_object_groups": tuple(said["service_object_groups"]),
        "responsible_person": said["responsible_person"],
        "lead_social_worker": said["lead_social_worker"],
    }


def _read_training(body: Mapping[str, Any]) -> dict[str, Any]:
    said = body["detail"]["body"]
    return {
        "name": said["name"],
        "held_by": said["held_by"],
        "content": said["content"],
        "qualification": said["qualification"],
        "distinct": said["distinct"],
        "occurred_on": date.fromisoformat(body["occurred_on"]),
        "minutes": body["minutes"],
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) > 2**53 - 1:
        raise TypeError
    return value


def _day(value: Any) -> date:
    return date.fromisoformat(_text(value))


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else read(_text(value))


def _labels(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(_text(each) for each in value)


def _place(value: Any) -> Place:
    if not isinstance(value, Mapping):
        raise TypeError
    return Place(
        region_code=_text(value["region_code"]),
        station_id=_optional(_text)(value.get("station_id")),
        name=_optional(_text)(value.get("name")),
    )


def _optional(reader: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else reader(value)


_SERVICE: Final[Mapping[str, Callable[[Any], Any]]] = {
    "activity_name": _text,
    "category": _text,
    "place": _place,
    "project_name": _optional(_text),
    "field_code": _optional(_text),
    "programme": _optional(_text),
    "started_at": _optional(_instant),
    "ended_at": _optional(_instant),
    "break_minutes": _whole,
    "occurred_on": _optional(_day),
    "minutes": _optional(_whole),
    "distinct": _whole,
    "content": _optional(_text),
    "service_object_groups": _labels,
    "responsible_person": _optional(_text),
    "lead_social_worker": _optional(_text),
}
_TRAINING: Final[Mapping[str, Callable[[Any], Any]]] = {
    "name": _text,
    "held_by": _text,
    "content": _optional(_text),
    "qualification": _optional(_text),
    "distinct": _whole,
    "occurred_on": _day,
    "minutes": _whole,
}
