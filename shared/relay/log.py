"""What stands in our own topics, and how is a batch of events put there?"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from shared.access import Bootstrap, Broker
from shared.envelope import Headers, full_name, short_name
from shared.messages import Unavailable

Place = tuple[str, int]  # short topic name, partition

DELIVERY_SECONDS: Final = 10.0
# What makes a delivery a promise: on every replica in sync, once, in order.
DURABLE: Final = {"enable.idempotence": True, "acks": "all"}
STANDSTILL_SECONDS: Final = 20.0
PAGE_MESSAGES: Final = 2000
# A fatal error (the broker's log had lost its end: out of order sequence) is raised by the client
# in front of the delivery callbacks, which turns it into a SystemError.
_FAILURES: Final = (KafkaException, BufferError, SystemError)


@dataclass(frozen=True, slots=True)
class Record:
    """One event as it goes to the broker; ``topic`` is the short name."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    event_id: UUID


@dataclass(slots=True)
class Delivered:
    """What one batch left in one partition: its first and last offset, and the event there."""

    first: int
    last: int
    event_id: UUID


@dataclass(frozen=True, slots=True)
class Standing:
    """A message of ours as it stands in the log."""

    place: Place
    offset: int
    key: str
    sequence: int
    event_id: UUID


class Sender:
    """An idempotent producer that is thrown away at the first message it could not deliver.

    Messages of a batch that failed are not tried again behind our back: between two tries the
    log is looked at, for it may have lost its tail.
    """

    def __init__(self, bootstrap: Bootstrap, node: str) -> None:
        self._broker = Broker.of(bootstrap)
        self._node = node
        self._producer: Producer | None = None
        # A connection was lost since this was last set to False.
        self.disturbed = False

    async def send(self, records: Sequence[Record]) -> dict[Place, Delivered]:
        """Returns when all are acknowledged by all replicas; else raises ``Unavailable``."""
        return await asyncio.to_thread(self._send, records)

    def listen(self) -> None:
        """Lets the client tell what it noticed; never waits."""
        if self._producer is not None:
            try:
                self._producer.poll(0)
            except _FAILURES:
                self.disturbed = True
                self.discard()

    def discard(self) -> None:
        """Throws the producer away with all that it has not delivered."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # What it still has to say was said by the first failure.
            with contextlib.suppress(*_FAILURES):
                producer.purge(in_queue=True, in_flight=True, blocking=True)
                producer.flush(0)

    def _send(self, records: Sequence[Record]) -> dict[Place, Delivered]:
        producer = self._producer = self._producer or self._make()
        delivered: dict[Place, Delivered] = {}
        failures: list[str] = []

        def told(record: Record, error: KafkaError | None, message: Any) -> None:
            if error is not None:
                failures.append(error.name())
                return
            place = (record.topic, message.partition())
            offset = message.offset()
            known = delivered.get(place)
            if known is None:
                delivered[place] = Delivered(offset, offset, record.event_id)
            else:
                known.first = min(known.first, offset)
                if offset > known.last:
                    known.last, known.event_id = offset, record.event_id

        try:
            for record in records:
                producer.produce(
                    full_name(self._node, record.topic),
                    value=record.value,
                    key=record.key,
                    headers=list[tuple[str, str | bytes | None]](record.headers),
                    on_delivery=partial(told, record),
                )
            left = producer.flush(DELIVERY_SECONDS + 2)
        except _FAILURES as error:
            self.discard()
            raise Unavailable(f"the broker takes nothing ({type(error).__name__})") from error
        if failures or left:
            self.discard()
            raise Unavailable(f"the broker takes nothing ({failures[0] if failures else 'late'})")
        return delivered

    def _make(self) -> Producer:
        return Producer(
            {
                **self._broker.confluent(),
                "client.id": "jiexu-relay",
                **DURABLE,
                # As Java, kafka-python and Debezium place keys; the default is CRC32.
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "batch.size": 262_144,
                "compression.type": "none",
                "message.timeout.ms": int(DELIVERY_SECONDS * 1000),
                "queue.buffering.max.messages": 100_000,
                "reconnect.backoff.max.ms": 1000,
                "topic.metadata.propagation.max.ms": 2000,
                "log_level": 2,
                "error_cb": self._noticed,
            }
        )

    def _noticed(self, error: KafkaError) -> None:
        self.disturbed = True


async def read_spans(
    bootstrap: Bootstrap, node: str, spans: Mapping[Place, tuple[int, int]]
) -> AsyncIterator[list[Standing]]:
    """Our messages from the first offset to before the second, in pages of at most 2,000.

    Messages without our headers (nobody else should write here) are passed over. Raises
    ``Unavailable`` when the broker gives nothing for 20 s.
    """
    left = {place: end for place, (start, end) in spans.items() if start < end}
    if not left:
        return
    # Of the name's first part, the service: what a broker lets this principal read.
    group = full_name(node, f"{next(iter(left))[0].partition('.')[0]}.own-topics")
    consumer = await asyncio.to_thread(_consumer, Broker.of(bootstrap), group)
    try:
        consumer.assign(
            [
                TopicPartition(full_name(node, topic), partition, spans[topic, partition][0])
                for topic, partition in left
            ]
        )
        moved = time.monotonic()
        while left:
            messages = await asyncio.to_thread(consumer.consume, PAGE_MESSAGES, 0.2)
            page: list[Standing] = []
            for message in messages:
                _take(node, message, left, page)
            if page:
                yield page
            if messages:
                moved = time.monotonic()
            elif time.monotonic() - moved > STANDSTILL_SECONDS:
                raise Unavailable("the broker gives nothing of our own topics")
    finally:
        await asyncio.to_thread(consumer.close)


def _take(node: str, message: Any, left: dict[Place, int], page: list[Standing]) -> None:
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise Unavailable("the log does not hold the offset asked for")
        return
    place = (short_name(node, message.topic()), message.partition())
    if place not in left:
        return
    if error is not None:
        del left[place]
        return
    standing = _standing(place, message)
    if message.offset() < left[place] and standing is not None:
        page.append(standing)
    if message.offset() + 1 >= left[place]:
        del left[place]


def _standing(place: Place, message: Any) -> Standing | None:
    headers = dict(message.headers() or ())
    try:
        return Standing(
            place,
            message.offset(),
            message.key().decode("utf-8"),
            int(headers["ce_sequence"]),
            UUID(headers["ce_id"].decode("ascii")),
        )
    except (KeyError, ValueError, AttributeError):
        return None


def _consumer(broker: Broker, group: str) -> Consumer:
    return Consumer(
        {
            **broker.confluent(),
            "client.id": "jiexu-own-topics",
            # Never joined: partitions are assigned by hand and nothing is committed.
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "isolation.level": "read_uncommitted",
            "fetch.wait.max.ms": 50,
            "reconnect.backoff.max.ms": 1000,
            "log_level": 2,
        }
    )
