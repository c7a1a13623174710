"""Which orders of two processes' steps go wrong when a rule of the ledger is broken?

Each schedule is played twice: with the ledger as it is, where it must come out right, and with the
rule broken in a subclass, where the same schedule must be seen to go wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from shared.ledger import Accepted, Ledger, Outcome
from shared.ledger.batch import Attempt
from shared.ledger.engine import _all
from shared.ledger.entries import Entry, Plan, Reading
from shared.ledger.types import Attachment, Conflict
from shared.messages import Command
from shared.postgres import Connection, Database
from tests.support.batches import in_one_batch
from tests.support.counter import (
    GROUPS,
    TOTALS,
    ClaimIsTaken,
    CounterDomain,
    DayIsFull,
    add,
    move,
    request,
    running_counter,
    schema,
)
from tests.support.infrastructure import eventually

Steps = Callable[[], Awaitable[None]]


@asynccontextmanager
async def two_processes(
    url: str, kind: type[Ledger] = Ledger
) -> AsyncIterator[tuple[Database, Ledger, Ledger]]:
    """The counter in two processes: the first with the ledger under test, the second as it is."""
    await schema(url)
    async with Database(url, "counter") as database, running_counter(url) as (_, other):
        ledger = kind(database, CounterDomain())
        yield database, ledger, other
        await ledger.close()


async def published_order(database: Database, topic: str, key: str) -> list[int]:
    """The sequences of a key in the order in which the relay would publish them."""
    rows = await database.pool.fetch(
        "SELECT sequence FROM event WHERE topic = $1 AND key = $2 "
        "ORDER BY incarnation, xid, position",
        topic,
        key,
    )
    return [row["sequence"] for row in rows]


@asynccontextmanager
async def held_row(url: str, counter: str) -> AsyncIterator[None]:
    """Somebody holds a counter's row until the block is left."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "counter"})
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT FROM aggregate WHERE kind = 'counter' AND id = $1 FOR UPDATE", counter
            )
            yield
    finally:
        await connection.close()


async def blocked(database: Database) -> bool:
    """Whether a statement of this database waits for a row."""
    return bool(
        await database.pool.fetchval(
            """SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'"""
        )
    )


# -- a retry inside the same transaction -----------------------------------------------------------


class RetryInside(Ledger):
    """Broken: a batch that lost is decided again inside the transaction that has written."""

    async def _rounds(
        self, entries: list[Entry], attachment: Attachment | None, *, split: bool = False
    ) -> list[Outcome]:
        async with self._database.ledger.acquire() as connection, connection.transaction():
            while True:
                attempt = self._attempt(entries, attachment)
                plan = attempt.decide(await attempt.read(connection))
                await self._prepare(plan, entries, attachment)
                try:
                    async with connection.transaction():
                        await self._write(connection, plan, entries, attachment)
                    return _all(plan)
                except Conflict:
                    continue


async def overtaken_while_writing(
    url: str, kind: type[Ledger], batch: Sequence[Command], meanwhile: Command
) -> tuple[list[int], list[int]]:
    """The batch writes "aa" (and so draws its transaction's id), waits for "ab"; ``meanwhile``
    is committed by another process; then the batch comes to what that one has changed."""
    async with two_processes(url, kind) as (database, ledger, other):
        await other.submit(add("ab", 1, "before"))
        async with held_row(url, "ab"):
            writing = asyncio.create_task(in_one_batch(ledger, batch, {}))
            await eventually(lambda: blocked(database), "the batch waits in its write")
            assert isinstance(await other.submit(meanwhile), Accepted)
        assert all(isinstance(outcome, Accepted) for outcome in await writing)
        return (
            await published_order(database, TOTALS, "zz"),
            await published_order(database, GROUPS, "g"),
        )


OVERTAKEN = [add("aa", 1), add("ab", 2), add("zz", 3)]


async def test_a_lost_batch_is_decided_again_in_a_new_transaction(database: str) -> None:
    order, _ = await overtaken_while_writing(database, Ledger, OVERTAKEN, add("zz", 50))
    assert order == [1, 2]


async def test_a_retry_inside_the_same_transaction_publishes_out_of_order(database: str) -> None:
    order, _ = await overtaken_while_writing(database, RetryInside, OVERTAKEN, add("zz", 50))
    assert order == [2, 1]


# -- two aggregates on one stream ------------------------------------------------------------------


