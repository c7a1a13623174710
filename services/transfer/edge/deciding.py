"""What does the ledger need to know of this service? Reach, states, decisions, rows.

The domain decides; this file finds what it must see (``windows``), turns its events into event
rows and jobs, and lets ``rows`` write the service's own tables in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.transfer.contract.topics import ENDINGS, TRANSFERS
from services.transfer.contract.types import topic_of
from services.transfer.domain import commands, decider, events, office_commands, steps, timers
from services.transfer.domain.case import File, Office
from services.transfer.domain.custody import Custody, RequestLog
from services.transfer.domain.events import Role
from services.transfer.domain.state import subject_of
from services.transfer.edge import codec, rows, windows
from services.transfer.edge.summaries import summary
from shared.ledger import Cancel, Decided, Reach, Schedule, StreamKey, Target
from shared.messages import Command, Event, Outgoing, Rejection
from shared.postgres import Connection

REQUESTS = Target("requests", "log")
# Work that a state asks for: begun when it is entered, no longer wanted when it is left.
WORK: Mapping[tuple[Role, str], str] = {
    ("origin", "Frozen"): "build-offer",
    ("destination", "Receiving"): "fetch-bundles",
    ("destination", "Verifying"): "verify-dossier",
}


def transfer_target(transfer_id: str, role: Role) -> Target:
    """The aggregate of one move at one side."""
    return Target("transfer", f"{role}:{transfer_id}")


def custody_target(subject_id: str) -> Target:
    """The aggregate of one subject's custody."""
    return Target("custody", subject_id)


class TransferDomain:
    """See ``shared.ledger.Domain``. The incarnation is read with every window.

    ``count_silence`` (role, state, input): a pair that no row lists; ``count_alarm`` (kind).
    """

    def __init__(
        self,
        office: Office,
        *,
        count_silence: Callable[[str, str, str], None] = lambda role, state, name: None,
        count_alarm: Callable[[str], None] = lambda kind: None,
    ) -> None:
        self.office = office
        self._count_silence = count_silence
        self._count_alarm = count_alarm

    def reach(self, command: Command) -> Reach:
        match command:
            case commands.TransferCommand():
                return self._reach_of_move(command)
            case office_commands.SignGenesis() | office_commands.CloseSubject():
                return Reach(targets=(custody_target(command.subject_id),))
            case office_commands.NotePolicy():
                return Reach(targets=(Target("policy", command.policy_id),))
            case office_commands.RaiseBarrier():
                return Reach(targets=(Target("barrier", command.city),))
        raise TypeError(f"{type(command).__name__} is no command of this service")

    def _reach_of_move(self, command: commands.TransferCommand) -> Reach:
        targets = [transfer_target(command.transfer_id, command.role)]
        streams = [
            StreamKey(TRANSFERS.name, command.transfer_id),
            StreamKey(ENDINGS.name, command.transfer_id),
        ]
        if command.subject_id is not None:
            targets.append(custody_target(command.subject_id))
            streams.append(StreamKey(TRANSFERS.name, command.subject_id))
        if isinstance(command, commands.TakeMessage) and command.name == "M1":
            targets.append(REQUESTS)
        # An application has one open attempt: the unique index of ``transfer`` guards it.
        claims = (
            (f"attempt|{command.applicant_ref}",)
            if isinstance(command, commands.ApplyForTransfer)
            else ()
        )
        return Reach(targets=tuple(targets), streams=tuple(streams), claims=claims)

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Any]:
        found: dict[Target, Any] = {}
        files = await windows.load(connection, self.office, commands, rows)
        for target, row in rows.items():
            match target.kind:
                case "transfer":
                    found[target] = files[target]
                case "custody":
                    found[target] = codec.custody_of(row) if row else None
                case "requests":
                    found[target] = codec.log_of(row) if row else RequestLog()
                case _:
                    found[target] = dict(row or {})
        return found

    def decide(self, states: tuple[Any, ...], command: Command) -> tuple[Event, ...] | Rejection:
        match command:
            case commands.TransferCommand():
                custody = next((s for s in states[1:] if isinstance(s, Custody)), None)
                log = next((s for s in states[1:] if isinstance(s, RequestLog)), RequestLog())
                office = replace(self.office, incarnation=states[0].window.incarnation)
                ruling = decider.decide(office, states[0], custody, log, command)
                if isinstance(ruling, tuple) and not any(
                    isinstance(e, steps.Moved) for e in ruling
                ):
                    self._count_silence(command.role, states[0].status, command.name)
                return ruling
            case office_commands.SignGenesis():
                return decider.sign_genesis(self.office, states[0], command)
            case office_commands.CloseSubject():
                return decider.close_subject(states[0], command)
            case office_commands.NotePolicy():
                return decider.note_policy(states[0], command)
            case office_commands.RaiseBarrier():
                return decider.raise_barrier(states[0], command)
        raise TypeError(f"{type(command).__name__} is no command of this service")

    def belongs(self, event: Event) -> tuple[Target, ...]:
        match event:
            case steps.CustodyChanged():
                return (custody_target(event.subject_id),)
            case steps.RequestsCounted():
                return (REQUESTS,)
            case steps.PolicyNoted():
                return (Target("policy", event.policy_id),)
            case steps.BarrierRaised():
                return (Target("barrier", event.city),)
            case steps.Moved() | steps.SupplementDone() | steps.LateChangeNoted():
                return (transfer_target(event.transfer_id, event.role),)
            case steps.SupplementMade() | steps.NotesForgotten():
                return (transfer_target(event.transfer_id, event.role),)
        return ()

    def evolve(self, target: Target, state: Any, event: Event) -> Any:
        match event:
            case steps.CustodyChanged():
                return event.custody
            case steps.RequestsCounted():
                return event.log
            case steps.PolicyNoted():
                return {**state, str(event.version): event.effective_from}
            case steps.BarrierRaised():
                return {"incarnation": event.incarnation}
        return decider.evolve(state, event)

    def encode(self, target: Target, state: Any) -> Mapping[str, Any]:
        match target.kind:
            case "transfer":
                return codec.state_json(state.state)
            case "custody":
                return codec.custody_json(state)
            case "requests":
                return codec.log_json(state)
        found: Mapping[str, Any] = state
        return found

    def outgoing(self, event: Event, decided: Decided) -> Outgoing:
        if not isinstance(event, events.TransferEvent):
            kind, key, data = summary(event)
            return Outgoing(
                topic=None, key=key, type=kind, data=data, occurred_at=decided.command.at
            )
        name, data = codec.event_json(event)
        topic = topic_of(name)
        by_move = topic == ENDINGS.name or event.subject_id is None
        return Outgoing(
            topic=topic,
            key=event.transfer_id if by_move else str(event.subject_id),
            type=name,
            data=data,
            occurred_at=decided.command.at,
            custody_epoch=_epoch(event, decided),
        )

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]:
        command = decided.command
        wishes: list[Schedule | Cancel] = []
        if isinstance(command, commands.TransferCommand):
            target = transfer_target(command.transfer_id, command.role)
            before, after = decided.before[target], decided.states[target]
            wishes.extend(self._timers(command, target, before, after))
            wishes.extend(_work(command, target, before, after))
        for n, event in enumerate(decided.events):
            wishes.extend(_errands(event, n))
        return tuple(wishes)

    def _timers(
        self, command: commands.TransferCommand, target: Target, before: File, after: File
    ) -> list[Schedule | Cancel]:
        fired = None
        if isinstance(command, commands.FireTimer):
            fired = (command.timer, command.n)
        plan = timers.plan(
            before.state,
            after.state,
            at=command.at,
            fired=fired,
            terms=self.office.terms,
            pair=after.window.pair,
        )
        wishes: list[Schedule | Cancel] = [
            Cancel(f"timer-{name}", target) for name in plan.cancelled
        ]
        for each in plan.set:
            kind = f"timer-{each.name}"
            if each.n == 1 and each.name == "residual":
                # It starts again where a late change opened the window anew.
                wishes.append(Cancel(kind, target))
            data = {**_address(command), "timer": each.name, "n": each.n}
            wishes.append(Schedule(kind, target, each.due_at, data, str(each.n)))
        return wishes

    async def prepare(self, decided: Sequence[Decided]) -> None:
        """Nothing: certificates stand inside messages whose digests are state, so the decider
        signs them through ``Office.signer`` (see ``domain.case.Signer``)."""

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        await rows.save(connection, decided)
        for one in decided:
            for event in one.events:
                if isinstance(event, steps.AlarmRaised):
                    self._count_alarm(event.kind)


