"""Do ids repeat when they must, and never meet otherwise? Are instants written one way?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ids
from shared.clock import SHANGHAI, FixedClock, SystemClock, local_day, read, wire, wire_exact
from shared.messages import Unreadable

NOON = datetime(2027, 3, 1, 2, 0, 0, 125000, tzinfo=UTC)
EVENT = UUID("11111111-2222-5333-8444-555555555555")

# Hypothesis wants naive bounds and adds the zone itself.
instants = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def test_command_ids_are_released_and_never_change() -> None:
    # Stored with every event: another derivation would let old commands take effect again.
    assert ids.request_command_id("u1", "POST /v1/x", "k") == UUID(
        "87374d44-575a-511d-8e45-7743851cd9c6"
    )
    assert ids.fact_command_id(EVENT, "OpenDossier", "s1") == UUID(
        "6ff67539-8a62-5aa9-98be-dcd8f4a3be4c"
    )
    assert ids.job_id(EVENT, "remind", "s1") == UUID("e5be244e-36cb-58f7-8aa2-1f7ae6858fbc")
    assert ids.row_command_id("b1", 7) == UUID("edb82d38-a38b-5545-9714-596312a50959")
    assert ids.event_id(EVENT, 0) == UUID("15e9c6d2-da9c-537f-802a-8fc72cdb998a")


@given(
    st.lists(st.text(max_size=5), min_size=3, max_size=3),
    st.lists(st.text(max_size=5), min_size=3, max_size=3),
)
def test_parts_never_run_into_each_other(one: list[str], other: list[str]) -> None:
    assert (ids.request_command_id(*one) == ids.request_command_id(*other)) == (one == other)


def test_the_kinds_of_ids_never_meet() -> None:
    made = {
        ids.request_command_id(str(EVENT), "a", "b"),
        ids.fact_command_id(EVENT, "a", "b"),
        ids.job_id(EVENT, "a", "b"),
        ids.job_command_id(EVENT, 0),
        ids.row_command_id(str(EVENT), 0),
        ids.event_id(EVENT, 0),
    }
    assert len(made) == 6


@given(instants, st.binary(min_size=10, max_size=10))
def test_a_ulid_holds_its_instant_and_its_bits(at: datetime, entropy: bytes) -> None:
    made = ids.ulid(at, entropy)
    assert len(made) == 26
    assert ids.ulid_time(made) == at.replace(microsecond=at.microsecond // 1000 * 1000)


@given(instants, instants, st.binary(min_size=10, max_size=10))
def test_ulids_sort_by_time(one: datetime, other: datetime, entropy: bytes) -> None:
    if abs(one - other) >= timedelta(milliseconds=1):
        first, second = ids.ulid(one, entropy), ids.ulid(other, entropy[::-1])
        assert (first < second) == (one < other)


def test_a_repeated_command_makes_the_same_ulid_and_its_second_thing_another() -> None:
    assert ids.command_ulid(NOON, EVENT) == ids.command_ulid(NOON, EVENT, 0)
    assert ids.command_ulid(NOON, EVENT) != ids.command_ulid(NOON, EVENT, 1)


@pytest.mark.parametrize("text", ["", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "0" * 25 + "I", "0" * 27])
def test_what_is_no_ulid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a ULID"):
        ids.ulid_time(text)


def test_an_instant_is_written_in_utc_with_whole_seconds() -> None:
    east = NOON.astimezone(SHANGHAI)
    assert wire(NOON) == wire(east) == "2027-03-01T02:00:00Z"
    assert wire_exact(NOON) == "2027-03-01T02:00:00.125Z"
    assert wire_exact(NOON + timedelta(microseconds=1)) == "2027-03-01T02:00:00.125001Z"
    assert wire(datetime(987, 1, 1, tzinfo=UTC)) == "0987-01-01T00:00:00Z"


@given(instants)
def test_what_was_written_exactly_is_read_back(at: datetime) -> None:
    assert read(wire_exact(at)) == at
    assert read(wire(at)) == at.replace(microsecond=0)


@pytest.mark.parametrize(
    "text",
    [
        "2027-03-01T02:00:00",
        "2027-03-01 02:00:00Z",
        "2027-02-30T02:00:00Z",
        "2027-03-01T02:00:00+08:00",
        "２027-03-01T02:00:00Z",
        "2027-03-01T02:00:00Z\n",
        "2027-03-01T02:00:60Z",
        "",
    ],
)
def test_what_is_no_instant_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        read(text)


def test_the_local_day_begins_at_16_utc() -> None:  # domain.md 5.5
    assert local_day(datetime(2027, 3, 1, 15, 59, 59, tzinfo=UTC)) == date(2027, 3, 1)
    assert local_day(datetime(2027, 3, 1, 16, 0, 0, tzinfo=UTC)) == date(2027, 3, 2)
    # The summers of 1986 to 1991 had UTC+9.
    assert local_day(datetime(1988, 7, 1, 15, 30, tzinfo=UTC)) == date(1988, 7, 2)


def test_the_systems_clock_gives_what_a_ulid_can_hold() -> None:
    now = SystemClock().now()
    assert now.tzinfo is UTC
    assert now.microsecond % 1000 == 0


def test_a_fixed_clock_moves_only_forward_and_only_when_told() -> None:
    clock = FixedClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance(timedelta(seconds=1))
    assert clock.now() == NOON + timedelta(seconds=1)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="aware"):
        FixedClock(datetime(2027, 3, 1))  # noqa: DTZ001 - that is the point
