"""Which day ends a term, for timers that must go on even where the year's calendar is not out?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from shared.clock import SHANGHAI
from shared.working_days import Calendar, nth_weekday_after


class WorkingTerms:
    """The State Council's calendar; of an unknown year Monday to Friday, and an alarm (12)."""

    def __init__(self, calendar: Calendar, unknown_year: Callable[[int], None]) -> None:
        self._calendar = calendar
        self._unknown_year = unknown_year

    def working_day(self, day: date, n: int) -> date:
        """The n-th working day after ``day``."""
        found = self._calendar.due_on(day, n)
        if found is None:
            found = nth_weekday_after(day, n)
            self._unknown_year(found.year)
        return found

    def end_of(self, day: date) -> datetime:
        """24:00 of that day in Asia/Shanghai."""
        return datetime.combine(day + timedelta(days=1), time(), SHANGHAI).astimezone(UTC)
