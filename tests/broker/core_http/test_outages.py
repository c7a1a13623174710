"""What still works while the broker or the database is away, and what goes on by itself after?

architecture.md 5: with a broker and a database of the test's own, so that they may be stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from node.kafka import EmbeddedKafka
from node.postgres import EmbeddedPostgres
from node.process import free_ports
from tests.broker.core_http.test_roles import City, start
from tests.support.infrastructure import eventually, free_port
from tests.support.processes import Processes

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    port, controller = free_ports(2)
    made = EmbeddedKafka(tmp_path / "kafka", port, controller_port=controller)
    made.start()
    yield made
    if made.running:
        made.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(tmp_path / "postgres", free_port())
    made.start()
    yield made
    if made.running:
        made.stop()


@pytest.fixture
def city(tmp_path: Path, node_name: str, broker: EmbeddedKafka, server: EmbeddedPostgres) -> City:
    return City(tmp_path, node_name, server.url, broker.bootstrap)


@pytest.fixture
def processes(city: City, tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path, {}) as running:
        yield running


class Adding:
    """Adds one every few milliseconds and keeps count of what it was told."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.taken = 0
        self.statuses: set[int] = set()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        n = 0
        while not self.stop.is_set():
            # Each day takes 600 at most; the same key until it is answered, as a client would.
            answer = await self._client.post(
                "/v1/counters/c/additions",
                json={"amount": 1, "day": n % 31 + 1},
                headers={"idempotency-key": f"k{n}"},
                timeout=30,
            )
            self.statuses.add(answer.status_code)
            if answer.status_code == 201:
                self.taken += 1
                n += 1
            await asyncio.sleep(0.01)


async def test_broker_and_database_go_and_come_back_under_load(  # F10, F23
    city: City, processes: Processes, broker: EmbeddedKafka, server: EmbeddedPostgres
) -> None:
    city.provision()
    for service in ("counter", "tally"):
        start(processes, city, service, "serve")
    for service in ("counter", "tally"):
        await eventually(lambda s=service: city.is_ready(s), f"{service} is ready", seconds=60)
    async with city.client("counter") as counter, city.client("tally") as tally:
        adding = Adding(counter)
        running = asyncio.create_task(adding.run())

        async def copied() -> int:
            found = await tally.get("/v1/counters/copy-c")
            return int(found.json().get("total", 0)) if found.status_code == 200 else 0

        async def has_copied(count: int) -> bool:
            return await copied() >= count

        await eventually(lambda: has_copied(1), "additions flow", seconds=60)

        await asyncio.to_thread(broker.stop)
        before = adding.taken
        await eventually(lambda: adding.taken > before + 20, "commands are taken without a broker")
        assert adding.statuses == {201}
        await asyncio.to_thread(broker.start)
        await eventually(lambda: has_copied(before + 20), "the tally goes on", seconds=90)

        await asyncio.to_thread(server.stop)
        await eventually(lambda: 503 in adding.statuses, "writes are answered 503")
        read = await tally.get("/v1/counters/copy-c")
        assert read.status_code == 503
        assert int(read.headers["retry-after"]) > 0
        assert not await city.is_ready("counter")
        await asyncio.to_thread(server.start)
        before = adding.taken
        await eventually(lambda: adding.taken > before + 20, "commands are taken again", seconds=60)

        adding.stop.set()
        await running
        assert adding.statuses == {201, 503}
        told = adding.taken
        await eventually(lambda: has_copied(told), "the tally has all additions", seconds=90)
        assert await copied() == told
        assert (await counter.get("/v1/counters/c")).json()["total"] == told
    processes.assert_alive()
