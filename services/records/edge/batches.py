"""What does the ledger ask of imports? Reach, window, outgoing events, jobs, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from services.records.contract.topics import BATCHES
from services.records.domain.batches import commands as c
from services.records.domain.batches import events as e
from services.records.domain.batches.decider import decide, decide_row, evolve
from services.records.domain.dossiers.commands import DossierCommand
from services.records.domain.dossiers.folding import City
from services.records.edge.batch_tables import BATCH, ROWS, load, save
from services.records.edge.dossiers import DossierPart
from services.records.edge.window import Need
from shared.ledger import Cancel, Decided, Reach, Schedule, StreamKey, Target
from shared.messages import Actor, Command, Event, Outgoing, Rejection
from shared.postgres import Connection

DECIDE_JOB: Final = "decide-batch"

TYPES: Final[dict[type[e.BatchEvent], str]] = {
    e.BatchOpened: "records.batch-opened.v1",
    e.RowImported: "records.row-imported.v1",
    e.RowHeld: "records.row-held.v1",
    e.BatchClosed: "records.batch-closed.v1",
    e.BatchApproved: "records.batch-approved.v1",
    e.BatchRejected: "records.batch-rejected.v1",
    e.BatchRevoked: "records.batch-revoked.v1",
    e.RowRefused: "records.row-refused.v1",
    e.BatchAdvanced: "records.batch-advanced.v1",
}
# On no topic: what the job did, kept for audit.
OWN: Final = frozenset({e.RowRefused, e.BatchAdvanced})

_EVENTS = {shape: TypeAdapter(shape) for shape in TYPES}
_ACTOR: TypeAdapter[Actor] = TypeAdapter(Actor)


def batch_target(batch_id: str) -> Target:
    """The aggregate of an import."""
    return Target(BATCH, batch_id)


def _sheet_claim(command: Command) -> tuple[str, ...]:
    """One sheet of an organisation is opened once: what the unique index of ``batch`` guards."""
    if isinstance(command, c.OpenBatch):
        return (f"sheet|{command.organisation_id}|{command.sheet_digest}",)
    return ()


class BatchPart:
    """Imports; a row of one makes an entry of its subject's dossier."""

    kind = BATCH
    commands: tuple[type[Command], ...] = (
        c.OpenBatch,
        c.ImportRow,
        c.CloseBatch,
        c.ApproveBatch,
        c.RejectBatch,
        c.RevokeBatch,
        c.DecideRow,
        c.AdvanceBatch,
    )
    events: tuple[type[Event], ...] = tuple(TYPES)

    def __init__(self, city: City, dossiers: DossierPart) -> None:
        self._city = city
        self._dossiers = dossiers

    def reach(self, command: Any) -> Reach:
        inner = _inner(command)
        if isinstance(command, c.DecideRow):
            # Not the batch: so rows of one batch are decided while others are being written.
            return self._dossiers.reach(inner)
        own = batch_target(command.batch_id)
        stream = StreamKey(BATCHES.name, command.batch_id)
        if inner is None:
            return Reach((own,), (stream,), _sheet_claim(command))
        reached = self._dossiers.reach(inner)
        return Reach((own, *reached.targets), (stream, *reached.streams), reached.claims)

    def need_of(self, command: Any) -> Mapping[str, Need]:
        inner = _inner(command)
        return {} if inner is None else self._dossiers.need_of(inner)

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Any]:
        return await load(connection, commands, rows)

    def decide(self, states: tuple[Any, ...], command: Any) -> tuple[Event, ...] | Rejection:
        if isinstance(command, c.DecideRow):
            return decide_row(states[0], command, self._city)
        dossier = states[1] if len(states) > 1 else None
        return decide(states[0], command, self._city, dossier)

    def belongs(self, event: Any) -> tuple[Target, ...]:
        return () if isinstance(event, e.RowRefused) else (batch_target(event.batch_id),)

    def evolve(self, state: Any, event: Any) -> Any:
        return evolve(state, event)

    def encode(self, state: Any) -> Mapping[str, Any]:
        row: Mapping[str, Any] = ROWS.dump_python(state.row, mode="json")
        return row

    def outgoing(self, event: Any, decided: Decided) -> Outgoing:
        return outgoing(event, decided)

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]:
        return jobs(decided)

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        await save(connection, decided)


def _inner(command: c.BatchCommand) -> DossierCommand | None:
    """The command on a dossier that a command on a batch holds."""
    match command:
        case c.ImportRow(record=record):
            return record
        case c.DecideRow(entry=entry):
            return entry
        case _:
            return None


def outgoing(event: e.BatchEvent, decided: Decided) -> Outgoing:
    """Who decided rides as an id alone; roles and grants stay in the job."""
    data: dict[str, Any] = _EVENTS[type(event)].dump_python(event, mode="json")
    if "decided_by" in data:
        data["decided_by"] = data["decided_by"]["actor_id"]
    if "sheet" in data:
        data |= data.pop("sheet")
    return Outgoing(
        topic=None if type(event) in OWN else BATCHES.name,
        key=event.batch_id,
        type=TYPES[type(event)],
        data=data,
        occurred_at=decided.command.at,
    )


def jobs(decided: Decided) -> tuple[Schedule | Cancel, ...]:
    """A decision on a batch is carried out row by row, a page at a time."""
    wishes: list[Schedule | Cancel] = []
    for event in decided.events:
        match event:
            case e.BatchApproved() if not _legacy(decided, event.batch_id):
                wishes.append(_page(event.batch_id, "approve", 0, event.decided_by, {}))
            case e.BatchRejected():
                wishes.append(
                    _page(
                        event.batch_id,
                        "reject",
                        0,
                        event.decided_by,
                        {"reason_code": event.reason_code},
                    )
                )
            case e.BatchRevoked():
                wishes.append(
                    _page(
                        event.batch_id,
                        "revoke",
                        0,
                        event.decided_by,
                        {
                            "reason": event.reason,
                            "evidence_id": event.evidence_id,
                            "decision_id": event.decision_id,
                        },
                    )
                )
            case e.BatchAdvanced():
                wishes.append(_next_page(decided, event))
    return tuple(wishes)


def _legacy(decided: Decided, batch_id: str) -> bool:
    batch = decided.states[batch_target(batch_id)]
    return bool(batch.row.sheet.kind == "legacy")


def _page(
    batch_id: str, decision: c.Decision, after: int, actor: Actor, more: Mapping[str, Any]
) -> Schedule:
    return Schedule(
        DECIDE_JOB,
        batch_target(batch_id),
        data={
            "batch_id": batch_id,
            "decision": decision,
            "after": after,
            "actor": _ACTOR.dump_python(actor, mode="json"),
            **more,
        },
        discriminator=f"{decision}\n{after}",
    )


def _next_page(decided: Decided, event: e.BatchAdvanced) -> Schedule:
    command = decided.command
    assert isinstance(command, c.AdvanceBatch)
    return _page(event.batch_id, event.decision, event.after, command.actor, dict(command.carried))
