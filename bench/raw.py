"""How fast is Kafka by itself, through the same client with the same settings?"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from shared.relay.log import Record

PARTITIONS = 8
FLUSH_SECONDS = 60.0


def producer(bootstrap: str, *, linger_ms: int = 5) -> Producer:
    """As the relay's: idempotent, ``acks=all``, the same batches."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "batch.size": 262_144,
            "compression.type": "none",
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 2,
        }
    )


def make_topic(bootstrap: str, name: str, partitions: int = PARTITIONS) -> None:
    """A new topic."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    for future in admin.create_topics([NewTopic(name, partitions, 1)]).values():
        future.result(30)


def size(bootstrap: str, name: str) -> int:
    """How many records a topic holds, that nothing was deleted from."""
    consumer = _consumer(bootstrap)
    try:
        partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
        return sum(
            consumer.get_watermark_offsets(TopicPartition(name, n), timeout=10)[1]
            for n in partitions
        )
    finally:
        consumer.close()


def produce(bootstrap: str, topic: str, records: Sequence[Record]) -> float:
    """Seconds until all of them are acknowledged."""
    sending = producer(bootstrap)
    failures: list[Any] = []

    def told(error: KafkaError | None, _: Any) -> None:
        if error is not None:
            failures.append(error)

    begun = time.perf_counter()
    for record in records:
        sending.produce(
            topic,
            value=record.value,
            key=record.key,
            headers=list(record.headers),
            on_delivery=told,
        )
        sending.poll(0)
    left = sending.flush(FLUSH_SECONDS)
    seconds = time.perf_counter() - begun
    assert not failures and not left, f"{len(failures)} failed, {left} were not delivered"
    return seconds


def consume(bootstrap: str, topic: str, count: int) -> float:
    """Records a second from the first to the last of so many, headers and values touched."""
    consumer = _consumer(bootstrap)
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, n, 0) for n in partitions])
        seen = octets = 0
        begun = None
        while seen < count:
            for message in consumer.consume(2000, 0.1):
                assert message.error() is None, message.error()
                octets += len(message.value() or b"") + len(message.headers() or ())
                seen += 1
            if begun is None and seen:
                begun, first = time.perf_counter(), seen
        assert begun is not None and octets
        return (seen - first) / (time.perf_counter() - begun)
    finally:
        consumer.close()


def everything(bootstrap: str, topic: str) -> list[Record]:
    """All records of a topic, partition by partition, as they can be produced again."""
    count = size(bootstrap, topic)
    consumer = _consumer(bootstrap)
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, n, 0) for n in partitions])
        found: list[Record] = []
        while len(found) < count:
            found += [_record(topic, one) for one in consumer.consume(1000, 0.2)]
        return found
    finally:
        consumer.close()


def _record(topic: str, message: Any) -> Record:
    return Record(topic, message.key(), message.value(), message.headers() or [], UUID(int=0))


def count_committed(bootstrap: str, topic: str) -> int:
    """How many records a reader sees that takes committed ones alone."""
    consumer = _consumer(
        bootstrap, {"isolation.level": "read_committed", "enable.partition.eof": True}
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, n, 0) for n in partitions])
        seen = 0
        at_end: set[int | None] = set()
        while len(at_end) < len(partitions):
            for message in consumer.consume(2000, 0.2):
                if message.error() is None:
                    seen += 1
                else:
                    at_end.add(message.partition())
        return seen
    finally:
        consumer.close()


def round_trips(bootstrap: str, topic: str, rate: float, seconds: float) -> list[float]:
    """Milliseconds from produce to consume of one small message at a time, so many a second."""
    consumer = _consumer(bootstrap)
    consumer.assign([TopicPartition(topic, n, 0) for n in range(PARTITIONS)])
    total = round(rate * seconds)
    seen: list[float] = []

    def listen() -> None:
        while len(seen) < total:
            message = consumer.poll(5.0)
            if message is None:
                return
            sent = float(message.value() or b"")
            seen.append(1000 * (time.perf_counter() - sent))

    listener = threading.Thread(target=listen)
    listener.start()
    sending = producer(bootstrap, linger_ms=0)
    begun = time.perf_counter()
    for n in range(total):
        due = begun + n / rate
        while (left := due - time.perf_counter()) > 0:
            sending.poll(min(left, 0.002))
        sending.produce(topic, value=repr(due).encode(), key=str(n).encode())
        sending.poll(0)
    sending.flush(FLUSH_SECONDS)
    listener.join()
    consumer.close()
    assert len(seen) == total, f"{len(seen)} of {total} messages came back"
    return seen


def _consumer(bootstrap: str, more: Mapping[str, Any] | None = None) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "bench-raw",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "log_level": 2,
            **(more or {}),
        }
    )
