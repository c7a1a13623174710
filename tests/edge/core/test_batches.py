"""Are n commands in one batch what the same n are in n batches?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.ledger import Ledger
from shared.messages import Command
from shared.postgres import Database
from tests.support.batches import Twins, twins
from tests.support.counter import (
    COUNTER,
    NOON,
    CounterDomain,
    Forget,
    Remember,
    Remind,
    add,
    command_id,
    counter_service,
    move,
    request,
    schema,
)

COUNTERS = st.sampled_from(["ann", "bob", "cleo"])
AMOUNTS = st.sampled_from([0, 1, 90, 250, 300, 601])
COMMANDS = st.one_of(
    st.builds(
        add,
        COUNTERS,
        AMOUNTS,
        day=st.integers(1, 2),
        claim=st.sampled_from([None, "seat", "key"]),
    ),
    st.builds(move, st.sampled_from(["g", "h"]), COUNTERS, COUNTERS, AMOUNTS).filter(
        lambda command: command.origin != command.destination
    ),
    st.builds(
        lambda counter, seconds: Remind(
            command_id=command_id(f"remind {counter} {seconds}"),
            actor=COUNTER,
            at=NOON,
            counter=counter,
            after_seconds=seconds,
        ),
        COUNTERS,
        st.integers(0, 2),
    ),
    st.builds(
        lambda counter: Remember(
            command_id=command_id(f"remember {counter}"), actor=COUNTER, at=NOON, counter=counter
        ),
        COUNTERS,
    ),
    st.builds(
        lambda counter: Forget(
            command_id=command_id(f"forget {counter}"), actor=COUNTER, at=NOON, counter=counter
        ),
        COUNTERS,
    ),
)


@pytest.fixture
async def pair(database: str) -> AsyncIterator[Twins]:
    async with twins(database, counter_service) as both:
        yield both


@given(commands=st.lists(COMMANDS, min_size=2, max_size=12), asked=st.sets(st.integers(0, 11)))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_n_commands_in_one_batch_give_what_they_give_in_n(  # INV-11, B42
    pair: Twins, commands: list[Command], asked: set[int]
) -> None:
    await pair.empty()
    requests = {place: request(repr(commands[place])) for place in asked if place < len(commands)}
    await pair.same_together_and_apart(
        commands, requests=requests, unlike={"addition": frozenset({"position"})}
    )


async def test_two_commands_of_one_batch_that_name_one_claim(pair: Twins) -> None:
    await pair.same_together_and_apart(
        [add("ann", 1, claim="seat"), add("bob", 0, claim="seat"), add("ann", 2)],
        unlike={"addition": frozenset({"position"})},
    )


async def test_the_comparison_sees_a_window_that_stands_still(database: str) -> None:  # B42
    class Still(CounterDomain):
        """``evolve`` moves the row, not the window: the second of a batch is decided on it."""

        def evolve(self, target, state, event):  # type: ignore[no-untyped-def]
            return replace(super().evolve(target, state, event), days=state.days)

    @asynccontextmanager
    async def make(url: str, name: str) -> AsyncIterator[tuple[Database, Ledger]]:
        await schema(url, name)
        async with Database(url, name) as opened:
            yield opened, Ledger(opened, Still())

    async with twins(database, make) as both:
        with pytest.raises(AssertionError, match="DayIsFull"):
            await both.same_together_and_apart([add("ann", 400), add("ann", 300)])
