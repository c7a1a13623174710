"""How are messages delivered by the batch loop on confluent-kafka?

For bulk, replay and policies, and wherever rate or latency ask for it: wait for one message, then
drain what is there. It only delivers batches and takes commits; what becomes of a message is
``shared.reader``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition

from shared.envelope import full_name
from shared.reader.core import Core
from shared.reader.loop_client import settings, until_ended
from shared.reader.plan import Raw, Source

T = TypeVar("T")
POLL_SECONDS = 0.2


async def run_loop(core: Core, sources: Sequence[Source], group: str, stop: asyncio.Event) -> None:
    """Delivers until ``stop`` is set or the core wants the group joined again, then leaves it.

    The broker may be away. Raises ``KafkaException`` for what librdkafka cannot mend itself.
    """
    leave, node = core.seat(sources), core.log_view.node
    short = {full_name(node, source.topic): source.topic for source in sources}
    loop = asyncio.get_running_loop()
    consumer = Consumer(settings(core, group))
    # librdkafka blocks: everything it does happens in this one thread, its callbacks too.
    thread = ThreadPoolExecutor(1, thread_name_prefix=group)

    def apart(work: Callable[[], T]) -> asyncio.Future[T]:
        return loop.run_in_executor(thread, work)

    def assigned(_: Any, partitions: list[TopicPartition]) -> None:
        try:
            committed = consumer.committed(partitions, timeout=5.0)
        except KafkaException:
            committed = partitions  # only a hint: our own progress says where to begin
        places = {(short[p.topic], p.partition): p.offset for p in committed}
        starts = asyncio.run_coroutine_threadsafe(core.take_up(places), loop).result()
        consumer.assign([TopicPartition(full_name(node, topic), n, offset)
                         for (topic, n), offset in starts.items()])

    def revoked(_: Any, partitions: list[TopicPartition]) -> None:
        places = [(short[p.topic], p.partition) for p in partitions]
        # Closing may outlive our loop, and then nobody holds them any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(core.give_up, places)
        consumer.unassign()

    def tell(done: Sequence[Raw]) -> None:
        ours = {(short[p.topic], p.partition) for p in consumer.assignment()} if done else set()
        ends = {(raw.topic, raw.partition): raw.offset + 1 for raw in done}
        consumer.store_offsets(offsets=[TopicPartition(full_name(node, topic), n, end)
                                        for (topic, n), end in ends.items() if (topic, n) in ours])

    def fetch(done: Sequence[Raw]) -> list[Raw]:
        tell(done)
        limits, size = core.limits, 0
        found: list[Any] = []
        more = consumer.consume(1, timeout=POLL_SECONDS)
        while more:
            found += more
            size += sum(map(len, more))
            room = min(limits.batch_messages, limits.bulk_messages - len(found))
            more = consumer.consume(room, timeout=0) if room and size < limits.bulk_bytes else []
        return [
            Raw(short[m.topic()], m.partition(), m.offset(), m.key(), m.value(),
                tuple((name, value or b"") for name, value in m.headers() or ()))
            for m in found if m.error() is None
        ]

    consumer.subscribe(list(short), on_assign=assigned, on_revoke=revoked, on_lost=revoked)
    done: Sequence[Raw] = ()
    coming = apart(partial(fetch, done))
    try:
        while not stop.is_set() and not leave.is_set():
            batch = await coming
            # The next one is brought while this one is decided and written.
            coming = apart(partial(fetch, done))
            done = batch if batch and await core.handle(batch) else ()
    finally:
        await asyncio.gather(coming, return_exceptions=True)
        await apart(partial(tell, done))
        thread.shutdown(wait=False)
        await until_ended(consumer.close, core.limits.commit_seconds)
