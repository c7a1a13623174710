"""How is a whole reader run inside a test, by either adapter, on a real broker?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from shared.clock import SystemClock
from shared.reader import Limits, Reader, Source
from shared.telemetry import Metrics
from tests.support.counter import TOTALS, react_by_adding, running_counter, schema
from tests.support.reading import make_topics

LIMITS = Limits(
    session_timeout_seconds=6.0, tick_seconds=0.1, first_pause_seconds=0.01, look_seconds=0.5
)


@pytest.fixture(params=["faust", "loop"])
def adapter(request: pytest.FixtureRequest) -> str:
    """Every test of this folder that asks for it runs on both adapters."""
    return str(request.param)


class World:
    """A counter service's schema, a node's topics, and readers that come and go."""

    def __init__(self, url: str, bootstrap: str, node: str, adapter: str) -> None:
        self.url = url
        self.bootstrap = bootstrap
        self.node = node
        self.adapter = adapter

    @asynccontextmanager
    async def reading(
        self, react: Any = react_by_adding, *, sources: Any = None, limits: Limits = LIMITS
    ) -> AsyncIterator[Reader]:
        """A reader that runs while the block does; it must stop within two seconds after."""
        exits: list[int] = []
        async with running_counter(self.url) as (database, ledger):
            reader = Reader(
                node=self.node,
                service="counter",
                sources=sources or [Source(TOTALS, react, self.adapter)],  # type: ignore[arg-type]
                ledger=ledger,
                database=database,
                bootstrap=self.bootstrap,
                clock=SystemClock(),
                metrics=Metrics("counter", self.node),
                limits=limits,
                die=exits.append,
            )
            stop = asyncio.Event()
            running = asyncio.ensure_future(reader.run(stop))
            try:
                yield reader
            finally:
                stop.set()
                done, _ = await asyncio.wait({running}, timeout=10)
            assert done, "the reader did not stop"
            await running
            assert exits == []


@pytest.fixture
async def world(
    database: str, kafka_bootstrap: str, node_name: str, adapter: str
) -> AsyncIterator[World]:
    """The topic of totals with four partitions, nothing on it."""
    await schema(database)
    make_topics(kafka_bootstrap, node_name, TOTALS)
    async with AsyncExitStack():
        yield World(database, kafka_bootstrap, node_name, adapter)


MakeReader = Callable[..., Any]
