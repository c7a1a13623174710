"""Are a day, an instant and a number of a body what they say, and nothing that could be read so?"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.requests.values import Day, Instant, Whole


def test_texts_of_the_wire_are_read():
    assert TypeAdapter(Day).validate_python("2027-03-01") == date(2027, 3, 1)
    read = TypeAdapter(Instant).validate_python("2027-03-01T10:00:00+08:00")
    assert read == datetime(2027, 3, 1, 2, tzinfo=UTC)
    assert TypeAdapter(Whole).validate_python(7) == 7


@pytest.mark.parametrize("said", [0, 481248000, "481248000", 1.5, True, "2027-3-1", "2027-02-30"])
def test_what_is_no_day_is_a_mistake(said):
    with pytest.raises(ValidationError):
        TypeAdapter(Day).validate_python(said)


@pytest.mark.parametrize("said", [0, "1772330400", True, "2027-03-01", "2027-03-01T10:00:00"])
def test_what_is_no_instant_with_its_zone_is_a_mistake(said):
    with pytest.raises(ValidationError):
        TypeAdapter(Instant).validate_python(said)


@pytest.mark.parametrize("said", ["1", True, 1.0])
def test_what_is_no_whole_number_is_a_mistake(said):
    with pytest.raises(ValidationError):
        TypeAdapter(Whole).validate_python(said)
