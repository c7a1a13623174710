"""What does a reader's test put on a topic, and how does it look at what became of it?

The messages are the counter's additions (``tests.support.counter``), made by hand, so that a test
may leave out, repeat or spoil what it likes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from confluent_kafka import Producer

from shared.envelope import Topic, encode_headers, full_name
from shared.reader import Raw
from shared.roles.topics import create_topics
from tests.support.counter import NAMESPACE, NOON, TOTALS
from tests.support.infrastructure import eventually

# Additions of a counter that fit into one day of it (DAY_LIMIT is 600).
PER_DAY = 500


def added(
    counter: str,
    sequence: int,
    amount: int = 1,
    *,
    offset: int | None = None,
    partition: int = 0,
    topic: str = TOTALS,
    type: str = "counter.added.v1",
    **data: Any,
) -> Raw:
    """The ``sequence``-th addition of a counter, as a record; the offset is by default what it
    would be on a partition of this counter alone."""
    return Raw(
        topic=topic,
        partition=partition,
        offset=sequence - 1 if offset is None else offset,
        key=counter.encode(),
        value=json.dumps(
            {"counter": counter, "amount": amount, "day": 1 + sequence // PER_DAY, **data}
        ).encode(),
        headers=tuple(
            encode_headers(
                source="/nodes/test/counter",
                event_id=event_id(counter, sequence),
                type=type,
                subject=counter,
                time=NOON,
                sequence=sequence,
            )
        ),
    )


def event_id(counter: str, sequence: int) -> UUID:
    """The id of that addition's event."""
    return uuid5(NAMESPACE, f"{counter} {sequence}")


def at(records: Iterable[Raw], first: int = 0) -> list[Raw]:
    """The records one after another on their partition, from offset ``first``."""
    return [replace(record, offset=first + n) for n, record in enumerate(records)]


def spoilt(record: Raw, value: bytes | None = b"{") -> Raw:
    """The same record with another value."""
    return replace(record, value=value)


def publish(bootstrap: str, node: str, records: Sequence[Raw]) -> None:
    """Puts records on the broker, placed by their keys as the relay places them."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 5,
         "enable.idempotence": True}
    )
    failures: list[str] = []
    for record in records:
        producer.produce(
            full_name(node, record.topic),
            key=record.key,
            value=record.value,
            headers=list(record.headers),
            on_delivery=lambda error, _: failures.append(str(error)) if error else None,
        )
        producer.poll(0)
    left = producer.flush(30)
    assert not left and not failures, f"{left} not sent, {failures[:3]}"


def make_topics(bootstrap: str, node: str, *names: str, partitions: int = 4) -> None:
    """Creates topics of the node."""
    create_topics(
        bootstrap,
        node,
        [Topic(name=name, key="key", public=True, description=name, partitions=partitions)
         for name in names],
    )


async def rows(database: str, query: str, *arguments: Any, schema: str = "counter") -> list[Any]:
    """What a query of a counter's schema gives."""
    connection = await asyncpg.connect(database, server_settings={"search_path": schema})
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


async def totals(database: str, schema: str = "counter") -> dict[str, int]:
    """The total of every copied counter, by the counter's own name."""
    found = await rows(
        database,
        "SELECT id, (state->>'total')::int AS total FROM aggregate WHERE id LIKE 'copy-%'",
        schema=schema,
    )
    return {row["id"].removeprefix("copy-"): row["total"] for row in found}


async def additions(database: str, schema: str = "counter") -> int:
    """How many additions were written, repeats included if there were any."""
    return int((await rows(database, "SELECT count(*) FROM addition", schema=schema))[0][0])


async def all_added(
    database: str, wanted: int, schema: str = "counter", seconds: float = 30
) -> None:
    """Waits until so many additions stand; more would fail where they are counted."""

    async def enough() -> bool:
        return await additions(database, schema) >= wanted

    await eventually(enough, f"{wanted} additions in {schema}", seconds=seconds, every=0.1)
