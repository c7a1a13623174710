"""What does a reader's core need beside PostgreSQL? A log's extents, and somebody to deliver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from shared.clock import SystemClock
from shared.messages import Unavailable
from shared.reader import Limits, Raw, Source
from shared.reader.core import Core
from shared.reader.draining import Drain
from shared.reader.log_view import Extent, LogView, Place
from shared.reader.metrics import ReaderMetrics
from shared.telemetry import Metrics
from tests.support.counter import TOTALS, CounterDomain, react_by_adding, running_counter, schema
from tests.support.reading import rows

FAST = Limits(first_pause_seconds=0.001, tick_seconds=0.01, outage_pause_seconds=0.01)


@dataclass
class Extents:
    """What a broker would say of its logs; the tests set it."""

    topic_id: str = "one"
    start: int = 0
    end: int = 1_000_000
    away: bool = False

    async def extents(self, places: Iterable[Place]) -> dict[Place, Extent]:
        if self.away:
            raise Unavailable("the broker is away")
        return {place: Extent(self.topic_id, self.start, self.end) for place in places}


@dataclass
class Bench:
    """One reader's core with its database, and what it did to its process."""

    url: str
    core: Core
    drain: Drain
    extents: Extents
    metrics: Metrics
    exits: list[int] = field(default_factory=list)
    leave: Any = None

    async def deliver(self, batch: Sequence[Raw]) -> None:
        await self.core.handle(batch)

    async def take_up(self, committed: int | None = None, partition: int = 0) -> int:
        place = (next(iter(self.core.sources)), partition)
        return (await self.core.take_up({place: committed}))[place]

    async def parked(self) -> list[tuple[str, int, str]]:
        found = await rows(self.url, "SELECT key, sequence, reason FROM parked ORDER BY 1, 2")
        return [(row["key"], row["sequence"], row["reason"]) for row in found]

    async def letters(self) -> list[Any]:
        return await rows(
            self.url,
            "SELECT key, sequence, type, data FROM event "
            "WHERE topic = 'counter.dead-letters.v1' ORDER BY position",
        )

    async def progress(self) -> list[tuple[int, int]]:
        query = "SELECT partition, next_offset FROM source_progress ORDER BY 1"
        found = await rows(self.url, query)
        return [(row["partition"], row["next_offset"]) for row in found]

    async def due_now(self) -> None:
        """As if the time until the next try had passed."""
        await rows(self.url, "UPDATE parked SET due_at = now() WHERE due_at IS NOT NULL")

    def count(self, outcome: str, topic: str = TOTALS) -> float:
        value = self.metrics.registry.get_sample_value(
            "jiexu_reader_messages_total", {"topic": topic, "outcome": outcome}
        )
        return value or 0.0


MakeBench = Callable[..., Any]


@pytest.fixture
async def make_bench(database: str) -> AsyncIterator[MakeBench]:
    """Makes readers of one counter service, each like a process of its own."""
    await schema(database)
    async with AsyncExitStack() as stack:

        async def make(
            react: Any = react_by_adding,
            *,
            domain: CounterDomain | None = None,
            limits: Limits = FAST,
            **source: Any,
        ) -> Bench:
            opened, ledger = await stack.enter_async_context(
                running_counter(database, domain=domain)
            )
            extents = Extents()
            metrics = Metrics("counter", "test")
            exits: list[int] = []
            core = Core(
                service="counter",
                sources=[Source(source.pop("topic", TOTALS), react, **source)],
                ledger=ledger,
                database=opened,
                log_view=cast(LogView, extents),
                clock=SystemClock(),
                metrics=ReaderMetrics(metrics),
                limits=limits,
                die=exits.append,
            )
            bench = Bench(database, core, Drain(core), extents, metrics, exits)
            bench.leave = core.seat(core.sources.values())
            return bench

        yield make


@pytest.fixture
async def bench(make_bench: MakeBench) -> Bench:
    """One reader that has taken up partition 0."""
    made: Bench = await make_bench()
    await made.take_up()
    return made
