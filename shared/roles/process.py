"""What runs in one process of a service, in which order does it start, and how does it stop?

Writes are taken only after this start has compared the service's own topics with its database;
until then, and while the broker is away at a start, the process only reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal

import asyncpg
import structlog
from fastapi import FastAPI

from shared.access import shown_until
from shared.auth import routes_without_guard
from shared.jobs import Jobs
from shared.ledger import Gate, Ledger
from shared.messages import Unavailable
from shared.postgres import UNPROVISIONED, DatabaseRefuses, check_schema, is_outage
from shared.reader.limits import Limits
from shared.reader.running import Reader, first_sources_were_read
from shared.relay import Relay, Restored, open_when_compared
from shared.roles.check import RESTORED_MEND
from shared.roles.parts import Service, gather
from shared.roles.servers import Listener, internal_app
from shared.roles.topics import with_dead_letters
from shared.telemetry import describe

Role = Literal["serve", "api", "agents", "worker"]

# What is cut off at a stop is done again after the next start; nothing is lost by it.
STOP_SECONDS: Final = 0.8
STARTING: Final = "this process is starting"

_LOG = structlog.get_logger(__name__)


class Process:
    """One role of one service. ``await run(stop)`` on the loop that made it."""

    def __init__(self, service: Service, role: Role) -> None:
        self.service = service
        self.role = role
        self.parts = gather(service, role)
        self.gate = Gate(STARTING)
        self.reader: Reader | None = None
        self.listeners: list[Listener] = []
        self._writes_open = self.parts.metrics.gauge(
            "writes_open", "1 once this start has compared its topics with its database."
        )
        ends = self.parts.metrics.gauge(
            "certificate_expires_seconds", "Until a certificate that is shown here ends.", "use"
        )
        for use, end in shown_until(service.settings).items():
            ends.labels(use).set_function(partial(self._seconds_until, end))
        self._topics = [t.name for t in with_dead_letters(service.name, service.topics)]

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; raises what ended a part that should have gone on."""
        parts, service = self.parts, self.service
        await parts.database.open()
        await self._knock()
        ledger = Ledger(parts.database, service.domain(parts), gate=self.gate)
        parts.give_ledger(ledger)
        try:
            self._listen()
            await self._run_parts(stop)
        finally:
            for listener in self.listeners:
                listener.close()
            for task in parts.beside:
                task.cancel()
            await asyncio.gather(*parts.beside, return_exceptions=True)
            await _within(STOP_SECONDS, ledger.close(), parts.http.aclose(), what="ledger")
            await _within(STOP_SECONDS, parts.database.close(), what="database")

    async def _knock(self) -> None:
        """A database that does not let us in is told at once (``DatabaseRefuses``); one that is
        away is waited for."""
        try:
            await self.parts.database.ping()
        except DatabaseRefuses:
            raise
        except Unavailable as away:
            _LOG.warning("start.waits", reason=str(away))

    def _seconds_until(self, end: datetime) -> float:
        return (end - self.parts.clock.now()).total_seconds()

    async def reasons(self) -> tuple[str, ...]:
        """Why this process should get no traffic; none when it is ready."""
        found = [self.gate.reason] if self.gate.reason else []
        sources = self._sources
        try:
            async with self.parts.database.reading() as connection:
                if self.role in ("serve", "api"):
                    if not await first_sources_were_read(connection, sources):
                        found.append("first sources have not been read yet")
                else:
                    await connection.fetchval("SELECT 1")
        except Unavailable as away:
            found.append(str(away))
        except asyncpg.UndefinedTableError:
            found.append(UNPROVISIONED)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a reason
            found.append(f"the database cannot be asked ({type(error).__name__})")
        if self.role == "agents" and sources:
            found += self.reader.why_not_ready() if self.reader else ["the reader has not started"]
        return tuple(dict.fromkeys(found))

    # -- what runs --------------------------------------------------------------------------------

    def _listen(self) -> None:
        parts, service, settings = self.parts, self.service, self.service.settings
        # What is read first is read in bulk, always.
        self._sources = tuple(
            source if source.first else replace(source, adapter=settings.read_by)
            for source in service.sources(parts)
        )
        if self.role in ("serve", "api"):
            api = service.api(parts)
            _refuse_open_routes(api)
            self._add_listener("api", api, settings.api_host, settings.api_port)
            if service.federation is not None:
                host, port = settings.federation_address()
                self._add_listener("federation", service.federation(parts), host, port)
        internal = internal_app(parts, service.internal(parts), self.reasons)
        self._add_listener("internal", internal, settings.internal_host, settings.internal_port)

    def _add_listener(self, name: str, app: FastAPI, host: str, port: int) -> None:
        tls = self.service.settings.listener_tls(name)
        self.listeners.append(Listener(name, app, host, port, tls))

    async def _run_parts(self, stop: asyncio.Event) -> None:
        tasks = [asyncio.create_task(each.run(), name=each.name) for each in self.listeners]
        tasks.append(asyncio.create_task(self._work(stop), name="work"))
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                # None of them ends by itself: its error, or the fact, is the process's end.
                task.result()
                if not stop.is_set():
                    raise RuntimeError(f"{task.get_name()} has ended")
        finally:
            stop.set()
            for listener in self.listeners:
                listener.stop()
            _, late = await asyncio.wait({*tasks, stopping}, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)

    async def _work(self, stop: asyncio.Event) -> None:
        """Compares first; then reads, relays and does jobs until told to stop."""
        until_stop = asyncio.create_task(stop.wait())
        opening = asyncio.create_task(self._open())
        await asyncio.wait({until_stop, opening}, return_when=asyncio.FIRST_COMPLETED)
        working: list[Coroutine[Any, Any, None]] = []
        # The reader leaves its group at a stop, and also when another part has failed.
        leave = asyncio.Event()
        if opening.done():
            if opening.result() and self.role in ("serve", "agents") and self._sources:
                working.append(self._read(leave))
            if opening.result() and self.role in ("serve", "worker"):
                working.append(self.parts.database.as_the_only_one("worker", self._active))
        tasks = [asyncio.create_task(each) for each in working]
        try:
            await asyncio.wait({until_stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        except Restored as restored:
            # The relay saw that the database behind us is another one now.
            self._only_read(restored)
            leave.set()
            await until_stop
        finally:
            leave.set()
            opening.cancel()
            until_stop.cancel()
            # The reader ends by itself when told to stop, and leaves its group; the rest is cut.
            for task in tasks[1:] if self.reader is not None else tasks:
                task.cancel()
            await asyncio.wait({opening, until_stop, *tasks}, timeout=STOP_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(opening, until_stop, *tasks, return_exceptions=True)

    async def _open(self) -> bool:
        """True when writes are open; False when the database is older than what was published:
        then this process reads only, and says why."""
        parts = self.parts
        await self._wait_for_schema()
        try:
            while True:
                try:
                    await open_when_compared(
                        self.gate,
                        parts.database,
                        self.service.settings.broker(),
                        parts.node,
                        self._topics,
                    )
                    self._writes_open.set(1)
                    return True
                except Exception as error:
                    if isinstance(error, Restored) or not is_outage(error):
                        raise
                    await asyncio.sleep(1.0)
        except Restored as restored:
            self._only_read(restored)
            return False

    async def _wait_for_schema(self) -> None:
        """Until ``provision`` of this release has run: on an older schema what is read would fail
        as a defect does, and be dead-lettered."""
        while True:
            try:
                async with self.parts.database.reading() as connection:
                    return await check_schema(connection, self.service.migrations)
            except Unavailable as away:
                reason = f"{STARTING}: {away}"
                if self.gate.reason != reason:
                    _LOG.warning("start.waits", reason=str(away))
                self.gate.close(reason)
            await asyncio.sleep(1.0)

    def _only_read(self, restored: Restored) -> None:
        self.gate.close(str(restored))
        self._writes_open.set(0)
        _LOG.critical("writes.refused", reason=str(restored), mend=RESTORED_MEND)

    async def _read(self, stop: asyncio.Event) -> None:
        settings, parts = self.service.settings, self.parts
        seconds = settings.kafka_session_timeout_seconds
        self.reader = Reader(
            node=parts.node,
            service=self.service.name,
            sources=self._sources,
            ledger=parts.ledger,
            database=parts.database,
            bootstrap=settings.broker(),
            clock=parts.clock,
            metrics=parts.metrics,
            limits=Limits(session_timeout_seconds=seconds),
        )
        await self.reader.run(stop)

    async def _active(self) -> None:
        """What one process of the service does at a time: relay, jobs, chores."""
        parts, service = self.parts, self.service
        relay = Relay(
            parts.database,
            service.settings.broker(),
            node=parts.node,
            service=service.name,
            metrics=parts.metrics,
        )
        jobs = Jobs(
            parts.database,
            parts.ledger,
            service.jobs(parts),
            clock=parts.clock,
            metrics=parts.metrics,
        )
        _LOG.info("worker.active")
        chores = service.chores(parts)
        try:
            await _together([relay.run(), jobs.run(), *(chore.run() for chore in chores)])
        finally:
            parts.metrics.stand_by()


def _refuse_open_routes(api: FastAPI) -> None:
    found = routes_without_guard(api)
    if found:
        raise RuntimeError(f"routes without a word on who may use them: {', '.join(found)}")


async def _together(work: Sequence[Any]) -> None:
    """Runs all; when one ends, the others are cancelled and its error is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        raise RuntimeError("a part of the active worker has ended")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _within(seconds: float, *work: Any, what: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            for each in work:
                await each
    except TimeoutError:
        _LOG.warning("stop.cut_off", what=what)
    except Exception as error:  # noqa: BLE001 - we are stopping; what failed is told
        _LOG.warning("stop.failed", what=what, error=describe(error))
