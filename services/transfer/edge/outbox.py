"""Which messages to other cities are due, and what became of each? Rows of ``peer_outbox``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from services.transfer.edge.ports import Delivery
from shared.postgres import Database, listening
from shared.postgres.wakes import Wakes

# Without a listener (tests, a lost connection) rows are looked for this often.
POLL_SECONDS = 0.1
_OPEN = "delivered_at IS NULL AND stuck_at IS NULL AND given_up_at IS NULL"


class StoredOutbox:
    """See ``ports.Outbox``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wakes: Wakes | None = None

    @asynccontextmanager
    async def awake(self) -> AsyncIterator[None]:
        """While the courier runs: a commit of this service wakes ``wait``."""
        async with listening(self._database) as wakes:
            self._wakes = wakes
            try:
                yield
            finally:
                self._wakes = None

    async def due(self, limit: int, busy: Sequence[str], shut: Sequence[str]) -> Sequence[Delivery]:
        """Of each transfer and incarnation the lowest open seq, if its time has come."""
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                f"""SELECT o.* FROM peer_outbox AS o
                    WHERE {_OPEN} AND o.due_at <= now()
                        AND o.transfer_id <> ALL ($2::text[]) AND o.peer <> ALL ($3::text[])
                        AND NOT EXISTS (
                            SELECT FROM peer_outbox AS e
                            WHERE e.transfer_id = o.transfer_id AND e.incarnation = o.incarnation
                                AND e.seq < o.seq AND e.delivered_at IS NULL
                                AND e.stuck_at IS NULL AND e.given_up_at IS NULL)
                    ORDER BY o.due_at, o.id LIMIT $1""",
                limit,
                list(busy),
                list(shut),
            )
        return [
            Delivery(
                id=row["id"],
                transfer_id=row["transfer_id"],
                peer=row["peer"],
                type=row["type"],
                message_id=row["message_id"],
                digest=row["digest"],
                wire=bytes(row["wire"]),
                attempts=row["attempts"],
                gives_up_at=row["gives_up_at"],
            )
            for row in rows
        ]

    async def delivered(self, id: int, receipt: bytes | None) -> None:
        await self._update("delivered_at = now(), receipt = $2, reason = NULL", id, receipt)

    async def postpone(self, id: int, seconds: float, reason: str) -> None:
        await self._update(
            "attempts = attempts + 1, reason = $2, due_at = now() + $3 * interval '1 second'",
            id,
            reason,
            float(seconds),
        )

    async def resign(self, id: int, wire: bytes) -> None:
        await self._update("wire = $2, due_at = now()", id, wire)

    async def stick(self, id: int, problem: str) -> None:
        await self._update("stuck_at = now(), reason = $2", id, problem)

    async def give_up(self, id: int) -> None:
        await self._update("given_up_at = now()", id)

    async def wait(self, seconds: float) -> None:
        """A commit of this service may have put something there; a wake may be lost, so polls."""
        if self._wakes is None:
            await asyncio.sleep(min(seconds, POLL_SECONDS))
        else:
            await self._wakes.wait("event", seconds=seconds)

    async def _update(self, changes: str, id: int, *values: object) -> None:
        async with self._database.reading() as connection:
            await connection.execute(f"UPDATE peer_outbox SET {changes} WHERE id = $1", id, *values)
