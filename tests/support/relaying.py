"""What do the relay's tests share? A counter whose topics stand on the broker, and its witness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shared.ledger import Ledger
from shared.postgres import Database
from shared.relay import Relay
from tests.support.counter import TOPICS, TOTALS, counter_service
from tests.support.infrastructure import eventually
from tests.support.topics import Seen, drop_topics, everything, make_topics


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


@asynccontextmanager
async def counter_node(url: str, bootstrap: str, name: str) -> AsyncIterator[Node]:
    """The counter on a fresh schema, its topics made, and dropped afterwards."""
    make_topics(bootstrap, name, TOPICS)
    async with counter_service(url) as (opened, ledger):
        yield Node(opened, ledger, bootstrap, name)
    drop_topics(bootstrap, name, TOPICS)


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


async def all_event_ids(database: Database, topic: str = TOTALS) -> set[str]:
    """The ids of the events that the ledger holds for a topic."""
    rows = await database.pool.fetch("SELECT event_id FROM event WHERE topic = $1", topic)
    return {str(row["event_id"]) for row in rows}


def assert_nothing_lost_or_disordered(seen: list[Seen], ids: set[str]) -> None:
    """Every event stands there; without its repeats each key counts from 1, one by one."""
    assert {one.event_id for one in seen} == ids
    for key, numbers in sequences(seen).items():
        first = list(dict.fromkeys(numbers))
        assert first == list(range(1, len(first) + 1)), f"{key} is out of order"
