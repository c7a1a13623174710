"""Which rows does a batch leave behind, and how are they written in one statement?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from shared.ledger.types import Conflict, StreamKey, Target
from shared.postgres import Connection

# What the event table's CHECK takes, and the broker and the readers with it.
MAX_EVENT_BYTES: Final = 262_144
CHANGED: Final = "JX001"
# Made once: ``json.dumps`` would make one for each text.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def key_of(thing: Target | StreamKey | str) -> str:
    """One text for an aggregate, a stream or a claim: what batches and locks are told apart by."""
    if isinstance(thing, Target):
        return f"a|{thing.kind}|{thing.id}"
    if isinstance(thing, StreamKey):
        return f"s|{thing.topic}|{thing.key}"
    return f"c|{thing}"


def as_json(value: Mapping[str, Any]) -> str:
    """Compact JSON text. Raises ``TypeError``/``ValueError`` for what JSON does not know."""
    return _ENCODER.encode(value)


class Lost(Conflict):
    """What another transaction changed between our reading and our writing, by key."""

    def __init__(self, keys: frozenset[str]) -> None:
        super().__init__(f"{len(keys)} keys were changed meanwhile")
        self.keys = keys


@dataclass(frozen=True, slots=True)
class EventRow:
    """One row of ``event``; ``topic`` and ``sequence`` are both None for nobody outside."""

    topic: str | None
    key: str
    sequence: int | None
    event_id: UUID
    type: str
    data: str
    actor_id: str
    correlation_id: str | None
    causation_id: str | None
    custody_epoch: int | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class JobRow:
    """One row of ``job`` as it is first written."""

    id: UUID
    kind: str
    target: Target
    data: str
    correlation_id: str | None
    state: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One row of ``answer``."""

    command_id: UUID
    digest: bytes
    status: int
    body: str
    secret: bool


@dataclass(slots=True)
class Rows:
    """Everything that ``ledger_write`` takes; versions and sequences are those after the batch."""

    aggregates: list[tuple[Target, int, str]] = field(default_factory=list)
    unchanged: list[tuple[Target, int]] = field(default_factory=list)
    streams: list[tuple[StreamKey, int, int]] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    jobs_done: list[UUID] = field(default_factory=list)
    cancels: list[tuple[str, Target]] = field(default_factory=list)
    jobs: list[JobRow] = field(default_factory=list)
    answers: list[AnswerRow] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.aggregates
            or self.events
            or self.jobs_done
            or self.cancels
            or self.jobs
            or self.answers
        )


_WRITE: Final = "SELECT ledger_write(" + ", ".join(f"${n}" for n in range(1, 40)) + ")"


async def write(connection: Connection, rows: Rows) -> None:
    """The batch's one write; raises ``Lost`` when something was changed since it was read."""
    aggregates = sorted(rows.aggregates)
    unchanged = sorted(rows.unchanged)
    streams = sorted(rows.streams)
    cancels = sorted(set(rows.cancels))
    try:
        await connection.execute(
            _WRITE,
            [target.kind for target, _, _ in aggregates],
            [target.id for target, _, _ in aggregates],
            [version for _, version, _ in aggregates],
            [state for _, _, state in aggregates],
            [target.kind for target, _ in unchanged],
            [target.id for target, _ in unchanged],
            [version for _, version in unchanged],
            [stream.topic for stream, _, _ in streams],
            [stream.key for stream, _, _ in streams],
            [last for _, last, _ in streams],
            [prev for _, _, prev in streams],
            *_columns(
                (
                    e.topic,
                    e.key,
                    e.sequence,
                    e.event_id,
                    e.type,
                    e.data,
                    e.actor_id,
                    e.correlation_id,
                    e.causation_id,
                    e.custody_epoch,
                    e.occurred_at,
                )
                for e in rows.events
            )
            or [[] for _ in range(11)],
            rows.jobs_done,
            [kind for kind, _ in cancels],
            [target.kind for _, target in cancels],
            [target.id for _, target in cancels],
            *_columns(
                (
                    j.id,
                    j.kind,
                    j.target.kind,
                    j.target.id,
                    j.data,
                    j.correlation_id,
                    j.state,
                    j.due_at,
                )
                for j in rows.jobs
            )
            or [[] for _ in range(8)],
            *_columns((a.command_id, a.digest, a.status, a.body, a.secret) for a in rows.answers)
            or [[] for _ in range(5)],
        )
    except asyncpg.PostgresError as error:
        if error.sqlstate == CHANGED:
            raise Lost(frozenset(json.loads(error.detail or "[]"))) from None
        raise


def _columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def last_sequences(
    connection: Connection, streams: Iterable[StreamKey]
) -> dict[StreamKey, int]:
    """The last sequence of each stream, 0 where nothing was written yet. A read without locks."""
    wanted = sorted(set(streams))
    found = await connection.fetch(
        """SELECT s.topic, s.key, s.last_sequence
           FROM unnest($1::text[], $2::text[]) AS x(topic, key)
           JOIN stream AS s ON s.topic = x.topic AND s.key = x.key""",
        [stream.topic for stream in wanted],
        [stream.key for stream in wanted],
    )
    known = {StreamKey(row["topic"], row["key"]): row["last_sequence"] for row in found}
    return {stream: known.get(stream, 0) for stream in wanted}


async def append_events(
    connection: Connection, events: Sequence[EventRow], before: Mapping[StreamKey, int]
) -> None:
    """Event rows that no command made (dead letters), for an ``Attachment`` to write last.

    ``before``: what ``last_sequences`` told in the reading phase; the rows' sequences go on from
    there. Raises ``Conflict`` when the stream was written to meanwhile.
    """
    if not events:
        return
    last = dict(before)
    for row in events:
        if row.topic is not None and row.sequence is not None:
            last[StreamKey(row.topic, row.key)] = row.sequence
    rows = Rows(
        events=list(events),
        streams=[(s, n, before[s]) for s, n in last.items() if n != before[s]],
    )
    await write(connection, rows)
