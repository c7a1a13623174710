"""How does a commit wake who waits for it? By NOTIFY, which may be lost: waiters poll too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from shared.postgres.database import Database, is_outage


class Wakes:
    """The wakes heard on one schema's channel since they were last waited for, by payload."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}
        self.listener: asyncio.Task[None] | None = None

    def heard(self, kind: str) -> None:
        self._of(kind).set()

    async def wait(self, kind: str, *, seconds: float) -> bool:
        """True when woken, False after so many seconds without; then forgets the wake.

        Raises what ended the listening, should that ever end."""
        event = self._of(kind)
        if self.listener is not None and self.listener.done():
            self.listener.result()
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        event.clear()
        return True

    def take(self, kind: str) -> bool:
        """Whether woken since; forgets it, and never waits."""
        event = self._of(kind)
        woken = event.is_set()
        event.clear()
        return woken

    def _of(self, kind: str) -> asyncio.Event:
        return self._events.setdefault(kind, asyncio.Event())


@asynccontextmanager
async def listening(database: Database) -> AsyncIterator[Wakes]:
    """Listens on the schema's channel; a lost connection is made anew every second."""
    wakes = Wakes()
    wakes.listener = asyncio.create_task(_keep_listening(database, wakes))
    try:
        yield wakes
    finally:
        wakes.listener.cancel()
        await asyncio.gather(wakes.listener, return_exceptions=True)


async def _keep_listening(database: Database, wakes: Wakes) -> None:
    def heard(_: object, __: int, ___: str, payload: object) -> None:
        wakes.heard(str(payload))

    while True:
        connection: asyncpg.Connection[Any] | None = None
        try:
            connection = await database.connect(application="jiexu:listen")
            lost = asyncio.Event()
            connection.add_termination_listener(lambda *_, lost=lost: lost.set())
            await connection.add_listener(database.channel, heard)
            await lost.wait()
        except Exception as error:
            if not is_outage(error):
                raise
        finally:
            if connection is not None:
                connection.terminate()
        await asyncio.sleep(1.0)