class NumberedWhileWriting(Ledger):
    """Broken: the stream is no part of what is guarded; its next number is taken while writing."""

    async def _write(
        self,
        connection: Connection,
        plan: Plan,
        entries: Sequence[Entry],
        attachment: Attachment | None,
    ) -> None:
        streams, plan.rows.streams = plan.rows.streams, []
        aggregates, events = plan.rows.aggregates, plan.rows.events
        plan.rows.events = []
        await super()._write(connection, plan, entries, attachment)
        for stream, last, prev in streams:
            start = await connection.fetchval(
                """INSERT INTO stream AS t (topic, key, last_sequence, prev)
                   VALUES ($1, $2, $3, 0) ON CONFLICT (topic, key) DO UPDATE
                   SET prev = t.last_sequence, last_sequence = t.last_sequence + $3
                   RETURNING prev""",
                stream.topic,
                stream.key,
                last - prev,
            )
            events = [
                replace(row, sequence=start + row.sequence - prev)
                if (row.topic, row.key) == (stream.topic, stream.key) and row.sequence
                else row
                for row in events
            ]
        plan.rows.aggregates, plan.rows.events = [], events
        await super()._write(connection, replace(plan, decided=[]), entries, attachment)
        plan.rows.aggregates = aggregates


MOVES = [move("g", "aa", "ab", 0), add("ab", 2)]


async def of_two_moves(url: str, kind: type[Ledger]) -> list[int]:
    await schema(url)
    async with Database(url, "counter") as database, running_counter(url) as (_, other):
        ledger = kind(database, CounterDomain())
        for name in ("aa", "ab", "yy", "zz"):
            await other.submit(add(name, 9))
        async with held_row(url, "ab"):
            writing = asyncio.create_task(in_one_batch(ledger, MOVES, {}))
            await eventually(lambda: blocked(database), "the batch waits in its write")
            assert isinstance(await other.submit(move("g", "yy", "zz", 1)), Accepted)
        assert all(isinstance(outcome, Accepted) for outcome in await writing)
        await ledger.close()
        return await published_order(database, GROUPS, "g")


async def test_two_aggregates_on_one_stream_keep_its_order(database: str) -> None:
    assert await of_two_moves(database, Ledger) == [1, 2]


async def test_a_stream_numbered_while_writing_is_published_out_of_order(database: str) -> None:
    assert await of_two_moves(database, NumberedWhileWriting) == [2, 1]


# -- a unique violation among innocent commands ----------------------------------------------------


class FailsTogether(Ledger):
    """Broken: a violated constraint is the end of the whole batch."""

    async def _settle(
        self, entries: list[Entry], *, split: bool = False
    ) -> list[Outcome | Exception]:
        try:
            return list(await self._once(entries, None, frozenset()))
        except Exception as error:  # noqa: BLE001 - that is what is broken
            return [error] * len(entries)


class Paused(CounterDomain):
    """Lets another process go first, once, between deciding and writing."""

    def __init__(self, meanwhile: Steps) -> None:
        self._meanwhile: Steps | None = meanwhile

    async def prepare(self, decided: Sequence[Any]) -> None:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()


async def a_seat_taken_meanwhile(url: str, kind: type[Ledger]) -> list[Outcome | Exception]:
    await schema(url)
    async with Database(url, "counter") as database, running_counter(url) as (_, other):

        async def bob_takes_the_seat() -> None:
            assert isinstance(await other.submit(add("bob", 1, claim="seat")), Accepted)

        ledger = kind(database, Paused(bob_takes_the_seat))
        batch = [add("ann", 1, claim="seat"), add("cleo", 2), add("dora", 3)]
        entries = [Entry.of(CounterDomain(), command, None, None) for command in batch]
        outcomes = await ledger._settle(entries)
        await ledger.close()
        return outcomes


async def test_a_unique_violation_is_the_losers_own_answer_and_spoils_nobody(
    database: str,
) -> None:
    ann, cleo, dora = await a_seat_taken_meanwhile(database, Ledger)
    assert ann == ClaimIsTaken(by="bob")
    assert isinstance(cleo, Accepted) and isinstance(dora, Accepted)


async def test_without_a_second_decision_a_unique_violation_takes_all_with_it(
    database: str,
) -> None:
    outcomes = await a_seat_taken_meanwhile(database, FailsTogether)
    assert all(isinstance(outcome, asyncpg.UniqueViolationError) for outcome in outcomes)


# -- the order of reading --------------------------------------------------------------------------


