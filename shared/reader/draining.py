"""When is a parked key tried again?

After 1, 2, 4 … 60 s, at once when its gap closes, and when ``redrive`` asks for it. The messages of
a key are taken in the order of their sequence, by the reader that holds its partition.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Sequence
from typing import Final

from shared.messages import Unavailable
from shared.postgres import Connection
from shared.reader import store
from shared.reader.core import Core
from shared.reader.plan import DEFECT

ALARM_EVERY_SECONDS: Final = 60.0


async def redrive(
    connection: Connection, topic: str | None = None, key: str | None = None
) -> int:
    """Makes parked keys due now, all or those of a topic or key; returns how many messages wait.

    The running reader drains them within its next tick; where none runs, the next one does. What
    still cannot be done stays parked, so it may be asked again at any time. ``connection`` has the
    service's schema as its search path.
    """
    waiting: int = await connection.fetchval(
        """
        WITH head AS (
            SELECT DISTINCT ON (topic, key) topic, key, sequence FROM parked
            WHERE ($1::text IS NULL OR topic = $1) AND ($2::text IS NULL OR key = $2)
            ORDER BY topic, key, sequence
        ), due AS (
            UPDATE parked AS t SET due_at = now() FROM head
            WHERE t.topic = head.topic AND t.key = head.key AND t.sequence = head.sequence
        )
        SELECT count(*) FROM parked
        WHERE ($1::text IS NULL OR topic = $1) AND ($2::text IS NULL OR key = $2)
        """,
        topic,
        key,
    )
    return waiting


async def forget_cut(connection: Connection, topics: Collection[str]) -> int:
    """Lets a reader go on that stopped because a log was cut before it had read it.

    For when the topic's service publishes it again: those partitions are read from the beginning
    of their logs, and sequences tell what is new. Partitions that nothing is missing of are left
    alone. Returns how many were cut. ``connection`` has the reading service's schema as its path.
    """
    done = await connection.execute(
        "DELETE FROM source_progress WHERE cut AND topic = ANY ($1::text[])", list(topics)
    )
    return int(done.rpartition(" ")[2])


class Drain:
    """Drains the parked keys of the partitions that a reader holds."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._alarmed_at = float("-inf")

    async def run(self) -> None:
        """For ever, or until the reader closes."""
        core = self._core
        pause = core.limits.first_pause_seconds
        while not core.closing:
            try:
                await self.once()
            except Unavailable as problem:
                pause = await core.wait_out("parked", problem, pause)
                continue
            except Exception as problem:
                core.unforeseen(problem)
                raise
            core.troubles.pop("parked", None)
            pause = core.limits.first_pause_seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(core.limits.tick_seconds):
                    await core.wake.wait()
            core.wake.clear()

    async def once(self) -> None:
        """One look at what is due, and one try of each such key."""
        core = self._core
        places = sorted(core.held)
        if not places:
            return
        async with store.reading(core.database) as connection:
            rows, seconds = await store.parked_size(connection, places)
            ready = await store.due(connection, places, core.limits.drain_keys) if rows else []
        core.parked_rows = rows
        core.metrics.parked(rows, seconds)
        self._alarm(rows, seconds)
        topics: dict[str, list[str]] = {}
        for topic, key in ready:
            topics.setdefault(topic, []).append(key)
        for topic, keys in topics.items():
            async with core.locks[topic]:
                await self._try(topic, keys)
        if len(ready) == core.limits.drain_keys:
            core.wake.set()
        await self._look_for_mended()

    async def _try(self, topic: str, keys: Sequence[str]) -> None:
        core = self._core
        async with store.reading(core.database) as connection:
            rows = await store.parked(connection, topic, keys, core.limits.drain_rows)
        # What has had its five tries is dead-lettered already: it gets one at a time now.
        tried = {raw.position: DEFECT for raw, reason in rows if reason.startswith(DEFECT)}
        await core.settle(core.sources[topic], [raw for raw, _ in rows], frozenset(keys), tried)

    def _alarm(self, rows: int, seconds: float) -> None:
        now = time.monotonic()
        overdue = seconds > self._core.limits.parked_alarm_seconds
        if overdue and now - self._alarmed_at > ALARM_EVERY_SECONDS:
            self._alarmed_at = now
            self._core.log.error("keys are parked for long", rows=rows, seconds=round(seconds))

    async def _look_for_mended(self) -> None:
        """Goes on where somebody had a cut partition forgotten."""
        core = self._core
        for place in list(core.cut):
            async with store.reading(core.database) as connection:
                stood = await store.progress(connection, place[0], [place[1]])
            if not stood:
                del core.cut[place]
                core.leave(place[0], f"partition {place[1]} is read from its beginning")
