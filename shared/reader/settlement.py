"""What does the reader add to the transaction of a batch, so that all is done once?

``Settlement`` is the ledger's ``Attachment``: progress by compare-and-set under the owner that took
the partition up last, the keys' sequences, parked messages, dead letters, refused facts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from shared.ledger import EventRow, Outcome, StreamKey, append_events, last_sequences
from shared.messages import Rejection
from shared.postgres import Connection, Statement, execute_together
from shared.reader.plan import DeadLetter, Plan, Source

_DEAD_LETTERS: Final = UUID("6c1f6f0e-6f0e-5b0d-8a52-9d0f5f3a7b11")
# base64 of this and its envelope stay below the 262,144 bytes that an event row may hold.
KEPT_VALUE_BYTES: Final = 128 * 1024
KEPT_HEADER_BYTES: Final = 16 * 1024
KEPT_KEY_BYTES: Final = 1024

_PROGRESS: Final = """
    UPDATE source_progress AS t SET next_offset = x.after, moved_at = now()
    FROM unnest($3::int[], $4::bigint[], $5::bigint[]) AS x(partition, before, after)
    WHERE t.topic = $1 AND t.owner = $2 AND t.partition = x.partition AND t.next_offset = x.before
"""
_KEYS: Final = """
    INSERT INTO source_key AS t (topic, key, prev, last_sequence)
    SELECT $1, x.key, x.prev, x.last
    FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS x(key, prev, last)
    ON CONFLICT (topic, key) DO UPDATE
    SET last_sequence = excluded.last_sequence, prev = excluded.prev
    WHERE t.last_sequence = excluded.prev
"""


class Overtaken(Exception):
    """Another transaction moved this source since it was read: look again, then decide."""


def dead_letters(service: str) -> str:
    """The internal topic of what a service's reader could not take (short name)."""
    return f"{service}.dead-letters.v1"


