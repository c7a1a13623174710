"""What should become of each message of a batch? Pure: no clock, no I/O.

Every message ends in exactly one way: passed as a repeat, turned into commands, parked, or
dead-lettered (and parked where its key and sequence can be read), so that none is skipped
silently (rules.md INV-13). The key's sequence alone decides, never an offset.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

from shared.envelope import decode
from shared.messages import Command, Message, Unreadable

React = Callable[[Message], tuple[Command, ...]]
Position = tuple[int, int]  # partition, offset

BEHIND: Final = "behind"
GAP: Final = "gap"
UNREADABLE: Final = "unreadable"
DEFECT: Final = "defect"
WAITS: Final = "waits"


@dataclass(frozen=True, slots=True)
class Source:
    """A topic that a service reads, by its short name, and what each of its facts makes it do.

    ``react`` is pure: () for types that are passed over, ``Unreadable`` for data that is no fact.
    ``first``: read to the end as it then is before sources that are not first are joined.
    ``sequenced=False`` for topics that outsiders write: repeats are found by their natural keys.
    ``expects_success``: a refusal by a rule raises an alarm beside its row in ``refused_fact``.
    """

    topic: str
    react: React
    adapter: Literal["faust", "loop"] = "faust"
    first: bool = False
    sequenced: bool = True
    expects_success: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """One record as it came from the broker; ``topic`` without the node's prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def position(self) -> Position:
        return self.partition, self.offset

    def kept(self) -> dict[str, Any]:
        """As JSON, bytes in base64: for parked rows and dead letters."""
        return {
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "key": _text(self.key),
            "value": _text(self.value),
            "headers": [[name, _text(value)] for name, value in self.headers],
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Raw:
        """What ``kept`` made."""
        return cls(
            topic=kept["topic"],
            partition=kept["partition"],
            offset=kept["offset"],
            key=_bytes(kept["key"]),
            value=_bytes(kept["value"]),
            headers=tuple((name, _bytes(value) or b"") for name, value in kept["headers"]),
        )


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode("ascii")


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


@dataclass(frozen=True, slots=True)
class Known:
    """What the database says of the keys of a batch: last sequence passed, first one parked."""

    last: Mapping[str, int]
    heads: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Parking:
    """A message that waits. ``due``: tried now, after a while, or only behind its key's head."""

    raw: Raw
    key: str
    sequence: int
    reason: str
    due: Literal["now", "later", "never"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message for the internal dead-letter topic. ``reason`` names a field or type, no value."""

    raw: Raw
    kind: Literal["unreadable", "defect"]
    reason: str


@dataclass(slots=True)
class Plan:
    """What one transaction will do for a batch of one topic.

    ``origin`` leads from a command to its message and raw record; ``moves`` from a key to
    (previous, new) last sequence; ``ends`` from a partition to the offset after its last message;
    ``done`` lists what need not be parked any more.
    """

    commands: list[Command] = field(default_factory=list)
    origin: dict[UUID, tuple[Message, Raw]] = field(default_factory=dict)
    moves: dict[str, tuple[int, int]] = field(default_factory=dict)
    parked: list[Parking] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    done: list[tuple[str, int]] = field(default_factory=list)
    repeats: int = 0


class Defect(Exception):
    """Our own code raised while it judged this one message."""

    def __init__(self, raw: Raw, cause: Exception) -> None:
        super().__init__(f"{raw.topic}[{raw.partition}]@{raw.offset}: {type(cause).__name__}")
        self.raw = raw
        self.cause = cause


def plan(
    source: Source, batch: Sequence[Raw], known: Known, held: Mapping[Position, str]
) -> Plan:
    """Judges a batch in its order. ``held`` gives messages that must be parked, with the reason.

    Raises ``Defect`` where ``react`` raises what is no ``Unreadable``.
    """
    judge = _Judge(source, known, held)
    for raw in batch:
        judge.take(raw)
    return judge.plan


class _Judge:
    def __init__(self, source: Source, known: Known, held: Mapping[Position, str]) -> None:
        self.source = source
        self.last = dict(known.last)
        self.heads = dict(known.heads)
        self.held = held
        self.plan = Plan()

    def take(self, raw: Raw) -> None:
        ends = self.plan.ends
        ends[raw.partition] = max(raw.offset + 1, ends.get(raw.partition, 0))
        try:
            message = decode(
                raw.topic, raw.key, raw.value, raw.headers, sequenced=self.source.sequenced
            )
        except Unreadable as problem:
            key, sequence = _hint(raw)
            if key is None or sequence is None or not self.source.sequenced:
                self.plan.dead.append(DeadLetter(raw, "unreadable", str(problem)))
            elif not self._passed(key, sequence):
                self._unreadable(raw, key, sequence, problem)
            return
        # Without sequences nothing is a repeat or a gap; the offset orders what is parked.
        sequence = message.sequence if self.source.sequenced else raw.offset + 1
        assert sequence is not None, "decode refuses a sequenced record without a sequence"
        if not self._passed(message.key, sequence):
            self._judge(raw, message, sequence)

    def _passed(self, key: str, sequence: int) -> bool:
        if self.source.sequenced and sequence <= self.last.get(key, 0):
            self.plan.repeats += 1
            self.plan.done.append((key, sequence))
            return True
        return False

    def _judge(self, raw: Raw, message: Message, sequence: int) -> None:
        key = message.key
        reason = self.held.get(raw.position)
        head = self.heads.get(key)
        if head is not None:
            self._behind(raw, key, sequence, head, BEHIND)
        elif self.source.sequenced and sequence > self.last.get(key, 0) + 1:
            self._park(raw, key, sequence, GAP)
        elif reason is not None:
            self._park(raw, key, sequence, reason)
            if reason.startswith(DEFECT):
                self.plan.dead.append(DeadLetter(raw, "defect", reason))
        else:
            self._react(raw, message, sequence)

    def _react(self, raw: Raw, message: Message, sequence: int) -> None:
        try:
            commands = self.source.react(message)
            repeated = {command.command_id for command in commands} & self.plan.origin.keys()
            if repeated or len({command.command_id for command in commands}) < len(commands):
                raise AssertionError("two commands of one batch have the same id")
        except Unreadable as problem:
            self._unreadable(raw, message.key, sequence, problem)
            return
        except Exception as cause:
            raise Defect(raw, cause) from cause
        for command in commands:
            self.plan.commands.append(command)
            self.plan.origin[command.command_id] = (message, raw)
        self.plan.done.append((message.key, sequence))
        if self.source.sequenced:
            before = self.last.get(message.key, 0)
            first = self.plan.moves.get(message.key, (before, before))[0]
            self.plan.moves[message.key] = (first, sequence)
            self.last[message.key] = sequence

    def _unreadable(self, raw: Raw, key: str, sequence: int, problem: Unreadable) -> None:
        self.plan.dead.append(DeadLetter(raw, "unreadable", str(problem)))
        head = self.heads.get(key)
        if head is not None:
            self._behind(raw, key, sequence, head, UNREADABLE)
        else:
            self._park(raw, key, sequence, UNREADABLE)

    def _behind(self, raw: Raw, key: str, sequence: int, head: int, reason: str) -> None:
        # Before the head it closes a gap; at the head it may replace what could not be read.
        due: Literal["now", "never"] = "now" if sequence <= head else "never"
        self.plan.parked.append(Parking(raw, key, sequence, reason, due))
        self.heads[key] = min(head, sequence)

    def _park(self, raw: Raw, key: str, sequence: int, reason: str) -> None:
        self.plan.parked.append(Parking(raw, key, sequence, reason, "later"))
        self.heads[key] = sequence


def _hint(raw: Raw) -> tuple[str | None, int | None]:
    """Key and sequence of a record that could not be opened, where at least these are plain."""
    key = None
    sequence = None
    if raw.key and len(raw.key) <= 256:
        try:
            key = raw.key.decode("utf-8")
        except UnicodeDecodeError:
            key = None
    for name, value in raw.headers:
        if name == "ce_sequence" and value.isdigit() and len(value) <= 18 and int(value) > 0:
            sequence = int(value)
    return (None if key is None or "\0" in key else key), sequence
