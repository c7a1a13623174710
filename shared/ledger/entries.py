"""What does one attempt at a batch know: its commands, what was read, what was decided?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.ledger.rows import Rows, key_of
from shared.ledger.types import Answer, Decided, Domain, Outcome, Reach, Request, StreamKey, Target
from shared.messages import Command


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
