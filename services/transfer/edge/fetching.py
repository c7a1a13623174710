"""How do the sealed bundles of an offer come over? Four at a time, resumed where they broke off."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

import httpx

from services.transfer.domain import envelopes
from services.transfer.edge.peers import Peers, Reply, Unreachable, delay_seconds
from services.transfer.edge.questions import Questions
from shared.canonical import canonical
from shared.clock import Clock

PARALLEL: Final = 4
BAD_TRIES: Final = 5
MAX_DELAY_SECONDS: Final = 60.0
MAX_PROBLEM_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of the offer's bundle list: number, length and digest of the sealed bytes."""

    n: int
    size: int
    digest: str


class BundleIsBad(Exception):
    """Bundle ``n`` came wrong, or was not given, five times (TR-407).

    ``evidence_digest`` is that of the bytes that came last, if any came whole.
    """

    def __init__(self, n: int, evidence_digest: str | None) -> None:
        super().__init__(f"bundle {n} is bad")
        self.n = n
        self.evidence_digest = evidence_digest


class TimeIsUp(Exception):
    """The offer lapses before all bundles are here."""


class Fetcher:
    """Fetches the bundles of one offer after another."""

    def __init__(
        self,
        peers: Peers,
        questions: Questions,
        clock: Clock,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._peers = peers
        self._questions = questions
        self._clock = clock
        self._pause = pause

    async def fetch_all(
        self,
        origin: str,
        transfer_id: str,
        wanted: Sequence[Wanted],
        *,
        incarnation: int,
        until: datetime,
        take: Callable[[Wanted, bytes], Awaitable[None]],
    ) -> None:
        """Hands each bundle on as it is whole; at most four are in memory.

        Raises ``BundleIsBad`` of the first that is, ``TimeIsUp``, or what ``take`` raises; the
        others under way are then given up.
        """
        waiting = list(reversed(wanted))

        async def carry() -> None:
            while waiting:
                one = waiting.pop()
                sealed = await self.fetch(
                    origin, transfer_id, one, incarnation=incarnation, until=until
                )
                await take(one, sealed)

        carriers = [asyncio.create_task(carry()) for _ in range(min(PARALLEL, len(wanted)))]
        try:
            for finished in asyncio.as_completed(carriers):
                await finished
        finally:
            for carrier in carriers:
                carrier.cancel()
            await asyncio.gather(*carriers, return_exceptions=True)

    async def fetch(
        self, origin: str, transfer_id: str, wanted: Wanted, *, incarnation: int, until: datetime
    ) -> bytes:
        """One bundle, tried until it is whole; raises ``BundleIsBad`` or ``TimeIsUp``."""
        held = bytearray()
        bad = attempts = 0
        evidence: str | None = None
        while True:
            try:
                reply = await self._once(origin, transfer_id, wanted, incarnation, held)
            except Unreachable:
                reply = None
            if reply is None or reply.is_retried or not _is_about_the_bundle(reply.status):
                attempts += 1
                after = reply.retry_after if reply else None
                wait = min(delay_seconds(min(attempts, 6) - 1, after), MAX_DELAY_SECONDS)
            elif reply.status < 300:
                evidence = sha256(held).hexdigest()
                if evidence == wanted.digest:
                    return bytes(held)
                held.clear()
                bad, wait = bad + 1, delay_seconds(bad)
            else:
                bad, wait = bad + 1, delay_seconds(bad)
            if bad >= BAD_TRIES:
                raise BundleIsBad(wanted.n, evidence)
            if (until - self._clock.now()).total_seconds() <= wait:
                raise TimeIsUp
            await self._pause(wait)

    async def _once(
        self,
        origin: str,
        transfer_id: str,
        wanted: Wanted,
        incarnation: int,
        held: bytearray,
    ) -> Reply:
        """One request; ``held`` grows by what came, also where the connection breaks off."""
        content = {"n": wanted.n, "digest": wanted.digest}
        question = self._questions.question(
            origin, transfer_id, envelopes.BUNDLE_GET, content, incarnation
        )
        encoded = base64.urlsafe_b64encode(canonical(question)).rstrip(b"=").decode("ascii")
        headers = {"Jiexu-Request": encoded}
        if held:
            headers |= {"Range": f"bytes={len(held)}-", "If-Range": f'"{wanted.digest}"'}
        path = f"/federation/v1/transfers/{transfer_id}/bundles/{wanted.n}"
        async with self._peers.stream(origin, "GET", path, headers=headers) as response:
            if response.status_code not in (200, 206):
                return await self._problem(origin, response)
            if response.status_code == 200 or not _continues(response.headers, len(held)):
                held.clear()
            await self._peers.read(origin, response, held, wanted.size)
            return Reply(response.status_code, b"", response.headers)

    async def _problem(self, origin: str, response: httpx.Response) -> Reply:
        body = bytearray()
        await self._peers.read(origin, response, body, MAX_PROBLEM_BYTES)
        return Reply(response.status_code, bytes(body[:MAX_PROBLEM_BYTES]), response.headers)


def _is_about_the_bundle(status: int) -> bool:
    """Given, or refused for good; all else (3xx, 501) says nothing of this bundle."""
    return 200 <= status < 300 or 400 <= status < 500


def _continues(headers: Mapping[str, str], held: int) -> bool:
    return headers.get("content-range", "").startswith(f"bytes {held}-")
