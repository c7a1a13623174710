"""Does every committed event reach Kafka, in its key's order, whatever happens meanwhile?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from shared.ledger import Ledger
from shared.postgres import Database
from shared.relay import Relay
from tests.support.counter import GROUPS, TOPICS, TOTALS, add, counter_service, move
from tests.support.infrastructure import eventually
from tests.support.topics import Seen, drop_topics, everything, make_topics

pytestmark = pytest.mark.broker


@dataclass(frozen=True, slots=True)
class Node:
    database: Database
    ledger: Ledger
    bootstrap: str
    name: str

    def relay(self) -> Relay:
        return Relay(self.database, self.bootstrap, node=self.name, service="counter")

    def seen(self, topic: str = TOTALS) -> list[Seen]:
        return everything(self.bootstrap, f"{self.name}.{topic}")

    async def published(self) -> None:
        await eventually(self.is_published, "all events are acknowledged")

    async def is_published(self) -> bool:
        return not await self.database.pool.fetchval(
            """SELECT count(*) FROM event AS e, relay_cursor AS c
               WHERE (e.incarnation, e.xid, e.position) > (c.incarnation, c.xid, c.position)"""
        ) and not await self.database.pool.fetchval("SELECT count(*) FROM relay_repair")


@pytest.fixture
async def node(database: str, kafka_bootstrap: str, node_name: str) -> AsyncIterator[Node]:
    make_topics(kafka_bootstrap, node_name, TOPICS)
    async with counter_service(database) as (opened, ledger):
        yield Node(opened, ledger, kafka_bootstrap, node_name)
    drop_topics(kafka_bootstrap, node_name, TOPICS)


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError), result


def sequences(seen: Iterable[Seen]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for one in seen:
        found.setdefault(one.key, []).append(one.sequence)
    return found


def in_order_from_the_last_gap(numbers: list[int]) -> list[int]:
    """What a reader that passes repeats takes: each number once, when it is the next."""
    taken: list[int] = []
    for number in numbers:
        if number == len(taken) + 1:
            taken.append(number)
    return taken


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


async def test_a_topic_made_anew_is_published_again(node: Node) -> None:  # F31, B46
    async with running(node.relay()):
        for n in range(1, 21):
            await node.ledger.submit(add(f"c{n % 3}", n))
        await node.published()
    before = {one.event_id for one in node.seen()}
    drop_topics(node.bootstrap, node.name, TOPICS)
    make_topics(node.bootstrap, node.name, TOPICS)
    async with running(node.relay()):
        await node.ledger.submit(add("c0", 100))
        await eventually(lambda: len(node.seen()) >= 21, "everything stands in the new topic")
        await node.published()
    seen = node.seen()
    assert before < {one.event_id for one in seen}
    assert all(
        in_order_from_the_last_gap(numbers) == list(range(1, max(numbers) + 1))
        for numbers in sequences(seen).values()
    )
