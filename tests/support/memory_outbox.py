"""An outbox in memory that keeps the order and the due times of the real one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.transfer.edge.ports import Delivery


@dataclass
class Row:
    """One message: its place in the transfer, and what became of it."""

    delivery: Delivery
    seq: int
    due_in: float = 0.0
    state: str = "waiting"
    reason: str = ""
    receipt: bytes | None = None


class MemoryOutbox:
    """See ``services.transfer.edge.ports.Outbox``; ``due_in`` is only noted, never waited for."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self._changed = asyncio.Event()

    def put(self, delivery: Delivery, seq: int) -> Row:
        row = self.rows[delivery.id] = Row(delivery, seq)
        self._changed.set()
        return row

    async def due(self, limit: int, busy: Sequence[str], shut: Sequence[str]) -> list[Delivery]:
        first: dict[str, Row] = {}
        for row in sorted(self.rows.values(), key=lambda row: row.seq):
            if row.state == "waiting":
                first.setdefault(row.delivery.transfer_id, row)
        return [
            row.delivery
            for row in first.values()
            if row.due_in == 0
            and row.delivery.transfer_id not in busy
            and row.delivery.peer not in shut
        ][:limit]

    async def delivered(self, id: int, receipt: bytes | None) -> None:
        self._end(id, "delivered")
        self.rows[id].receipt = receipt

    async def postpone(self, id: int, seconds: float, reason: str) -> None:
        row = self.rows[id]
        row.delivery = replace(row.delivery, attempts=row.delivery.attempts + 1)
        row.due_in, row.reason = seconds, reason

    async def resign(self, id: int, wire: bytes) -> None:
        self.rows[id].delivery = replace(self.rows[id].delivery, wire=wire)

    async def stick(self, id: int, problem: str) -> None:
        self._end(id, "stuck")
        self.rows[id].reason = problem

    async def give_up(self, id: int) -> None:
        self._end(id, "given up")

    async def wait(self, seconds: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def _end(self, id: int, state: str) -> None:
        self.rows[id].state = state
        self._changed.set()
