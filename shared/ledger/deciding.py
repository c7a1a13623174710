"""How are the commands of a batch decided one after another, and what must be written for them?

Pure: what was read comes in, rows and outcomes go out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from shared.ids import event_id, job_id
from shared.ledger.entries import ClaimTwice, Entry, Plan, Reading
from shared.ledger.rows import MAX_EVENT_BYTES, AnswerRow, EventRow, JobRow, as_json
from shared.ledger.types import (
    Accepted,
    Answer,
    CommandIdReused,
    Decided,
    Defect,
    Domain,
    FieldIsWrong,
    Outcome,
    Schedule,
    StreamKey,
    Target,
)
from shared.messages import Command, Event, Outgoing, Rejection

# An escaped U+0000, not a written-out backslash before "u0000".
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class Deciding:
    """The batch as it stands after the commands taken so far."""

    def __init__(self, domain: Domain, reading: Reading, size: int, rehearsal: bool) -> None:
        self._domain = domain
        self._reading = reading
        self._rehearsal = rehearsal
        self._states = dict(reading.states)
        self._sequences = dict(reading.sequences)
        self._changed: set[Target] = set()
        self._leant_on: set[Target] = set()
        self._first: dict[UUID, tuple[int, bytes | None, bool]] = {}
        self._open_jobs = set(reading.open_jobs)
        # By whose aggregates each claim was taken: their windows have moved with it.
        self._claimed: dict[str, tuple[Target, ...]] = {}
        self._plan = Plan(outcomes=[None] * size)

    def take(self, place: int, entry: Entry) -> None:
        known = self._known(place, entry)
        if known is not None:
            self._plan.outcomes[place] = known
            self._end_job(entry)
            return
        if place in self._plan.repeats:
            return
        if not self._rehearsal and any(
            self._claimed.get(claim, entry.reach.targets) != entry.reach.targets
            for claim in entry.reach.claims
        ):
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
            self._claimed.update(dict.fromkeys(entry.reach.claims, entry.reach.targets))
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


def _without_secret(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an answer that holds a secret, and what its repeat is told."""
    kept = {"id": body["id"]} if "id" in body else {}
    return kept | {"shown_once": True}


def _keepable(data: Mapping[str, Any]) -> str | FieldIsWrong:
    text = as_json(data)
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return FieldIsWrong(field="body", reason="half_a_surrogate_pair")
    if size > MAX_EVENT_BYTES:
        return FieldIsWrong(field="body", reason="makes_too_large_an_event")
    # The search tries every place; that the six characters stand nowhere is seen at once.
    if "\\u0000" in text and _NUL.search(text):
        return FieldIsWrong(field="body", reason="null_character")
    return text


def _state_json(domain: Domain, target: Target, state: Any) -> str:
    return as_json(domain.encode(target, state))
