"""What do a service and the ledger say to each other?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol
from uuid import UUID

from shared.messages import Command, Event, Nature, Outgoing, Rejection, Terms
from shared.postgres import Connection


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """An aggregate: its kind (``dossier``) and its id."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True, order=True)
class StreamKey:
    """One key of one topic; its events are numbered from 1 without gaps."""

    topic: str
    key: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What a command may touch, known before anything is read.

    ``targets``: the aggregates that it reads and may change, the first being its own. ``streams``:
    every stream that it may write to. ``claims``: keys that a unique index of the service guards;
    one batch names each at most once, for what one aggregate claims the next one's window cannot
    show (``Ledger.run`` raises ``ClaimTwice`` where the first of two took it).
    """

    targets: tuple[Target, ...]
    streams: tuple[StreamKey, ...] = ()
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """Something to do later: a job of ``kind`` for ``target``, due at ``due_at`` (None: at once).

    ``data`` is JSON for its handler. Its id is uuid5(command_id ‖ kind ‖ target.id ‖
    discriminator).
    """

    kind: str
    target: Target
    due_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    discriminator: str = ""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The waiting jobs of ``kind`` for ``target`` are no longer wanted; their rows stay."""

    kind: str
    target: Target


@dataclass(frozen=True, slots=True)
class Decided:
    """One accepted command with what it caused; ``states`` are those of its targets afterwards."""

    command: Command
    events: tuple[Event, ...]
    before: Mapping[Target, Any]
    states: Mapping[Target, Any]


class Domain(Protocol):
    """What a service gives the ledger: its pure decider, and the SQL of its store.

    ``state`` is a row *plus the window that the decision needs*; ``evolve`` moves both, ``encode``
    keeps the row alone. ``save`` runs inside the one write phase, after aggregates and streams.
    """

    def reach(self, command: Command) -> Reach: ...

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Any]:
        """States of all targets, window included; ``rows`` holds the aggregates' JSON or None."""
        ...

    def decide(self, states: tuple[Any, ...], command: Command) -> tuple[Event, ...] | Rejection:
        """``states`` in the order of the command's targets. No events: silence."""
        ...

    def belongs(self, event: Event) -> tuple[Target, ...]:
        """The aggregates that fold this event."""
        ...

    def evolve(self, target: Target, state: Any, event: Event) -> Any: ...

    def encode(self, target: Target, state: Any) -> Mapping[str, Any]:
        """The row as JSON; ``load`` gets it back."""
        ...

    def outgoing(self, event: Event, decided: Decided) -> Outgoing: ...

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]: ...

    async def prepare(self, decided: Sequence[Decided]) -> None:
        """Between deciding and writing, no connection held: sign, encrypt, keep for ``save``."""
        ...

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        """Write the service's own tables, set-wise, rows sorted by key."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is told, and a repeat of it is told again."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """The side of a command that came by HTTP: keyed digest of route, path and body, and how its
    answer is made. ``secret``: the stored answer keeps status and id only."""

    digest: bytes
    respond: Callable[[Decided], Answer]
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Accepted:
    """Committed. ``repeated``: it had been already; the first answer is given again."""

    events: tuple[Event, ...]
    states: Mapping[Target, Any]
    answer: Answer | None = None
    repeated: bool = False


Outcome = Accepted | Rejection


class Attachment(Protocol):
    """What must commit together with a batch that is run whole (a reader's progress, say)."""

    async def read(self, connection: Connection) -> None:
        """Before deciding, in the reading phase."""
        ...

    async def write(self, connection: Connection, outcomes: Mapping[UUID, Outcome]) -> None:
        """Last in the write phase; may raise ``Conflict`` to have the whole batch run again."""
        ...


class Conflict(Exception):
    """A guard did not take: someone committed meanwhile; the batch is read and decided again."""


class Waiting(Exception):
    """In a batch that runs whole, these commands met a refusal that waits; nothing was written."""

    def __init__(self, refusals: Mapping[UUID, Rejection]) -> None:
        super().__init__(f"{len(refusals)} commands must wait")
        self.refusals = refusals


class LedgerApi(Protocol):
    """What API, agents and jobs may ask of the ledger."""

    async def submit(
        self, command: Command, *, request: Request | None = None, job: UUID | None = None
    ) -> Outcome:
        """Through group commit. ``job``: that row is done in the same transaction."""
        ...

    async def run(
        self, commands: Sequence[Command], attachment: Attachment
    ) -> Mapping[UUID, Outcome]:
        """A batch that commits whole, with its attachment; raises ``Waiting``, ``Unavailable``."""
        ...

    async def rehearse(self, commands: Sequence[Command]) -> Mapping[UUID, Outcome]:
        """Decides as ``submit`` would, one after another, and writes nothing."""
        ...


@dataclass(frozen=True)
class CommandIdReused(Rejection):
    """The same Idempotency-Key came with another body, or its answer is older than is kept."""

    zh = "这个 Idempotency-Key 已经用于另一请求（或其答复已过 90 天）。请换一个新的键再试。"
    en = (
        "This Idempotency-Key was used for another request, or its answer is no longer kept "
        "(90 days). Send the request with a new key."
    )


@dataclass(frozen=True)
class FieldIsWrong(Rejection):
    """What was sent cannot be kept as an event: too long, or holding a character no text may."""

    nature: ClassVar[Nature] = "field"
    zh = "字段 {field} 不符合要求：{reason}。请改正后重试。"
    en = "The field {field} is wrong: {reason}. Correct it and try again."
    terms: ClassVar[Terms] = {
        "reason": {
            "half_a_surrogate_pair": "含有不完整的字符",
            "makes_too_large_an_event": "内容过长",
            "null_character": "含有空字符",
        }
    }

    field: str
    reason: str


class Defect(Exception):
    """The service contradicts itself: a broken constraint, an event outside its command's reach.

    The text names types, constraints and SQLSTATEs, never a value.
    """
