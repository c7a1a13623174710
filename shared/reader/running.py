"""How is a reader started, when is it ready, and how does it stop?

    reader = Reader(node=…, service=…, sources=…, ledger=…, database=…, bootstrap=…, clock=…,
                    metrics=…)
    await reader.run(stop)        # returns within a second after stop.set(); never raises
    reader.why_not_ready()        # () when ready, else one reason a line

One ``Reader`` per process; its loop may also run API and worker (role ``serve``). It needs an open
``Database`` whose schema holds ``reader_tables()``, and the service's dead-letter topic.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

from shared.access import Bootstrap
from shared.clock import Clock
from shared.ledger import LedgerApi
from shared.messages import Unavailable
from shared.postgres import Connection, Database
from shared.reader import store
from shared.reader.core import Core
from shared.reader.draining import Drain
from shared.reader.ending import exit_at_once
from shared.reader.limits import Limits
from shared.reader.log_view import LogView
from shared.reader.metrics import ReaderMetrics
from shared.reader.plan import Source
from shared.reader.stalls import Stalls
from shared.telemetry import Metrics

RESTART_SECONDS = 1.0


async def first_sources_were_read(connection: Connection, sources: Collection[Source]) -> bool:
    """Whether a service has ever read its first sources to the end as it then was.

    Once is enough: afterwards its own copy suffices. For the readiness of an API that runs apart
    from the agents.
    """
    wanted = {source.topic for source in sources if source.first}
    rows = await connection.fetch(
        "SELECT DISTINCT topic FROM source_progress "
        "WHERE topic = ANY ($1::text[]) AND caught_up_at IS NOT NULL",
        sorted(wanted),
    )
    return wanted == {row["topic"] for row in rows}


class Reader:
    """Everything that one process reads of its neighbours' topics."""

    def __init__(
        self,
        *,
        node: str,
        service: str,
        sources: Collection[Source],
        ledger: LedgerApi,
        database: Database,
        bootstrap: Bootstrap,
        clock: Clock,
        metrics: Metrics,
        limits: Limits | None = None,
        die: Callable[[int], None] = exit_at_once,
    ) -> None:
        if len({source.topic for source in sources}) < len(sources):
            raise ValueError("a topic is read by one source only")
        self._node = node
        self._service = service
        self._sources = tuple(sources)
        self._metrics = ReaderMetrics(metrics)
        for source in sources:
            self._metrics.begin(source.topic)
        self._started = False
        self._stalls = Stalls((limits or Limits()).stall_seconds)
        self._stop = asyncio.Event()
        self.core = Core(
            service=service,
            sources=sources,
            ledger=ledger,
            database=database,
            log_view=LogView(bootstrap, node),
            clock=clock,
            metrics=self._metrics,
            limits=limits or Limits(),
            die=die,
        )

    def why_not_ready(self) -> tuple[str, ...]:
        """The reasons why this process should get no traffic; none when it is ready."""
        if not self._started:
            return ("first sources have not been read yet", *self.core.troubles.values())
        return tuple(self.core.troubles.values())

    async def run(self, stop: asyncio.Event) -> None:
        """Reads until ``stop`` is set. What nobody foresaw ends the process, not this call."""
        work = [
            asyncio.ensure_future(self._guard(part))
            for part in (self._read(), Drain(self.core).run(), self._watch())
        ]
        try:
            await stop.wait()
        finally:
            # Batches in flight first, so that what they did need not be done again.
            await self.core.close()
            self._stop.set()
            for part in work[1:]:
                part.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _guard(self, part: Coroutine[Any, Any, None]) -> None:
        try:
            await part
        except Exception as problem:
            self.core.unforeseen(problem)
            raise

    async def _read(self) -> None:
        first = [source for source in self._sources if source.first]
        rest = [source for source in self._sources if not source.first]
        adapters = [asyncio.ensure_future(each) for each in self._adapters(first, ".first")]
        if await self._until_read(first):
            self._started = True
            adapters += [asyncio.ensure_future(each) for each in self._adapters(rest, "")]
        await asyncio.gather(*adapters)

    def _adapters(
        self, sources: Sequence[Source], suffix: str
    ) -> list[Coroutine[Any, Any, None]]:
        by_adapter: dict[str, list[Source]] = {}
        for source in sources:
            by_adapter.setdefault(source.adapter, []).append(source)
        return [
            self._keep(adapter, some, f"{self._node}.{self._service}.{adapter}{suffix}")
            for adapter, some in sorted(by_adapter.items())
        ]

    async def _keep(self, adapter: str, sources: Sequence[Source], group: str) -> None:
        """Runs an adapter again and again: the broker may be away, the group may be joined anew.

        Where to begin is in the database, so a new run loses nothing.
        """
        # Faust takes half a second to import; not every process reads by it.
        if adapter == "faust":
            from shared.faust_reader import run_faust as run
        else:
            from shared.loop_reader import run_loop as run
        topics = {source.topic for source in sources}
        while not self._stop.is_set():
            try:
                # A client that finds no broker at its start leaves much behind.
                await self.core.log_view.partitions(topics)
                await run(self.core, sources, group, self._stop)
            except Exception as problem:
                if not is_broker_trouble(problem):
                    raise
                self.core.away("broker", problem)
                await self._pause(RESTART_SECONDS)
            self.core.give_up([place for place in self.core.held if place[0] in topics])

    async def _until_read(self, first: Sequence[Source]) -> bool:
        """Waits until the first sources are read to the end as it is now; False when stopped.

        Whoever reads them: another process of this service may hold their partitions.
        """
        topics = [source.topic for source in first]
        ends: dict[tuple[str, int], int] | None = None
        while topics and not self._stop.is_set():
            try:
                if ends is None:
                    ends = await self.core.log_view.ends(topics)
                if await self._have_read(topics, ends):
                    self.core.troubles.pop("first sources", None)
                    return True
            except Unavailable as problem:
                self.core.away("first sources", problem)
            await self._pause(0.1)
        return not self._stop.is_set()

    async def _have_read(self, topics: Sequence[str], ends: dict[tuple[str, int], int]) -> bool:
        async with store.reading(self.core.database) as connection:
            rows = await connection.fetch(
                "SELECT topic, partition, next_offset FROM source_progress "
                "WHERE topic = ANY ($1::text[])",
                topics,
            )
            stood = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
            if any(stood.get(place, -1) < end for place, end in ends.items()):
                return False
            await connection.execute(
                "UPDATE source_progress SET caught_up_at = now() "
                "WHERE topic = ANY ($1::text[]) AND caught_up_at IS NULL",
                topics,
            )
        return True

    async def _watch(self) -> None:
        """Lag, and whether the broker is there: a consumer that waits for it says nothing."""
        core = self.core
        while True:
            try:
                found = await core.log_view.partitions([s.topic for s in self._sources])
                ends = await core.log_view.ends(found)
                core.troubles.pop("broker", None)
            except Unavailable as problem:
                core.away("broker", problem)
            else:
                # Without a database the lag stays what it was; others tell that it is away.
                with contextlib.suppress(Unavailable):
                    await self._tell_lag(ends)
            self._metrics.ready(not self.why_not_ready())
            await asyncio.sleep(core.limits.look_seconds)

    async def _tell_lag(self, ends: dict[tuple[str, int], int]) -> None:
        for topic in {topic for topic, _ in ends}:
            numbers = [partition for name, partition in ends if name == topic]
            async with store.reading(self.core.database) as connection:
                stood = await store.progress(connection, topic, numbers)
            at = {n: stood[n].next_offset if n in stood else 0 for n in numbers}
            self._metrics.lag(topic, sum(max(0, ends[topic, n] - at[n]) for n in numbers))
            self._look_for_a_stall(topic, [(n, at[n], ends[topic, n]) for n in numbers])

    def _look_for_a_stall(self, topic: str, stood: Sequence[tuple[int, int, int]]) -> None:
        """A client that delivers nothing, for no reason that we know of, joins its group again."""
        core = self.core
        ours = tuple((n, at, end) for n, at, end in stood if (topic, n) in core.held)
        waits = core.locks[topic].locked() or bool(core.troubles)
        behind = any(at < end for _, at, end in ours) and not waits
        where = tuple((n, at) for n, at, _ in ours)
        if self._stalls.stands(topic, where, behind, time.monotonic()):
            core.leave(topic, "its client delivers nothing")

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()


def is_broker_trouble(problem: Exception) -> bool:
    """Whether an adapter's end is the broker's doing, to be waited for."""
    names = {base.__module__.partition(".")[0] for base in type(problem).__mro__}
    return isinstance(problem, OSError | TimeoutError | Unavailable) or bool(
        names & {"aiokafka", "cimpl", "confluent_kafka"}
    )
