"""What does one row of a sheet say? Exactly, or what is wrong with it; never rounded or guessed.

Document number and name are for registry alone: they leave this module inside ``Person`` and are
in no command, table, answer or log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.records.domain.dossiers.commands import Place, ServiceFacts, Source
from shared.clock import local_day

MAX_ROW_NO: Final = 100_000
Text = Annotated[str, StringConstraints(max_length=400)]
Short = Annotated[str, StringConstraints(max_length=120)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DocumentOf(_Strict):
    type: Short = Field(examples=["resident_id"])
    number: Short = Field(repr=False)


class PlaceOf(_Strict):
    region_code: Annotated[str, StringConstraints(pattern="^[0-9]{6}$")] | None = None
    station_id: Short | None = None
    name: Text | None = None


class UnreadableOf(_Strict):
    """The importer, which has the file, could not read a cell: the row is held for it."""

    field: Annotated[str, StringConstraints(pattern="^[a-z_.]{1,40}$")]
    reason: Annotated[str, StringConstraints(pattern="^[a-z_]{1,40}$")]


class RowOf(_Strict):
    """One row as it is sent. Times: with zone; one of times, minutes, hours says how long."""

    row_no: int = Field(ge=1, le=MAX_ROW_NO)
    document: DocumentOf | None = None
    name: Text | None = Field(default=None, repr=False)
    activity_name: Text | None = None
    project_name: Text | None = None
    category: Short = "service"
    field_code: Short | None = None
    programme: Text | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    break_minutes: int = Field(default=0, ge=0, le=1_440)
    occurred_on: date | None = None
    minutes: int | None = None
    hours: Annotated[str, StringConstraints(max_length=20)] | None = None
    distinct: int = 1
    content: Text | None = None
    service_object_groups: list[Short] = Field(default_factory=list, max_length=10)
    place: PlaceOf | None = None
    source_id: Annotated[str, StringConstraints(max_length=120)] | None = None
    unreadable: UnreadableOf | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Who is meant, for registry to resolve."""

    type: str
    number: str = field(repr=False)
    name: str | None = field(repr=False)
    started_on: date


@dataclass(frozen=True, slots=True)
class Held:
    """Why a row cannot become an entry: the refusal's name, and the cell."""

    reason: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row with its person and facts, or with what holds it."""

    row_no: int
    person: Person | None = None
    facts: ServiceFacts | None = None
    source_id: str | None = None
    held: Held | None = None


def read_row(raw: Any, seat_region: str) -> ReadRow | None:
    """Reads one element of ``rows``; None where not even its number can be read.

    ``seat_region``: of the recorder, for a row that does not say where it was.
    """
    row_no = raw.get("row_no") if isinstance(raw, Mapping) else None
    if not isinstance(row_no, int) or isinstance(row_no, bool) or not 1 <= row_no <= MAX_ROW_NO:
        return None
    try:
        row = RowOf.model_validate(raw)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"] if isinstance(part, str))
        return ReadRow(row_no, held=Held("FieldIsWrong", place or "row"))
    if row.unreadable is not None:
        return ReadRow(row_no, held=_unreadable(row.unreadable))
    for name, value in (("document", row.document), ("activity_name", row.activity_name)):
        if value is None:
            return ReadRow(row_no, held=Held("FieldIsWrong", name))
    minutes = _minutes(row)
    if isinstance(minutes, Held):
        return ReadRow(row_no, held=minutes)
    if not _times_fit(row):
        return ReadRow(row_no, held=Held("FieldIsWrong", "started_at"))
    started_on = row.occurred_on if row.started_at is None else local_day(row.started_at)
    if started_on is None:
        return ReadRow(row_no, held=Held("FieldIsWrong", "occurred_on"))
    assert row.document is not None and row.activity_name is not None
    return ReadRow(
        row_no,
        person=Person(row.document.type, row.document.number, row.name, started_on),
        facts=_facts(row, row.activity_name, minutes, seat_region),
        source_id=row.source_id,
    )


def source_of(read: ReadRow, kind: str, sheet_digest: str) -> Source:
    """Where the row stands: in the older system by its id, else in this very sheet."""
    if read.source_id is not None:
        return Source(system=kind, id=read.source_id)
    return Source(system=kind, id=f"{sheet_digest}/{read.row_no}")


def _unreadable(told: UnreadableOf) -> Held:
    if told.reason == "unit_is_not_representable":
        return Held("UnitIsNotRepresentable", told.field)
    return Held("FieldIsWrong", told.field)


def _minutes(row: RowOf) -> int | Held | None:
    """Hours as decimals become minutes exactly, or the row is held (0.5 → 30; 0.33 is none)."""
    if row.hours is None:
        return row.minutes
    try:
        exact = Decimal(row.hours) * 60
    except InvalidOperation:
        return Held("FieldIsWrong", "hours")
    if not exact.is_finite():
        return Held("FieldIsWrong", "hours")
    if exact != exact.to_integral_value():
        return Held("UnitIsNotRepresentable", "hours")
    minutes = int(exact)
    return minutes if row.minutes in (None, minutes) else Held("MinutesDisagree", "minutes")


def _times_fit(row: RowOf) -> bool:
    """Both times with their zone and the day they name, or neither."""
    if row.started_at is None or row.ended_at is None:
        return row.started_at is row.ended_at
    if row.started_at.tzinfo is None or row.ended_at.tzinfo is None:
        return False
    return row.occurred_on is None or row.occurred_on == local_day(row.started_at)


def _facts(row: RowOf, activity_name: str, minutes: int | None, seat_region: str) -> ServiceFacts:
    place = row.place or PlaceOf()
    timed = row.started_at is not None
    return ServiceFacts(
        activity_name=activity_name,
        project_name=row.project_name,
        category=row.category,
        field_code=row.field_code,
        programme=row.programme,
        started_at=row.started_at,
        ended_at=row.ended_at,
        break_minutes=row.break_minutes,
        occurred_on=None if timed else row.occurred_on,
        minutes=minutes,
        distinct=row.distinct,
        content=row.content,
        service_object_groups=tuple(row.service_object_groups),
        place=Place(
            region_code=place.region_code or seat_region,
            station_id=place.station_id,
            name=place.name,
        ),
    )
