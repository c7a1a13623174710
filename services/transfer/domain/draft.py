"""How does a row become events? A draft collects what one act does, then seals it as a tuple.

Local to one decision: nothing here outlives it. Messages are numbered, chained and signed here,
because digests of own messages are part of what follows (offer, vote, release).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from services.transfer.domain import envelopes, events, steps
from services.transfer.domain.blocks import Certificate, Course
from services.transfer.domain.case import Case, Row
from services.transfer.domain.certificates import CERTIFICATE_DOMAIN, ENVELOPE_DOMAIN
from services.transfer.domain.commands import TYPES
from services.transfer.domain.custody import Custody, Link
from services.transfer.domain.state import State, advance, subject_of
from shared.canonical import canonical, digest
from shared.clock import wire
from shared.messages import Event

S = TypeVar("S")
# M1, M2, M4, M6 bound their own delivery; all others go on for ever.
_EXPIRING = frozenset({"M1", "M2", "M4", "M6"})


class Draft:
    """What one row does, step by step. ``state`` and ``course`` are those reached so far."""

    def __init__(self, case: Case, row: Row) -> None:
        self.case = case
        self.row = row
        self.state: Any = case.file.state
        self.course: Course | None = self.state.course if self.state else None
        self.custody: Custody | None = case.custody
        self.done: list[Event] = []

    @property
    def at(self) -> datetime:
        """When it is decided."""
        return self.case.at

    @property
    def here(self) -> Course:
        """The course; a row that begins a move sets it first."""
        assert self.course is not None
        return self.course

    def become(self, shape: type[S], **brought: Any) -> S:
        """Moves on to this shape, keeping what it shares with the old one."""
        if self.state is None or self.state.status != getattr(shape, "status", None):
            self.course = replace(self.here, since=self.at)
        self.state = advance(self.state, shape, course=self.course, **brought)
        reached: S = self.state
        return reached

    def keep(self, **changed: Any) -> None:
        """Stays in this shape with these fields changed."""
        self.state = replace(self.state, course=self.course, **changed)

    def chart(self, **changed: Any) -> None:
        """Changes the course (request, wire, channels)."""
        self.course = replace(self.here, **changed)

    def step(self, shape: type[steps.Step], **data: Any) -> None:
        """An own step."""
        self.done.append(shape(transfer_id=self.here.transfer_id, role=self.here.role, **data))

    def tell(self, shape: type[events.TransferEvent], **data: Any) -> None:
        """An event for the node and its subscribers."""
        subject = subject_of(self.state)
        self.done.append(
            shape(
                transfer_id=self.here.transfer_id,
                role=self.here.role,
                origin=self.here.origin,
                destination=self.here.destination,
                subject_id=subject.subject_id if subject else None,
                **data,
            )
        )

    def send(
        self,
        number: str,
        content: Mapping[str, Any],
        *,
        reply_to: str | None,
        expires_at: datetime | None = None,
        supplement_k: int | None = None,
        held_ms: int = 0,
    ) -> steps.MessageSent:
        """Numbers, chains and signs one message to the other side and puts it in the outbox."""
        course = self.here
        seq = course.wire.seq + 1
        message_id = envelopes.message_id(
            course.transfer_id, course.city, course.wire.incarnation, seq
        )
        body = envelopes.body(
            type=TYPES[number],
            message_id=message_id,
            transfer_id=course.transfer_id,
            sender=course.city,
            receiver=course.peer,
            incarnation=course.wire.incarnation,
            seq=seq,
            prev=course.wire.prev,
            in_reply_to=reply_to,
            issued_at=wire(self.at),
            expires_at=wire(expires_at) if expires_at else envelopes.NEVER,
            content=content,
            protocol=course.wire.protocol,
        )
        signed = self.case.office.signer.sign(ENVELOPE_DOMAIN, body)
        sent = steps.MessageSent(
            transfer_id=course.transfer_id,
            role=course.role,
            number=number,
            type=TYPES[number],
            peer=course.peer,
            message_id=message_id,
            incarnation=course.wire.incarnation,
            seq=seq,
            digest=digest(body),
            wire=canonical(signed),
            gives_up_at=expires_at if number in _EXPIRING else None,
            supplement_k=supplement_k,
            held_ms=held_ms,
        )
        self.chart(wire=replace(course.wire, seq=seq, prev=sent.digest))
        self.done.append(sent)
        return sent

    def ask(self) -> None:
        """The other side is asked how things stand (M10, by a job)."""
        self.step(
            steps.QueryWanted,
            known_state=self.state.status,
            last_seq_seen=self.here.wire.last_seq_seen,
            applied=self.here.inflow.applied,
        )

    def certify(self, kind: str, body: Mapping[str, Any]) -> Certificate:
        """Signs a decision of this city and keeps it."""
        document = self.case.office.signer.sign(CERTIFICATE_DOMAIN, body)
        certificate = Certificate(document=document, digest=digest(body))
        self.step(
            steps.CertificateSigned,
            digest=certificate.digest,
            kind=kind,
            subject_id=body.get("subject_id"),
            epoch=body.get("epoch"),
            document=document,
        )
        return certificate

    def change_custody(self, changed: Custody) -> None:
        """What this city knows of the subject's custody."""
        self.custody = changed
        self.done.append(steps.CustodyChanged(subject_id=changed.subject_id, custody=changed))

    def alarm(self, kind: str, **about: Any) -> None:
        """The office must know."""
        self.step(steps.AlarmRaised, kind=kind, about=about)

    def evidence(self, code: str, document: Mapping[str, Any]) -> str:
        """Keeps what proves a fault; its digest."""
        found = digest(document)
        self.step(steps.EvidenceKept, code=code, digest=found, document=document)
        return found

    def sealed(self) -> tuple[Event, ...]:
        """Everything done, ended by the row taken and the state reached."""
        reached: State = replace(self.state, course=self.here)
        self.step(
            steps.Moved,
            row=self.row.row,
            input=self.case.command.name,
            before=self.case.file.status,
            state=reached,
        )
        return tuple(self.done)


def link_of(document: Mapping[str, Any]) -> Link:
    """A custody certificate as a link of the chain."""
    body = document["body"]
    return Link(
        epoch=body["epoch"],
        home=body["home"],
        issuer=body["from"],
        kind=body["kind"],
        digest=digest(body),
        transfer_id=body["transfer_id"],
        at=instant(body["decided_at"]),
    )


def instant(text: str) -> datetime:
    """The instant of a ``time`` of the wire."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def age(since: datetime, at: datetime) -> timedelta:
    """How long ago."""
    return at - since
