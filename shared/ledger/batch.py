"""How is one batch of commands read and decided? One attempt; nothing here writes.

The order of reading is the rule (decisions/0001): aggregates and streams in one snapshot, then
the window, the stored answers last. Any other order passes the guard with old facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from shared.ids import event_id, job_id
from shared.ledger.rows import (
    MAX_EVENT_BYTES,
    AnswerRow,
    EventRow,
    JobRow,
    Rows,
    as_json,
    key_of,
)
from shared.ledger.types import (
    Accepted,
    Answer,
    Attachment,
    CommandIdReused,
    Decided,
    Defect,
    Domain,
    FieldIsWrong,
    Outcome,
    Reach,
    Request,
    Schedule,
    StreamKey,
    Target,
)
from shared.messages import Command, Event, Outgoing, Rejection
from shared.postgres import Connection


class ClaimTwice(Exception):
    """What one command made of a claim, the window of a later one of another aggregate cannot
    know: they belong in two batches."""


@dataclass(slots=True)
class Entry:
    """One command on its way through the ledger."""

    command: Command
    reach: Reach
    request: Request | None = None
    job: UUID | None = None
    keys: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, domain: Domain, command: Command, request: Request | None, job: UUID | None
    ) -> Entry:
        reach = domain.reach(command)
        keys = {key_of(x) for part in (reach.targets, reach.streams, reach.claims) for x in part}
        keys.add(f"i|{command.command_id}")
        if job is not None:
            keys.add(f"j|{job}")
        return cls(command, reach, request, job, frozenset(keys))


@dataclass(slots=True)
class Reading:
    """What one attempt knows of the database."""

    versions: dict[Target, int]
    sequences: dict[StreamKey, int]
    states: Mapping[Target, Any]
    answers: dict[UUID, tuple[bytes, Answer]]
    taken_effect: set[UUID]
    open_jobs: set[UUID]


@dataclass(slots=True)
class Plan:
    """What one attempt decided, by the entries' places in the batch."""

    outcomes: list[Outcome | None]
    decided: list[Decided] = field(default_factory=list)
    to_answer: list[tuple[int, Decided]] = field(default_factory=list)
    repeats: dict[int, int] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)


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
# An escaped U+0000, not a written-out backslash before "u0000".
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


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

    def decide(self, reading: Reading) -> Plan:
        """Pure: every command after those before it, in memory; what must be written in the end."""
        deciding = _Deciding(self._domain, reading, len(self._entries))
        for place, entry in enumerate(self._entries):
            deciding.take(place, entry)
        return deciding.finish()


