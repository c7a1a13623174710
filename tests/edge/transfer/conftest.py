"""Two cities side by side, each with a database of its own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from services.transfer.wiring import MIGRATIONS
from shared.postgres import migrate
from shared.roles.servers import Listener
from tests.support.cities import City, Office, ShiftedClock, running
from tests.support.infrastructure import apart
from tests.support.scripted_city import ScriptedCity


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def migrated(postgres_url: str) -> Iterator[str]:
    """The name of a database whose schema is made: others are copied from it."""
    name = f"jiexu_test_{secrets.token_hex(6)}"
    apart(_execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE template0'))
    apart(migrate(_url(postgres_url, name), "transfer", MIGRATIONS))
    yield name
    apart(_execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


@pytest.fixture
def databases(postgres_url: str, migrated: str) -> Iterator[list[str]]:
    """Two databases of this test alone, one a city."""
    names = [f"jiexu_test_{secrets.token_hex(6)}" for _ in range(2)]
    for name in names:
        apart(_execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{migrated}"'))
    try:
        yield [_url(postgres_url, name) for name in names]
    finally:
        for name in names:
            apart(_execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)'))


def _url(postgres_url: str, name: str) -> str:
    return urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))


@pytest.fixture
async def cities(tmp_path: Path, databases: list[str]) -> AsyncIterator[tuple[City, City]]:
    """amber and birch, running, each knowing the other."""
    office, clock = Office(tmp_path / "directory.json"), ShiftedClock()
    amber = City("amber", tmp_path / "amber", office, databases[0], clock)
    birch = City("birch", tmp_path / "birch", office, databases[1], clock)
    async with running(amber), running(birch):
        for city in (amber, birch):
            await city.house.directory.load()
        yield amber, birch


@pytest.fixture
async def cedar(cities: tuple[City, City]) -> AsyncIterator[ScriptedCity]:
    """A scripted third city that amber and birch know."""
    amber, birch = cities
    city = ScriptedCity("cedar", amber.office, amber.clock)
    listener = Listener("cedar", city.app(), "127.0.0.1", 0)
    city.list(listener.port)
    serving = asyncio.ensure_future(listener.run())
    try:
        for each in (amber, birch):
            await each.house.directory.load()
        yield city
    finally:
        listener.stop()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        listener.close()
