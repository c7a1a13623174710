"""Which broker and database do the tests meet, and how does each test get its own corner?

``KAFKA_BOOTSTRAP`` and ``DATABASE_URL`` where they are set, else an embedded broker and database
that live as long as the run.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from node.process import free_ports

T = TypeVar("T")


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """``host:port`` of a broker that may be shared: never stop it, use ``node_name`` for topics."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    with ExitStack() as stack:
        yield given or stack.enter_context(_embedded_kafka())


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A superuser's URL of a server that may be shared; make databases by ``database``."""
    given = os.environ.get("DATABASE_URL")
    with ExitStack() as stack:
        yield given or stack.enter_context(_embedded_postgres())


@pytest.fixture
def database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh, empty database that this test has for itself."""
    name = f"jiexu_test_{secrets.token_hex(6)}"
    apart(_execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE template0'))
    try:
        yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    finally:
        apart(_execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
def node_name() -> str:
    """A node's name that no other test has: topics of tests on one broker never meet."""
    return f"t{secrets.token_hex(4)}"


def apart(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end on a loop and thread of its own, from synchronous code."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def eventually(
    condition: Callable[[], Awaitable[T] | T],
    what: str,
    *,
    seconds: float = 20.0,
    every: float = 0.05,
) -> T:
    """Waits until ``condition`` gives something true and returns it; fails naming ``what``.

    Raised exceptions are not swallowed. ``condition`` may be a coroutine function.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            pytest.fail(f"after {seconds:g} s still not: {what} (last seen: {found!r})")
        await asyncio.sleep(every)


@contextmanager
def _embedded_kafka() -> Iterator[str]:
    from node.kafka import EmbeddedKafka

    with tempfile.TemporaryDirectory(prefix="jiexu-test-kafka-") as directory:
        port, controller = free_ports(2)
        broker = EmbeddedKafka(Path(directory), port, controller_port=controller)
        broker.start()
        try:
            yield broker.bootstrap
        finally:
            broker.stop()


@contextmanager
def _embedded_postgres() -> Iterator[str]:
    from node.postgres import EmbeddedPostgres

    with tempfile.TemporaryDirectory(prefix="jiexu-test-postgres-") as directory:
        # Not durable: the cluster is thrown away; tests of durability start their own.
        server = EmbeddedPostgres(Path(directory), free_port(), durable=False, max_connections=400)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def free_port() -> int:
    """A port of the loopback that was free a moment ago."""
    (port,) = free_ports(1)
    return port


def base_ports() -> list[int]:
    """Where the ports of two cities may begin, in an order that no other test has."""
    # Below the ports that the system gives to clients and those that ``free_ports`` gives out:
    # one of those may be taken at any moment. Each of pytest's workers has its own of them, for
    # a node that is made but not started holds none of its ports.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ours = range(10_000, 22_000, 250)[worker::workers]
    return random.SystemRandom().sample(ours, len(ours))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
