"""The database is reached with a password from a file, over TLS, and only under its authority."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from shared.access import database_url, server_context
from shared.messages import Unavailable
from shared.postgres import Database
from tests.support.certificates import Authority

# What a client sends first when it wants TLS: length 8, code 80877103.
SSL_REQUEST = (8).to_bytes(4, "big") + (80_877_103).to_bytes(4, "big")


@asynccontextmanager
async def with_tls(url: str, tls: ssl.SSLContext) -> AsyncIterator[str]:
    """Before a server that speaks no TLS itself: as PostgreSQL begins it, then passed on in plain.

    Gives the URL of this way in.
    """
    parts = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there: asyncio.StreamWriter | None = None
        try:
            assert await reader.readexactly(8) == SSL_REQUEST
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(tls)
            back, there = await asyncio.open_connection(parts.hostname, parts.port)
            await asyncio.gather(_pass_on(reader, there), _pass_on(back, writer))
        except (ssl.SSLError, OSError, EOFError):
            pass
        finally:
            for each in (writer, there):
                if each is not None:
                    each.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    login = parts.netloc.rpartition("@")[0]
    try:
        yield parts._replace(netloc=f"{login}@localhost:{port}").geturl()
    finally:
        server.close()


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(65_536):
        target.write(piece)
        await target.drain()
    target.close()


async def answers(url: str) -> bool:
    async with Database(url, "registry") as database:
        try:
            await database.ping()
        except Unavailable:
            return False
    return True


async def test_the_password_of_the_file_counts(database: str) -> None:
    password = urlsplit(database).password
    assert password is not None
    without = database.replace(f":{password}@", "@")
    assert await answers(database_url(without, password))
    assert await answers(database_url(without.replace("@", ":old@"), password))


async def test_a_database_is_taken_only_under_its_authority_and_name(
    database: str, tmp_path: Path
) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    shown = authority.sign("db")
    async with with_tls(database, server_context(shown.certificate, shown.key)) as url:
        for mode in ("verify-ca", "verify-full"):
            assert await answers(database_url(url, sslmode=mode, ca=authority.ca))
            assert not await answers(database_url(url, sslmode=mode, ca=other.ca))
    named = authority.sign("elsewhere", hosts=["elsewhere.example"])
    async with with_tls(database, server_context(named.certificate, named.key)) as url:
        assert await answers(database_url(url, sslmode="verify-ca", ca=authority.ca))
        assert not await answers(database_url(url, sslmode="verify-full", ca=authority.ca))


async def test_what_demands_tls_takes_no_plain_server(database: str) -> None:
    assert await answers(database_url(database, sslmode="prefer"))
    assert not await answers(database_url(database, sslmode="require"))
