"""Which local day ends a term of n working days? (domain.md 3.0 and 7.3)

Pure but for ``load_calendar``: the domain gets its calendar passed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml

ONE_DAY: Final = timedelta(days=1)
# The longest term of the law book is 15 working days; a year holds about 250.
MAX_TERM_DAYS: Final = 250
MAX_FILE_BYTES: Final = 1_048_576


class YearIsUnknown(Exception):
    """The calendar of this year has not been loaded; nothing is guessed."""

    def __init__(self, year: int) -> None:
        super().__init__(f"the working calendar of {year} is not loaded")
        self.year = year


class CalendarIsWrong(Exception):
    """A calendar file cannot be read or contradicts itself. Names the file and the year."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working days of whole years, each by the highest version of it that was loaded.

    ``holidays`` and ``workdays`` by year: a day is a working day when it is in ``workdays``, or it
    is Monday to Friday and not in ``holidays``.
    """

    holidays: Mapping[int, frozenset[date]]
    workdays: Mapping[int, frozenset[date]]

    @property
    def years(self) -> tuple[int, ...]:
        return tuple(sorted(self.holidays))

    def is_working(self, day: date) -> bool:
        """Raises ``YearIsUnknown``."""
        holidays = self.holidays.get(day.year)
        if holidays is None:
            raise YearIsUnknown(day.year)
        if day in self.workdays[day.year]:
            return True
        return day.weekday() < 5 and day not in holidays

    def nth_working_day_after(self, day: date, n: int) -> date:
        """The day at whose 24:00 a term of ``n`` working days ends that ``day`` set off.

        Counting starts with the day after. Raises ``YearIsUnknown``.
        """
        return _nth(day, n, self.is_working)

    def due_on(self, day: date, n: int) -> date | None:
        """Like ``nth_working_day_after``; None where a year is unknown: no fact is refused."""
        try:
            return self.nth_working_day_after(day, n)
        except YearIsUnknown:
            return None


def nth_weekday_after(day: date, n: int) -> date:
    """Monday to Friday alone: for protocol timers, which go on where a year is unknown."""
    return _nth(day, n, lambda each: each.weekday() < 5)


def load_calendar(path: Path | None = None) -> Calendar:
    """The calendar in a YAML file, by default the packaged one; raises ``CalendarIsWrong``."""
    name = str(path) if path else "the packaged calendar"
    try:
        source = path or resources.files("shared").joinpath("working_calendar.yaml")
        raw = source.read_bytes()
        if len(raw) > MAX_FILE_BYTES:
            raise CalendarIsWrong(f"{name} is longer than {MAX_FILE_BYTES} bytes")
        document = yaml.safe_load(raw)
    except OSError as error:
        raise CalendarIsWrong(f"{name} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise CalendarIsWrong(f"{name} is no YAML") from None
    try:
        return calendar_of(document)
    except CalendarIsWrong as error:
        raise CalendarIsWrong(f"{name}: {error}") from None


def calendar_of(document: Any) -> Calendar:
    """The calendar of a document of the form of ``working_calendar.yaml``."""
    versions: dict[int, int] = {}
    holidays: dict[int, frozenset[date]] = {}
    workdays: dict[int, frozenset[date]] = {}
    try:
        for item in document["versions"]:
            year, version = item["year"], item["version"]
            if version <= versions.get(year, 0):
                continue
            off = frozenset(
                day for span in item["holidays"] for day in _span(span["from"], span["to"])
            )
            on = frozenset(item["workdays"])
            _check(year, off, on)
            versions[year], holidays[year], workdays[year] = version, off, on
    except (KeyError, TypeError, AttributeError):
        raise CalendarIsWrong("it has not the form of a working calendar") from None
    return Calendar(holidays, workdays)


def _nth(day: date, n: int, is_working: Any) -> date:
    if not 1 <= n <= MAX_TERM_DAYS:
        raise ValueError(f"a term has 1 to {MAX_TERM_DAYS} working days")
    while n:
        day += ONE_DAY
        n -= is_working(day)
    return day


def _span(first: date, last: date) -> list[date]:
    days = (last - first).days
    if not 0 <= days <= 31:
        raise CalendarIsWrong(f"a holiday from {first} to {last} is none")
    return [first + n * ONE_DAY for n in range(days + 1)]


def _check(year: int, off: frozenset[date], on: frozenset[date]) -> None:
    strays = [day for day in off | on if day.year != year]
    if strays:
        raise CalendarIsWrong(f"{min(strays)} stands under {year}")
    both = off & on
    if both:
        raise CalendarIsWrong(f"{min(both)} is a holiday and a working day")
