"""What happens to a command that cannot be kept, comes too often, or meets a database away?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

import asyncpg
import pytest

from shared.ledger import (
    Accepted,
    CommandIdReused,
    Conflict,
    Defect,
    FieldIsWrong,
    Gate,
    Ledger,
    Outcome,
    Reach,
    StreamKey,
    Target,
    Waiting,
)
from shared.ledger.rows import EventRow, Lost, append_events, last_sequences
from shared.messages import Command, Unavailable
from shared.postgres import Connection, Database
from tests.support.counter import (
    COUNTER,
    NOON,
    Break,
    ClaimIsTaken,
    CounterDomain,
    CounterIsUnknown,
    DayIsFull,
    TooLittle,
    add,
    command_id,
    counter_service,
    move,
    request,
    running_counter,
    schema,
)

Service = tuple[Database, Ledger]


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with counter_service(database) as one:
        yield one


async def count(database: Database, table: str) -> int:
    found: int = await database.pool.fetchval(f'SELECT count(*) FROM "{table}"')
    return found


def broken(where: str) -> Break:
    return Break(
        command_id=command_id(f"break {where}"), actor=COUNTER, at=NOON, counter="ann", where=where
    )


# -- one bad command does not spoil the others -----------------------------------------------------


@pytest.mark.parametrize(("where", "kind"), [("decide", AssertionError), ("constraint", Defect)])
async def test_a_defect_reaches_the_one_who_asked_and_nobody_else(
    service: Service, where: str, kind: type[Exception]
) -> None:
    database, ledger = service
    innocent = [ledger.submit(add(f"c{n}", n)) for n in range(1, 40)]
    results = await asyncio.gather(
        *innocent[:20], ledger.submit(broken(where)), *innocent[20:], return_exceptions=True
    )
    bad = results.pop(20)
    assert isinstance(bad, kind)
    assert all(isinstance(result, Accepted) for result in results)
    assert await count(database, "event") == 39
    assert await count(database, "aggregate") == 39


async def test_a_violated_constraint_is_told_without_a_value(service: Service) -> None:
    _, ledger = service
    with pytest.raises(Defect) as told:
        await ledger.submit(broken("constraint"))
    assert str(told.value) == ("CheckViolationError (23514) at amounts_are_not_negative")


@pytest.mark.parametrize("text", ["x" * 262_144, "\0", "a\ud800"])
async def test_an_event_that_no_broker_would_take_is_refused_before_it_is_kept(
    service: Service, text: str
) -> None:
    database, ledger = service
    results = await asyncio.gather(
        ledger.submit(add("ann", 1, "long", text=text)),
        ledger.submit(add("ann", 2, "short", text="\\u0000 written out")),
    )
    assert isinstance(results[0], FieldIsWrong)
    assert isinstance(results[1], Accepted) and results[1].events[0].total == 2  # type: ignore[attr-defined]
    assert await count(database, "event") == 1


# -- requests --------------------------------------------------------------------------------------


async def test_fifty_parallel_repeats_take_effect_once(database: str) -> None:
    await schema(database)
    async with running_counter(database) as (opened, one), running_counter(database) as (_, two):
        body = request("add 5")
        results = await asyncio.gather(
            *(
                (one, two)[n % 2].submit(add("ann", 5, "same", claim="seat"), request=body)
                for n in range(50)
            )
        )
        assert all(isinstance(result, Accepted) for result in results)
        assert sum(not result.repeated for result in results) == 1  # type: ignore[union-attr]
        assert {result.answer.body["total"] for result in results} == {5}  # type: ignore[union-attr]
        assert await count(opened, "event") == 1


async def test_fifty_commands_for_one_claim_from_two_processes_give_one_winner(
    database: str,
) -> None:
    await schema(database)
    async with running_counter(database) as (opened, one), running_counter(database) as (_, two):
        results = await asyncio.gather(
            *((one, two)[n % 2].submit(add(f"c{n}", 1, claim="seat")) for n in range(50))
        )
        winners = [n for n, result in enumerate(results) if isinstance(result, Accepted)]
        assert len(winners) == 1
        losers = [result for result in results if not isinstance(result, Accepted)]
        assert losers == [ClaimIsTaken(by=f"c{winners[0]}")] * 49
        assert await count(opened, "claim") == 1


async def test_an_answer_with_a_secret_is_told_once_and_not_kept(service: Service) -> None:
    database, ledger = service
    body = request("take a code", secret=True)
    first = await ledger.submit(add("ann", 5, "code"), request=body)
    again = await ledger.submit(add("ann", 5, "code"), request=body)
    assert isinstance(first, Accepted) and isinstance(again, Accepted)
    assert first.answer is not None and first.answer.body["code"] == "sesame"
    assert again.answer is not None
    assert (again.answer.status, again.answer.body) == (201, {"id": "ann", "shown_once": True})
    assert "sesame" not in await database.pool.fetchval("SELECT body FROM answer")


async def test_silence_is_answered_and_remembered_too(service: Service) -> None:
    database, ledger = service
    for _ in range(2):
        outcome = await ledger.submit(add("ann", 0, "nothing"), request=request("add 0"))
        assert isinstance(outcome, Accepted) and outcome.events == ()
    assert (await count(database, "event"), await count(database, "answer")) == (0, 1)


async def test_a_command_whose_answer_is_no_longer_kept_does_not_take_effect_again(
    service: Service,
) -> None:
    database, ledger = service
    await ledger.submit(add("ann", 5, "one"), request=request("add 5"))
    await database.pool.execute("DELETE FROM answer")
    outcome = await ledger.submit(add("ann", 5, "one"), request=request("add 5"))
    assert outcome == CommandIdReused()


async def test_a_fact_taken_up_again_is_silence(service: Service) -> None:
    database, ledger = service
    await ledger.submit(add("ann", 5, "fact"))
    again = await ledger.submit(add("ann", 5, "fact"))
    assert isinstance(again, Accepted) and again.repeated and again.events == ()
    assert await count(database, "event") == 1


# -- aggregates that are leant on ------------------------------------------------------------------


class Leaning(CounterDomain):
    """``Add`` rests on the counter "boss" too: once the boss has something, nobody adds."""

    def reach(self, command: Command) -> Reach:
        reach = super().reach(command)
        return Reach((*reach.targets, Target("counter", "boss")), reach.streams)

    def decide(self, states, command):  # type: ignore[no-untyped-def]
        return DayIsFull(day=0) if states[-1].total else super().decide(states, command)


@pytest.mark.parametrize("known", [False, True])
async def test_a_decision_rests_on_rows_that_it_did_not_change(database: str, known: bool) -> None:
    """Between its reading and its writing another process changes what it rests on."""
    await schema(database)
    async with running_counter(database) as (_, other):
        if known:
            await other.submit(add("boss", 1, "is there"))
            await other.submit(move("g", "boss", "boss2", 0))
            await other.submit(add("boss2", 1))
            await other.submit(move("g", "boss", "boss2", 1))

        class Pausing(Leaning):
            paused = False

            async def prepare(self, decided):  # type: ignore[no-untyped-def]
                if not self.paused:
                    self.paused = True
                    assert isinstance(await other.submit(add("boss", 7, "meanwhile")), Accepted)

        async with running_counter(database, domain=Pausing()) as (_, ledger):
            assert await ledger.submit(add("ann", 5)) == DayIsFull(day=0)


async def test_an_aggregate_changed_meanwhile_is_decided_on_anew_whatever_stream_it_wrote(
    database: str,
) -> None:
    await schema(database)
    async with running_counter(database) as (_, other):
        for name, amount in (("ann", 10), ("bob", 1), ("cleo", 1)):
            await other.submit(add(name, amount))

        class Pausing(CounterDomain):
            paused = False

            async def prepare(self, decided):  # type: ignore[no-untyped-def]
                if not self.paused:
                    self.paused = True
                    outcome = await other.submit(move("another", "ann", "cleo", 8))
                    assert isinstance(outcome, Accepted)

        async with running_counter(database, domain=Pausing()) as (_, ledger):
            assert await ledger.submit(move("one", "ann", "bob", 8)) == TooLittle()


async def test_what_lies_outside_a_commands_reach_is_a_defect(database: str) -> None:
    class Blind(CounterDomain):
        def reach(self, command: Command) -> Reach:
            return Reach(super().reach(command).targets[:1])

    await schema(database)
    async with running_counter(database, domain=Blind()) as (opened, ledger):
        with pytest.raises(Defect, match="outside its reach"):
            await ledger.submit(add("ann", 1))
        assert await count(opened, "aggregate") == 0


# -- batches that run whole ------------------------------------------------------------------------


class Progress:
    """An attachment as a reader's: writes a dead letter, and may find that another went on."""

    def __init__(self, *, overtaken: int = 0) -> None:
        self.overtaken = overtaken
        self.written: list[Mapping[UUID, Outcome]] = []

    async def read(self, connection: Connection) -> None:
        self.stream = StreamKey("counter.dead-letters.v1", "somewhere")
        self.before = await last_sequences(connection, [self.stream])

    async def write(self, connection: Connection, outcomes: Mapping[UUID, Outcome]) -> None:
        if self.overtaken:
            self.overtaken -= 1
            raise Conflict("another reader went on")
        sequence = self.before[self.stream] + 1
        row = EventRow(
            topic=self.stream.topic,
            key=self.stream.key,
            sequence=sequence,
            event_id=command_id(f"dead {sequence}"),
            type="counter.unreadable.v1",
            data="{}",
            actor_id="system:counter",
            correlation_id=None,
            causation_id=None,
            custody_epoch=None,
            occurred_at=NOON,
        )
        await append_events(connection, [row], self.before)
        self.written.append(outcomes)