@dataclass(slots=True)
class Settlement:
    """The part of a batch's transaction that is the reader's: its ``Attachment`` of the ledger.

    ``expected`` is the offset each partition stood at when the batch was planned; ``draining``
    when the batch consists of parked messages, whose partitions do not move.
    """

    service: str
    owner: UUID
    source: Source
    plan: Plan
    expected: Mapping[int, int]
    now: datetime
    draining: frozenset[str] | None = None
    refused: int = 0
    dead: int = 0
    _streams: Mapping[StreamKey, int] = field(default_factory=dict)
    _written: frozenset[UUID] = frozenset()

    async def read(self, connection: Connection) -> None:
        """Which dead letters stand already, and where the others' streams are."""
        if self.plan.dead:
            rows = await connection.fetch(
                "SELECT event_id FROM event WHERE event_id = ANY ($1::uuid[])",
                [_dead_letter_id(self.service, letter) for letter in self.plan.dead],
            )
            self._written = frozenset(row["event_id"] for row in rows)
            topic = dead_letters(self.service)
            self._streams = await last_sequences(
                connection, [StreamKey(topic, _dead_letter_key(one)) for one in self.plan.dead]
            )

    async def write(self, connection: Connection, outcomes: Mapping[UUID, Outcome]) -> None:
        """Progress and keys first: a reader that lost its partition fails there (``Overtaken``)."""
        await self._move(connection)
        if self.draining is None:
            await self._park(connection)
        else:
            await self._unpark(connection, sorted(self.draining))
        if self.plan.dead:
            await self._bury(connection)
        refused = [
            (command_id, outcome)
            for command_id, outcome in outcomes.items()
            if isinstance(outcome, Rejection)
        ]
        self.refused = len(refused)
        if refused:
            await self._note_refusals(connection, refused)

    async def _move(self, connection: Connection) -> None:
        partitions = sorted(self.expected)
        before = [self.expected[n] for n in partitions]
        after = before
        if self.draining is None:
            after = [max(self.plan.ends.get(n, 0), self.expected[n]) for n in partitions]
        topic, keys = self.source.topic, sorted(self.plan.moves)
        moves = [self.plan.moves[key] for key in keys]
        changes: list[Statement] = [(_PROGRESS, (topic, self.owner, partitions, before, after))]
        wanted = [len(partitions)]
        if keys:
            prev, last = [move[0] for move in moves], [move[1] for move in moves]
            changes.append((_KEYS, (topic, keys, prev, last)))
            wanted.append(len(keys))
        if await execute_together(connection, changes) != wanted:
            raise Overtaken(topic)

    async def _park(self, connection: Connection) -> None:
        """A repeat of a parked message changes nothing, unless the first could not be read."""
        if not self.plan.parked:
            return
        await connection.executemany(
            """
            INSERT INTO parked AS t (topic, key, sequence, partition, raw, reason, due_at)
            VALUES ($1, $2, $3, $4, $5, $6, CASE $7 WHEN 'now' THEN now()
                WHEN 'later' THEN now() + interval '1 second' END)
            ON CONFLICT (topic, key, sequence) DO UPDATE
            SET raw = excluded.raw, reason = excluded.reason, due_at = excluded.due_at
            WHERE t.reason = 'unreadable'
            """,
            [
                (
                    self.source.topic,
                    one.key,
                    one.sequence,
                    one.raw.partition,
                    json.dumps(one.raw.kept()),
                    one.reason,
                    one.due,
                )
                for one in sorted(self.plan.parked, key=lambda one: (one.key, one.sequence))
            ],
        )

    async def _unpark(self, connection: Connection, keys: Sequence[str]) -> None:
        """Takes out what is done; what is first now is tried again, later each time."""
        topic = self.source.topic
        await connection.execute(
            """
            DELETE FROM parked AS t
            USING unnest($2::text[], $3::bigint[]) AS x(key, sequence)
            WHERE t.topic = $1 AND t.key = x.key AND t.sequence = x.sequence
            """,
            topic,
            [key for key, _ in self.plan.done],
            [sequence for _, sequence in self.plan.done],
        )
        # Two keys never share a row; what a key still waits for stands first in the plan.
        reasons: dict[str, str] = {}
        for one in self.plan.parked:
            reasons.setdefault(one.key, one.reason)
        await connection.execute(
            "UPDATE parked SET due_at = NULL WHERE topic = $1 AND key = ANY ($2::text[]) "
            "AND due_at IS NOT NULL",
            topic,
            keys,
        )
        await connection.execute(
            """
            UPDATE parked AS t
            SET reason = coalesce(head.reason, t.reason),
                attempts = t.attempts + (head.reason IS NOT NULL)::int,
                due_at = CASE WHEN head.reason IS NULL THEN now()
                    ELSE now() + make_interval(secs => least(60, 2 ^ (t.attempts + 1))) END
            FROM (SELECT DISTINCT ON (p.key) p.key, p.sequence, x.reason
                  FROM parked AS p
                  JOIN unnest($2::text[], $3::text[]) AS x(key, reason) ON p.key = x.key
                  WHERE p.topic = $1 ORDER BY p.key, p.sequence) AS head
            WHERE t.topic = $1 AND t.key = head.key AND t.sequence = head.sequence
            """,
            topic,
            keys,
            [reasons.get(key) for key in keys],
        )

    async def _bury(self, connection: Connection) -> None:
        """Dead letters as event rows: they commit with the batch, and the relay publishes them."""
        last = dict(self._streams)
        rows: dict[UUID, EventRow] = {}
        for letter in self.plan.dead:
            event_id = _dead_letter_id(self.service, letter)
            if event_id in self._written or event_id in rows:
                continue
            stream = StreamKey(dead_letters(self.service), _dead_letter_key(letter))
            last[stream] += 1
            rows[event_id] = EventRow(
                topic=stream.topic,
                key=stream.key,
                sequence=last[stream],
                event_id=event_id,
                type=f"{self.service}.message-dead-lettered.v1",
                data=_dead_letter_data(letter),
                actor_id=f"system:{self.service}",
                correlation_id=None,
                causation_id=None,
                custody_epoch=None,
                occurred_at=self.now,
            )
        self.dead = len(rows)
        await append_events(connection, list(rows.values()), self._streams)

    async def _note_refusals(
        self, connection: Connection, refused: Sequence[tuple[UUID, Rejection]]
    ) -> None:
        names = {command.command_id: type(command).__name__ for command in self.plan.commands}
        await connection.executemany(
            """
            INSERT INTO refused_fact (command_id, topic, key, sequence, event_id, event_type,
                command, rejection, members)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (command_id) DO NOTHING
            """,
            [
                (
                    command_id,
                    message.topic,
                    message.key,
                    message.sequence,
                    message.event_id,
                    message.type,
                    names[command_id],
                    rejection.slug(),
                    json.dumps(rejection.members(), default=str),
                )
                for command_id, rejection in refused
                for message, _ in [self.plan.origin[command_id]]
            ],
        )


def _dead_letter_id(service: str, letter: DeadLetter) -> UUID:
    """The same record buried for the same reason is one letter, however often it is read."""
    raw = letter.raw
    digest = hashlib.sha256((raw.key or b"-") + b"\0" + (raw.value or b"-")).hexdigest()
    return uuid5(
        _DEAD_LETTERS,
        "|".join((service, letter.kind, raw.topic, str(raw.partition), str(raw.offset), digest)),
    )


def _dead_letter_key(letter: DeadLetter) -> str:
    """The source's key where it is text, else its partition."""
    raw = letter.raw
    if raw.key and len(raw.key) <= 256 and b"\0" not in raw.key:
        try:
            return raw.key.decode("utf-8")
        except UnicodeDecodeError:
            pass
    return f"{raw.topic}/{raw.partition}"


def _dead_letter_data(letter: DeadLetter) -> str:
    """What the letter says: where the record stood, why it is here, and its bytes in base64.

    What one event row cannot hold is cut, and the letter says so; the record itself still stands
    on its topic.
    """
    raw = letter.raw
    value = raw.value or b""
    cut = len(value) > KEPT_VALUE_BYTES or sum(len(v) for _, v in raw.headers) > KEPT_HEADER_BYTES
    if cut or len(raw.key or b"") > KEPT_KEY_BYTES:
        cut = True
        key = raw.key and raw.key[:KEPT_KEY_BYTES]
        raw = replace(raw, key=key, value=value[:KEPT_VALUE_BYTES], headers=())
    return json.dumps(
        {
            "kind": letter.kind,
            "reason": letter.reason[:500],
            "raw": raw.kept(),
            "size_bytes": len(value),
            "sha256": hashlib.sha256(value).hexdigest(),
            "truncated": cut,
        },
        separators=(",", ":"),
    )
