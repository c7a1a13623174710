"""With which settings does the batch loop's client of librdkafka read, and how does it end?"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any

from shared.reader.core import Core


def settings(core: Core, group: str) -> dict[str, Any]:
    """For ``confluent_kafka.Consumer``; times in milliseconds."""
    return {
        **core.log_view.broker.confluent(),
        "group.id": group,
        "partition.assignment.strategy": "roundrobin",
        "session.timeout.ms": int(core.limits.session_timeout_seconds * 1000),
        "heartbeat.interval.ms": int(core.limits.heartbeat_seconds * 1000),
        "max.poll.interval.ms": 300_000,
        # What is fetched ahead; sixteen times as much were no faster and stayed in memory, half
        # as much was slower.
        "queued.max.messages.kbytes": 4 * 1024,
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


async def until_ended(close: Callable[[], None], seconds: float) -> None:
    """Runs ``close`` in a thread of its own and waits so long for it; the process may end sooner.

    Closed while the commit of offsets, a hint only, is on its way to a broker that has gone,
    librdkafka waits until that broker is back (its issue 3740). What ``close`` raises is raised.
    """
    ended: Future[None] = Future()
    ended.set_running_or_notify_cancel()

    def run() -> None:
        try:
            close()
        except Exception as problem:  # noqa: BLE001 - raised where it is waited for
            ended.set_exception(problem)
        else:
            ended.set_result(None)

    Thread(target=run, daemon=True, name="consumer closes").start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.wrap_future(ended)
