"""What must be different about Faust's Kafka client, so that it loses nothing and always stops?

Found by trial with faust-streaming 0.15.3, mode-streaming 0.7.1 and aiokafka 0.14.0.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.threads import WorkerThread

from shared.envelope import short_name
from shared.reader.core import Core


class ClientThread(WorkerThread):
    """The client's own thread, which tells that it has ended however it ends.

    Without a broker aiokafka ends it by a cancellation that mode does not expect; Faust would wait
    a minute for a word that never comes.
    """

    def __init__(self, service: Any) -> None:
        super().__init__(service)
        self.daemon = True

    def run(self) -> None:
        """As mode runs it."""
        try:
            with contextlib.suppress(asyncio.CancelledError):
                super().run()
        finally:
            # Where our loop is closed already nobody waits any more.
            with contextlib.suppress(RuntimeError):
                self.service.set_shutdown()


def transport(app: Any, core: Core) -> Any:
    """Faust's transport for this app, reading from where the core says."""

    class Consumer(driver.Consumer):
        """Begins where the core says whenever Faust looks up where the group stands."""

        logger = logging.getLogger("faust")  # else its lines would count as ours

        def _new_consumer_thread(self) -> Any:
            thread = super()._new_consumer_thread()
            thread.Worker = ClientThread
            return thread

        async def _commit(self, offsets: Mapping[TP, int]) -> bool:
            """A hint only; without a broker it would never end, and Faust's stop neither."""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(core.limits.commit_seconds):
                    return bool(await super()._commit(offsets))
            return False

        async def seek_to_committed(self) -> Mapping[TP, int]:
            committed = await super().seek_to_committed()
            node = core.log_view.node
            tps = {(short_name(node, tp.topic), tp.partition): tp for tp in committed}
            starts = await core.take_up({place: committed[tp] for place, tp in tps.items()})
            found = {tps[place]: offset for place, offset in starts.items()}
            await self.seek_wait(found)
            return found

    ours = type("Transport", (driver.Transport,), {"Consumer": Consumer})
    return ours(app.conf.broker_consumer, app)