def _address(command: commands.TransferCommand) -> dict[str, Any]:
    return {"transfer_id": command.transfer_id, "role": command.role}


def _work(
    command: commands.TransferCommand, target: Target, before: File, after: File
) -> list[Schedule | Cancel]:
    was, now = (WORK.get((command.role, each.status)) for each in (before, after))
    if was == now:
        return []
    wishes: list[Schedule | Cancel] = []
    if was is not None:
        wishes.append(Cancel(was, target))
    if now is not None:
        wishes.append(Schedule(now, target, None, _address(command)))
    return wishes


def _errands(event: Event, n: int) -> list[Schedule | Cancel]:
    """What a step asks to be done outside the transaction."""
    match event:
        case steps.QueryWanted():
            kind, due, data = (
                "ask-peer",
                None,
                {
                    "known_state": event.known_state,
                    "last_seq_seen": event.last_seq_seen,
                    "applied": event.applied,
                },
            )
        case steps.LateChangeAnnounced():
            kind, due, data = (
                "fetch-late-change",
                None,
                {
                    "issuer": event.issuer,
                    "entry_id": event.entry_id,
                    "version": event.version,
                    "digest": event.digest,
                    "path": event.path,
                },
            )
        case steps.RetryWanted():
            kind, due, data = (
                "apply-again",
                event.due_at,
                {
                    "attempt": event.attempt,
                    "first_applied_at": event.first_applied_at.isoformat(),
                    "reviewed_seconds": event.reviewed_seconds,
                },
            )
        case steps.StopWanted():
            return [
                Schedule(
                    "stop-transfer",
                    transfer_target(event.transfer_id, "origin"),
                    None,
                    {
                        "transfer_id": event.transfer_id,
                        "role": "origin",
                        "cause": event.cause,
                        "authority": event.authority,
                        "until": event.until,
                    },
                )
            ]
        case _:
            return []
    data |= {"transfer_id": event.transfer_id, "role": event.role}
    return [Schedule(kind, transfer_target(event.transfer_id, event.role), due, data, str(n))]


def _epoch(event: events.TransferEvent, decided: Decided) -> int | None:
    """Under which epoch the sender held the dossier (10.1, Epoch)."""
    command = decided.command
    if not isinstance(command, commands.TransferCommand) or event.subject_id is None:
        return None
    file: File = decided.states[transfer_target(command.transfer_id, command.role)]
    subject = subject_of(file.state)
    if subject is None:
        return None
    if event.role == "origin":
        return subject.epoch
    return subject.epoch + 1 if file.status in ("Active", "Closed") else None
