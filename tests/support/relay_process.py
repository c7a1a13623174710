"""A process that runs the counter's relay as its worker would: one active, others standing by.

python -m tests.support.relay_process DATABASE_URL BOOTSTRAP NODE
"""

from __future__ import annotations

import asyncio
import sys

from shared.postgres import Database
from shared.relay import Relay


async def run(url: str, bootstrap: str, node: str) -> None:
    async with Database(url, "counter") as database:
        relay = Relay(database, bootstrap, node=node, service="counter")
        await database.as_the_only_one("worker", relay.run)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:4]))
