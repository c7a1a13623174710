"""What does one line of a sheet ask to be recorded, and which of its cells cannot be read?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from node.sheets import cells
from node.sheets.cells import CellIsWrong, ClockTime
from node.sheets.tables import Cell, Line, Table

DEFAULT_CATEGORY = "service"
# The unit of law is the hour; whole minutes are what is kept.
_TEXTS = ("name", "activity_name", "project_name", "category", "field_code", "content",
          "source_id")


@dataclass(frozen=True, slots=True)
class Problem:
    """One bad cell: the field it belongs to and the slug of the rule."""

    field: str
    rule: str


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One line, read. ``row_no`` counts from 1 and names the row in its batch.

    ``values``: the row as records takes it; of no use where ``problems`` is not empty.
    """

    row_no: int
    line: Line
    values: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()

    def request(self) -> dict[str, Any]:
        """The row in a page of ``POST /batches/{id}/rows``."""
        if self.problems:
            first = self.problems[0]
            return {"row_no": self.row_no,
                    "unreadable": {"field": first.field, "reason": first.rule}}
        return {"row_no": self.row_no, **self.values}


def rows(table: Table, columns: Mapping[str, int], *, region: str | None = None) -> list[SheetRow]:
    """Every line of a table as a row; ``region``: where no column says where it was."""
    return [_Reading(line, columns).row(number, region)
            for number, line in enumerate(table.lines, start=1)]


@dataclass
class _Reading:
    """One line while it is read: problems are gathered, so that all its bad cells are named."""

    line: Line
    columns: Mapping[str, int]
    problems: list[Problem] = field(default_factory=list)

    def cell(self, name: str) -> Cell:
        index = self.columns.get(name)
        return None if index is None or index >= len(self.line.cells) else self.line.cells[index]

    def take(self, name: str, reader: Callable[[str, Cell], Any]) -> Any:
        """The cell of this field, read; ``None`` and a problem where it cannot be."""
        try:
            return reader(name, self.cell(name))
        except CellIsWrong as wrong:
            self.problems.append(Problem(wrong.field, wrong.rule))
            return None

    def row(self, row_no: int, region: str | None) -> SheetRow:
        values: dict[str, Any] = {}
        for name in _TEXTS:
            values[name] = self.take(name, cells.text)
        values["category"] = values["category"] or DEFAULT_CATEGORY
        number = self.take("document_number", cells.document_number)
        kind = self.take("document_type", cells.document_type) or "resident_id"
        values["document"] = {"type": kind, "number": number}
        bad = {problem.field for problem in self.problems}
        needed = {"document_number": number, "activity_name": values["activity_name"]}
        for name, value in needed.items():
            if value is None and name not in bad:
                self.problems.append(Problem(name, "is_missing"))
        values |= self._when()
        values |= self._how_long()
        values["distinct"] = self.take("distinct", cells.whole)
        values["place"] = self._place(region)
        known = {name: value for name, value in values.items() if value is not None}
        return SheetRow(row_no, self.line, known, tuple(self.problems))

    def _place(self, region: str | None) -> dict[str, Any] | None:
        code = self.take("region_code", cells.text) or region
        name = self.take("place_name", cells.text)
        place = {"region_code": code, "name": name}
        return {name: value for name, value in place.items() if value is not None} or None

    def _when(self) -> dict[str, Any]:
        """Day, and both times where both are said; one without the other is a problem."""
        on: date | None = self.take("occurred_on", cells.day)
        start = self.take("started_at", cells.moment)
        end = self.take("ended_at", cells.moment)
        values: dict[str, Any] = {}
        if (start is None) != (end is None) and not self.problems:
            missing = "ended_at" if end is None else "started_at"
            self.problems.append(Problem(missing, "is_missing"))
        if start is not None and end is not None:
            try:
                first, last = _interval(on, start, end)
            except CellIsWrong as wrong:
                self.problems.append(Problem(wrong.field, wrong.rule))
                return values
            if on is not None and first.date() != on:
                self.problems.append(Problem("occurred_on", "date_differs_from_start"))
            values |= {"started_at": cells.wire(first), "ended_at": cells.wire(last)}
            values["break_minutes"] = self.take("break_minutes", cells.whole)
        elif on is not None:
            values["occurred_on"] = on.isoformat()
        elif not self.problems:
            self.problems.append(Problem("occurred_on", "is_missing"))
        return values

    def _how_long(self) -> dict[str, Any]:
        said = self.cell("hours")
        if isinstance(said, time | timedelta) and not isinstance(said, datetime):
            return {"minutes": self.take("hours", _as_duration)}
        hours = self.take("hours", cells.decimal)
        minutes = self.take("minutes", cells.decimal)
        if hours is None and minutes is None:
            timed = self.cell("started_at") is not None and self.cell("ended_at") is not None
            if not timed and not self.problems:
                name = "hours" if "hours" in self.columns else "minutes"
                self.problems.append(Problem(name, "is_missing"))
            return {}
        if minutes is not None and "." in minutes:
            self.problems.append(Problem("minutes", "unit_is_not_representable"))
            return {}
        return {"hours": hours, "minutes": None if minutes is None else int(minutes)}


def _as_duration(name: str, cell: Cell) -> int:
    assert isinstance(cell, time | timedelta)
    return cells.duration_minutes(name, cell)


def _interval(on: date | None, start: datetime | ClockTime,
              end: datetime | ClockTime) -> tuple[datetime, datetime]:
    """Both instants without zone. An end of day before its start is on the next day."""
    if isinstance(start, ClockTime):
        if on is None:
            raise CellIsWrong("occurred_on", "is_missing")
        start = cells.instant(on, start)
    if isinstance(end, ClockTime):
        clock = cells.instant(start.date(), end)
        end = clock + timedelta(days=1) if clock < start else clock
    return start, end


def pages(found: Sequence[SheetRow], size: int) -> list[Sequence[SheetRow]]:
    """The rows in pages of at most ``size``, in order."""
    return [found[first:first + size] for first in range(0, len(found), size)]
