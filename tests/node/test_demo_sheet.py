"""The demo's people and sheet hold on any day of any year."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from node import importing
from node.demo import people as cast
from node.demo import sheet

DAYS = [date(2026, 11, 24), date(2028, 2, 29), date(2027, 1, 1), date(2027, 3, 1),
        date(2031, 12, 31), date(2100, 3, 1)]


@pytest.mark.parametrize("today", DAYS)
def test_the_sheet_has_200_rows_and_the_importer_sees_what_was_planned(
        tmp_path: Path, today: date) -> None:
    persons = cast.people(today)
    planned = sheet.write(tmp_path / "s.xlsx", persons, cast.stranger(today), today)
    read = importing.read(tmp_path / "s.xlsx")
    assert len(read.rows) == sheet.ROWS
    assert planned.good == 191
    seen_here = {row.row_no: {problem.rule for problem in row.problems}
                 for row in read.rows if row.problems}
    assert seen_here == {82: {"not_a_date"}, 173: {"digits_were_lost"}}
    assert {wrong.row_no for wrong in planned.wrong} > seen_here.keys()
    twice = next(wrong.row_no for wrong in planned.wrong if wrong.rule == "SameFactExists")
    cells = [row.line.cells for row in read.rows]
    first = cells.index(cells[twice - 1])
    assert first + 1 < twice and first + 1 not in {wrong.row_no for wrong in planned.wrong}
    assert planned.minutes[0] >= 1800  # Li Hua reaches the second star of demo-automatic


@pytest.mark.parametrize("today", DAYS)
def test_good_rows_lie_before_today_one_a_day_for_each_person(tmp_path: Path, today: date) -> None:
    persons = cast.people(today)
    planned = sheet.write(tmp_path / "s.xlsx", persons, cast.stranger(today), today)
    wrong = {item.row_no for item in planned.wrong}
    seen = set()
    for row in importing.read(tmp_path / "s.xlsx").rows:
        if row.row_no in wrong:
            continue
        day = row.line.cells[3]
        assert isinstance(day, date) and today - timedelta(days=50) <= day < today
        assert (row.line.cells[1], day) not in seen
        seen.add((row.line.cells[1], day))


@pytest.mark.parametrize("today", DAYS)
def test_every_person_is_an_adult_with_a_number_of_gb_11643(today: date) -> None:
    from stdnum.cn import ric

    numbers = [person.number for person in cast.people(today)]
    assert len(set(numbers)) == 12
    for person in [*cast.people(today), cast.stranger(today)]:
        assert ric.calc_check_digit(person.number) == person.number[-1]
        assert 18 < (today - person.birth_date).days / 365.25 < 66
        assert (int(person.number[16]) % 2 == 0) == (person.sex == "female")


def test_credit_codes_are_the_published_ones() -> None:
    assert cast.credit_code("51", "500199", 1) == "51500199MJX000018W"
    assert cast.credit_code("52", "500199", 2) == "52500199MJX000026L"