class Watched(Attempt):
    """Between two steps of the first reading another process goes first."""

    meanwhile: Steps | None = None
    gap = "after aggregates"

    async def _at(self, gap: str) -> None:
        if gap == self.gap and (meanwhile := type(self).meanwhile) is not None:
            type(self).meanwhile = None
            await meanwhile()

    async def read(self, connection: Connection) -> Reading:
        versions, rows, sequences = await self.read_aggregates(connection)
        await self._at("after aggregates")
        states = await self.read_window(connection, rows)
        await self._at("after the window")
        return Reading(versions, sequences, states, *await self.read_answers(connection))


class WindowFirst(Watched):
    """Broken: the window is read before the aggregate's row."""

    async def read(self, connection: Connection) -> Reading:
        _, rows, _ = await self.read_aggregates(connection)
        old: Any = await self.read_window(connection, rows)
        await self._at(self.gap)
        versions, rows, sequences = await self.read_aggregates(connection)
        new: Any = await self.read_window(connection, rows)
        states = {
            target: replace(new[target], days=old[target].days, claims=old[target].claims)
            for target in rows
        }
        return Reading(versions, sequences, states, *await self.read_answers(connection))


class AnswersFirst(Watched):
    """Broken: the stored answers are read before what the decision rests on."""

    async def read(self, connection: Connection) -> Reading:
        answers = await self.read_answers(connection)
        await self._at(self.gap)
        versions, rows, sequences = await self.read_aggregates(connection)
        states = await self.read_window(connection, rows)
        return Reading(versions, sequences, states, *answers)


def ledger_with(attempt: type[Watched], gap: str, meanwhile: Steps) -> type[Ledger]:
    """A ledger whose first reading is interrupted."""
    steps = type("Steps", (attempt,), {"gap": gap, "meanwhile": staticmethod(meanwhile)})

    class Interrupted(Ledger):
        def _attempt(self, entries: Sequence[Entry], attachment: Attachment | None) -> Attempt:
            made: Attempt = steps(self._domain, entries, attachment)
            return made

    return Interrupted


GAPS = ["after aggregates", "after the window"]


async def two_halves_of_a_day(url: str, attempt: type[Watched], gap: str) -> tuple[Outcome, int]:
    """Two additions that together are more than a day holds, from two processes."""
    await schema(url)
    async with Database(url, "counter") as database, running_counter(url) as (_, other):
        await other.submit(add("ann", 1, day=2))

        async def the_other_half() -> None:
            assert isinstance(await other.submit(add("ann", 400, "other")), Accepted)

        kind = ledger_with(attempt, gap, the_other_half)
        ledger = kind(database, CounterDomain())
        outcome = await ledger.submit(add("ann", 400, "one"))
        await ledger.close()
        return outcome, await database.pool.fetchval(
            "SELECT sum(amount)::integer FROM addition WHERE counter = 'ann' AND day = 1"
        )


@pytest.mark.parametrize("gap", GAPS)
async def test_no_commit_between_two_reads_passes_the_guard_with_old_facts(
    database: str, gap: str
) -> None:
    assert await two_halves_of_a_day(database, Watched, gap) == (DayIsFull(day=1), 400)


async def test_a_window_read_before_its_aggregate_lets_too_much_in(database: str) -> None:  # B43
    outcome, minutes = await two_halves_of_a_day(database, WindowFirst, "after the window")
    assert isinstance(outcome, Accepted) and minutes == 800


async def a_repeat_that_races(url: str, attempt: type[Watched], gap: str) -> Outcome:
    """The same request reaches two processes at once; it holds a claim."""
    await schema(url)
    async with Database(url, "counter") as database, running_counter(url) as (_, other):
        command, body = add("ann", 5, "one", claim="seat"), request("add 5")

        async def the_same() -> None:
            assert isinstance(await other.submit(command, request=body), Accepted)

        kind = ledger_with(attempt, gap, the_same)
        ledger = kind(database, CounterDomain())
        outcome = await ledger.submit(command, request=body)
        await ledger.close()
        assert await database.pool.fetchval("SELECT count(*) FROM event") == 1
        return outcome


@pytest.mark.parametrize("gap", GAPS)
async def test_a_repeat_is_never_told_that_it_collides_with_itself(database: str, gap: str) -> None:
    outcome = await a_repeat_that_races(database, Watched, gap)
    assert isinstance(outcome, Accepted) and outcome.repeated
    assert outcome.answer is not None and outcome.answer.body["total"] == 5


async def test_answers_read_before_the_window_tell_a_repeat_that_it_collides_with_itself(
    database: str,
) -> None:  # B43
    outcome = await a_repeat_that_races(database, AnswersFirst, "after the answers")
    assert outcome == ClaimIsTaken(by="ann")
