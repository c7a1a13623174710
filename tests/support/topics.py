"""How do tests make topics, and what does a witness see in them? kafka-python, not our own client.

The relay and the readers use other clients; so a mistake of theirs cannot hide in the witness.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from shared.envelope import Topic

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as the witness read it."""

    partition: int
    offset: int
    key: str
    sequence: int
    event_id: str
    type: str
    value: bytes


def make_topics(bootstrap: str, node: str, topics: Sequence[Topic], partitions: int = 3) -> None:
    """Creates the topics under the node's prefix."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics(
            [
                NewTopic(topic.on(node), num_partitions=partitions, replication_factor=1)
                for topic in topics
            ]
        )
        _until(admin, {topic.on(node) for topic in topics}, present=True)
    finally:
        admin.close()


def drop_topics(bootstrap: str, node: str, topics: Sequence[Topic]) -> None:
    """Deletes them, and returns when they are gone."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.delete_topics([topic.on(node) for topic in topics])
        _until(admin, {topic.on(node) for topic in topics}, present=False)
    finally:
        admin.close()


def _until(admin: KafkaAdminClient, names: set[str], *, present: bool) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        there = names & set(admin.list_topics())
        if there == (names if present else set()):
            return
        assert time.monotonic() < deadline, f"topics are still not as asked: {sorted(names)}"


def everything(bootstrap: str, name: str) -> list[Seen]:
    """All that stands in a topic now, partition by partition in the order of the log."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        numbers = consumer.partitions_for_topic(name) or set()
        partitions = [TopicPartition(name, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        seen: list[Seen] = []
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while any(consumer.position(one) < ends[one] for one in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                seen.extend(_seen(record) for record in records)
            assert time.monotonic() < deadline, f"could not read all of {name}"
        return sorted(seen, key=lambda one: (one.partition, one.offset))
    finally:
        consumer.close()


def _seen(record) -> Seen:  # type: ignore[no-untyped-def]
    headers = dict(record.headers)
    return Seen(
        partition=record.partition,
        offset=record.offset,
        key=record.key.decode(),
        sequence=int(headers["ce_sequence"]),
        event_id=headers["ce_id"].decode(),
        type=headers["ce_type"].decode(),
        value=record.value,
    )