async def test_a_whole_batch_commits_with_its_attachment(service: Service) -> None:
    database, ledger = service
    progress = Progress()
    commands: Sequence[Command] = [add("ann", 1), add("bob", 601), add("ann", 2)]
    outcomes = await ledger.run(commands, progress)
    assert isinstance(outcomes[commands[0].command_id], Accepted)
    assert outcomes[commands[1].command_id] == DayIsFull(day=1)
    assert progress.written == [outcomes]
    assert await count(database, "event") == 3
    await ledger.run([], progress)
    assert await last_sequences(database.ledger, [progress.stream]) == {progress.stream: 2}  # type: ignore[arg-type]


async def test_a_refusal_that_waits_holds_a_whole_batch_back(service: Service) -> None:
    database, ledger = service
    waits = move("g", "nobody", "ann", 1)
    with pytest.raises(Waiting) as told:
        await ledger.run([add("ann", 1), waits], Progress())
    assert told.value.refusals == {waits.command_id: CounterIsUnknown(counter="nobody")}
    assert await count(database, "event") == 0


async def test_an_attachment_that_lost_once_runs_again_and_one_that_always_loses_is_told(
    service: Service,
) -> None:
    database, ledger = service
    await ledger.run([add("ann", 1)], Progress(overtaken=1))
    assert await count(database, "event") == 2
    with pytest.raises(Conflict):
        await ledger.run([add("ann", 2)], Progress(overtaken=99))
    assert await count(database, "event") == 2


