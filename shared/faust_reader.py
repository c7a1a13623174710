"""How are messages delivered by Faust agents?

For live traffic: raw bytes, one batch at a time, nothing of Faust's tables, web server or leader.
This adapter only delivers batches and acknowledges what is done; what becomes of a message is
``shared.reader``'s. Reading begins where the database says, not where the group does.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import faust
from faust.contrib.asgi import faust_app_running
from faust.types import TP

from shared.envelope import full_name, short_name
from shared.reader.core import Core
from shared.reader.faust_client import transport
from shared.reader.plan import Raw, Source


async def run_faust(core: Core, sources: Sequence[Source], group: str, stop: asyncio.Event) -> None:
    """Delivers until ``stop`` is set or the core wants the group joined again, then leaves it.

    The broker may be away at any time. Raises what crashed Faust.
    """
    leave, node = core.seat(sources), core.log_view.node
    with tempfile.TemporaryDirectory(prefix="jiexu-faust-") as directory:
        app = _app(core, group, directory)
        app.transport = transport(app, core)
        for source in sources:
            topic = app.topic(full_name(node, source.topic), key_type=bytes, key_serializer="raw",
                              value_type=bytes, value_serializer="raw")
            app.agent(topic, concurrency=1, name=source.topic)(_agent(core, source.topic))

        async def revoked(_: Any, partitions: set[TP], **__: Any) -> None:
            core.give_up([(short_name(node, tp.topic), tp.partition) for tp in partitions])

        app.on_partitions_revoked.connect(revoked, weak=False)
        try:
            async with faust_app_running(app):
                await app.wait_first(stop.wait(), leave.wait())
        finally:
            # All apps of a process share their signals, told apart by address: the next app at
            # this one's address would call us too.
            app.on_partitions_revoked.disconnect(revoked)
        if app.crash_reason is not None and not stop.is_set():
            raise app.crash_reason


def _agent(core: Core, topic: str) -> Callable[[Any], Awaitable[None]]:
    async def deliver(stream: Any) -> None:
        events = stream.noack()
        arrived: list[Any] = []
        async for event in events.events():
            arrived.append(event)
            # What is there travels together. Faust's own take() would wake 200 times a second to
            # look for more, busy or not.
            if len(arrived) < core.limits.batch_messages and not events.channel.queue.empty():
                continue
            if not await core.handle([_raw(topic, one.message) for one in arrived]):
                # To go on would acknowledge it; Faust cancels us when it stops.
                await asyncio.Event().wait()
            for one in arrived:
                await events.ack(one)
            arrived.clear()

    return deliver


def _raw(topic: str, m: Any) -> Raw:
    headers = tuple((name, value or b"") for name, value in m.headers or ())
    return Raw(topic, m.partition, m.offset, m.key, m.value, headers)


def _app(core: Core, group: str, directory: str) -> Any:
    limits = core.limits
    return faust.App(
        group, **core.log_view.broker.faust(),
        autodiscover=False, datadir=directory, store="memory://", web_enabled=False,
        processing_guarantee="at_least_once", stream_wait_empty=False, topic_allow_declare=False,
        topic_disable_leader=True, broker_commit_every=500, broker_commit_interval=1.0,
        broker_session_timeout=limits.session_timeout_seconds,
        broker_heartbeat_interval=limits.heartbeat_seconds, consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=int(limits.look_seconds * 1000),
    )
