"""A move played on paper: two cities' deciders, the published keys, and no wire in between."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from services.transfer.domain import commands, steps
from services.transfer.domain.case import File, Office
from services.transfer.domain.certificates import genuine_objects
from services.transfer.domain.custody import Custody, RequestLog
from services.transfer.domain.decider import decide, evolve
from services.transfer.domain.envelopes import Envelope, opened
from services.transfer.domain.events import Role
from services.transfer.domain.state import subject_of
from services.transfer.edge.signatures import verify_signature
from services.transfer.edge.terms import WorkingTerms
from shared.canonical import digest, load_canonical
from shared.messages import Event, Rejection, system
from shared.signing import Signer
from shared.working_days import Calendar
from tests.support.vectors import directory, private_key

LIMITS = {"max_entries": 100_000, "max_bundles": 1000, "max_bundle_bytes": 1_048_576}
_KIDS = {"amber": "amber:3f5d45756011d07b", "birch": "birch:f624a90919910879"}
_IDS = itertools.count()


def at(text: str) -> datetime:
    """``2027-03-01T02:00:00Z`` → an aware instant."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def office(city: str) -> Office:
    """A city of the vectors with its message key; 2027 has no calendar yet."""
    return Office(
        city=city,
        incarnation=1,
        signer=Signer(private_key(_KIDS[city]), _KIDS[city]),
        terms=WorkingTerms(Calendar({}, {}), lambda year: None),
        limits=LIMITS,
    )


@dataclass
class City:
    """One side of one move, folded as the ledger would."""

    name: str
    role: Role
    transfer_id: str
    subject_id: str
    file: File = field(default_factory=File)
    custody: Custody | None = None
    log: RequestLog = field(default_factory=RequestLog)
    told: list[Event] = field(default_factory=list)

    @property
    def status(self) -> str:
        return self.file.status

    def do(self, command: commands.TransferCommand) -> tuple[Event, ...]:
        """Decides and folds; gives the events."""
        outcome = decide(office(self.name), self.file, self.custody, self.log, command)
        assert not isinstance(outcome, Rejection), outcome
        for event in outcome:
            self.file = evolve(self.file, event)
            if isinstance(event, steps.CustodyChanged):
                self.custody = event.custody
            if isinstance(event, steps.RequestsCounted):
                self.log = event.log
        self.told.extend(outcome)
        return outcome

    def base(self, when: str, known: bool = True) -> dict[str, Any]:
        """What every command of this move carries."""
        return {
            "command_id": uuid5(UUID(int=7), f"{self.name}-{next(_IDS)}"),
            "actor": system("transfer"),
            "at": at(when),
            "transfer_id": self.transfer_id,
            "role": self.role,
            "subject_id": self.subject_id if known else None,
        }

    def hear(self, wire: bytes | Mapping[str, Any], when: str, **more: Any) -> tuple[Event, ...]:
        """Takes a message in, its signatures judged by the published directory."""
        envelope = envelope_of(wire)
        known = directory()
        has = subject_of(self.file.state) is not None or envelope.type == "offer"
        return self.do(
            commands.TakeMessage(
                **self.base(when, known=has),
                envelope=envelope,
                genuine=genuine_objects(envelope.content, known, verify_signature),
                **more,
            )
        )


def envelope_of(wire: bytes | Mapping[str, Any]) -> Envelope:
    """The envelope of wire bytes or of a parsed message."""
    value = load_canonical(wire) if isinstance(wire, bytes) else wire
    return opened(value, digest(value["body"]))


def sent(events: tuple[Event, ...]) -> list[steps.MessageSent]:
    """The messages that a step put into the outbox."""
    return [event for event in events if isinstance(event, steps.MessageSent)]


def with_window(file: File, **changed: Any) -> File:
    """The same row with another window."""
    return replace(file, window=replace(file.window, **changed))
