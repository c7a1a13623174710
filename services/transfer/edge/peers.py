"""How does this node reach another city? HTTPS to the address in the signed directory, only there.

No redirects, no proxies, no private addresses (unless the trial setting allows them), bounded
answers. A city that failed five times in a row is left alone but for one probe a minute.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from services.transfer.domain.directory import Directory
from services.transfer.edge.answers import RETRIED_NAMES, URN
from shared.canonical import load
from shared.messages import Unreadable

CONNECT_SECONDS: Final = 5.0
WRITE_SECONDS: Final = 30.0
READ_SECONDS: Final = 30.0
POOL_SECONDS: Final = 5.0
KEEPALIVE_CONNECTIONS: Final = 20
FAILURES_TO_OPEN: Final = 5
PROBE_SECONDS: Final = 60.0
MAX_DELAY_SECONDS: Final = 900
MAX_RETRY_AFTER_SECONDS: Final = 3600
MAX_RECEIPT_BYTES: Final = 65_536
RETRIED_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class Unreachable(Exception):
    """No answer: the connection failed, timed out, or may not be made. Says nothing of content."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came, its body cut at the limit that was asked for."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> str | None:
        """The name in a problem document of ours, or None."""
        try:
            document = load(self.body)
        except Unreadable:
            return None
        type = document.get("type") if isinstance(document, dict) else None
        return type.removeprefix(URN) if isinstance(type, str) and type.startswith(URN) else None

    @property
    def is_retried(self) -> bool:
        """Whether the same bytes may well be taken later."""
        return self.status in RETRIED_STATUSES or (
            400 <= self.status < 500 and self.problem in RETRIED_NAMES
        )

    @property
    def retry_after(self) -> float | None:
        """Seconds, at most an hour; dates are not read."""
        value = self.headers.get("retry-after", "")
        return min(float(value), MAX_RETRY_AFTER_SECONDS) if value.isdecimal() else None


def delay_seconds(attempts: int, retry_after: float | None = None) -> float:
    """1, 2, 4 … 900 s, each × 0.8…1.2; a Retry-After that is longer is obeyed."""
    base = float(min(2 ** min(attempts, 20), MAX_DELAY_SECONDS))
    # Spread, so that two cities which lost each other do not meet in step; no secret hangs on it.
    spread = base * random.uniform(0.8, 1.2)
    return max(spread, retry_after or 0.0)


@dataclass
class _Circuit:
    failures: int = 0
    next_probe: float = 0.0


