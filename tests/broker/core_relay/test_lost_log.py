"""Is what a broker lost published again? On a broker of our own, for it is stopped and cut.

A broker without fsync loses the end of its log in a power cut although it had acknowledged it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.kafka import EmbeddedKafka
from node.process import free_ports
from shared.relay import store
from tests.support.counter import TOTALS, add
from tests.support.infrastructure import eventually
from tests.support.relaying import (
    Node,
    all_event_ids,
    assert_nothing_lost_or_disordered,
    counter_node,
    in_order_from_the_last_gap,
    running,
    sequences,
)

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    port, controller = free_ports(2)
    one = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port, controller_port=controller)
    one.start()
    try:
        yield one
    finally:
        one.stop()


def logs(broker: EmbeddedKafka, topic: str) -> dict[Path, int]:
    """The log files of a topic's partitions, each with its present size in bytes."""
    found = (broker.directory / "logs").glob(f"{topic}-*/00000000000000000000.log")
    return {path: path.stat().st_size for path in found}


def cut(sizes: dict[Path, int]) -> int:
    """Takes off a log what was written since, as if it had never reached the disk.

    The one that grew most, alone: the others of its topic still hold everything.
    """
    lost = 0
    most = max(sizes, key=lambda path: path.stat().st_size - sizes[path])
    for path, size in ((most, sizes[most]),):
        lost += path.stat().st_size - size
        with path.open("r+b") as log:
            log.truncate(size)
        for other in path.parent.glob("0*"):
            if other != path:
                other.unlink()
    root = next(iter(sizes)).parent.parent
    for name in (".kafka_cleanshutdown", "recovery-point-offset-checkpoint"):
        (root / name).unlink(missing_ok=True)
    return lost


async def cut_off(node: Node, broker: EmbeddedKafka, *, running_on: bool) -> None:
    """Thirty events, of which the broker loses many of the last twenty, while the relay stands
    still or waits for it."""
    topic = f"{node.name}.{TOTALS}"
    async with running(node.relay()):
        for n in range(10):
            await node.ledger.submit(add(f"c{n % 4}", 1, day=n))
        await node.published()
        sizes = logs(broker, topic)
        for n in range(10, 30):
            await node.ledger.submit(add(f"c{n % 4}", 1, day=n))
        await node.published()
        if running_on:
            await asyncio.to_thread(broker.stop)
            assert cut(sizes) > 0
            await node.ledger.submit(add("c0", 1, day=30))
            await asyncio.to_thread(broker.start)
            await eventually(node.is_published, "the relay goes on by itself", seconds=60)
            return
    await asyncio.to_thread(broker.stop)
    assert cut(sizes) > 0
    await asyncio.to_thread(broker.start)
    await node.ledger.submit(add("c0", 1, day=30))
    async with running(node.relay()):
        await eventually(node.is_published, "the relay goes on", seconds=60)


@pytest.mark.parametrize("running_on", [False, True])
async def test_a_topic_cut_off_is_published_again(
    broker: EmbeddedKafka, database: str, node_name: str, running_on: bool
) -> None:  # F31, B46
    async with counter_node(database, broker.bootstrap, node_name) as node:
        await cut_off(node, broker, running_on=running_on)
        seen = await asyncio.to_thread(node.seen)
        ids = await all_event_ids(node.database)
        assert len(ids) == 31
        assert {one.event_id for one in seen} == ids
        for key, numbers in sequences(seen).items():
            taken = in_order_from_the_last_gap(numbers)
            assert taken == list(range(1, max(numbers) + 1)), f"{key} is out of order: {numbers}"


async def test_a_relay_that_does_not_look_leaves_a_hole(
    broker: EmbeddedKafka, database: str, node_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing_is_known(connection: object) -> dict[store.Place, store.Stored]:
        return {}

    monkeypatch.setattr(store, "offsets", nothing_is_known)
    async with counter_node(database, broker.bootstrap, node_name) as node:
        await cut_off(node, broker, running_on=False)
        seen = await asyncio.to_thread(node.seen)
        assert len(await all_event_ids(node.database) - {one.event_id for one in seen}) >= 5


async def test_a_hole_behind_newer_events_is_found_by_what_stands_at_its_place(
    broker: EmbeddedKafka, database: str, node_name: str
) -> None:
    """The relay died after it had put new events upon a shortened log, before it knew: the log is
    as long as it was, and other events stand where the lost ones stood."""
    async with counter_node(database, broker.bootstrap, node_name) as node:
        topic = f"{node.name}.{TOTALS}"
        async with running(node.relay()):
            await node.ledger.submit(add("ann", 1, day=1))
            await node.published()
            sizes = logs(broker, topic)
            for n in range(2, 6):
                await node.ledger.submit(add("ann", 1, day=n))
            await node.published()
        await asyncio.to_thread(broker.stop)
        cut(sizes)
        await asyncio.to_thread(broker.start)
        for n in range(6, 16):
            await node.ledger.submit(add("ann", 1, day=n))
        relay = node.relay()
        async with node.database.pool.acquire() as connection:
            rows = await store.next_events(connection, await store.cursor(connection))
        await relay._send(rows)
        await asyncio.to_thread(relay._sender.discard)
        assert sequences(await asyncio.to_thread(node.seen))["ann"] == [1, *range(6, 16)]
        async with running(node.relay()):
            await eventually(node.is_published, "the relay goes on", seconds=60)
        numbers = sequences(await asyncio.to_thread(node.seen))["ann"]
        assert in_order_from_the_last_gap(numbers) == list(range(1, 16))


async def test_a_broker_killed_and_started_under_load_loses_nothing(
    broker: EmbeddedKafka, database: str, node_name: str
) -> None:
    async with counter_node(database, broker.bootstrap, node_name) as node:
        stopping = asyncio.Event()
        stopped = asyncio.create_task(stopping.wait())

        async def load() -> int:
            n = 0
            while not stopping.is_set():
                await node.ledger.submit(add(f"c{n % 5}", 1, day=n))
                n += 1
                await asyncio.wait({stopped}, timeout=0.01)
            return n

        async with running(node.relay()):
            writer = asyncio.create_task(load())
            for stop in (broker.kill, broker.stop):
                await eventually(node.is_published, "events flow", seconds=60)
                await asyncio.to_thread(stop)
                await asyncio.to_thread(broker.start)
            await eventually(
                lambda: node.database.pool.fetchval("SELECT count(*) > 300 FROM event"),
                "the API took commands all the while",
            )
            stopping.set()
            written = await writer
            await eventually(node.is_published, "all is published", seconds=60)
        seen, ids = await asyncio.to_thread(node.seen), await all_event_ids(node.database)
        assert len(ids) == written
        assert_nothing_lost_or_disordered(seen, ids)
