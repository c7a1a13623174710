"""What a port shows, whom it hears, and what the app behind it learns of the caller."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI, Request, Response

from shared.access import client_context, server_context
from shared.clock import SystemClock
from shared.internal_http import InternalClient, new_client
from shared.messages import Unavailable
from shared.roles.servers import Listener
from tests.support.certificates import Authority, Shown
from tests.support.processes import ROOT


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def records(authority: Authority) -> Shown:
    return authority.sign("records")


def app() -> FastAPI:
    made = FastAPI()

    @made.get("/who")
    def who(request: Request) -> Any:
        tls = request.scope.get("extensions", {}).get("tls", {})
        return list(tls.get("client_cert_chain", ()))

    @made.get("/health/ready")
    def ready(response: Response) -> None:
        response.status_code = made.state.ready

    made.state.ready = 200
    return made


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None, ready: int = 200) -> AsyncIterator[int]:
    answering = app()
    answering.state.ready = ready
    listener = Listener("internal", answering, "127.0.0.1", 0, tls)
    serving = asyncio.ensure_future(listener.run())
    try:
        yield listener.port
    finally:
        listener.stop()
        await serving
        listener.close()


async def ask(tls: ssl.SSLContext | None, port: int, scheme: str = "https") -> Any:
    """What the app saw of the caller, twice over one connection; None: it was not heard."""
    async with new_client(tls) as client:
        try:
            seen = [await client.get(f"{scheme}://127.0.0.1:{port}/who") for _ in range(2)]
        except httpx.TransportError:
            return None
    assert seen[0].json() == seen[1].json()
    return seen[0].json()


async def test_a_head_without_an_end_is_refused_and_not_kept() -> None:
    """Whoever comes is not known yet, and 64 KiB hold every token of ours."""
    async with listening(None) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /who HTTP/1.1\r\nx: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(16):
                writer.write(b"x" * 16_384)
                await writer.drain()
        assert (await asyncio.wait_for(reader.read(12), 10)) == b"HTTP/1.1 400"
        writer.close()


async def test_the_app_sees_who_calls_where_certificates_are_asked_for(
    authority: Authority, records: Shown
) -> None:
    transfer = authority.sign("transfer")
    known = client_context(authority.ca, transfer.certificate, transfer.key)
    unknown = client_context(authority.ca)
    for asks, heard in (("none", []), ("optional", []), ("required", None)):
        server = server_context(
            records.certificate, records.key, client_ca=authority.ca, client_certificates=asks
        )
        async with listening(server) as port:
            seen = [] if asks == "none" else [transfer.certificate.read_text("ascii")]
            assert await ask(known, port) == seen
            assert await ask(unknown, port) == heard
            assert await ask(known, port, "http") is None


async def test_a_stranger_is_not_heard_even_where_a_certificate_is_optional(
    tmp_path: Path, authority: Authority, records: Shown
) -> None:
    stranger = Authority(tmp_path, "stranger").sign("eve")
    shows = client_context(authority.ca, stranger.certificate, stranger.key)
    server = server_context(
        records.certificate, records.key, client_ca=authority.ca, client_certificates="optional"
    )
    async with listening(server) as port:
        assert await ask(shows, port) is None


async def test_a_server_is_taken_only_under_its_authority_and_name(
    tmp_path: Path, authority: Authority, records: Shown
) -> None:
    async with listening(server_context(records.certificate, records.key)) as port:
        assert await ask(client_context(authority.ca), port) == []
        assert await ask(client_context(Authority(tmp_path, "other").ca), port) is None
        assert await ask(None, port) is None
    elsewhere = authority.sign("elsewhere", hosts=["elsewhere.example"])
    async with listening(server_context(elsewhere.certificate, elsewhere.key)) as port:
        assert await ask(client_context(authority.ca), port) is None


async def test_neighbours_ask_each_other_over_mutual_tls(
    authority: Authority, records: Shown
) -> None:
    transfer = authority.sign("transfer")
    server = server_context(
        records.certificate, records.key, client_ca=authority.ca, client_certificates="required"
    )

    def asking(client: httpx.AsyncClient, port: int) -> InternalClient:
        return InternalClient(
            service="transfer",
            neighbour="records",
            base_url=f"https://127.0.0.1:{port}",
            key=Ed25519PrivateKey.generate(),
            clock=SystemClock(),
            client=client,
        )

    async with listening(server) as port:
        known = client_context(authority.ca, transfer.certificate, transfer.key)
        async with new_client(known) as client:
            assert len(await asking(client, port).get("/who")) == 1
        async with new_client(client_context(authority.ca)) as client:
            with pytest.raises(Unavailable, match="records"):
                await asking(client, port).post("/who", {})


@pytest.mark.parametrize("shown", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("status", [200, 503])
async def test_the_health_check_of_the_image_asks_as_the_port_speaks(
    records: Shown, shown: bool, status: int
) -> None:
    tls = server_context(records.certificate, records.key) if shown else None
    variables = {"JIEXU_INTERNAL_CERTIFICATE": str(records.certificate)} if shown else {}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    async with listening(tls, status) as port:
        asked = await asyncio.create_subprocess_exec(
            ROOT / "deploy" / "healthy",
            env={"PATH": path, "JIEXU_INTERNAL_PORT": str(port), **variables},
        )
        assert (await asked.wait() == 0) == (status == 200)
