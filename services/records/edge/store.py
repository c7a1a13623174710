"""What does the ledger ask of records? Each aggregate's part, put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from services.records.edge.dossiers import DossierPart
from services.records.edge.parts import LoadedAlone, Part
from services.records.edge.rows import dossier_row
from services.records.edge.window import Need, load_dossiers
from shared.ledger import Cancel, Decided, Reach, Schedule, Target
from shared.messages import Command, Event, Outgoing, Rejection
from shared.postgres import Connection


class RecordsDomain:
    """This service's side of the ledger; see ``shared.ledger.Domain``."""

    def __init__(self, dossiers: DossierPart, *others: LoadedAlone) -> None:
        self._dossiers = dossiers
        self._others = others
        self._parts: tuple[Part, ...] = (dossiers, *others)
        self._by_command = {each: part for part in self._parts for each in part.commands}
        self._by_event = {each: part for part in self._parts for each in part.events}
        self._by_kind = {part.kind: part for part in self._parts}

    def reach(self, command: Command) -> Reach:
        return self._of(command).reach(command)

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Any]:
        states: dict[Target, Any] = {}
        for part in self._others:
            mine = {target: row for target, row in rows.items() if target.kind == part.kind}
            if mine:
                states.update(await part.load(connection, commands, mine))
        needs: dict[str, Need] = defaultdict(Need)
        for command in commands:
            for subject_id, need in self._of(command).need_of(command).items():
                needs[subject_id].add(need)
        self._dossiers.complete(needs, commands, states)
        dossiers = {
            target.id: dossier_row(target.id, row)
            for target, row in rows.items()
            if target.kind == self._dossiers.kind
        }
        if dossiers:
            read = await load_dossiers(connection, dossiers, needs, self._dossiers.node)
            states.update(
                {Target(self._dossiers.kind, subject): state for subject, state in read.items()}
            )
        return states

    def decide(self, states: tuple[Any, ...], command: Command) -> tuple[Event, ...] | Rejection:
        return self._of(command).decide(states, command)

    def belongs(self, event: Event) -> tuple[Target, ...]:
        return self._by_event[type(event)].belongs(event)

    def evolve(self, target: Target, state: Any, event: Event) -> Any:
        return self._by_kind[target.kind].evolve(state, event)

    def encode(self, target: Target, state: Any) -> Mapping[str, Any]:
        return self._by_kind[target.kind].encode(state)

    def outgoing(self, event: Event, decided: Decided) -> Outgoing:
        return self._by_event[type(event)].outgoing(event, decided)

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]:
        return tuple(wish for part in self._parts for wish in part.jobs(decided))

    async def prepare(self, decided: Sequence[Decided]) -> None:
        await self._dossiers.prepare(decided)

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        for part in self._parts:
            await part.save(connection, decided)

    def _of(self, command: Command) -> Part:
        part = self._by_command.get(type(command))
        if part is None:
            raise TypeError(f"records knows no command {type(command).__name__}")
        return part