class Peers:
    """One HTTP client a city, made when it is first needed; ``close`` at the end."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        *,
        allow_private: bool,
        tls: ssl.SSLContext | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._directory = directory
        self._allow_private = allow_private
        self._tls = tls
        self._monotonic = monotonic
        self._read_seconds = read_seconds
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._circuits: dict[str, _Circuit] = {}

    def is_doubtful(self, city: str) -> bool:
        """Whether it failed so often that only one probe may be under way."""
        circuit = self._circuits.get(city)
        return circuit is not None and circuit.failures >= FAILURES_TO_OPEN

    def shut(self) -> tuple[str, ...]:
        """Cities that are left alone just now."""
        now = self._monotonic()
        return tuple(
            city
            for city, circuit in self._circuits.items()
            if circuit.failures >= FAILURES_TO_OPEN and now < circuit.next_probe
        )

    async def exchange(
        self,
        city: str,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = MAX_RECEIPT_BYTES,
    ) -> Reply:
        """One request and its answer, at most ``limit`` bytes of it; raises ``Unreachable``."""
        body = bytearray()
        async with self.stream(city, method, path, content=content, headers=headers) as response:
            if not await self.read(city, response, body, limit):
                self._failed(city)
                raise Unreachable("the answer is longer than allowed")
        return Reply(response.status_code, bytes(body), response.headers)

    @asynccontextmanager
    async def stream(
        self,
        city: str,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The answer with its body still to be ``read``; raises ``Unreachable``."""
        self._take_turn(city)
        url, own, extensions = await self._target(city, path)
        sent = {"Accept-Encoding": "identity", **(headers or {}), **own}
        request = self._client(city).build_request(
            method, url, content=content, headers=sent, extensions=extensions
        )
        try:
            response = await self._client(city).send(request, stream=True)
        except (httpx.HTTPError, httpx.StreamError, ssl.SSLError, OSError) as error:
            self._failed(city)
            raise Unreachable(type(error).__name__) from error
        try:
            if response.status_code in RETRIED_STATUSES:
                self._failed(city)
            else:
                self._circuits.pop(city, None)
            yield response
        finally:
            await response.aclose()

    async def read(self, city: str, response: httpx.Response, into: bytearray, limit: int) -> bool:
        """Adds the body to ``into`` as it comes; False where it is longer than ``limit`` in all.

        Raises ``Unreachable`` where it breaks off; what came until then stays in ``into``.
        """
        try:
            async for chunk in response.aiter_raw():
                into += chunk
                if len(into) > limit:
                    return False
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            self._failed(city)
            raise Unreachable(type(error).__name__) from error
        return True

    async def close(self) -> None:
        """Closes every connection."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    def _take_turn(self, city: str) -> None:
        circuit = self._circuits.get(city)
        if circuit is None or circuit.failures < FAILURES_TO_OPEN:
            return
        now = self._monotonic()
        if now < circuit.next_probe:
            raise Unreachable("left alone after failures")
        circuit.next_probe = now + PROBE_SECONDS

    def _failed(self, city: str) -> None:
        circuit = self._circuits.setdefault(city, _Circuit())
        circuit.failures += 1
        if circuit.failures == FAILURES_TO_OPEN:
            circuit.next_probe = self._monotonic() + PROBE_SECONDS

    async def _target(
        self, city: str, path: str
    ) -> tuple[httpx.URL, dict[str, str], dict[str, Any]]:
        """(URL, headers, extensions): with the address resolved once and pinned for this request,
        so that a name which changes its mind cannot lead inside."""
        node = self._directory().cities.get(city)
        if node is None:
            raise Unreachable("not in the directory")
        try:
            base = httpx.URL(node.base_url)
        except httpx.InvalidURL:
            raise Unreachable("its address is no URL") from None
        if base.userinfo or base.query or base.fragment or not base.host:
            raise Unreachable("its address is more than a base URL")
        url = base.copy_with(path=base.path.rstrip("/") + path)
        if self._allow_private and base.scheme in ("http", "https"):
            return url, {}, {}
        if base.scheme != "https":
            raise Unreachable("its address is not https")
        address = await _public_address(base.host, base.port or 443)
        host = {"Host": base.netloc.decode("ascii")}
        return url.copy_with(host=address), host, {"sni_hostname": base.host}

    def _client(self, city: str) -> httpx.AsyncClient:
        if city not in self._clients:
            self._clients[city] = httpx.AsyncClient(
                verify=self._tls or federation_tls(),
                timeout=httpx.Timeout(
                    connect=CONNECT_SECONDS,
                    write=WRITE_SECONDS,
                    read=self._read_seconds,
                    pool=POOL_SECONDS,
                ),
                limits=httpx.Limits(max_keepalive_connections=KEEPALIVE_CONNECTIONS),
                follow_redirects=False,
                http1=True,
                http2=False,
                trust_env=False,
            )
        return self._clients[city]


def federation_tls() -> ssl.SSLContext:
    """TLS 1.3 and nothing older, certificates checked against the system's authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


async def _public_address(host: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable("its name cannot be resolved") from error
    addresses = [str(entry[4][0]) for entry in found]
    # One private address among several is refused too: which one is used is not ours to choose.
    if not addresses or not all(ipaddress.ip_address(each).is_global for each in addresses):
        raise Unreachable("its address is private")
    return addresses[0]
