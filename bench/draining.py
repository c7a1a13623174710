"""How long does a relay by itself need for what is committed? A process of the relay measure.

``python -m bench.draining make`` makes schema and topics, ``drain`` relays everything and prints
the seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence

from services.records.contract.topics import TOPICS
from services.records.wiring import MIGRATIONS
from shared.postgres import Database, migrate
from shared.relay import Relay
from shared.roles.main import runner
from shared.roles.topics import create_topics

_LEFT = """SELECT count(*) FROM (SELECT 1 FROM event AS e, relay_cursor AS c
           WHERE (e.incarnation, e.xid, e.position) > (c.incarnation, c.xid, c.position)
           LIMIT 1) AS one"""


async def make(url: str, bootstrap: str, node: str) -> None:
    """Schema and topics."""
    await migrate(url, "records", MIGRATIONS)
    await asyncio.to_thread(create_topics, bootstrap, node, TOPICS)


async def drain(url: str, bootstrap: str, node: str) -> float:
    """Seconds until the cursor stands behind the last event."""
    async with Database(url, "records") as database:
        relay = Relay(database, bootstrap, node=node, service="records")
        begun = time.perf_counter()
        running = asyncio.create_task(relay.run())
        while True:
            async with database.reading() as connection:
                if not await connection.fetchval(_LEFT):
                    break
            await asyncio.sleep(0.02)
            if running.done():
                running.result()
        seconds = time.perf_counter() - begun
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return seconds


def main(arguments: Sequence[str]) -> int:
    """The last line is the figure."""
    told = [os.environ[f"BENCH_{name}"] for name in ("DATABASE_URL", "BOOTSTRAP", "NODE")]
    if arguments == ["make"]:
        asyncio.run(make(*told))
    else:
        with runner() as ours:
            print(ours.run(drain(*told)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
