"""Which timers run when, and are they those that the protocol names?"""

from __future__ import annotations

import copy
import re
from datetime import timedelta
from typing import Any

import pytest

from services.transfer.domain import timers
from services.transfer.domain.case import PairPolicy
from services.transfer.edge.views import TEXTS, status_of
from tests.domain.transfer.test_every_pair import PLAYED, WIRE
from tests.support.moves import at, office
from tests.support.vectors import vectors

TABLES = vectors("tables")
# Held elsewhere or by later slices: registry's code, the fetcher's tries, visits; cooling is a
# guard (TR-304) and a retry is a job of its own.
ELSEWHERE = {"code", "bundle", "visit", "cooling", "retry (class T)"}
NOON = at("2027-03-01T04:00:00Z")


def plan(before: Any, after: Any, fired: tuple[str, int] | None = None) -> timers.Plan:
    return timers.plan(
        before, after, at=NOON, fired=fired, terms=office("amber").terms, pair=PairPolicy()
    )


def test_the_timers_are_those_of_the_protocol() -> None:  # transfer 12
    published = {
        (name, holder)
        for row in TABLES["timers"]
        for name in re.split(", ", row["timer"])
        for holder in re.findall(r"\b([OD])\b", row["holder"])
        if row["timer"] not in ELSEWHERE
    }
    roles = {"origin": "O", "destination": "D"}
    assert {(timer.name, roles[timer.role]) for timer in timers.TIMERS} == published


@pytest.mark.parametrize(
    "role, status, name, after",
    [
        ("origin", "Admitted", "freeze", timedelta(minutes=10)),
        ("origin", "Released", "activate", timedelta(minutes=5)),
        ("origin", "Closing", "close", timedelta(days=1)),
        ("destination", "Requested", "request", timedelta(days=3)),
        ("destination", "Verifying", "verify", timedelta(hours=1)),
        ("destination", "Staging", "stage", timedelta(hours=2)),
        ("destination", "Accepted", "doubt", timedelta(minutes=5)),
        ("destination", "Activating", "adopt", timedelta(minutes=5)),
    ],
)
def test_a_timer_begins_with_its_state(role: Any, status: str, name: str, after: timedelta) -> None:
    (found,) = (
        each for each in plan(None, PLAYED[role, status].file.state).set if each.name == name
    )
    assert (found.due_at - NOON, found.n) == (after, 1)


def test_working_days_end_at_midnight_in_shanghai() -> None:  # S11; 2027 is not loaded
    found = {each.name: each for each in plan(None, PLAYED["origin", "Requested"].file.state).set}
    assert found["review"].due_at == at("2027-03-02T16:00:00Z")
    assert found["review-target"].due_at == at("2027-03-15T16:00:00Z")
    assert found["review-ceiling"].due_at == at("2027-03-22T16:00:00Z")


def test_the_destinations_part_ends_before_the_offer_does() -> None:
    state = PLAYED["destination", "Receiving"].file.state
    lapse = next(each for each in plan(None, state).set if each.name == "lapse")
    offer = next(
        each
        for each in plan(None, PLAYED["origin", "Offered"].file.state).set
        if each.name == "offer"
    )
    assert offer.due_at - lapse.due_at == timedelta(minutes=5)


def test_a_repeated_timer_counts_up_and_waits_longer() -> None:  # B44
    released = PLAYED["origin", "Released"].file.state
    waits = []
    for n in range(1, 12):
        (again,) = plan(released, released, fired=("activate", n)).set
        assert again.n == n + 1
        waits.append(again.due_at - NOON)
    assert waits[:3] == [timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40)]
    assert waits[-1] == timedelta(hours=6)
    doubt = PLAYED["destination", "InDoubt"].file.state
    (again,) = plan(doubt, doubt, fired=("doubt", 1)).set
    assert again.due_at - NOON == timedelta(minutes=5)


def test_what_is_left_is_cancelled() -> None:
    requested = PLAYED["origin", "Requested"].file.state
    admitted = PLAYED["origin", "Admitted"].file.state
    left = plan(requested, admitted)
    assert set(left.cancelled) == {"review", "review-target", "review-ceiling"}
    assert [each.name for each in left.set] == ["freeze"]
    assert plan(admitted, PLAYED["origin", "Frozen"].file.state) == timers.Plan()


def test_an_answer_of_the_origin_ends_the_request_timer() -> None:  # D2: no deadline here runs
    city = copy.deepcopy(PLAYED["destination", "Requested"])
    before = city.file.state
    city.hear(WIRE["M2"], "2027-03-01T02:00:02Z")
    ended = plan(before, city.file.state)
    assert ended.cancelled == ("request",)
    assert {each.name for each in ended.set} == {"review-target", "review-ceiling"}


def test_a_residual_that_may_not_fire_comes_again_every_day() -> None:
    settling = PLAYED["origin", "Settling"].file.state
    (first,) = plan(None, settling).set
    assert first.due_at == at("2027-03-01T02:00:10Z") + timedelta(days=180)
    late = timers.plan(
        settling,
        settling,
        at=first.due_at,
        fired=("residual", 1),
        terms=office("amber").terms,
        pair=PairPolicy(),
    )
    assert [each.due_at for each in late.set] == [first.due_at + timedelta(days=1)]


def test_the_statuses_are_those_of_the_protocol() -> None:  # transfer 13
    for row in TABLES["statuses"]:
        word = row["status"]
        zh = row["zh"].replace("(", "（").replace(")", "）")
        assert TEXTS[word] == (zh, row["en"])
    assert set(TEXTS) == {row["status"] for row in TABLES["statuses"]}


@pytest.mark.parametrize("role, status", sorted(pair for pair in PLAYED if pair[1] != "–"))
def test_a_state_is_shown_under_a_status_that_names_it(role: Any, status: str) -> None:
    side = {"origin": "O", "destination": "D"}[role]
    # The origin's own end by withdrawal is an abort.
    codes = [("TR-102", False)] + [("TR-501", True)] * ((role, status) != ("origin", "Refused"))
    for code, review in codes:
        view = {"code": code} | ({"review_due": "2027-03-15"} if review else {})
        word = status_of(side, status, view, NOON)
        (row,) = (row for row in TABLES["statuses"] if row["status"] == word)
        assert status in row[f"{side} states"], (status, word)
    if status in ("Active", "Settling"):
        view = {"activated_at": NOON.isoformat()}
        assert status_of(side, status, view, NOON + timedelta(hours=23)) == "moved"
        assert status_of(side, status, view, NOON + timedelta(hours=25)) == "settling"
