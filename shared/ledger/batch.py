"""How is one batch of commands read and decided? One attempt; nothing here writes.

The order of reading is the rule (decisions/0001): aggregates and streams in one snapshot, then
the window, the stored answers last. Any other order passes the guard with old facts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.ids import event_id
from shared.ledger.deciding import Deciding
from shared.ledger.entries import Entry, Plan, Reading
from shared.ledger.types import Answer, Attachment, Domain, StreamKey, Target
from shared.postgres import Connection

_AGGREGATES_AND_STREAMS = """
    SELECT true AS aggregate, t.kind AS a, t.id AS b, t.version AS n, t.state::text AS state
    FROM unnest($1::text[], $2::text[]) AS x(kind, id)
    JOIN aggregate AS t ON t.kind = x.kind AND t.id = x.id
    UNION ALL
    SELECT false, t.topic, t.key, t.last_sequence, NULL
    FROM unnest($3::text[], $4::text[]) AS x(topic, key)
    JOIN stream AS t ON t.topic = x.topic AND t.key = x.key
"""
_ANSWERS = """
    SELECT 'answer' AS what, t.command_id AS id, t.digest, t.status, t.body, t.secret
    FROM unnest($1::uuid[]) AS x(id) JOIN answer AS t ON t.command_id = x.id
    UNION ALL
    SELECT 'event', t.event_id, NULL, NULL, NULL, NULL
    FROM unnest($2::uuid[]) AS x(id) JOIN event AS t ON t.event_id = x.id
    UNION ALL
    SELECT 'job', t.id, NULL, NULL, NULL, NULL
    FROM unnest($3::uuid[]) AS x(id) JOIN job AS t ON t.id = x.id AND t.state = 'waiting'
"""


class Attempt:
    """One reading and deciding of a batch. Its methods are steps, so that tests can break one."""

    def __init__(
        self, domain: Domain, entries: Sequence[Entry], attachment: Attachment | None = None
    ) -> None:
        self._domain = domain
        self._entries = entries
        self._attachment = attachment

    async def read(self, connection: Connection) -> Reading:
        """All reads, in the one safe order."""
        versions, rows, sequences = await self.read_aggregates(connection)
        states = await self.read_window(connection, rows)
        answers, taken_effect, open_jobs = await self.read_answers(connection)
        if self._attachment is not None:
            await self._attachment.read(connection)
        return Reading(versions, sequences, states, answers, taken_effect, open_jobs)

    async def read_aggregates(
        self, connection: Connection
    ) -> tuple[dict[Target, int], dict[Target, Mapping[str, Any] | None], dict[StreamKey, int]]:
        targets = sorted({target for entry in self._entries for target in entry.reach.targets})
        streams = sorted({stream for entry in self._entries for stream in entry.reach.streams})
        versions = dict.fromkeys(targets, 0)
        rows: dict[Target, Mapping[str, Any] | None] = dict.fromkeys(targets)
        sequences = dict.fromkeys(streams, 0)
        if not targets and not streams:
            return versions, rows, sequences
        for row in await connection.fetch(
            _AGGREGATES_AND_STREAMS,
            [target.kind for target in targets],
            [target.id for target in targets],
            [stream.topic for stream in streams],
            [stream.key for stream in streams],
        ):
            if row["aggregate"]:
                target = Target(row["a"], row["b"])
                versions[target] = row["n"]
                rows[target] = json.loads(row["state"])
            else:
                sequences[StreamKey(row["a"], row["b"])] = row["n"]
        return versions, rows, sequences

    async def read_window(
        self, connection: Connection, rows: Mapping[Target, Mapping[str, Any] | None]
    ) -> Mapping[Target, Any]:
        if not self._entries:
            return {}
        return await self._domain.load(connection, [entry.command for entry in self._entries], rows)

    async def read_answers(
        self, connection: Connection
    ) -> tuple[dict[UUID, tuple[bytes, Answer]], set[UUID], set[UUID]]:
        first_events = {event_id(e.command.command_id, 0): e for e in self._entries}
        answers: dict[UUID, tuple[bytes, Answer]] = {}
        taken_effect: set[UUID] = set()
        open_jobs: set[UUID] = set()
        if not self._entries:
            return answers, taken_effect, open_jobs
        for row in await connection.fetch(
            _ANSWERS,
            [e.command.command_id for e in self._entries if e.request is not None],
            list(first_events),
            [e.job for e in self._entries if e.job is not None],
        ):
            if row["what"] == "answer":
                answers[row["id"]] = (row["digest"], _stored(row["status"], row["body"]))
            elif row["what"] == "event":
                taken_effect.add(first_events[row["id"]].command.command_id)
            else:
                open_jobs.add(row["id"])
        return answers, taken_effect, open_jobs

    def decide(self, reading: Reading, *, rehearsal: bool = False) -> Plan:
        """Pure: every command after those before it, in memory; what must be written in the end.

        In a ``rehearsal`` nothing will be written, so a claim named twice is judged as far as the
        windows know.
        """
        deciding = Deciding(self._domain, reading, len(self._entries), rehearsal)
        for place, entry in enumerate(self._entries):
            deciding.take(place, entry)
        return deciding.finish()


def _stored(status: int, body: str) -> Answer:
    return Answer(status, json.loads(body))
