"""Does every committed event reach Kafka, in its key's order, whatever happens meanwhile?"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from confluent_kafka import Producer
from kafka.partitioner import murmur2

from shared.ledger import Accepted
from shared.messages import Unavailable
from shared.relay import Relay, Restored, republish, store
from shared.relay.log import Record, Sender
from tests.support.counter import (
    GROUPS,
    TOPICS,
    TOTALS,
    CounterDomain,
    add,
    move,
    request,
    running_counter,
)
from tests.support.infrastructure import eventually
from tests.support.processes import Processes
from tests.support.relaying import (
    Node,
    all_event_ids,
    assert_nothing_lost_or_disordered,
    counter_node,
    in_order_from_the_last_gap,
    running,
    sequences,
)
from tests.support.topics import drop_topics, make_topics

pytestmark = pytest.mark.broker


@pytest.fixture
async def node(database: str, kafka_bootstrap: str, node_name: str) -> AsyncIterator[Node]:
    async with counter_node(database, kafka_bootstrap, node_name) as one:
        yield one


async def test_events_arrive_with_their_envelope_and_in_the_order_of_their_key(node: Node) -> None:
    async with running(node.relay()):
        for n in range(1, 31):
            await node.ledger.submit(add(f"c{n % 3}", n))
        await node.ledger.submit(move("g", "c0", "c1", 5))
        await node.published()
    seen = node.seen()
    assert sequences(seen) == {f"c{n}": list(range(1, 11)) for n in range(3)}
    assert {one.type for one in seen} == {"counter.added.v1"}
    assert [one.key for one in node.seen(GROUPS)] == ["g"]


async def twenty_published(node: Node) -> set[str]:
    for n in range(1, 21):
        await node.ledger.submit(add(f"c{n % 3}", n))
    await node.published()
    return {one.event_id for one in node.seen()}


def assert_taken_whole(node: Node, before: set[str]) -> None:
    """A reader that passes repeats gets all, in order."""
    seen = node.seen()
    assert before < {one.event_id for one in seen}
    for numbers in sequences(seen).values():
        assert in_order_from_the_last_gap(numbers) == list(range(1, max(numbers) + 1))


@pytest.mark.parametrize("meanwhile", ["the relay stands still", "the relay runs"])
async def test_a_topic_made_anew_is_published_again(node: Node, meanwhile: str) -> None:  # F31, B46
    async with running(node.relay()):
        before = await twenty_published(node)
        if meanwhile == "the relay runs":
            drop_topics(node.bootstrap, node.name, TOPICS)
            make_topics(node.bootstrap, node.name, TOPICS)
            await node.ledger.submit(add("c0", 100))
            await eventually(lambda: seen_all(node, 21), "everything stands in the new topic")
            await node.published()
    if meanwhile == "the relay stands still":
        drop_topics(node.bootstrap, node.name, TOPICS)
        make_topics(node.bootstrap, node.name, TOPICS)
        async with running(node.relay()):
            await node.ledger.submit(add("c0", 100))
            await eventually(lambda: seen_all(node, 21), "everything stands in the new topic")
            await node.published()
    assert_taken_whole(node, before)


async def seen_all(node: Node, count: int) -> bool:
    return len({one.event_id for one in await asyncio.to_thread(node.seen)}) >= count


async def test_a_page_fetched_ahead_of_one_that_was_not_sent_waits_for_it(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH_EVENTS", 4)

    class Falters(Relay):
        sends = 0

        async def _send(self, rows: list[Any]) -> Any:
            self.sends += 1
            if self.sends == 2:
                raise Unavailable("the broker takes nothing for a moment")
            return await super()._send(rows)

    for n in range(20):
        await node.ledger.submit(add("c0", 1, day=n))
    async with running(Falters(node.database, node.bootstrap, node=node.name, service="counter")):
        await node.published()
    seen = node.seen()
    assert [one.sequence for one in seen] == list(range(1, 21)), "none skipped, none twice"


async def test_publishing_again_goes_on_where_a_crash_cut_it_off(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH_EVENTS", 4)
    async with running(node.relay()):
        before = await twenty_published(node)
    drop_topics(node.bootstrap, node.name, TOPICS)
    make_topics(node.bootstrap, node.name, TOPICS)
    await node.ledger.submit(add("c0", 100))

    class Dies(Relay):
        sends = 0

        async def _send(self, rows: list[Any]) -> Any:
            self.sends += 1
            if self.sends == 3:
                raise RuntimeError("the process dies here")
            return await super()._send(rows)

    dies = Dies(node.database, node.bootstrap, node=node.name, service="counter")
    with pytest.raises(RuntimeError, match="dies here"):
        await asyncio.wait_for(dies.run(), 20)
    assert len(node.seen()) == 8
    async with running(node.relay()):
        await node.published()
    assert_taken_whole(node, before)
    assert len(node.seen()) == 21, "what was sent before the crash need not come again"


async def test_a_topic_is_published_again_when_asked_for(node: Node) -> None:
    async with running(node.relay()):
        for n in range(1, 6):
            await node.ledger.submit(add("ann", n))
        await node.published()
        await republish(node.database, [TOTALS])
        await eventually(lambda: len(node.seen()) == 10, "all five came again")
        await node.published()
        await node.ledger.submit(add("ann", 6))
        await node.published()
    assert sequences(node.seen()) == {"ann": [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6]}


# -- writers that overlap --------------------------------------------------------------------------


class HeldInTheMiddle(CounterDomain):
    """A writing transaction that stays open as long as the test wants."""

    def __init__(self) -> None:
        self.entered, self.go = asyncio.Event(), asyncio.Event()

    async def save(self, connection: Any, decided: Sequence[Any]) -> None:
        await super().save(connection, decided)
        self.entered.set()
        await self.go.wait()


async def with_a_transaction_held_open(node: Node, url: str) -> None:
    """One writer has its id and its rows and does not commit while four others go on."""
    held = HeldInTheMiddle()
    async with running_counter(url, domain=held) as (_, slow), running(node.relay()):
        holding = asyncio.create_task(slow.submit(add("held", 1)))
        await asyncio.wait_for(held.entered.wait(), 10)
        await asyncio.gather(
            *(node.ledger.submit(add(f"c{n % 7}", 1, f"early {n}", day=n)) for n in range(200))
        )
        # The relay has had its chance to run past the one in flight.
        sent = asyncio.create_task(node.published())
        await asyncio.wait({sent}, timeout=1.0)
        held.go.set()
        assert isinstance(await holding, Accepted)
        await asyncio.gather(
            *(node.ledger.submit(add(f"c{n % 7}", 1, f"late {n}", day=n)) for n in range(200))
        )
        await sent
        await node.published()


async def test_a_transaction_held_open_loses_no_event(node: Node, database: str) -> None:
    await with_a_transaction_held_open(node, database)
    ids = await all_event_ids(node.database)
    assert len(ids) == 401
    assert_nothing_lost_or_disordered(node.seen(), ids)


async def test_a_cursor_that_runs_past_what_is_in_flight_loses_an_event(
    node: Node, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_COMMITTED", "true")
    await with_a_transaction_held_open(node, database)
    missing = await all_event_ids(node.database) - {one.event_id for one in node.seen()}
    assert missing


async def test_concurrent_writers_of_several_processes_keep_each_keys_order(
    node: Node, database: str
) -> None:
    async with (
        running_counter(database) as (_, two),
        running_counter(database) as (_, three),
        running(node.relay()),
    ):
        ledgers = (node.ledger, two, three)
        await asyncio.gather(
            *(
                ledgers[n % 3].submit(
                    move(f"g{n % 2}", f"c{n % 5}", f"c{(n + 1) % 5}", 0, f"m{n}")
                    if n % 4 == 0
                    else add(f"c{n % 5}", 1, f"a{n}", day=n)
                )
                for n in range(5, 605)
            )
        )
        await node.published()
    for topic in (TOTALS, GROUPS):
        assert_nothing_lost_or_disordered(
            node.seen(topic), await all_event_ids(node.database, topic)
        )


# -- the broker's log ------------------------------------------------------------------------------


async def test_keys_land_where_java_and_kafka_python_put_them(node: Node) -> None:
    keys = [f"key {n} 志愿".encode() for n in range(1000)]
    sender = Sender(node.bootstrap, node.name)
    records = [
        Record(TOTALS, key, b"{}", [("ce_sequence", b"1"), ("ce_id", b"x"), ("ce_type", b"t")], n)
        for n, key in enumerate(keys)
    ]
    await sender.send(records)  # type: ignore[arg-type]
    await asyncio.to_thread(sender.discard)
    found = {one.key.encode(): one.partition for one in node.seen()}
    assert found == {key: (murmur2(key) & 0x7FFFFFFF) % 3 for key in keys}


async def test_the_clients_own_default_puts_most_keys_elsewhere(node: Node) -> None:
    """So the partitioner must be named: this is what the test above would find without it."""
    keys = [f"key {n}".encode() for n in range(300)]
    producer = Producer({"bootstrap.servers": node.bootstrap})
    headers: Any = {"ce_sequence": b"1", "ce_id": b"x", "ce_type": b"t"}
    for key in keys:
        producer.produce(f"{node.name}.{TOTALS}", key=key, value=b"{}", headers=headers)
    assert await asyncio.to_thread(producer.flush, 10) == 0
    found = {one.key.encode(): one.partition for one in node.seen()}
    same = sum(found[key] == (murmur2(key) & 0x7FFFFFFF) % 3 for key in keys)
    assert same < 200


# -- who may publish -------------------------------------------------------------------------------


async def test_the_relay_refuses_another_cluster(node: Node) -> None:
    await node.database.pool.execute(
        "UPDATE node_incarnation SET system_identifier = system_identifier + 1"
    )
    with pytest.raises(Restored, match="another PostgreSQL cluster"):
        await asyncio.wait_for(node.relay().run(), 10)
    assert node.seen() == []


async def test_events_of_an_earlier_incarnation_count_as_finished(node: Node) -> None:
    """After a dump and restore the new cluster's ids are lower than those in the rows."""
    await node.ledger.submit(add("ann", 1))
    await node.database.pool.execute(
        "UPDATE event SET xid = '9000000000000'; UPDATE node_incarnation SET number = 2"
    )
    await node.ledger.submit(add("ann", 2))
    async with running(node.relay()):
        await node.published()
    assert sequences(node.seen()) == {"ann": [1, 2]}