async def test_a_defect_in_a_whole_batch_leaves_nothing(service: Service) -> None:
    database, ledger = service
    with pytest.raises(AssertionError, match="planted"):
        await ledger.run([add("ann", 1), broken("decide")], Progress())
    assert await count(database, "event") == 0


async def test_api_and_agents_of_one_process_do_not_lose_to_each_other(
    service: Service,
) -> None:
    """One key is in one batch of a process at a time; nobody ever has to decide again."""
    database, ledger = service
    tries = 0
    once = ledger._once

    async def counted(*args):  # type: ignore[no-untyped-def]
        nonlocal tries
        tries += 1
        return await once(*args)

    ledger._once = counted  # type: ignore[method-assign]
    lost: list[BaseException] = []
    stick = ledger._stick
    ledger._stick = lambda keys: (lost.append(Lost(frozenset(keys))), stick(keys))[1]  # type: ignore[method-assign]
    await asyncio.gather(
        *(ledger.submit(add("ann", 1, f"api {n}")) for n in range(40)),
        *(
            ledger.run([add("ann", 1, f"agent {n} {m}") for m in range(5)], Progress())
            for n in range(6)
        ),
    )
    assert lost == []
    assert await count(database, "event") == 40 + 30 + 6


# -- rehearsing ------------------------------------------------------------------------------------


