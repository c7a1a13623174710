"""How does a dossier under way meet the ledger?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.records.contract.topics import DOSSIERS
from services.records.domain.staging import commands as sc
from services.records.domain.staging import events as se
from services.records.domain.staging.decider import decide as decide_staging
from services.records.domain.staging.decider import evolve as evolve_staging
from services.records.domain.staging.state import StagingView
from services.records.edge import wire
from services.records.edge.rows import staging_json, staging_row
from services.records.edge.staged_rows import known_in_staging
from services.records.edge.window import Need
from shared.ledger import Cancel, Decided, Reach, Schedule, StreamKey, Target
from shared.messages import Command, Event, Outgoing, Rejection
from shared.postgres import Connection

STAGING: Final = "staging"


class StagingPart:
    """Dossiers under way to this city. Their rows are written with the entries, by ``Saver``."""

    kind = STAGING
    commands: tuple[type[Command], ...] = (
        sc.StageDossier,
        sc.StageBundle,
        sc.FinishStaging,
        sc.FailStaging,
        sc.DiscardStaging,
    )
    events: tuple[type[Event], ...] = (
        se.StagingBegun,
        se.BundleStaged,
        se.DossierStaged,
        se.StagingFailed,
        se.StagingDiscarded,
        se.StagingForestalled,
    )

    def reach(self, command: Any) -> Reach:
        streams = (StreamKey(DOSSIERS.name, command.subject_id),) if command.subject_id else ()
        return Reach((Target(STAGING, command.transfer_id),), streams)

    def need_of(self, command: Any) -> Mapping[str, Need]:
        return {}

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Any]:
        views = {target: StagingView(staging_row(target.id, row)) for target, row in rows.items()}
        for command in commands:
            if isinstance(command, sc.StageBundle):
                target = Target(STAGING, command.transfer_id)
                views[target] = await known_in_staging(connection, views[target], command)
        return views

    def decide(self, states: tuple[Any, ...], command: Any) -> tuple[Event, ...] | Rejection:
        return decide_staging(states[0], command)

    def belongs(self, event: Any) -> tuple[Target, ...]:
        return (Target(STAGING, event.transfer_id),)

    def evolve(self, state: Any, event: Event) -> Any:
        return evolve_staging(state, event)

    def encode(self, state: Any) -> Mapping[str, Any]:
        return staging_json(state.row)

    def outgoing(self, event: Any, decided: Decided) -> Outgoing:
        public = wire.is_public(event)
        return Outgoing(
            topic=DOSSIERS.name if public else None,
            key=event.subject_id if public else event.transfer_id,
            type=wire.name_of(event),
            data=wire.data_of(event),
            occurred_at=decided.command.at,
        )

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]:
        wishes: list[Schedule | Cancel] = []
        for event in decided.events:
            match event:
                case se.StagingBegun():
                    wishes.append(_bundle(event.transfer_id, 0, event.order.path))
                case se.BundleStaged():
                    target = Target(STAGING, event.transfer_id)
                    view: StagingView = decided.states[target]
                    order = getattr(view.row, "order", None)
                    if event.n + 1 < event.bundles and order is not None:
                        wishes.append(_bundle(event.transfer_id, event.n + 1, order.path))
                    else:
                        wishes.append(Schedule("finish-staging", target))
                case se.StagingDiscarded() | se.StagingFailed():
                    target = Target(STAGING, event.transfer_id)
                    wishes += [Cancel("stage-bundle", target), Cancel("finish-staging", target)]
        return tuple(wishes)

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        """Nothing: ``Saver`` has written it, in the order in which rows depend on each other."""


def _bundle(transfer_id: str, n: int, path: str) -> Schedule:
    return Schedule(
        "stage-bundle",
        Target(STAGING, transfer_id),
        data={"n": n, "path": path},
        discriminator=str(n),
    )