async def test_a_relay_that_was_overtaken_moves_no_cursor_back(node: Node) -> None:
    relay: Relay = node.relay()
    for n in (1, 2):
        await node.ledger.submit(add("ann", n))
    async with node.database.pool.acquire() as connection:
        start = await store.cursor(connection)
        rows = await store.next_events(connection, start)
    after = store.point_of(rows[-1])
    await store.move_cursor(node.database, start, after, {}, {})
    with pytest.raises(store.Conflict):
        await store.move_cursor(node.database, start, store.point_of(rows[0]), {}, {})
    async with node.database.pool.acquire() as connection:
        assert await store.cursor(connection) == after
    assert relay is not None


# -- kill -9 ---------------------------------------------------------------------------------------


async def seen_count(node: Node) -> int:
    # In a thread: the witness must not hold up the writers.
    return len(await asyncio.to_thread(node.seen))


async def more_than(node: Node, before: int) -> bool:
    return await seen_count(node) > before


@pytest.mark.timeout(240)
async def test_kill_9_of_the_relay_at_random_moments_loses_nothing(
    node: Node, database: str, tmp_path: Path
) -> None:  # F1, F32
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    stopping = asyncio.Event()
    stopped = asyncio.create_task(stopping.wait())
    written = 0

    async def load(worker: int) -> None:
        nonlocal written
        n = 0
        while not stopping.is_set():
            key = f"w{worker}k{n % 5}"
            await node.ledger.submit(add(key, 1, f"{worker} {n}", day=n), request=request("x"))
            n += 1
            written += 1
            # Each writer about a hundred times a second; the two cores are others' too.
            await asyncio.wait({stopped}, timeout=0.01)

    kills = 0
    with Processes(tmp_path, {}) as processes:
        arguments = (database, node.bootstrap, node.name)
        for name in ("relay-1", "relay-2"):
            processes.start(name, "tests.support.relay_process", *arguments)
        writers = [asyncio.create_task(load(worker)) for worker in range(4)]
        await eventually(lambda: seen_count(node), "the first events arrive")
        while kills < 12:
            name = f"relay-{1 + kills % 2}"
            before = await seen_count(node)
            # The random moment.
            await asyncio.wait({stopped}, timeout=chance.uniform(0.0, 0.4))
            processes.kill(name)
            kills += 1
            processes.restart(name)
            await eventually(lambda before=before: more_than(node, before), "the other one goes on")
        stopping.set()
        await asyncio.gather(*writers)
        await node.published()
    seen, ids = node.seen(), await all_event_ids(node.database)
    assert len(ids) == written
    assert_nothing_lost_or_disordered(seen, ids)
    print(f"{kills} kills, {written} events, {len(seen) - len(ids)} repeats")


async def test_postgres_sessions_cut_under_the_relay_are_made_anew(node: Node) -> None:
    async with running(node.relay()):
        for n in range(1, 11):
            await node.ledger.submit(add("ann", n))
            connection = await asyncpg.connect(node.database.url)
            await connection.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()"""
            )
            await connection.close()
        await node.published()
    assert_nothing_lost_or_disordered(node.seen(), await all_event_ids(node.database))
