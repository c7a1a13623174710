"""How do our messages get to other cities, each once in effect and in order?

A row of the outbox is sent again, the same bytes each time, until a receipt that verifies says
"the bytes are in my database". Nothing is dropped: what a peer will not take is stuck, with an
alarm, for an officer to decide.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import structlog

from services.transfer.domain.certificates import ENVELOPE_DOMAIN, RECEIPT_DOMAIN
from services.transfer.domain.forms import hex16, hex32, one_of, shape, signed, time
from services.transfer.edge.directory import DirectoryFile
from services.transfer.edge.peers import Peers, Reply, Unreachable, delay_seconds
from services.transfer.edge.ports import Delivery, Journal, Outbox
from services.transfer.edge.signatures import verify_signature
from shared.canonical import canonical, load_canonical
from shared.clock import Clock, wire
from shared.messages import Unavailable, Unreadable
from shared.signing import Signer

IN_FLIGHT_PER_CITY: Final = 4
IN_FLIGHT: Final = 32
POLL_SECONDS: Final = 1.0
ALARM_AFTER: Final = 5
"""Attempts in a row with an answer that this protocol does not name, or a receipt that lies."""
_MESSAGES: Final = "/federation/v1/messages"
_receipt: Final = signed(
    shape({"message_id": hex16, "body_digest": hex32, "status": one_of("stored"), "at": time})
)
_log = structlog.get_logger(__name__)


class Courier:
    """Delivers what is due, at most four at a time to one city, of one transfer in order."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        peers: Peers,
        directory: DirectoryFile,
        journal: Journal,
        clock: Clock,
        message_key: Signer,
    ) -> None:
        self._outbox = outbox
        self._peers = peers
        self._directory = directory
        self._journal = journal
        self._clock = clock
        self._key = message_key
        self._under_way: dict[asyncio.Task[None], Delivery] = {}

    async def run(self) -> None:
        """A chore of the active worker, without end. A defect in a delivery ends it."""
        try:
            while True:
                try:
                    started = await self._start_due()
                except Unavailable as away:
                    _log.warning("outbox not read", reason=str(away))
                    started = 0
                if not started:
                    await self._wait()
                self._collect()
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def deliver(self, row: Delivery) -> None:
        """One attempt, and what follows from its answer."""
        if row.gives_up_at is not None and self._clock.now() >= row.gives_up_at:
            await self._outbox.give_up(row.id)
            return
        try:
            reply = await self._peers.exchange(
                row.peer,
                "POST",
                _MESSAGES,
                content=row.wire,
                headers={"Content-Type": "application/json"},
            )
        except Unreachable as unreachable:
            await self._postpone(row, str(unreachable))
            return
        await self._judge(row, reply)

    async def _judge(self, row: Delivery, reply: Reply) -> None:
        if reply.status in (200, 202):
            if self._receipt_holds(row, reply.body):
                await self._outbox.delivered(row.id, reply.body)
            else:
                await self._postpone(row, "receipt does not verify", strange=True)
        elif reply.is_retried:
            await self._postpone(row, reply.problem or str(reply.status), reply=reply)
        elif not 400 <= reply.status < 500:
            await self._postpone(row, f"status {reply.status}", strange=True)
        elif reply.problem == "unknown-transfer" and row.type in ("refused", "aborted"):
            # The peer never stored the request: there is nothing left to end there.
            await self._outbox.delivered(row.id, None)
        elif reply.problem == "unknown-key" and self._key_was_revoked(row):
            body = load_canonical(row.wire)["body"]
            await self._outbox.resign(row.id, canonical(self._key.sign(ENVELOPE_DOMAIN, body)))
        else:
            problem = reply.problem or f"status {reply.status}"
            await self._outbox.stick(row.id, problem)
            await self._journal.alarm("delivery-stuck", row.transfer_id, _about(row, problem))

    async def _postpone(
        self, row: Delivery, reason: str, *, reply: Reply | None = None, strange: bool = False
    ) -> None:
        if strange and row.attempts + 1 == ALARM_AFTER:
            await self._journal.alarm("delivery-strange", row.transfer_id, _about(row, reason))
        wait = delay_seconds(row.attempts, reply.retry_after if reply else None)
        await self._outbox.postpone(row.id, wait, reason)

    def _receipt_holds(self, row: Delivery, body: bytes) -> bool:
        """Signed by the peer's message key, for these very bytes."""
        try:
            receipt = load_canonical(body)
        except Unreadable:
            return False
        if _receipt(receipt, False) is not None:
            return False
        inner = receipt["body"]
        key = self._directory.current().key(row.peer, receipt["kid"], "message", inner["at"])
        message = RECEIPT_DOMAIN.encode("ascii") + b"\n" + canonical(inner)
        return (
            key is not None
            and key.compromised_since is None
            and (inner["message_id"], inner["body_digest"]) == (row.message_id, row.digest)
            and verify_signature(key.public, message, bytes.fromhex(receipt["sig"]))
        )

    def _key_was_revoked(self, row: Delivery) -> bool:
        envelope = load_canonical(row.wire)
        if envelope["kid"] == self._key.kid:
            return False
        sender = self._directory.current().cities.get(envelope["body"]["from"])
        key = sender.keys.get(envelope["kid"]) if sender else None
        now = wire(self._clock.now())
        return key is not None and key.revoked_at is not None and key.revoked_at <= now

    async def _start_due(self) -> int:
        free = IN_FLIGHT - len(self._under_way)
        if not free:
            return 0
        busy = [row.transfer_id for row in self._under_way.values()]
        by_city = Counter(row.peer for row in self._under_way.values())
        full = [city for city, count in by_city.items() if count >= self._most(city)]
        started = 0
        for row in await self._outbox.due(free, busy, [*full, *self._peers.shut()]):
            # Rows of one answer may be many of one city, or two of one transfer.
            if by_city[row.peer] >= self._most(row.peer) or row.transfer_id in busy:
                continue
            by_city[row.peer] += 1
            busy.append(row.transfer_id)
            self._under_way[asyncio.create_task(self._one(row))] = row
            started += 1
        return started

    def _most(self, city: str) -> int:
        return 1 if self._peers.is_doubtful(city) else IN_FLIGHT_PER_CITY

    async def _one(self, row: Delivery) -> None:
        try:
            await self.deliver(row)
        except Unavailable as away:
            # The row stays as it was: due, and sent again; the peer knows it by its id.
            _log.warning("delivery not noted", reason=str(away))
            await asyncio.sleep(away.retry_after_seconds)

    async def _wait(self) -> None:
        waiter = asyncio.create_task(self._outbox.wait(POLL_SECONDS))
        try:
            await asyncio.wait({waiter, *self._under_way}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        outcome = (await asyncio.gather(waiter, return_exceptions=True))[0]
        if isinstance(outcome, Unavailable):
            await asyncio.sleep(outcome.retry_after_seconds)
        elif isinstance(outcome, Exception):
            raise outcome

    def _collect(self) -> None:
        for task in [task for task in self._under_way if task.done()]:
            del self._under_way[task]
            task.result()


def _about(row: Delivery, reason: str) -> Mapping[str, Any]:
    return {
        "peer": row.peer,
        "type": row.type,
        "message_id": row.message_id,
        "attempts": row.attempts + 1,
        "reason": reason,
    }
