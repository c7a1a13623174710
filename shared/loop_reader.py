"""How are messages delivered by the batch loop on confluent-kafka?

For bulk, replay and policies, and wherever rate or latency ask for it: take one message, then
drain what is there without waiting. This adapter only delivers batches and takes commits; what
becomes of a message is ``shared.reader``'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from shared.envelope import full_name, short_name
from shared.reader.core import Core
from shared.reader.plan import Raw, Source

T = TypeVar("T")
POLL_SECONDS = 0.2


async def run_loop(core: Core, sources: Sequence[Source], group: str, stop: asyncio.Event) -> None:
    """Delivers until ``stop`` is set or the core wants the group joined again, then leaves it.

    The broker may be away. Raises ``KafkaException`` for what librdkafka cannot mend itself.
    """
    leave, node = core.seat(sources), core.log_view.node
    loop = asyncio.get_running_loop()
    consumer = Consumer(_settings(core, group))
    # librdkafka blocks: everything it does happens in this one thread, its callbacks too.
    thread = ThreadPoolExecutor(1, thread_name_prefix=group)

    def apart(work: Callable[[], T]) -> Awaitable[T]:
        return loop.run_in_executor(thread, work)

    def assigned(_: Any, partitions: list[TopicPartition]) -> None:
        try:
            committed = consumer.committed(partitions, timeout=5.0)
        except KafkaException:
            committed = partitions  # only a hint: our own progress says where to begin
        places = {(short_name(node, p.topic), p.partition): p.offset for p in committed}
        starts = asyncio.run_coroutine_threadsafe(core.take_up(places), loop).result()
        consumer.assign([TopicPartition(full_name(node, topic), n, offset)
                         for (topic, n), offset in starts.items()])

    def revoked(_: Any, partitions: list[TopicPartition]) -> None:
        places = [(short_name(node, p.topic), p.partition) for p in partitions]
        loop.call_soon_threadsafe(core.give_up, places)
        consumer.unassign()

    def fetch() -> list[Raw]:
        first = consumer.poll(POLL_SECONDS)
        if first is None:
            return []
        rest: list[Any] = consumer.consume(core.limits.batch_messages - 1, timeout=0)
        return [
            Raw(short_name(node, m.topic()), m.partition(), m.offset(), m.key(), m.value(),
                tuple((name, value or b"") for name, value in m.headers() or ()))
            for m in (first, *rest) if m.error() is None
        ]

    consumer.subscribe([full_name(node, source.topic) for source in sources],
                       on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    try:
        while not stop.is_set() and not leave.is_set():
            batch = await apart(fetch)
            if batch and await core.handle(batch):
                ends = {(raw.topic, raw.partition): raw.offset + 1 for raw in batch}
                consumer.store_offsets(offsets=[
                    TopicPartition(full_name(node, topic), n, end)
                    for (topic, n), end in ends.items() if (topic, n) in core.held
                ])
    finally:
        await apart(consumer.close)
        thread.shutdown(wait=False)


def _settings(core: Core, group: str) -> dict[str, Any]:
    return {
        **core.log_view.broker.confluent(),
        "group.id": group,
        "partition.assignment.strategy": "roundrobin",
        "session.timeout.ms": int(core.limits.session_timeout_seconds * 1000),
        "heartbeat.interval.ms": int(core.limits.heartbeat_seconds * 1000),
        "max.poll.interval.ms": 300_000,
        # Stored when a batch is committed, sent every second and when partitions are given up.
        "enable.auto.offset.store": False,
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 1000,
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        # A topic that is provisioned after we started is found within this time.
        "topic.metadata.refresh.interval.ms": int(core.limits.look_seconds * 1000),
        "reconnect.backoff.max.ms": 1000,
        "log_level": 2,
    }