class _Deciding:
    def __init__(self, domain: Domain, reading: Reading, size: int) -> None:
        self._domain = domain
        self._reading = reading
        self._states = dict(reading.states)
        self._sequences = dict(reading.sequences)
        self._changed: set[Target] = set()
        self._leant_on: set[Target] = set()
        self._first: dict[UUID, tuple[int, bytes | None, bool]] = {}
        self._open_jobs = set(reading.open_jobs)
        self._claimed: set[str] = set()
        self._plan = Plan(outcomes=[None] * size)

    def take(self, place: int, entry: Entry) -> None:
        known = self._known(place, entry)
        if known is not None:
            self._plan.outcomes[place] = known
            self._end_job(entry)
            return
        if place in self._plan.repeats:
            return
        if not self._claimed.isdisjoint(entry.reach.claims):
            raise ClaimTwice("two commands of one batch name one claim")
        command = entry.command
        before = {target: self._states[target] for target in entry.reach.targets}
        ruling = self._domain.decide(tuple(before.values()), command)
        if isinstance(ruling, Rejection):
            self._plan.outcomes[place] = ruling
            return
        decided = self._fold(command, ruling, before)
        refused = self._keep(entry, decided)
        if refused is not None:
            self._plan.outcomes[place] = refused
            return
        if ruling:
            self._claimed.update(entry.reach.claims)
        self._end_job(entry)
        self._remember(place, entry, ruling)
        self._plan.outcomes[place] = Accepted(events=ruling, states=decided.states)
        if entry.request is not None:
            self._plan.to_answer.append((place, decided))

    def finish(self) -> Plan:
        rows = self._plan.rows
        versions = self._reading.versions
        rows.aggregates = [
            (target, versions[target] + 1, _state_json(self._domain, target, self._states[target]))
            for target in self._changed
        ]
        rows.unchanged = [(target, versions[target]) for target in self._leant_on - self._changed]
        rows.streams = [
            (stream, last, self._reading.sequences[stream])
            for stream, last in self._sequences.items()
            if last != self._reading.sequences[stream]
        ]
        return self._plan

    def _known(self, place: int, entry: Entry) -> Outcome | None:
        """What a command gets that has been here before; None: it is new, or a repeat of one in
        this very batch, which is then noted."""
        command_id = entry.command.command_id
        if entry.job is not None and entry.job not in self._open_jobs:
            # Done, or no longer wanted: its handler's result comes too late.
            return self._repeated(entry, None)
        stored = self._reading.answers.get(command_id)
        if entry.request is not None and stored is not None:
            digest, answer = stored
            if digest != entry.request.digest:
                return CommandIdReused()
            return self._repeated(entry, answer)
        if command_id in self._reading.taken_effect:
            return CommandIdReused() if entry.request else self._repeated(entry, None)
        if command_id in self._first:
            first, digest_here, events = self._first[command_id]
            if entry.request is None and not events:
                return None
            if entry.request is not None and digest_here != entry.request.digest:
                return CommandIdReused()
            self._plan.repeats[place] = first
            self._end_job(entry)
        return None

    def _remember(self, place: int, entry: Entry, events: tuple[Event, ...]) -> None:
        """A repeat later in this batch is known as one in a later batch would be: by the answer
        where both are requests, by the events otherwise."""
        digest = None if entry.request is None else entry.request.digest
        if events or digest is not None:
            self._first[entry.command.command_id] = (place, digest, bool(events))

    def _repeated(self, entry: Entry, answer: Answer | None) -> Accepted:
        states = {target: self._states[target] for target in entry.reach.targets}
        return Accepted(events=(), states=states, answer=answer, repeated=True)

    def _end_job(self, entry: Entry) -> None:
        if entry.job is not None and entry.job in self._open_jobs:
            self._open_jobs.discard(entry.job)
            self._plan.rows.jobs_done.append(entry.job)

    def _fold(
        self, command: Command, events: tuple[Event, ...], before: dict[Target, Any]
    ) -> Decided:
        after = dict(before)
        for event in events:
            for target in self._domain.belongs(event):
                if target not in after:
                    raise Defect(
                        f"{type(event).__name__} belongs to a {target.kind} that "
                        f"{type(command).__name__} does not reach"
                    )
                after[target] = self._domain.evolve(target, after[target], event)
        return Decided(command, events, before, after)

    def _keep(self, entry: Entry, decided: Decided) -> Rejection | None:
        """Adopts what a command caused, or refuses it whole when an event cannot be kept."""
        sequences: dict[StreamKey, int] = {}
        rows: list[EventRow] = []
        for n, event in enumerate(decided.events):
            outgoing = self._domain.outgoing(event, decided)
            data = _keepable(outgoing.data)
            if isinstance(data, Rejection):
                return data
            rows.append(self._event_row(entry, n, outgoing, data, sequences))
        self._jobs(decided)
        self._plan.rows.events.extend(rows)
        self._sequences.update(sequences)
        if decided.events:
            self._plan.decided.append(decided)
            self._leant_on.update(decided.states)
            for event in decided.events:
                self._changed.update(self._domain.belongs(event))
            self._states.update(decided.states)
        return None

    def _event_row(
        self,
        entry: Entry,
        n: int,
        outgoing: Outgoing,
        data: str,
        sequences: dict[StreamKey, int],
    ) -> EventRow:
        command = entry.command
        sequence: int | None = None
        if outgoing.topic is not None:
            stream = StreamKey(outgoing.topic, outgoing.key)
            if stream not in self._sequences:
                raise Defect(f"{type(command).__name__} writes to {stream.topic} outside its reach")
            sequence = sequences.get(stream, self._sequences[stream]) + 1
            sequences[stream] = sequence
        return EventRow(
            topic=outgoing.topic,
            key=outgoing.key,
            sequence=sequence,
            event_id=event_id(command.command_id, n),
            type=outgoing.type,
            data=data,
            actor_id=command.actor.actor_id,
            correlation_id=command.correlation_id or str(command.command_id),
            causation_id=command.causation_id or str(command.command_id),
            custody_epoch=outgoing.custody_epoch,
            occurred_at=outgoing.occurred_at,
        )

    def _jobs(self, decided: Decided) -> None:
        rows = self._plan.rows
        for wish in self._domain.jobs(decided):
            if isinstance(wish, Schedule):
                command = decided.command
                rows.jobs.append(
                    JobRow(
                        id=job_id(
                            command.command_id, wish.kind, wish.target.id, wish.discriminator
                        ),
                        kind=wish.kind,
                        target=wish.target,
                        data=as_json(wish.data),
                        correlation_id=command.correlation_id or str(command.command_id),
                        state="waiting",
                        due_at=wish.due_at or command.at,
                    )
                )
            else:
                # In the order of the commands: what this batch scheduled before is cancelled too.
                rows.cancels.append((wish.kind, wish.target))
                rows.jobs = [
                    replace(job, state="cancelled")
                    if (job.kind, job.target) == (wish.kind, wish.target)
                    else job
                    for job in rows.jobs
                ]


def answer_rows(plan: Plan, entries: Sequence[Entry]) -> None:
    """After ``prepare``: makes the answers of what was accepted, and those of repeats in it."""
    for place, decided in plan.to_answer:
        request = entries[place].request
        accepted = plan.outcomes[place]
        assert request is not None and isinstance(accepted, Accepted)
        answer = request.respond(decided)
        plan.outcomes[place] = replace(accepted, answer=answer)
        body = _without_secret(answer.body) if request.secret else answer.body
        plan.rows.answers.append(
            AnswerRow(
                decided.command.command_id,
                request.digest,
                answer.status,
                as_json(body),
                request.secret,
            )
        )
    for place, first in plan.repeats.items():
        accepted = plan.outcomes[first]
        request = entries[place].request
        assert isinstance(accepted, Accepted)
        again = accepted.answer if request is not None else None
        if again is not None and request is not None and request.secret:
            again = Answer(again.status, _without_secret(again.body))
        plan.outcomes[place] = Accepted((), accepted.states, again, repeated=True)


def _stored(status: int, body: str) -> Answer:
    return Answer(status, json.loads(body))


def _without_secret(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an answer that holds a secret, and what its repeat is told."""
    kept = {"id": body["id"]} if "id" in body else {}
    return kept | {"shown_once": True}


def _keepable(data: Mapping[str, Any]) -> str | FieldIsWrong:
    text = as_json(data)
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return FieldIsWrong(field="body", reason="it holds half a surrogate pair")
    if size > MAX_EVENT_BYTES:
        return FieldIsWrong(field="body", reason=f"it makes an event over {MAX_EVENT_BYTES} bytes")
    if _NUL.search(text):
        return FieldIsWrong(field="body", reason="it holds U+0000")
    return text


def _state_json(domain: Domain, target: Target, state: Any) -> str:
    return as_json(domain.encode(target, state))
