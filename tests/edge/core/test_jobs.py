"""Is what must happen later done, once, until it is or is no longer wanted?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from shared import jobs as runner
from shared.clock import FixedClock
from shared.jobs import (
    GAUGE_ROWS,
    Job,
    JobHandler,
    Jobs,
    Later,
    forget_old_answers,
    overdue_seconds,
    pause_seconds,
)
from shared.ledger import Accepted, Ledger, Target
from shared.messages import Command, Unavailable
from shared.postgres import Database
from shared.telemetry import Metrics
from tests.support.counter import (
    COUNTER,
    NOON,
    Forget,
    Remember,
    Remind,
    add,
    command_id,
    counter_service,
    move,
    request,
)
from tests.support.infrastructure import eventually

Service = tuple[Database, Ledger]


@pytest.fixture
async def service(database: str) -> AsyncIterator[Service]:
    async with counter_service(database) as one:
        yield one


def remind(counter: str, after_seconds: int = 0, name: str = "") -> Remind:
    return Remind(
        command_id=command_id(f"remind {counter} {after_seconds} {name}"),
        actor=COUNTER,
        at=NOON,
        counter=counter,
        after_seconds=after_seconds,
    )


def remember(job: Job) -> Remember:
    return Remember(command_id=job.id, actor=COUNTER, at=NOON, counter=job.target.id)


async def by_remembering(job: Job) -> Sequence[Command]:
    return (remember(job),)


@asynccontextmanager
async def running(
    service: Service, handler: JobHandler, clock: FixedClock | None = None
) -> AsyncIterator[Metrics]:
    metrics = Metrics("counter", "t")
    jobs = Jobs(*service, {"remind": handler}, clock=clock or FixedClock(NOON), metrics=metrics)
    task = asyncio.create_task(jobs.run())
    try:
        yield metrics
    finally:
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError), result


async def states(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT state FROM job ORDER BY created_at, id")
    return [row["state"] for row in rows]


async def reminded(database: Database, counter: str) -> int:
    found: int | None = await database.pool.fetchval(
        "SELECT (state ->> 'reminded')::integer FROM aggregate WHERE id = $1", counter
    )
    return found or 0


async def test_a_job_is_done_and_its_row_ends_with_its_command(service: Service) -> None:
    database, ledger = service
    async with running(service, by_remembering):
        await ledger.submit(remind("ann"))
        await eventually(lambda: reminded(database, "ann"), "the reminder came")
    assert await states(database) == ["done"]
    assert await reminded(database, "ann") == 1


async def test_a_job_waits_for_its_time_and_fires_anew_each_time(service: Service) -> None:  # B44
    database, ledger = service
    clock = FixedClock(NOON)
    async with running(service, by_remembering, clock):
        for n in (1, 2):
            await ledger.submit(remind("ann", 60 * n, f"{n}"))
            await ledger.submit(remind("bob", 0, f"{n}"))
            await eventually(lambda n=n: _is(reminded(database, "bob"), n), "bob's came at once")
            assert await reminded(database, "ann") == n - 1
            clock.advance(timedelta(seconds=60))
            await eventually(lambda n=n: _is(reminded(database, "ann"), n), "ann's came in time")


async def _is(found, expected: int) -> bool:  # type: ignore[no-untyped-def]
    return bool(await found == expected)


async def test_a_change_of_state_cancels_a_job_and_deletes_nothing(service: Service) -> None:
    database, ledger = service
    await ledger.submit(remind("ann", 60))
    await ledger.submit(
        Forget(command_id=command_id("forget"), actor=COUNTER, at=NOON, counter="ann")
    )
    assert await states(database) == ["cancelled"]
    async with running(service, by_remembering, FixedClock(NOON + timedelta(hours=1))):
        await ledger.submit(remind("bob"))
        await eventually(lambda: reminded(database, "bob"), "a later job was done")
    assert await reminded(database, "ann") == 0


async def test_a_job_cancelled_while_it_runs_has_no_effect(service: Service) -> None:
    database, ledger = service
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def slow(job: Job) -> Sequence[Command]:
        entered.set()
        await cancelled.wait()
        return (remember(job),)

    async with running(service, slow) as metrics:
        await ledger.submit(remind("ann"))
        await asyncio.wait_for(entered.wait(), 10)
        await ledger.submit(
            Forget(command_id=command_id("forget"), actor=COUNTER, at=NOON, counter="ann")
        )
        cancelled.set()
        await eventually(
            lambda: b'jobs_ended_total{how="done",kind="remind"} 1' in metrics.render()[0],
            "the handler's result was given to the ledger",
        )
    assert await states(database) == ["cancelled"]
    assert await reminded(database, "ann") == 0


async def test_at_most_four_run_at_a_time(service: Service) -> None:
    database, ledger = service
    running_now, most = 0, 0
    go = asyncio.Event()

    async def slow(job: Job) -> Sequence[Command]:
        nonlocal running_now, most
        running_now += 1
        most = max(most, running_now)
        await go.wait()
        running_now -= 1
        return (remember(job),)

    for n in range(9):
        await ledger.submit(remind(f"c{n}"))
    async with running(service, slow):
        await eventually(lambda: running_now == 4, "four run")
        go.set()
        await eventually(lambda: _all_done(database, 9), "all nine are done")
    assert most == 4


async def test_a_job_that_takes_long_is_not_begun_a_second_time(service: Service) -> None:
    database, ledger = service
    clock = FixedClock(NOON)
    begun: list[str] = []
    go = asyncio.Event()

    async def slow(job: Job) -> Sequence[Command]:
        begun.append(job.target.id)
        if job.target.id == "slow":
            await go.wait()
        return (remember(job),)

    async with running(service, slow, clock):
        await ledger.submit(remind("slow"))
        await eventually(lambda: begun, "it runs")
        clock.advance(timedelta(hours=1))
        for n in range(2):
            await ledger.submit(remind(f"quick {n}"))
            await eventually(
                lambda n=n: reminded(database, f"quick {n}"), "others are claimed meanwhile"
            )
        go.set()
        await eventually(lambda: _all_done(database, 3), "all are done")
    assert begun == ["slow", "quick 0", "quick 1"]


async def _all_done(database: Database, count: int) -> bool:
    return await states(database) == ["done"] * count


async def test_what_fails_comes_again_after_growing_pauses(service: Service) -> None:
    database, ledger = service
    clock = FixedClock(NOON)
    tries: list[int] = []

    async def failing(job: Job) -> Sequence[Command]:
        tries.append(job.attempts)
        if len(tries) == 1:
            raise Unavailable("a neighbour is away")
        if len(tries) == 2:
            raise AssertionError("a planted defect")
        if len(tries) == 3:
            raise Later(30)
        return (remember(job),)

    async def try_at() -> timedelta:
        found = await database.pool.fetchval("SELECT try_at FROM job")
        return found - clock.now()  # type: ignore[no-any-return]

    await ledger.submit(remind("ann"))
    async with running(service, failing, clock):
        for n, (why, seconds) in enumerate(
            (("unavailable", 1), ("AssertionError", 2), ("later", 30)), start=1
        ):
            await eventually(
                lambda why=why: database.pool.fetchval("SELECT last_error = $1 FROM job", why),
                f"attempt {n} failed with {why}",
            )
            assert await try_at() == timedelta(seconds=seconds)
            clock.advance(timedelta(seconds=seconds))
        await eventually(lambda: reminded(database, "ann"), "the fourth try did it")
    assert tries == [1, 2, 3, 4]


async def test_a_job_that_fails_is_shown_as_overdue_between_its_tries(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, ledger = service
    monkeypatch.setattr(runner, "GAUGE_SECONDS", 0.02)
    clock = FixedClock(NOON)

    async def anns_fail(job: Job) -> Sequence[Command]:
        if job.target.id == "ann":
            raise Unavailable("a neighbour is away")
        return (remember(job),)

    async with running(service, anns_fail, clock) as metrics:

        def shown(seconds: float) -> bool:
            return f"jiexu_jobs_overdue_seconds {seconds}\n".encode() in metrics.render()[0]

        await ledger.submit(remind("ann"))
        await eventually(lambda: _tried(database, 1), "it failed once")
        clock.advance(timedelta(seconds=1200))
        await eventually(lambda: _tried(database, 2), "it failed again, and is due later")
        # Another poll, which finds a job that is not late.
        await ledger.submit(remind("bob", 1200))
        await eventually(lambda: reminded(database, "bob"), "another is done meanwhile")
        await eventually(lambda: shown(1200.0), "the one that fails is told")
        clock.advance(timedelta(seconds=1))
        await eventually(lambda: shown(1201.0), "it grows older")
        await ledger.submit(
            Forget(command_id=command_id("forget"), actor=COUNTER, at=NOON, counter="ann")
        )
        await eventually(lambda: shown(0.0), "nothing is due any more")


async def _tried(database: Database, times: int) -> bool:
    """Whether so many attempts have failed and the next is not due at once."""
    return bool(
        await database.pool.fetchval(
            """SELECT attempts = $1 AND last_error = 'unavailable'
                   AND try_at - due_at >= ($1 - 1) * interval '1200 s'
               FROM job WHERE target_id = 'ann'""",
            times,
        )
    )


@pytest.mark.parametrize(
    ("last_error", "try_at", "seconds"),
    [
        pytest.param(None, 0, 900, id="nobody takes it up"),
        pytest.param("unavailable", 1200, 900, id="fails, and comes again in five minutes"),
        pytest.param("later", 930, 0, id="waits on purpose"),
        pytest.param("later", 600, 300, id="waited on purpose, and nobody takes it up"),
    ],
)
async def test_how_long_a_job_has_been_due(
    service: Service, last_error: str | None, try_at: int, seconds: int
) -> None:
    database, ledger = service
    await ledger.submit(remind("ann"))
    await ledger.submit(remind("not yet", 1000))
    await database.pool.execute(
        "UPDATE job SET last_error = $1, try_at = $2 WHERE target_id = 'ann'",
        last_error,
        NOON + timedelta(seconds=try_at),
    )
    async with database.pool.acquire() as connection:
        assert await overdue_seconds(connection, NOON + timedelta(seconds=900)) == seconds
        await connection.execute("UPDATE job SET state = 'done'")
        assert await overdue_seconds(connection, NOON + timedelta(seconds=900)) == 0


async def test_the_age_is_looked_up_in_the_index_and_in_so_many_rows(service: Service) -> None:
    database, _ = service
    async with database.pool.acquire() as connection:
        await connection.execute(
            """INSERT INTO job (id, kind, target_kind, target_id, data, state, due_at, try_at)
               SELECT gen_random_uuid(), 'remind', 'counter', 'c' || n, '{}', 'waiting',
                      $1::timestamptz + n * interval '1 s', $1::timestamptz + n * interval '1 s'
               FROM generate_series(1, 5 * $2::integer) AS n""",
            NOON,
            GAUGE_ROWS,
        )
        await connection.execute("ANALYZE job")
        read = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'job_waiting'"
        await connection.execute("SELECT pg_stat_force_next_flush()")
        before = await connection.fetchval(read)
        assert await overdue_seconds(connection, NOON + timedelta(hours=2)) == 7199
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        assert 0 < await connection.fetchval(read) - before <= GAUGE_ROWS + 1


def test_pauses_grow_to_five_minutes() -> None:
    assert [pause_seconds(n) for n in (1, 2, 3, 9, 10, 1000)] == [1, 2, 4, 256, 300, 300]


async def test_a_final_refusal_ends_a_job_and_one_that_waits_does_not(service: Service) -> None:
    database, ledger = service

    async def refused(job: Job) -> Sequence[Command]:
        if job.target.id == "full":
            return (add("full", 601),)
        return (move("g", "nobody", "ann", 1),)

    async with running(service, refused):
        await ledger.submit(remind("full"))
        await ledger.submit(remind("waits", 0))
        await eventually(
            lambda: _rows(database),
            "both were refused",
        )
    rows = await database.pool.fetch("SELECT target_id, state, last_error FROM job ORDER BY 1")
    assert [tuple(row) for row in rows] == [
        ("full", "done", "day-is-full"),
        ("waits", "waiting", "unavailable"),
    ]


async def _rows(database: Database) -> bool:
    return bool(await database.pool.fetchval("SELECT count(last_error) = 2 FROM job"))


async def test_of_several_commands_the_last_ends_the_row(service: Service) -> None:
    database, ledger = service

    async def several(job: Job) -> Sequence[Command]:
        return (add("ann", 601, "too much"), add("ann", 5, "enough"), remember(job))

    async with running(service, several):
        await ledger.submit(remind("ann"))
        await eventually(lambda: reminded(database, "ann"), "the last command came")
    assert await states(database) == ["done"]
    assert await database.pool.fetchval("SELECT state ->> 'total' FROM aggregate") == "5"


async def test_the_commands_of_a_job_are_committed_together(service: Service) -> None:
    database, ledger = service

    async def many(job: Job) -> Sequence[Command]:
        return (*(add("ann", 1, f"{n}") for n in range(100)), remember(job))

    async with running(service, many):
        await ledger.submit(remind("ann"))
        await eventually(lambda: reminded(database, "ann"), "the last command came")
    assert await database.pool.fetchval("SELECT state ->> 'total' FROM aggregate") == "100"
    # The reminder, the hundred, the last one; a transaction each would be 102.
    assert await database.pool.fetchval("SELECT count(DISTINCT xid) FROM event") <= 4


async def test_a_job_whose_worker_died_comes_again_and_takes_effect_once(
    service: Service,
) -> None:
    database, ledger = service
    entered = asyncio.Event()

    async def dies(job: Job) -> Sequence[Command]:
        await ledger.submit(add("ann", 5, "first half"))
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError("never reached")

    clock = FixedClock(NOON)
    await ledger.submit(remind("ann"))
    async with running(service, dies, clock):
        await asyncio.wait_for(entered.wait(), 10)
    clock.advance(timedelta(seconds=1))

    async def lives(job: Job) -> Sequence[Command]:
        assert job.attempts == 2
        return (add("ann", 5, "first half"), remember(job))

    async with running(service, lives, clock):
        await eventually(lambda: reminded(database, "ann"), "it was done by the next worker")
    assert await database.pool.fetchval("SELECT state ->> 'total' FROM aggregate") == "5"


async def test_a_job_that_two_workers_did_takes_effect_once(service: Service) -> None:
    """A worker that was thought dead brings its result after another has done the job."""
    database, ledger = service
    await ledger.submit(remind("ann"))
    job_id = await database.pool.fetchval("SELECT id FROM job")

    def late(name: str) -> Remember:
        return Remember(command_id=command_id(name), actor=COUNTER, at=NOON, counter="ann")

    first = await ledger.submit(late("one"), job=job_id)
    second = await ledger.submit(late("two"), job=job_id)
    assert isinstance(first, Accepted) and not first.repeated
    assert isinstance(second, Accepted) and second.repeated
    assert first.states[Target("counter", "ann")].reminded == 1
    assert await reminded(database, "ann") == 1


async def test_answers_are_kept_for_ninety_days(service: Service) -> None:
    database, ledger = service
    await ledger.submit(add("ann", 1, "one"), request=request("one"))
    await database.pool.execute("UPDATE answer SET answered_at = $1", NOON)
    async with database.pool.acquire() as connection:
        assert await forget_old_answers(connection, NOON + timedelta(days=90)) == 0
        assert await forget_old_answers(connection, NOON + timedelta(days=90, seconds=1)) == 1
