"""What does a fact of transfer make us do next? (protocol.md 7, 12)"""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from services.registry.domain import facts
from services.registry.domain.applicants.commands import NoteTransfer
from services.registry.domain.codes.commands import CheckIdentity, EndCheck
from services.registry.domain.codes.state import Outcome
from services.registry.domain.facts import TransferFact
from services.registry.domain.volunteers.commands import LinkSubject, MarkDeparted
from shared.ids import fact_command_id
from shared.messages import Actor, Command, Message, Unreadable, system

WITHDRAWN = "TR-501"
# (role, event) → (rank, what the volunteer sees); the ranks are those of protocol.md 12.
SHOWN: dict[tuple[facts.Role, str], tuple[int, str]] = {
    ("origin", "transfer-requested"): (1, "checking"),
    ("origin", "transfer-admitted"): (2, "checking"),
    ("origin", "dossier-offered"): (4, "moving"),
    ("origin", "transfer-refused"): (5, "refused"),
    ("origin", "transfer-aborted"): (5, "refused"),
    ("origin", "transfer-ended"): (5, "refused"),
    ("origin", "dossier-released"): (6, "moving"),
    ("origin", "transfer-settling"): (7, "moved"),
    ("origin", "transfer-closed"): (8, "done"),
    ("destination", "transfer-applied"): (1, "applied"),
    ("destination", "transfer-pending"): (2, "checking"),
    ("destination", "transfer-receiving"): (3, "moving"),
    ("destination", "dossier-verified"): (5, "verifying"),
    ("destination", "dossier-accepted"): (6, "verifying"),
    ("destination", "transfer-in-doubt"): (7, "verifying"),
    ("destination", "transfer-refused"): (8, "refused"),
    ("destination", "transfer-aborted"): (8, "refused"),
    ("destination", "transfer-ended"): (8, "refused"),
    ("destination", "release-received"): (9, "moving"),
    ("destination", "dossier-activated"): (10, "moved"),
    ("destination", "transfer-settling"): (10, "moved"),
    ("destination", "transfer-closed"): (11, "done"),
}
KINDS = frozenset(kind for _, kind in SHOWN)


def react(message: Message) -> tuple[Command, ...]:
    """The commands that follow from a message of transfer; () for what we pass over."""
    kind = message.type.removeprefix("transfer.").rsplit(".v", 1)[0]
    if kind not in KINDS:
        return ()
    return commands(facts.read(message.type, message.data), message)


def commands(fact: TransferFact, message: Message) -> tuple[Command, ...]:
    """What the fact asks of the person, of the code, and of what she sees."""
    first: tuple[Command, ...] = ()
    if fact.role == "origin":
        first = _as_origin(fact, message)
    elif fact.kind == "dossier-activated":
        first = (_link(fact, message),)
    noted = _note(fact, message)
    return first if noted is None else (*first, noted)


def _as_origin(fact: TransferFact, message: Message) -> tuple[Command, ...]:
    match fact.kind:
        case "transfer-requested" if fact.purpose == "move":
            return (
                CheckIdentity(
                    **_envelope(message, "check-identity", fact.transfer_id),
                    transfer_id=fact.transfer_id,
                    # An assisted request shows no code; it is for a later slice.
                    code_id=None if fact.assisted else fact.code_id,
                    proof=fact.proof,
                    purpose=fact.purpose,
                    origin=fact.origin,
                    destination=fact.destination,
                ),
            )
        case "dossier-released":
            if fact.subject_id is None or fact.home is None or fact.new_epoch is None:
                raise Unreadable("dossier-released names no subject, home or epoch")
            departed = MarkDeparted(
                **_envelope(message, "mark-departed", fact.subject_id),
                subject_id=fact.subject_id,
                transfer_id=fact.transfer_id,
                home=fact.home,
                new_epoch=fact.new_epoch,
            )
            return (departed, _end_check(fact, message, "spent"))
        case "transfer-ended":
            return (_end_check(fact, message, "burnt" if fact.code == WITHDRAWN else "freed"),)
    return ()


def _link(fact: TransferFact, message: Message) -> LinkSubject:
    if fact.subject_id is None or fact.applicant_ref is None or fact.new_epoch is None:
        raise Unreadable("dossier-activated names no subject, applicant or epoch")
    return LinkSubject(
        **_envelope(message, "link-subject", fact.subject_id),
        applicant_ref=fact.applicant_ref,
        subject_id=fact.subject_id,
        transfer_id=fact.transfer_id,
        new_epoch=fact.new_epoch,
    )


def _end_check(fact: TransferFact, message: Message, outcome: Outcome) -> EndCheck:
    return EndCheck(
        **_envelope(message, "end-check", fact.transfer_id),
        transfer_id=fact.transfer_id,
        outcome=outcome,
    )


def _note(fact: TransferFact, message: Message) -> NoteTransfer | None:
    known = SHOWN.get((fact.role, fact.kind))
    if known is None:
        return None
    rank, shown = known
    refused = shown == "refused"
    withdrawn = refused and fact.code == WITHDRAWN
    return NoteTransfer(
        **_envelope(message, "note-transfer", fact.transfer_id),
        transfer_id=fact.transfer_id,
        role=fact.role,
        rank=rank,
        shown="withdrawn" if withdrawn else shown,
        applicant_ref=fact.applicant_ref,
        subject_id=fact.subject_id,
        other_city=fact.other_city,
        due=fact.due,
        refusal_class=fact.refusal_class,
        code=fact.code,
        # Class T is tried again by itself; the others lead to no move.
        first_registered_on=fact.first_registered_on,
        ends=fact.role == "destination" and fact.refusal_class in ("F", "R"),
    )


class _Envelope(TypedDict):
    """The parts of a command that come from the message."""

    command_id: UUID
    actor: Actor
    at: datetime
    causation_id: str
    correlation_id: str | None


def _envelope(message: Message, kind: str, target: str) -> _Envelope:
    return {
        "command_id": fact_command_id(message.event_id, kind, target),
        "actor": system("registry"),
        "at": message.time,
        "causation_id": str(message.event_id),
        "correlation_id": message.correlation_id,
    }
