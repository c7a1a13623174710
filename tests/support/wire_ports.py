"""What stands behind the wire in tests that need no database: the ports, kept in memory.

The real ones are the transfer service's store; tests of the whole service use those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.transfer.domain.envelopes import Envelope
from services.transfer.edge.directory import DirectoryFile
from services.transfer.edge.ports import (
    Received,
    RefusedInput,
    SealedBundle,
    Side,
    Standing,
    Stored,
)
from shared.clock import Clock
from shared.messages import Unavailable
from tests.support.vectors import resigned_directory


@dataclass
class MemoryPorts:
    """Inbox, transfers, bundles, status, node, journal and serials of one node."""

    stored: dict[str, Stored] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    redriven: list[str] = field(default_factory=list)
    known: dict[str, tuple[Side, ...]] = field(default_factory=dict)
    barriers: dict[str, int] = field(default_factory=dict)
    sealed: dict[tuple[str, int, str], SealedBundle] = field(default_factory=dict)
    state: Standing = field(default_factory=lambda: Standing(incarnation=1))
    refused: list[RefusedInput] = field(default_factory=list)
    alarms: list[tuple[str, str | None, Mapping[str, Any]]] = field(default_factory=list)
    serial: int = 0
    away: Unavailable | None = None
    defect: Exception | None = None

    async def find(self, *key: Any) -> Any:
        """Inbox (message id) and bundles (transfer id, n, peer) under one name."""
        self._fail()
        return self.stored.get(key[0]) if len(key) == 1 else self.sealed.get(key)

    async def store(self, received: Received) -> Stored:
        self._fail()
        self.received.append(received)
        envelope = received.envelope
        row = Stored(envelope.digest, received.receipt)
        return self.stored.setdefault(envelope.message_id, row)

    async def redrive(self, transfer_id: str, peer: str) -> None:
        self.redriven.append(transfer_id)

    async def sides(self, transfer_id: str) -> Sequence[Side]:
        return self.known.get(transfer_id, ())

    async def barrier(self, city: str) -> int:
        return self.barriers.get(city, 0)

    async def answer(self, query: Envelope) -> Mapping[str, Any]:
        self._fail()
        return {
            "state": "Released",
            "decision": None,
            "last_seq_sent": 3,
            "applied": 0,
            "stored": 2,
            "receipted": 3,
            "transfers": None,
            "certificates": None,
            "next": None,
        }

    async def standing(self) -> Standing:
        return self.state

    async def refuse(self, refused: RefusedInput) -> None:
        self.refused.append(refused)

    async def alarm(self, kind: str, transfer_id: str | None, about: Mapping[str, Any]) -> None:
        self.alarms.append((kind, transfer_id, about))

    async def highest(self) -> int:
        return self.serial

    async def raise_to(self, serial: int) -> None:
        self.serial = max(self.serial, serial)

    def _fail(self) -> None:
        if self.away is not None:
            raise self.away
        if self.defect is not None:
            raise self.defect


def directory_in(
    folder: Path, ports: MemoryPorts, clock: Clock, changes: Mapping[str, Any] | None = None
) -> DirectoryFile:
    """A directory file with a case's changes, signed anew by a key of the test; not yet loaded."""
    file, pinned = resigned_directory(changes)
    path = folder / "directory.json"
    path.write_text(json.dumps(file, ensure_ascii=False), "utf-8")
    return DirectoryFile(path, pinned, threshold=1, clock=clock, serials=ports, journal=ports)