async def test_a_rehearsal_decides_one_after_another_and_writes_nothing(
    service: Service,
) -> None:
    database, ledger = service
    one, two = add("ann", 400, "one"), add("ann", 400, "two")
    outcomes = await ledger.rehearse([one, two])
    assert isinstance(outcomes[one.command_id], Accepted)
    assert outcomes[two.command_id] == DayIsFull(day=1)
    assert await count(database, "event") == 0


# -- closed, away, contended -----------------------------------------------------------------------


async def test_a_closed_gate_refuses_writes_with_its_reason(database: str) -> None:
    await schema(database)
    gate = Gate("restored: its topics know more")
    async with running_counter(database, gate=gate) as (_, ledger):
        with pytest.raises(Unavailable, match="its topics know more"):
            await ledger.submit(add("ann", 1))
        with pytest.raises(Unavailable):
            await ledger.run([add("ann", 1)], Progress())
        assert len(await ledger.rehearse([add("ann", 1)])) == 1
        gate.open()
        assert isinstance(await ledger.submit(add("ann", 1)), Accepted)


async def test_a_connection_cut_in_the_middle_of_a_write_is_tried_again(
    database: str,
) -> None:
    await schema(database)

    class Cut(CounterDomain):
        cuts = 2

        async def save(self, connection, decided):  # type: ignore[no-untyped-def]
            await super().save(connection, decided)
            if self.cuts:
                self.cuts -= 1
                await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    async with running_counter(database, domain=Cut()) as (opened, ledger):
        outcome = await ledger.submit(add("ann", 5), request=request("add 5"))
        assert isinstance(outcome, Accepted)
        assert await count(opened, "event") == 1


async def test_a_commit_whose_answer_was_lost_is_found_and_not_repeated(database: str) -> None:
    """The connection is cut after the commit: the second try reads what the first has kept."""
    await schema(database)
    cuts = 1

    class Unlucky(Ledger):
        async def _once(self, entries, attachment, locks):  # type: ignore[no-untyped-def]
            nonlocal cuts
            outcomes = await super()._once(entries, attachment, locks)
            if cuts:
                cuts -= 1
                raise asyncpg.ConnectionDoesNotExistError("cut")
            return outcomes

    async with Database(database, "counter") as opened:
        ledger = Unlucky(opened, CounterDomain())
        outcome = await ledger.submit(add("ann", 5, "one"), request=request("add 5"))
        assert isinstance(outcome, Accepted) and outcome.repeated
        assert outcome.answer is not None and outcome.answer.body["total"] == 5
        assert await count(opened, "event") == 1
        await ledger.close()


async def test_a_row_held_by_somebody_for_ever_is_unavailable_and_nothing_more(
    database: str,
) -> None:
    await schema(database)
    # Far below the two seconds of a service, so that the test is quick.
    async with Database(database, "counter", lock_timeout_seconds=0.2) as opened:
        ledger = Ledger(opened, CounterDomain())
        await ledger.submit(add("ann", 1, "before"))
        holder = await asyncpg.connect(database, server_settings={"search_path": "counter"})
        async with holder.transaction():
            await holder.execute("SELECT FROM aggregate WHERE id = 'ann' FOR UPDATE")
            held = asyncio.create_task(ledger.submit(add("ann", 1, "held")))
            assert isinstance(await ledger.submit(add("bob", 1)), Accepted)
            with pytest.raises(Unavailable, match="others changed the same records"):
                await held
        await holder.close()
        assert isinstance(await ledger.submit(add("ann", 1, "after")), Accepted)
        await ledger.close()


async def test_two_processes_that_contend_for_one_counter_all_get_their_turn(
    database: str,
) -> None:
    await schema(database)
    async with running_counter(database) as (opened, one), running_counter(database) as (_, two):
        results = await asyncio.gather(
            *(
                ledger.submit(add("ann", 1, f"{n} {ledger is one}", day=n))
                for n in range(100)
                for ledger in (one, two)
            )
        )
        assert all(isinstance(result, Accepted) for result in results)
        rows = await opened.pool.fetch(
            "SELECT sequence FROM event ORDER BY incarnation, xid, position"
        )
        assert [row["sequence"] for row in rows] == list(range(1, 201))
