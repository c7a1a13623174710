"""What do states share? Who with whom, the request, counts of messages, channels, decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from services.transfer.domain.custody import Link
from services.transfer.domain.events import Hold, RefusalClass, Role, Totals

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wire:
    """How this side counts its own messages in this transfer and incarnation (2.3, 4)."""

    incarnation: int
    seq: int = 0
    prev: str | None = None
    protocol: str = "jiexu/1.0"
    last_seq_seen: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Supplement:
    """One supplement of a channel: its number and digests; after it was applied, with what effect.

    ``object_digest`` is the SHA-256 of its canonical content, under which records reads it.
    """

    k: int
    incarnation: int
    digest: str
    previous: str | None
    object_digest: str
    message_id: str
    entries: int
    new: int | None = None
    duplicates: int | None = None
    quarantined: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outflow:
    """The channel of supplements that this side sends (9). ``awaiting``: (k, digest), no M11r yet.

    ``pending``: own entries that left undecided; the residual timer waits for them.
    ``frontier``: the tree over the digests of all ``k`` (hex; ``shared.merkle``).
    """

    k: int = 0
    last_digest: str | None = None
    entries: int = 0
    awaiting: tuple[tuple[int, str], ...] = ()
    pending: tuple[str, ...] = ()
    frontier: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Inflow:
    """The channel of supplements that the other side sends, of its latest incarnation.

    ``k``, ``last_digest``: the last taken up in order; ``waiting``: taken up, not yet applied by
    records; ``parked``: ahead of their turn, at most ``PARKED_MOST``.
    """

    incarnation: int = 0
    k: int = 0
    last_digest: str | None = None
    applied: int = 0
    entries: int = 0
    waiting: tuple[Supplement, ...] = ()
    parked: tuple[Supplement, ...] = ()
    frontier: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """M1 as both sides keep it. ``seal_key`` is the destination's, ``limits`` too."""

    applicant_ref: str
    purpose: str
    message_id: str
    incarnation: int
    at: datetime
    code_id: str | None
    seal_key: str
    suites: tuple[str, ...]
    protocols: tuple[str, ...]
    limits: Mapping[str, int]
    consent: Document | None = None
    attempt: int = 1
    first_applied_at: datetime | None = None
    reviewed_seconds: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """What a move keeps at every station: who with whom, the request, the counting of messages."""

    transfer_id: str
    role: Role
    origin: str
    destination: str
    request: Request
    wire: Wire
    outflow: Outflow = field(default_factory=Outflow)
    inflow: Inflow = field(default_factory=Inflow)
    since: datetime
    withdrawn: bool = False

    @property
    def city(self) -> str:
        """This side."""
        return self.origin if self.role == "origin" else self.destination

    @property
    def peer(self) -> str:
        """The other side."""
        return self.destination if self.role == "origin" else self.origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Whose dossier, under which epoch of custody (the origin's)."""

    subject_id: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze:
    """The dossier as it was frozen: the signed head and the log it describes."""

    head: Document
    log_id: str
    at: datetime

    @property
    def totals(self) -> Totals:
        """Of the head."""
        return Totals(**self.head["body"]["totals"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """M4 as both sides keep it, with the links of its custody chain."""

    digest: str
    message_id: str
    expires_at: datetime
    head: Document
    seal_key: str
    suite: str
    bundles: tuple[Mapping[str, Any], ...]
    chain: tuple[Link, ...]

    @property
    def body(self) -> Mapping[str, Any]:
        """The head's body: count, root, totals, state digest."""
        found: Mapping[str, Any] = self.head["body"]
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """M6, which cannot be taken back: its body digest is what the release must name."""

    digest: str
    message_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """A signed decision of the origin: release or abort."""

    document: Document
    digest: str
    message_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a move ended, who said so, and the content of M3 if it was this side.

    ``code`` is that of section 7; ``said`` the code sent or received where it differs (D14).
    """

    code: str
    refusal_class: RefusalClass
    by: Role
    content: Document | None
    retry_after: int | None = None
    hold: Hold | None = None
    pointer: Document | None = None
    appeal_until: date | None = None
