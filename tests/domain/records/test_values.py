"""Minutes and days, regions and policies, text: the values that rules rest on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.records.domain.entries import read_body, reason_code
from services.records.domain.knowledge import PolicyVersion, holds, policy_on, recording_rules
from services.records.domain.text import flaw_of, holds_personal_data
from services.records.domain.times import by_day, whole_minutes
from shared.canonical import digest
from tests.domain.records.story import at, foreign_version, recording_policy

SINCE = datetime(1950, 1, 1, tzinfo=UTC)
START = st.integers(0, 80 * 366 * 86_400).map(lambda n: SINCE + timedelta(seconds=n))


@given(START, st.integers(60, 86_400 * 2), st.integers(0, 1439))
def test_the_days_of_an_entry_add_up_to_its_minutes(start, seconds, breaks) -> None:  # R1
    end = start + timedelta(seconds=seconds)
    minutes = whole_minutes(start, end) - breaks
    if minutes <= 0:
        return
    days = by_day(start, end, breaks)
    assert sum(days.values()) == minutes
    assert all(part > 0 for part in days.values())
    assert list(days) == sorted(days)


def test_midnight_is_that_of_shanghai_and_in_summer_time_of_its_years() -> None:  # R2
    assert by_day(at("2026-09-18 23:59"), at("2026-09-19 00:01"), 0) == {
        "2026-09-18": 1,
        "2026-09-19": 1,
    }
    # 1988: clocks in China were an hour ahead from April to September.
    summer = datetime(1988, 7, 1, 14, 30, tzinfo=UTC)
    assert by_day(summer, summer + timedelta(hours=1), 0) == {"1988-07-01": 30, "1988-07-02": 30}


def test_seconds_are_floored_once_per_entry() -> None:
    start = at("2026-09-18 23:59")
    assert by_day(start + timedelta(seconds=30), start + timedelta(seconds=149), 0) == {
        "2026-09-19": 1
    }


@pytest.mark.parametrize(
    ("region", "code", "held"),
    [
        ("*", "500106", True),
        ("500000", "500106", True),
        ("500000", "500229", True),  # a municipality holds its counties
        ("500000", "510104", False),
        ("510000", "510104", True),
        ("510100", "510104", True),
        ("510100", "510302", False),
        ("510104", "510104", True),
        ("amber", "amber", True),
        ("amber", "amberlike", False),
    ],
)
def test_a_region_holds_a_code_by_prefix(region: str, code: str, held: bool) -> None:  # 5.4
    assert holds(region, code) is held


def policy(name: str, jurisdiction: str, since: str, version: int = 1) -> PolicyVersion:
    return PolicyVersion(
        policy_id=name,
        version=version,
        kind="recording",
        jurisdiction=(jurisdiction,),
        effective_from=date.fromisoformat(since),
        content={},
    )


def test_the_narrowest_policy_in_force_on_the_day_decides() -> None:  # R48
    known = (
        policy("cn", "*", "1990-01-01"),
        policy("cn", "*", "2026-01-01", 2),
        policy("cq", "500000", "2020-01-01"),
        policy("yz", "500103", "2027-01-01"),
    )

    def chosen(code: str, day: str) -> tuple[str, int]:
        found = policy_on(known, "recording", code, date.fromisoformat(day))
        assert found is not None
        return (found.policy_id, found.version)

    assert chosen("500103", "2026-06-01") == ("cq", 1)
    assert chosen("500103", "2027-06-01") == ("yz", 1)
    assert chosen("500103", "2019-06-01") == ("cn", 1)
    assert chosen("510104", "2026-06-01") == ("cn", 2)
    assert policy_on(known, "recording", "510104", date(1980, 1, 1)) is None
    assert policy_on(known, "star", "510104", date(2026, 1, 1)) is None


def test_what_a_recording_policy_leaves_out_has_its_default() -> None:  # 7.2
    rules = recording_rules(policy("cn", "*", "1990-01-01"))
    assert rules.within_working_days == 10
    assert rules.tiers == (
        (480, "recorder"),
        (720, "parent_organisation"),
        (None, "higher_authority"),
    )
    assert recording_rules(recording_policy()).may_approve_own_recording is False


@pytest.mark.parametrize(
    "text",
    [
        "13812345678",
        "手机:138 1234 5678。",
        "138-1234-5678",
        "+86 13812345678",
        "１３８１２３４５６７８",
        "11010519491231002X",
        "110105 19491231 002x",
        "110105491231002",
        "023-63000000",
        "29.56471, 106.55073",
        "106.55073E,29.56471N",
    ],
)
def test_personal_data_is_found_in_whatever_form(text: str) -> None:
    assert holds_personal_data(text)
    assert flaw_of(text, 200) == "personal_data"


@pytest.mark.parametrize(
    "text",
    ["清理绿地 300 米", "2026-09-19 上午", "共 12 人,3.5 小时", "第 20260919001 号活动", "甲、乙"],
)
def test_ordinary_words_pass(text: str) -> None:
    assert flaw_of(text, 200) is None


def test_only_a_code_goes_on_a_topic() -> None:
    assert reason_code("duplicate") == "duplicate"
    assert reason_code("duplicate: 同一场活动") == "duplicate"
    assert reason_code("他没有来") is None
    assert reason_code(None) is None


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"body": "text"},
        {"body": {"started_at": 5, "ended_at": None}},
        {"body": {"started_at": "2026-09-19T02:00:00Z"}},
        {"body": {"started_at": "2026-09-19T02:00:00.5Z", "ended_at": "2026-09-19T03:00:00Z"}},
        {"body": {"started_at": "2026-09-19T03:00:00Z", "ended_at": "2026-09-19T03:00:00Z"}},
        {"body": {"started_at": "2026-02-30T03:00:00Z", "ended_at": "2026-03-01T03:00:00Z"}},
        {"recorder": [], "source": "x", "late": "yes", "evidence_class": 7},
    ],
)
def test_what_is_opaque_in_an_entry_of_another_city_is_never_a_fault(detail) -> None:  # 2.4
    body = {**foreign_version().body, "detail": detail}
    version = read_body(body, digest(body))
    assert (version.started_at, version.ended_at) == (None, None)
    assert version.category is None
    assert version.minutes_by_day == {"2026-09-19": 120}


def test_free_words_of_another_city_never_reach_a_cell_or_a_summary() -> None:  # R55
    detail = {
        "evidence_class": "Li Hua 13812345678",
        "recorder": {"organisation_id": "电话 13812345678"},
        "source": {"system": "张三"},
        "body": {"category": "x y", "field_code": "a" * 41, "place": {"region_code": "here"}},
    }
    body = {**foreign_version().body, "detail": detail}
    version = read_body(body, digest(body))
    assert {
        version.evidence_class,
        version.organisation_id,
        version.source_system,
        version.category,
        version.field_code,
        version.region_code,
    } == {None}
