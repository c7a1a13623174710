"""Is anything lost or doubled when processes die, stop, hang, come and go under load?

The whole way: commands → ledger → relay → Kafka → reader → ledger of a second service, once by
Faust and once by the batch loop, each a process of its own with a session timeout of 6 s.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.kafka import EmbeddedKafka
from node.postgres import EmbeddedPostgres
from node.process import free_ports
from shared.ledger import Accepted, Ledger
from shared.messages import Unavailable
from tests.support.counter import TOTALS, add, request, running_counter, schema
from tests.support.infrastructure import eventually
from tests.support.processes import Processes
from tests.support.reading import additions, all_added, make_topics, rows, totals

pytestmark = pytest.mark.broker

ADAPTERS = ("faust", "loop")
KEYS = 20
PER_DAY = KEYS * 500  # of at most 600 that a day of one counter takes
MODULE = "tests.support.reader_process"


@dataclass
class Load:
    """Additions one after another, each told again until it is accepted; a journal of them."""

    ledger: Ledger
    per_second: float
    accepted: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        while not self.stopping.is_set():
            await self.one(self.accepted)
            self.accepted += 1
            try:
                await asyncio.wait_for(self.stopping.wait(), 1 / self.per_second)
            except TimeoutError:
                continue

    async def one(self, n: int) -> None:
        wish = add(f"k{n % KEYS}", 1, f"n{n}", day=1 + n // PER_DAY)
        while True:
            try:
                outcome = await self.ledger.submit(wish, request=request(f"n{n}"))
            except Unavailable:
                await asyncio.sleep(0.2)
                continue
            assert isinstance(outcome, Accepted)
            return


@asynccontextmanager
async def under_load(url: str, per_second: float, already: int = 0) -> AsyncIterator[Load]:
    """The service ``source`` takes additions while the block runs, after those it has already."""
    async with running_counter(url, "source") as (_, ledger):
        load = Load(ledger, per_second, already)
        running = asyncio.ensure_future(load.run())
        try:
            yield load
        finally:
            load.stopping.set()
            await running


@asynccontextmanager
async def pipeline(
    url: str, bootstrap: str, node: str, directory: Path
) -> AsyncIterator[Processes]:
    """Schemas, topics, one relay and one agents process by each adapter."""
    for name in ("source", *ADAPTERS):
        await schema(url, name)
    make_topics(bootstrap, node, TOTALS)
    environment = {"NODE": node, "KAFKA": bootstrap, "DATABASE": url}
    with Processes(directory, environment) as processes:
        processes.start("relay", MODULE, "relay", SCHEMA="source")
        for adapter in ADAPTERS:
            processes.start(adapter, MODULE, "agents", adapter, SCHEMA=adapter)
        yield processes


async def nothing_lost_nothing_doubled(url: str, accepted: int, seconds: float = 60) -> None:
    """Both copies hold what was accepted, each addition once, each key's in its order."""
    wanted = {
        f"k{n}": accepted // KEYS + (n < accepted % KEYS) for n in range(min(KEYS, accepted))
    }
    for adapter in ADAPTERS:
        await all_added(url, accepted, adapter, seconds)
        assert await additions(url, adapter) == accepted
        assert await totals(url, adapter) == wanted
        assert await rows(url, "SELECT * FROM parked", schema=adapter) == []
        letters = "SELECT 1 FROM event WHERE topic LIKE '%dead-letters%'"
        assert await rows(url, letters, schema=adapter) == []
        order = await rows(
            url,
            "SELECT key, array_agg((data::json->>'total')::int ORDER BY sequence) AS totals "
            "FROM event WHERE topic = $1 GROUP BY key",
            TOTALS,
            schema=adapter,
        )
        assert all(row["totals"] == list(range(1, len(row["totals"]) + 1)) for row in order)


@pytest.mark.timeout(280)
async def test_f1_kill_9_of_agents_and_worker_loses_and_doubles_nothing(  # F1, INV-1, INV-2
    database: str, kafka_bootstrap: str, node_name: str, tmp_path: Path
):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    kills = 10

    async def killing(processes: Processes, name: str) -> None:
        chance = random.Random(f"{seed} {name}")
        watched = name if name in ADAPTERS else "loop"
        for _ in range(kills):
            # A random moment of its work, not of its start.
            goal = await additions(database, watched) + chance.randint(1, 120)

            async def further(goal: int = goal) -> bool:
                return await additions(database, watched) >= goal

            await eventually(further, f"{name} works again", seconds=60, every=0.02)
            processes.kill(name)
            processes.restart(name)

    async with pipeline(database, kafka_bootstrap, node_name, tmp_path) as processes:
        async with under_load(database, per_second=100) as load:
            await asyncio.gather(*(killing(processes, name) for name in (*ADAPTERS, "relay")))
        assert load.accepted > 500
        await nothing_lost_nothing_doubled(database, load.accepted)
        processes.assert_alive()


