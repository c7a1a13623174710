"""What does a process look like that only reads, or only relays, for the counter's tests?

    python -m tests.support.reader_process agents faust|loop
    python -m tests.support.reader_process relay

From the environment: NODE, KAFKA, DATABASE, SCHEMA (also the service's name), and DEFECT, the key
whose messages defeat ``react``.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import signal
import sys
from typing import Literal, cast

from shared.clock import SystemClock
from shared.messages import Command, Message
from shared.reader import Limits, Reader, Source
from shared.relay import Relay
from shared.telemetry import Metrics, configure_logging
from tests.support.counter import TOTALS, react_by_adding, running_counter


def react(message: Message) -> tuple[Command, ...]:
    """Adds, but for the planted defect."""
    if message.key == os.environ.get("DEFECT"):
        raise ZeroDivisionError("a planted defect")
    return react_by_adding(message)


async def agents(adapter: Literal["faust", "loop"]) -> None:
    """Reads until SIGTERM."""
    node, schema = os.environ["NODE"], os.environ["SCHEMA"]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with running_counter(os.environ["DATABASE"], schema) as (database, ledger):
        reader = Reader(
            node=node,
            service=schema,
            sources=[Source(TOTALS, react, adapter)],
            ledger=ledger,
            database=database,
            bootstrap=os.environ["KAFKA"],
            clock=SystemClock(),
            metrics=Metrics(schema, node),
            limits=Limits(session_timeout_seconds=6.0),
        )
        await reader.run(stop)


async def relay() -> None:
    """Publishes what the schema's events say, until killed."""
    node, schema = os.environ["NODE"], os.environ["SCHEMA"]
    async with running_counter(os.environ["DATABASE"], schema) as (database, _):
        work = Relay(database, os.environ["KAFKA"], node=node, service=schema)
        await database.as_the_only_one("worker", work.run)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1)
    configure_logging(os.environ["SCHEMA"], os.environ["NODE"])
    if sys.argv[1] == "agents":
        asyncio.run(agents(cast(Literal["faust", "loop"], sys.argv[2])))
    else:
        asyncio.run(relay())
