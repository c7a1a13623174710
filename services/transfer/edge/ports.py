"""What do the wire modules need from the rest of the service, and what do they give it?

The federation app, the checks and the courier know messages; they know nothing of states, tables
or the ledger. ``edge/store.py`` and ``wiring.py`` stand behind these protocols. Every method may
raise ``shared.messages.Unavailable``: the peer is then answered 503, the courier tries again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from services.transfer.domain.envelopes import Envelope

Role = Literal["origin", "destination"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message that passed every check, with the receipt that will be its answer.

    ``raw`` are the bytes of the wire, ``receipt`` the canonical bytes of our signed receipt: both
    go to the inbox in the transaction that takes the message in. ``genuine`` names those signed
    objects inside the content (consent, head, certificates, pointers, entries) whose signature
    holds under the directory of serial ``directory_serial``: see ``domain.genuine``.
    """

    envelope: Envelope
    raw: bytes
    receipt: bytes
    received_at: datetime
    genuine: frozenset[str]
    directory_serial: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What the inbox holds under a message id: the body's digest and the receipt, byte for byte."""

    digest: str
    receipt: bytes


class Inbox(Protocol):
    """Messages of other cities, each taken in once."""

    async def find(self, message_id: str) -> Stored | None: ...

    async def store(self, received: Received) -> Stored:
        """Inbox row and effects in one transaction, through the ledger.

        Gives what stands there after the commit: these, or what a parallel request put there
        first (its digest may differ: the caller then answers ``conflict``).
        """
        ...

    async def redrive(self, transfer_id: str, peer: str) -> None:
        """Undelivered outbox rows of this transfer are due now (rows O32, D31)."""
        ...


@dataclass(frozen=True, slots=True)
class Side:
    """A transfer as this node holds it: our role, and the city on the other side."""

    role: Role
    other: str


class Transfers(Protocol):
    """Which conversations exist here."""

    async def sides(self, transfer_id: str) -> Sequence[Side]:
        """Empty: unknown here. Two where a node is both sides of its own (never between cities)."""
        ...

    async def barrier(self, city: str) -> int:
        """The lowest incarnation of that city that is still heard; 0 where none was set."""
        ...


@dataclass(frozen=True, slots=True)
class SealedBundle:
    """The sealed bytes of one bundle; ``digest`` is their SHA-256 in hex."""

    digest: str
    sealed: bytes


class Bundles(Protocol):
    """What this node offers as origin."""

    async def find(self, transfer_id: str, n: int, peer: str) -> SealedBundle | None:
        """None: not there, not for this peer, or the transfer is Settling, Aborted or later."""
        ...


class Status(Protocol):
    """What the other side is told when it asks (rows O33, D32)."""

    async def answer(self, query: Envelope) -> Mapping[str, Any]:
        """The content of the status-reply; makes due again what the question shows as missing."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How this node stands: ``reason`` says why E1 and E2 must answer 503, or None."""

    incarnation: int
    recovering: bool = False
    reason: str | None = None


class Node(Protocol):
    """The service's own condition. Asked at every message: it must be cheap."""

    async def standing(self) -> Standing:
        """Database writable, disk at least 5 % free, own topics compared since the start."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedInput:
    """What did not pass: for ``rejected_input``, 90 days. ``raw`` is cut by who writes it here."""

    endpoint: str
    peer: str
    claimed: str | None
    problem: str
    field: str | None
    instance: str
    raw: bytes
    at: datetime


class Journal(Protocol):
    """What officers and auditors must be able to find afterwards."""

    async def refuse(self, refused: RefusedInput) -> None: ...

    async def alarm(self, kind: str, transfer_id: str | None, about: Mapping[str, Any]) -> None:
        """One row of ``alarm`` and a gauge; ``about`` holds ids, numbers and problem names only."""
        ...


class Serials(Protocol):
    """The highest directory serial ever taken here: it never falls, also over a restart."""

    async def highest(self) -> int: ...

    async def raise_to(self, serial: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A row of ``peer_outbox`` whose turn has come.

    ``wire`` is what is sent, each time the same. ``gives_up_at`` is its expiry for M1, M2, M4 and
    M6, None for all others, which are never given up.
    """

    id: int
    transfer_id: str
    peer: str
    type: str
    message_id: str
    digest: str
    wire: bytes
    attempts: int
    gives_up_at: datetime | None


class Outbox(Protocol):
    """Messages to other cities.

    Of one transfer and incarnation only the undelivered row of the lowest seq has its turn; rows
    that are stuck or given up do not hold back the later ones.
    """

    async def due(self, limit: int, busy: Sequence[str], shut: Sequence[str]) -> Sequence[Delivery]:
        """Rows due by the database's clock, oldest first, passing over the transfers in ``busy``
        (one of theirs is on its way) and the cities in ``shut``."""
        ...

    async def delivered(self, id: int, receipt: bytes | None) -> None:
        """``receipt``: the peer's, as it came; None where the peer never knew the transfer (M3,
        M8), so that nothing is left to tell."""
        ...

    async def postpone(self, id: int, seconds: float, reason: str) -> None:
        """One attempt more is counted; due again after ``seconds``."""
        ...

    async def resign(self, id: int, wire: bytes) -> None:
        """The same body under a new key (id and digest stay), due at once."""
        ...

    async def stick(self, id: int, problem: str) -> None:
        """An officer decides; nothing is dropped."""
        ...

    async def give_up(self, id: int) -> None: ...

    async def wait(self, seconds: float) -> None:
        """Until a row may be due: a notification, or the time has passed."""
        ...
