"""What follows from an input, and what is the state then? The two tables, walked.

``decide`` is arithmetic: state, window, custody, settings and input in; events out. It reads no
clock and holds no key (``Office.signer`` signs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.transfer.domain import (
    commands,
    destination_table,
    office_commands,
    origin_table,
    steps,
)
from services.transfer.domain.case import Case, File, Office, Row
from services.transfer.domain.custody import Custody, RequestLog
from services.transfer.domain.draft import Draft, link_of
from services.transfer.domain.events import Role
from services.transfer.domain.origin_steps import genesis_body
from services.transfer.domain.rejections import (
    DossierIsNotHere,
    SubjectBecameKnown,
    TransferIsOpen,
)
from services.transfer.domain.state import subject_of
from shared.canonical import digest
from shared.clock import wire
from shared.messages import Event, Rejection

TABLES: dict[Role, Sequence[Row]] = {
    "origin": origin_table.ROWS,
    "destination": destination_table.ROWS,
}


def row_of(case: Case, role: Role) -> Row | None:
    """The first row whose state, input and guard fit; None: silence."""
    status, name = case.file.status, case.command.name
    for row in TABLES[role]:
        if row.takes(status, name) and (row.guard is None or row.guard(case)):
            return row
    return None


def decide(
    office: Office,
    file: File,
    custody: Custody | None,
    log: RequestLog,
    command: commands.TransferCommand,
) -> tuple[Event, ...] | Rejection:
    """What this input does to this move. No events: silence."""
    taken: tuple[Event, ...] = ()
    if isinstance(command, commands.TakeMessage):
        if command.envelope.message_id in file.window.inbox:
            command = _repeated(command)
        else:
            taken = (_taken(command),)
            file = evolve(file, taken[0])
    if isinstance(command, commands.FetchLateChange):
        return _announce(file, command)
    if isinstance(command, commands.ApplyForTransfer) and file.window.open_attempt:
        return TransferIsOpen()
    case = Case(office=office, file=file, command=command, custody=custody, log=log)
    row = row_of(case, command.role)
    if row is None:
        return taken + _unlisted(command, file)
    subject = subject_of(file.state)
    if subject is not None and command.subject_id != subject.subject_id:
        return SubjectBecameKnown()
    draft = Draft(case, row)
    row.act(draft)
    return taken + draft.sealed()


def _announce(file: File, command: commands.FetchLateChange) -> tuple[Event, ...]:
    """The bytes are fetched by a job; what they then do is for the table (O11a, O20, O20a)."""
    if file.status in ("–", "Requested", "Refused", "Aborted"):
        return ()
    return (
        steps.LateChangeAnnounced(
            transfer_id=command.transfer_id,
            role=command.role,
            issuer=command.issuer,
            entry_id=command.entry_id,
            version=command.version,
            digest=command.digest,
            path=command.path,
        ),
    )


def _repeated(command: commands.TakeMessage) -> commands.TakeDuplicate:
    return commands.TakeDuplicate(
        command_id=command.command_id,
        actor=command.actor,
        at=command.at,
        transfer_id=command.transfer_id,
        role=command.role,
        subject_id=command.subject_id,
    )


def _taken(command: commands.TakeMessage) -> steps.MessageTaken:
    envelope = command.envelope
    return steps.MessageTaken(
        transfer_id=command.transfer_id,
        role=command.role,
        message_id=envelope.message_id,
        digest=envelope.digest,
        type=envelope.type,
        sender=envelope.sender,
        incarnation=envelope.incarnation,
        seq=envelope.seq,
    )


def _unlisted(command: commands.TransferCommand, file: File) -> tuple[Event, ...]:
    """Silence, but for a notice of a conversation that has no row (a correction asked for)."""
    if not isinstance(command, commands.TakeMessage) or file.state is not None:
        return ()
    if command.envelope.type != "notice":
        return ()
    return (
        steps.NoticeKept(
            transfer_id=command.transfer_id,
            role=command.role,
            kind=command.envelope.content["kind"],
            message_id=command.envelope.message_id,
            content=command.envelope.content,
        ),
    )


def evolve(file: File, event: Event) -> File:
    """The row and its window after this step. Folding never fails."""
    window = file.window
    match event:
        case steps.Moved():
            return replace(file, state=event.state)
        case steps.MessageTaken():
            file = replace(file, window=replace(window, inbox=window.inbox | {event.message_id}))
            return _seen(file, event.seq)
        case steps.SupplementDone():
            return replace(
                file, window=replace(window, settled=(*window.settled, event.supplement))
            )
        case steps.LateChangeNoted():
            return replace(
                file,
                window=replace(
                    window,
                    noted=(*window.noted, (event.key, event.digest, event.entry)),
                    forwarded=window.forwarded | {event.key},
                ),
            )
        case steps.SupplementMade():
            return replace(
                file, window=replace(window, forwarded=window.forwarded | set(event.keys))
            )
        case steps.NotesForgotten():
            return replace(file, window=replace(window, noted=()))
        case _:
            return file


def _seen(file: File, seq: int) -> File:
    if file.state is None:
        return file
    course = file.state.course
    highest = max(course.wire.last_seq_seen, seq)
    course = replace(course, wire=replace(course.wire, last_seq_seen=highest))
    state: Any = replace(file.state, course=course)
    return replace(file, state=state)


# --- custody, apart from any move ---------------------------------------------------------------


def sign_genesis(
    office: Office, custody: Custody | None, command: office_commands.SignGenesis
) -> tuple[Event, ...] | Rejection:
    """A dossier opened here gets its first certificate; one that has a chain is silence."""
    known = custody or Custody(subject_id=command.subject_id)
    if not known.is_home(office.city):
        return DossierIsNotHere(home=known.links[-1].home if known.links else "another city")
    if known.links:
        return ()
    body = genesis_body(office.city, command.subject_id, wire(command.at))
    document = office.signer.sign("jiexu-certificate-v1", body)
    return (
        steps.CertificateSigned(
            transfer_id="",
            role="origin",
            digest=digest(body),
            kind="genesis",
            subject_id=command.subject_id,
            epoch=1,
            document=document,
        ),
        steps.CustodyChanged(
            subject_id=command.subject_id, custody=known.with_links((link_of(document),))
        ),
    )


def close_subject(
    custody: Custody | None, command: office_commands.CloseSubject
) -> tuple[Event, ...]:
    """Death closes a dossier to moves for good; a suspension ends the one under way."""
    known = custody or Custody(subject_id=command.subject_id)
    changed = replace(
        known,
        closed=known.closed or command.cause == "died",
        suspended=command.cause == "suspended",
    )
    events: tuple[Event, ...] = ()
    if changed != known:
        events = (steps.CustodyChanged(subject_id=command.subject_id, custody=changed),)
    if command.cause != "resumed" and known.open_transfer is not None:
        events += (
            steps.StopWanted(
                subject_id=command.subject_id,
                transfer_id=known.open_transfer,
                cause=command.cause,
                authority=command.authority,
                until=command.until.isoformat() if command.until else None,
            ),
        )
    return events


def note_policy(
    versions: Mapping[str, Any], command: office_commands.NotePolicy
) -> tuple[Event, ...]:
    """A version that is here already is silence."""
    if str(command.version) in versions:
        return ()
    return (
        steps.PolicyNoted(
            policy_id=command.policy_id,
            version=command.version,
            kind=command.kind,
            jurisdiction=command.jurisdiction,
            effective_from=command.effective_from.isoformat(),
            content=command.content,
        ),
    )


def raise_barrier(
    barrier: Mapping[str, Any], command: office_commands.RaiseBarrier
) -> tuple[Event, ...]:
    """It only rises."""
    if barrier.get("incarnation", 0) >= command.incarnation:
        return ()
    return (steps.BarrierRaised(city=command.city, incarnation=command.incarnation),)
