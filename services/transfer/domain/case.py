"""What lies before the decider: the move's state with its window, custody, this city, the input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from services.transfer.domain.blocks import Subject, Supplement
from services.transfer.domain.certificates import seal_of
from services.transfer.domain.commands import TakeMessage, TakeStatusReply, TransferCommand
from services.transfer.domain.custody import Custody, RequestLog
from services.transfer.domain.envelopes import Envelope
from services.transfer.domain.state import State, subject_of

if TYPE_CHECKING:
    from services.transfer.domain.draft import Draft

EntryKey = tuple[str, str, int]


class Signer(Protocol):
    """Ed25519 over domain ‖ 0x0A ‖ J(body): arithmetic, though its keys lie at the edge.

    A certificate is signed where it is decided, because it stands inside the message that carries
    it, and that message's digest is part of the state.
    """

    def sign(self, domain: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """``{"body", "kid", "sig"}`` under the present key for this domain's use."""
        ...


class Terms(Protocol):
    """Working days (12). An unknown year counts Monday to Friday; the edge raises the alarm."""

    def working_day(self, day: date, n: int) -> date:
        """The n-th working day after ``day``."""
        ...

    def end_of(self, day: date) -> datetime:
        """24:00 of that day in Asia/Shanghai."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class PairPolicy:
    """What a ``transfer_pair`` policy says of two cities; the defaults are ``pair-default``'s."""

    review_target_working_days: int = 10
    ceiling_working_days: int = 15
    cooling_off_days: int = 7
    late_change_window_days: int = 180


@dataclass(frozen=True, kw_only=True, slots=True)
class Office:
    """This city: its name, incarnation, signing, calendar and settings."""

    city: str
    incarnation: int
    signer: Signer
    terms: Terms
    limits: Mapping[str, int]
    daily_requests_per_peer: int = 2000
    suites: tuple[str, ...] = ("intl-1",)
    protocols: tuple[str, ...] = ("jiexu/1.0",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What a decision needs beside the row, loaded for the commands of one batch.

    ``inbox``: those of the batch's messages that are already stored; ``settled``: applied
    supplements under the numbers asked for; ``noted``: late changes that wait for the release
    (loaded where M6 is judged); ``forwarded``: those of the late changes asked for that are
    already noted or in this move's channel; ``incarnation``: this node's; ``open_attempt``:
    another attempt of the application asked for has not ended without a move.
    """

    inbox: frozenset[str] = frozenset()
    settled: tuple[Supplement, ...] = ()
    noted: tuple[tuple[EntryKey, str, Mapping[str, Any]], ...] = ()
    forwarded: frozenset[EntryKey] = frozenset()
    pair: PairPolicy = field(default_factory=PairPolicy)
    incarnation: int = 1
    open_attempt: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """The row and its window. ``state`` None: there is no such move here ("–")."""

    state: State | None = None
    window: Window = field(default_factory=Window)

    @property
    def status(self) -> str:
        """As the tables call it."""
        return self.state.status if self.state else "–"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One input before one move."""

    office: Office
    file: File
    command: Any
    custody: Custody | None = None
    log: RequestLog = field(default_factory=RequestLog)

    @property
    def state(self) -> Any:
        """The row's shape; guards and acts know from their row which it is."""
        return self.file.state

    @property
    def at(self) -> datetime:
        """When it is judged."""
        found: datetime = self.command.at
        return found

    @property
    def subject(self) -> Subject | None:
        """Whose dossier, where the row knows."""
        return subject_of(self.file.state)

    @property
    def envelope(self) -> Envelope:
        """The message, where the input is one."""
        assert isinstance(self.command, TakeMessage | TakeStatusReply)
        return self.command.envelope

    @property
    def content(self) -> Mapping[str, Any]:
        """The message's content."""
        return self.envelope.content

    def genuine(self, signed: Mapping[str, Any]) -> bool:
        """Whether the edge found the signature of this object, which the message carries, true."""
        found: bool = seal_of(signed) in self.command.genuine
        return found


Guard = Callable[[Case], bool]
Act = Callable[["Draft"], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of a state table.

    ``source``: statuses ("–": no such move, "any": whatever there is); ``inputs`` as commands
    name themselves; ``next``: a status or "same"; ``messages``, ``events``: what an act of this
    row may send and tell, as in the document. A transfer-ended goes with each transfer-refused
    and transfer-aborted.
    """

    row: str
    source: tuple[str, ...]
    inputs: tuple[str, ...]
    next: str
    act: Act
    guard: Guard | None = None
    messages: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    def takes(self, status: str, name: str) -> bool:
        """Whether state and input are listed; the guard is asked afterwards."""
        here = status in self.source or (self.source == ("any",) and status != "–")
        return here and name in self.inputs


def named(command: TransferCommand) -> str:
    """The input's name in the tables."""
    return command.name
