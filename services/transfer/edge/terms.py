"""Which day ends a term, for timers that must go on even where the year's calendar is not out?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import structlog

from services.transfer.edge.ports import Journal
from shared.clock import SHANGHAI
from shared.messages import Unavailable
from shared.working_days import Calendar, YearIsUnknown, nth_weekday_after

_log = structlog.get_logger(__name__)


class WorkingTerms:
    """The State Council's calendar; of an unknown year Monday to Friday, and an alarm (12)."""

    def __init__(self, calendar: Calendar, unknown_year: Callable[[int], None]) -> None:
        self._calendar = calendar
        self._unknown_year = unknown_year

    def working_day(self, day: date, n: int) -> date:
        """The n-th working day after ``day``."""
        try:
            return self._calendar.nth_working_day_after(day, n)
        except YearIsUnknown as unknown:
            self._unknown_year(unknown.year)
            return nth_weekday_after(day, n)

    def end_of(self, day: date) -> datetime:
        """24:00 of that day in Asia/Shanghai."""
        return datetime.combine(day + timedelta(days=1), time(), SHANGHAI).astimezone(UTC)


class YearAlarms:
    """One alarm for each year that this process was asked for and whose calendar is not loaded.

    Who decides a term does not wait: the row is written beside it. What could not be written is
    tried again when the year is next asked for.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._raised: dict[int, asyncio.Task[None]] = {}

    def __call__(self, year: int) -> None:
        if year not in self._raised:
            loop = asyncio.get_running_loop()
            self._raised[year] = loop.create_task(self._raise(year))

    async def _raise(self, year: int) -> None:
        _log.warning("calendar.missing", year=year)
        try:
            await self._journal.alarm("calendar-missing", None, {"year": year})
        except Unavailable:
            del self._raised[year]
