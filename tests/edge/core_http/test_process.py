"""Does a process end when a part of it has failed, though its reader would go on? Does it say once
what its start waits for, and show figures of the active worker only while it is that?"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.clock import FixedClock
from shared.ledger import Gate
from shared.messages import Unavailable
from shared.postgres import Database
from shared.postgres.database import advisory_key
from shared.relay import open_when_compared, own_topics
from shared.roles.parts import Chore
from shared.roles.process import Process
from shared.telemetry import Metrics
from tests.support.counter import NOON, counter_service
from tests.support.infrastructure import eventually


class _Failed(Exception):
    """What ended the active worker."""


class _HalfDead(Process):
    """A process whose reader reads until it is told to stop, and whose worker fails."""

    def __init__(self) -> None:
        self.role = "serve"
        self.listeners = []
        self.left = False
        self._sources: Any = ("a source",)
        self.reader = None
        self.parts: Any = SimpleNamespace(database=SimpleNamespace(as_the_only_one=self._alone))

    async def _open(self) -> bool:
        return True

    async def _read(self, stop: asyncio.Event) -> None:
        self.reader: Any = object()
        await stop.wait()
        self.left = True

    async def _alone(self, _role: str, _work: Any) -> None:
        await asyncio.sleep(0.01)
        raise _Failed


async def test_a_worker_that_fails_ends_the_process_and_the_reader_leaves_its_group() -> None:
    process = _HalfDead()
    async with asyncio.timeout(5):
        with pytest.raises(_Failed):
            await process._run_parts(asyncio.Event())
    assert process.left


async def test_what_a_start_waits_for_is_logged_when_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = iter(["away", "away", "refused", "refused", None])

    async def compare(*_: object) -> int:
        if why := next(asked):
            raise Unavailable(why)
        return 0

    monkeypatch.setattr(own_topics, "compare", compare)
    monkeypatch.setattr(own_topics, "RETRY_SECONDS", 0)
    nothing: Any = None
    with capture_logs() as logged:
        await open_when_compared(Gate(), nothing, "broker", "500000", [])
    assert [(each["event"], each["reason"]) for each in logged] == [
        ("start.waits", "away"),
        ("start.waits", "refused"),
    ]


class _Worker(Process):
    """A worker of ``counter`` whose broker is away, with a gauge and a counter of its own."""

    def __init__(self, database: Any, ledger: Any) -> None:
        metrics = self.metrics = Metrics("counter", "t")

        async def chore() -> None:
            metrics.active_gauge("chore_open", "An active worker's, by label.", "state").labels(
                "stuck"
            ).set(7)
            metrics.counter("chores", "Begun.").inc()
            await asyncio.Event().wait()

        self.parts: Any = SimpleNamespace(
            database=database, ledger=ledger, node="t", clock=FixedClock(NOON), metrics=metrics
        )
        self.service: Any = SimpleNamespace(
            name="counter",
            settings=SimpleNamespace(broker=lambda: "127.0.0.1:9"),
            jobs=lambda _: {},
            chores=lambda _: (Chore("chore", chore),),
        )
        metrics.gauge("writes_open", "Any process's.").set(1)

    def shown(self) -> set[str]:
        lines = self.metrics.render()[0].decode().splitlines()
        return {line for line in lines if not line.startswith(("#", "jiexu_build_info"))}

    def has(self, start: str) -> bool:
        return any(line.startswith(start) for line in self.shown())


OF_ACTIVE = ("jiexu_jobs_overdue_seconds", "jiexu_relay_lag_seconds", "jiexu_chore_open")


async def test_who_is_no_longer_the_active_worker_shows_its_gauges_no_more(database: str) -> None:
    async with counter_service(database) as (one, ledger):
        worker = _Worker(one, ledger)
        task = asyncio.create_task(one.as_the_only_one("worker", worker._active))
        try:
            await eventually(lambda: task.done() or all(map(worker.has, OF_ACTIVE)), "it is active")
            assert not task.done(), task
            # Another holds the lock when this one's connection is cut.
            rival = await one.connect(application="rival")
            key = advisory_key(one.schema, "worker")
            wants = asyncio.create_task(rival.execute("SELECT pg_advisory_lock($1)", key))
            await eventually(lambda: _waits(one), "the rival waits for the lock")
            await one.pool.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_locks
                   WHERE locktype = 'advisory' AND granted"""
            )
            await wants
            await eventually(lambda: not any(map(worker.has, OF_ACTIVE)), "it shows none of them")
            assert worker.has("jiexu_chores_total 1.0")
            assert worker.has("jiexu_writes_open 1.0")
            await rival.close()
            await eventually(lambda: all(map(worker.has, OF_ACTIVE)), "it is active again")
            assert worker.has("jiexu_chores_total 2.0")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _waits(database: Database) -> bool:
    return bool(
        await database.pool.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
    )
