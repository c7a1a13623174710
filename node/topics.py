"""Which topics does the node have, and how far is each service behind in what it reads?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from node.broker import brokers_of
from node.layout import DATABASE, Node
from node.members import server_of
from services.records.contract.topics import TOPICS as RECORDS
from services.registry.contract.topics import TOPICS as REGISTRY
from services.rewards.contract.topics import TOPICS as REWARDS
from services.transfer.contract.topics import TOPICS as TRANSFER
from shared.envelope import Topic, full_name
from shared.reader import dead_letters

REQUEST_MILLISECONDS = 10_000
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Behind:
    """How a service's database stands: messages not read yet, events not published yet.

    ``unread``: by topic, ``None`` where the broker does not say; ``…_seconds``: the age of the
    oldest, 0 where there is none; ``parked``: keys that wait, and how many messages they hold
    back; ``dead_letters``: what could not be read, ever; ``refused``: facts whose command a rule
    refused.
    """

    service: str
    unread: dict[str, int] | None
    unpublished: int
    unpublished_seconds: float
    parked_keys: int
    parked_messages: int
    parked_seconds: float
    dead_letters: int
    refused: int
    incarnation: int


def declared() -> dict[str, tuple[Topic, ...]]:
    """Every service's topics, as its ``contract/topics.py`` declares them."""
    owned = {"registry": REGISTRY, "records": RECORDS, "rewards": REWARDS, "transfer": TRANSFER}
    return {name: topics if any(topic.name == dead_letters(name) for topic in topics)
            else (*topics, _dead_letters(name)) for name, topics in owned.items()}


def _dead_letters(service: str) -> Topic:
    """What provisioning makes for every service, declared or not."""
    return Topic(name=dead_letters(service), public=False, partitions=1,
                 key="key of the record that could not be read",
                 description="What could not be read, with reason and position.")


def on_broker(node: Node) -> dict[str, dict[str, int]]:
    """The node's topics on its broker: short name → partitions, messages ever written."""
    prefix = f"{node.code}."
    consumer = KafkaConsumer(**brokers_of(node).kafka_python(),
                             request_timeout_ms=REQUEST_MILLISECONDS)
    try:
        found = {}
        for name in sorted(consumer.topics()):
            if name.startswith(prefix):
                parts = [TopicPartition(name, number)
                         for number in sorted(consumer.partitions_for_topic(name) or ())]
                ends = consumer.end_offsets(parts)
                found[name.removeprefix(prefix)] = {
                    "partitions": len(parts), "end": sum(ends.values())}
        return found
    finally:
        consumer.close()


def end_offsets(node: Node, wanted: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Where each (short topic, partition) ends now."""
    consumer = KafkaConsumer(**brokers_of(node).kafka_python(),
                             request_timeout_ms=REQUEST_MILLISECONDS)
    try:
        parts = {TopicPartition(full_name(node.code, topic), number): (topic, number)
                 for topic, number in wanted}
        return {parts[part]: end for part, end in consumer.end_offsets(list(parts)).items()}
    finally:
        consumer.close()


def broker_version(node: Node) -> str:
    """What the broker says it is; raises kafka-python's errors when it does not answer."""
    admin = KafkaAdminClient(**brokers_of(node).kafka_python(),
                             request_timeout_ms=REQUEST_MILLISECONDS)
    try:
        return str(admin.describe_cluster())
    finally:
        admin.close()


async def behind(node: Node, service: str, *, broker: bool = True) -> Behind:
    """How the service's schema stands. ``broker``: ask it too, where the logs end.

    Raises asyncpg's errors, ``OSError``, kafka-python's errors.
    """
    connection = await connect(server_of(node).url_of(DATABASE), service)
    try:
        progress = await connection.fetch(
            "SELECT topic, partition, next_offset FROM source_progress")
        parked = await connection.fetchrow(
            """SELECT count(DISTINCT (topic, key)) AS keys, count(*) AS messages, coalesce(extract(
                   epoch FROM clock_timestamp() - min(since)), 0)::float8 AS seconds
               FROM parked""")
        unpublished = await connection.fetchrow(
            """SELECT count(*) AS events, coalesce(extract(
                   epoch FROM clock_timestamp() - min(e.recorded_at)), 0)::float8 AS seconds
               FROM event AS e, relay_cursor AS c
               WHERE (e.incarnation, e.xid, e.position) > (c.incarnation, c.xid, c.position)
                 AND e.topic IS NOT NULL""")
        dead = await connection.fetchval("SELECT count(*) FROM event WHERE topic = $1",
                                         dead_letters(service))
        refused = await connection.fetchval("SELECT count(*) FROM refused_fact")
        incarnation = await connection.fetchval("SELECT number FROM node_incarnation")
    finally:
        await connection.close()
    unread = _unread(node, progress) if broker else None
    assert parked is not None and unpublished is not None, "aggregates always give a row"
    return Behind(service, unread, unpublished["events"], unpublished["seconds"],
                  parked["keys"], parked["messages"], parked["seconds"], dead, refused,
                  incarnation)


def _unread(node: Node, progress: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    ends = end_offsets(node, [(row["topic"], row["partition"]) for row in progress])
    unread: dict[str, int] = {}
    for row in progress:
        left = ends[(row["topic"], row["partition"])] - row["next_offset"]
        unread[row["topic"]] = unread.get(row["topic"], 0) + max(0, left)
    return unread


async def connect(url: str, service: str) -> asyncpg.Connection[Any]:
    """A connection to the service's schema in the PostgreSQL at ``url``."""
    return await asyncpg.connect(url, timeout=TIMEOUT_SECONDS, command_timeout=TIMEOUT_SECONDS,
                                 server_settings={"search_path": service})
