"""The database is reached with a password from a file, over TLS, and only under its authority."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from shared.access import database_url, server_context
from shared.postgres import Database, DatabaseRefuses, migrate
from tests.support.certificates import Authority
from tests.support.processes import ROOT

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
    return await refusal(url) is None


async def refusal(url: str) -> str | None:
    """Why the database does not let us in, None where it does; a refusal, not an outage."""
    async with Database(url, "registry") as database:
        try:
            await database.ping()
        except DatabaseRefuses as refused:
            return str(refused)
    return None


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
            assert await refusal(database_url(url, sslmode=mode, ca=other.ca)) == (
                "JIEXU_DATABASE_CA: these authorities did not sign the server's certificate"
            )
    named = authority.sign("elsewhere", hosts=["elsewhere.example"])
    async with with_tls(database, server_context(named.certificate, named.key)) as url:
        assert await answers(database_url(url, sslmode="verify-ca", ca=authority.ca))
        assert await refusal(database_url(url, sslmode="verify-full", ca=authority.ca)) == (
            "JIEXU_DATABASE_CA: "
            "the server's certificate is for another name than JIEXU_DATABASE_URL has"
        )
    old = authority.sign("old", life=-timedelta(minutes=1))
    async with with_tls(database, server_context(old.certificate, old.key)) as url:
        assert await refusal(database_url(url, sslmode="verify-full", ca=authority.ca)) == (
            "JIEXU_DATABASE_CA: the server's certificate has expired"
        )


async def test_what_demands_tls_takes_no_plain_server(database: str) -> None:
    assert await answers(database_url(database, sslmode="prefer"))
    assert await refusal(database_url(database, sslmode="require")) == (
        "JIEXU_DATABASE_SSLMODE: it demands TLS and the server speaks none; where it demands "
        "nothing, what answers at JIEXU_DATABASE_URL is no PostgreSQL"
    )


UNKNOWN = "it has a parameter, or a value of one, that the server does not know"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("?foo=bar", UNKNOWN),
        ("?work_mem=much", UNKNOWN),
        ("?sslmode=perhaps", "it cannot be understood"),
        ("postgresql:///jiexu?host=127.0.0.1&port=many", "it cannot be understood"),
    ],
)
async def test_a_url_that_nobody_understands_is_a_wrong_setting(
    database: str, more: str, said: str
) -> None:
    url = database + more if more.startswith("?") else more
    assert await refusal(url) == f"JIEXU_DATABASE_URL: {said}"
    migrations = ROOT / "services" / "rewards" / "edge" / "migrations"
    with pytest.raises(DatabaseRefuses, match=f"JIEXU_DATABASE_URL: {said}"):
        await migrate(url, "rewards", migrations)
