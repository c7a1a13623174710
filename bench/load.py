"""How is a service put under load, by a client that costs little beside it?

Requests are made ahead, as bytes; a connection sends one and waits for the whole answer. Nothing
is tried again: an answer that was not expected ends the measure.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

ANSWER_SECONDS = 30.0


class Unexpected(Exception):
    """A service answered what no measure counts; the text holds the answer."""


def post(path: str, body: Any, token: str) -> bytes:
    """One POST as it goes over the wire, with a fresh Idempotency-Key."""
    content = json.dumps(body, ensure_ascii=False).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Idempotency-Key: {uuid4()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: Any = None

    @classmethod
    async def to(cls, port: int) -> Connection:
        """Connected to 127.0.0.1:port."""
        _, made = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return made

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and body of the answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Hangs up."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or self._answer is None:
            return
        head = bytes(self._received[:end]).lower()
        start = head.find(b"content-length:")
        length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        if len(self._received) < end + 4 + length:
            return
        body = bytes(self._received[end + 4 : end + 4 + length])
        del self._received[: end + 4 + length]
        answer, self._answer = self._answer, None
        answer.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the service hung up"))


@dataclass
class Load:
    """What a closed loop saw after its warming up."""

    answers: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def closed_loop(
    ports: Sequence[int],
    requests: Iterator[bytes],
    *,
    clients: int,
    seconds: float,
    warm_seconds: float = 2.0,
    expected: int = 201,
) -> Load:
    """So many clients, each asking again as soon as it is answered, spread over the ports."""
    return asyncio.run(_closed_loop(ports, requests, clients, seconds, warm_seconds, expected))


async def _closed_loop(
    ports: Sequence[int],
    requests: Iterator[bytes],
    clients: int,
    seconds: float,
    warm_seconds: float,
    expected: int,
) -> Load:
    load = Load()
    begin = time.perf_counter() + warm_seconds
    end = begin + seconds

    async def client(port: int) -> None:
        connection = await Connection.to(port)
        try:
            while (asked := time.perf_counter()) < end:
                status, body = await connection.ask(next(requests))
                answered = time.perf_counter()
                _check(status, body, expected)
                if begin <= answered < end:
                    load.answers += 1
                    load.latencies.append(answered - asked)
        finally:
            connection.close()

    async with asyncio.timeout(warm_seconds + seconds + ANSWER_SECONDS):
        await asyncio.gather(*(client(ports[n % len(ports)]) for n in range(clients)))
    load.seconds = seconds
    return load


def ask_all(
    port: int,
    requests: Iterable[bytes],
    *,
    clients: int,
    expected: int = 201,
    on_answer: Callable[[int], None] = lambda _: None,
) -> list[Any]:
    """Every request once, by so many clients; the answers' JSON in the requests' order."""
    return asyncio.run(_ask_all(port, list(requests), clients, expected, on_answer))


async def _ask_all(
    port: int,
    requests: list[bytes],
    clients: int,
    expected: int,
    on_answer: Callable[[int], None],
) -> list[Any]:
    answers: list[Any] = [None] * len(requests)
    waiting = iter(range(len(requests)))
    count = 0

    async def client() -> None:
        nonlocal count
        connection = await Connection.to(port)
        try:
            for n in waiting:
                status, body = await connection.ask(requests[n])
                _check(status, body, expected)
                answers[n] = json.loads(body) if body else None
                count += 1
                on_answer(count)
        finally:
            connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return answers


def _check(status: int, body: bytes, expected: int) -> None:
    if status != expected:
        raise Unexpected(f"{status} instead of {expected}: {body[:400].decode(errors='replace')}")
