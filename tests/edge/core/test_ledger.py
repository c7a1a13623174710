"""Does a command become committed state, events and an answer, once?"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.ledger import Accepted, CommandIdReused, Ledger, Target
from shared.postgres import Database
from tests.support.counter import Added, DayIsFull, add, counter_service, request


@pytest.fixture
async def service(database: str) -> AsyncIterator[tuple[Database, Ledger]]:
    async with counter_service(database) as one:
        yield one


async def test_a_command_leaves_state_events_and_an_answer(
    service: tuple[Database, Ledger],
) -> None:
    database, ledger = service
    outcome = await ledger.submit(add("ann", 5, "one"), request=request("add 5"))
    assert isinstance(outcome, Accepted)
    assert outcome.events == (Added(counter="ann", amount=5, day=1, total=5),)
    assert outcome.answer is not None and outcome.answer.body["total"] == 5
    assert outcome.states[Target("counter", "ann")].total == 5
    row = await database.pool.fetchrow("SELECT topic, key, sequence, type FROM event")
    assert row is not None
    assert tuple(row) == ("counter.totals.v1", "ann", 1, "counter.added.v1")


async def test_a_repeat_gets_the_first_answer_and_other_content_is_refused(
    service: tuple[Database, Ledger],
) -> None:
    _, ledger = service
    first = await ledger.submit(add("ann", 5, "one"), request=request("add 5"))
    await ledger.submit(add("ann", 7, "two"), request=request("add 7"))
    again = await ledger.submit(add("ann", 5, "one"), request=request("add 5"))
    assert isinstance(first, Accepted) and isinstance(again, Accepted)
    assert (again.repeated, again.answer) == (True, first.answer)
    assert await ledger.submit(add("ann", 9, "one"), request=request("add 9")) == CommandIdReused()


async def test_a_rule_says_no_and_nothing_is_kept(service: tuple[Database, Ledger]) -> None:
    database, ledger = service
    assert await ledger.submit(add("ann", 601, "one"), request=request("x")) == DayIsFull(day=1)
    assert await database.pool.fetchval("SELECT count(*) FROM event") == 0
    assert await database.pool.fetchval("SELECT count(*) FROM answer") == 0