@pytest.mark.timeout(150)
async def test_f4_a_zombie_comes_back_and_changes_nothing(  # F4
    database: str, kafka_bootstrap: str, node_name: str, tmp_path: Path
):
    async with pipeline(database, kafka_bootstrap, node_name, tmp_path) as processes:
        async with under_load(database, per_second=100) as load:
            for adapter in ADAPTERS:
                await all_added(database, 100, adapter)
            owners = {adapter: await owners_of(database, adapter) for adapter in ADAPTERS}
            for adapter in ADAPTERS:
                processes[adapter].send(signal.SIGSTOP)
                processes.start(f"{adapter}-2", MODULE, "agents", adapter, SCHEMA=adapter)
            for adapter in ADAPTERS:

                async def taken_over(adapter: str = adapter) -> bool:
                    return owners[adapter].isdisjoint(await owners_of(database, adapter))

                await eventually(taken_over, f"another {adapter} reader takes over", seconds=40)
                await all_added(database, load.accepted, adapter)
            for adapter in ADAPTERS:
                processes[adapter].send(signal.SIGCONT)
            back = load.accepted + 300
            for adapter in ADAPTERS:
                await all_added(database, back, adapter, seconds=60)
        await nothing_lost_nothing_doubled(database, load.accepted)
        processes.assert_alive()


async def owners_of(url: str, adapter: str) -> set[str]:
    """Which readers hold the partitions."""
    found = await rows(url, "SELECT DISTINCT owner::text FROM source_progress", schema=adapter)
    return {row[0] for row in found}


@pytest.mark.timeout(150)
async def test_f5_agents_that_come_and_go_lose_nothing(  # F5, F3
    database: str, kafka_bootstrap: str, node_name: str, tmp_path: Path
):
    async with pipeline(database, kafka_bootstrap, node_name, tmp_path) as processes:
        async with under_load(database, per_second=100) as load:

            async def storm(adapter: str) -> None:
                second = f"{adapter}-2"
                for _ in range(3):
                    before = await owners_of(database, adapter)
                    processes.start(second, MODULE, "agents", adapter, SCHEMA=adapter)

                    async def shared(before: set[str] = before) -> bool:
                        return bool(await owners_of(database, adapter) - before)

                    await eventually(shared, f"two {adapter} processes share", seconds=30)
                    await all_added(database, load.accepted, adapter)
                    assert processes[second].stop() == 0, processes[second].log_tail(30)

            await asyncio.gather(*(storm(adapter) for adapter in ADAPTERS))
        await nothing_lost_nothing_doubled(database, load.accepted)
        processes.assert_alive("relay", *ADAPTERS)


@pytest.mark.timeout(200)
async def test_f10_f23_broker_and_database_go_and_come_back_under_load(tmp_path: Path):  # F10, F23
    ports = free_ports(3)
    broker = EmbeddedKafka(tmp_path / "kafka", ports[0], controller_port=ports[1])
    # Without fsync a kill -9 still loses nothing: commits are written before they are told.
    server = EmbeddedPostgres(tmp_path / "postgres", ports[2], durable=False)
    broker.start(wait=False)
    server.start()
    try:
        broker.wait_until_ready()
        async with pipeline(server.url, broker.bootstrap, "t1", tmp_path) as processes:
            async with under_load(server.url, per_second=100) as load:

                async def goes_on() -> None:
                    goal = load.accepted + 100
                    for adapter in ADAPTERS:
                        await all_added(server.url, goal, adapter, seconds=60)

                await goes_on()
                for stop in (server.stop, server.kill):
                    await asyncio.to_thread(stop)
                    before = load.accepted
                    await asyncio.to_thread(server.start)
                    await eventually(lambda n=before: load.accepted > n, "commands are taken again")
                    await goes_on()
                await asyncio.to_thread(broker.stop)
                goal = load.accepted + 50
                await eventually(lambda: load.accepted > goal, "commands need no broker")
                await asyncio.to_thread(broker.start)
                await goes_on()
            await nothing_lost_nothing_doubled(server.url, load.accepted)
            processes.assert_alive()
            await asyncio.to_thread(broker.stop)
            for adapter in ADAPTERS:
                processes[adapter].send(signal.SIGTERM)
            await eventually(
                lambda: not any(processes[adapter].running for adapter in ADAPTERS),
                "agents need no broker to stop", seconds=10,
            )
            assert [processes[adapter].exit_code for adapter in ADAPTERS] == [0, 0]
            for adapter in ADAPTERS:
                processes.restart(adapter)
            await eventually(
                lambda: all("the reader waits" in processes[a].log_tail(200) for a in ADAPTERS),
                "agents that start without a broker wait for it", seconds=30,
            )
            await asyncio.to_thread(broker.start)
            async with under_load(server.url, per_second=100, already=load.accepted) as load:
                await goes_on()
            await nothing_lost_nothing_doubled(server.url, load.accepted)
            processes.assert_alive()
    finally:
        broker.stop()
        server.stop()


