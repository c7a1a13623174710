"""Which day ends a term of n working days? domain.md 7.3."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.working_days import (
    Calendar,
    CalendarIsWrong,
    YearIsUnknown,
    calendar_of,
    load_calendar,
    nth_weekday_after,
)

CALENDAR = load_calendar()


@pytest.mark.parametrize(
    ("ends", "tenth"),
    [
        (date(2026, 9, 18), date(2026, 10, 9)),
        (date(2026, 9, 19), date(2026, 10, 9)),
        (date(2026, 2, 13), date(2026, 3, 5)),
        (date(2025, 9, 26), date(2025, 10, 16)),
        (date(2026, 4, 30), date(2026, 5, 18)),
    ],
    ids=str,
)
def test_the_tenth_working_day_is_that_of_the_table(ends: date, tenth: date) -> None:
    assert CALENDAR.nth_working_day_after(ends, 10) == tenth
    assert CALENDAR.due_on(ends, 10) == tenth


def test_a_term_that_reaches_an_unknown_year_is_due_on_no_day() -> None:
    assert CALENDAR.due_on(date(2026, 12, 18), 10) is None
    with pytest.raises(YearIsUnknown) as unknown:
        CALENDAR.nth_working_day_after(date(2026, 12, 18), 10)
    assert unknown.value.year == 2027


def test_the_packaged_calendar_holds_2004_to_2026() -> None:
    assert CALENDAR.years == tuple(range(2004, 2027))


def test_a_worked_weekend_is_a_working_day_and_a_holiday_is_none() -> None:
    assert CALENDAR.is_working(date(2026, 2, 14))  # Saturday
    assert CALENDAR.is_working(date(2026, 9, 20))  # Sunday
    assert not CALENDAR.is_working(date(2026, 10, 1))  # Thursday
    assert not CALENDAR.is_working(date(2026, 9, 19))


@given(st.dates(date(2004, 1, 1), date(2026, 11, 1)), st.integers(1, 15))
def test_exactly_n_working_days_lie_in_a_term_and_its_last_day_is_one(day: date, n: int) -> None:
    due = CALENDAR.nth_working_day_after(day, n)
    between = [day + timedelta(days=k) for k in range(1, (due - day).days + 1)]
    assert sum(map(CALENDAR.is_working, between)) == n
    assert CALENDAR.is_working(due)


def test_protocol_timers_go_on_in_unknown_years_by_weekdays() -> None:
    assert nth_weekday_after(date(2031, 1, 3), 5) == date(2031, 1, 10)


@pytest.mark.parametrize("n", [0, -1, 251])
def test_a_term_has_a_bound(n: int) -> None:
    with pytest.raises(ValueError, match="1 to 250"):
        CALENDAR.nth_working_day_after(date(2026, 1, 5), n)


def test_the_highest_version_of_a_year_counts_whatever_the_order() -> None:
    first = {"year": 2030, "version": 1, "holidays": [], "workdays": []}
    second = first | {"version": 2, "workdays": [date(2030, 1, 5)]}
    for order in ([first, second], [second, first]):
        assert calendar_of({"versions": order}).is_working(date(2030, 1, 5))
    assert calendar_of({"versions": []}) == Calendar({}, {})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "versions: [{year: 2030, version: 1, holidays: [], workdays: [2031-01-05]}]",
            "2031-01-05",
        ),
        (
            "versions: [{year: 2030, version: 1, holidays: "
            "[{name: x, from: 2030-01-05, to: 2030-01-01}], workdays: []}]",
            "is none",
        ),
        (
            "versions: [{year: 2030, version: 1, holidays: "
            "[{name: x, from: 2030-01-05, to: 2030-01-05}], workdays: [2030-01-05]}]",
            "a holiday and a working day",
        ),
        ("versions: 3", "form"),
        ("[", "no YAML"),
    ],
    ids=["stray", "span", "both", "form", "yaml"],
)
def test_a_calendar_that_is_wrong_is_refused_by_name(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "calendar.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(CalendarIsWrong, match=why) as wrong:
        load_calendar(path)
    assert "calendar.yaml" in str(wrong.value)


def test_a_calendar_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(CalendarIsWrong, match="cannot be read"):
        load_calendar(tmp_path / "none.yaml")
