"""How are messages delivered by Faust agents?

For live traffic: raw bytes, one batch at a time, nothing of Faust's tables, web server or leader.
This adapter only delivers batches and takes commits; what becomes of a message is
``shared.reader``'s. Faust acknowledges whatever left its buffer, also what a rebalance cut off:
therefore reading begins where the database says, not where the group does.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import Any

import faust
from faust.contrib.asgi import faust_app_running
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from yarl import URL

from shared.envelope import full_name, short_name
from shared.reader.core import Core
from shared.reader.plan import Raw, Source

TAKE_WITHIN_SECONDS = 0.005


async def run_faust(
    core: Core, sources: Sequence[Source], group: str, bootstrap: str, node: str,
    stop: asyncio.Event,
) -> None:
    """Delivers until ``stop`` is set or the core wants the group joined again, then leaves it.

    The broker may be away at any time. Raises what crashed Faust.
    """
    leave = core.seat(sources)
    with tempfile.TemporaryDirectory(prefix="jiexu-faust-") as directory:
        app = _app(core, group, bootstrap, directory)
        app.transport = _transport(app, core, node)
        for source in sources:
            topic = app.topic(full_name(node, source.topic), value_serializer="raw",
                              key_serializer="raw", value_type=bytes, key_type=bytes)
            app.agent(topic, concurrency=1, name=source.topic)(_agent(core, source.topic))

        async def revoked(_: Any, partitions: set[TP], **__: Any) -> None:
            core.give_up([(short_name(node, tp.topic), tp.partition) for tp in partitions])

        app.on_partitions_revoked.connect(revoked, weak=False)
        async with faust_app_running(app):
            ends = [asyncio.ensure_future(each.wait()) for each in (stop, leave, app._crashed)]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
        if app.crash_reason is not None and not stop.is_set():
            raise app.crash_reason


def _agent(core: Core, topic: str) -> Callable[[Any], Awaitable[None]]:
    async def deliver(stream: Any) -> None:
        batches: AsyncIterable[Sequence[Any]] = stream.take_events(
            core.limits.batch_messages, within=TAKE_WITHIN_SECONDS)
        async for events in batches:
            await core.handle([
                Raw(topic, m.partition, m.offset, m.key, m.value,
                    tuple((name, value or b"") for name, value in m.headers or ()))
                for m in (event.message for event in events)
            ])

    return deliver


def _transport(app: Any, core: Core, node: str) -> Any:
    class Consumer(driver.Consumer):
        """Begins where the core says whenever Faust looks up where the group stands."""

        # Else mode would name it after our module, and its lines would count as ours.
        logger = logging.getLogger("faust")

        async def seek_to_committed(self) -> Mapping[TP, int]:
            committed = await super().seek_to_committed()
            tps = {(short_name(node, tp.topic), tp.partition): tp for tp in committed}
            starts = await core.take_up({place: committed[tp] for place, tp in tps.items()})
            found = {tps[place]: offset for place, offset in starts.items()}
            await self.seek_wait(found)
            return found

    class Transport(driver.Transport):
        pass

    Transport.Consumer = Consumer
    return Transport(app.conf.broker_consumer, app)


def _app(core: Core, group: str, bootstrap: str, directory: str) -> Any:
    return faust.App(
        group, broker=[URL(f"kafka://{server}") for server in bootstrap.split(",")],
        autodiscover=False, datadir=directory, store="memory://", web_enabled=False,
        processing_guarantee="at_least_once", stream_wait_empty=False,
        topic_allow_declare=False, topic_disable_leader=True,
        broker_commit_every=500, broker_commit_interval=1.0,
        broker_session_timeout=core.limits.session_timeout_seconds,
        broker_heartbeat_interval=core.limits.heartbeat_seconds,
        consumer_auto_offset_reset="earliest", consumer_metadata_max_age_ms=5000,
    )
