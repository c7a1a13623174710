"""How do the own copies of organisations and policies meet the ledger?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.records.domain import keeping
from services.records.edge.rows import kept_json, kept_organisation, kept_policy
from services.records.edge.window import Need
from shared.ledger import Cancel, Decided, Reach, Schedule, Target
from shared.messages import Command, Event, Outgoing, Rejection
from shared.postgres import Connection

ORGANISATION: Final = "organisation"
POLICY: Final = "policy"


class KeepingPart:
    """The own copies of organisations and policies; two kinds of targets, one part each."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        organisations = kind == ORGANISATION
        self.commands: tuple[type[Command], ...] = (
            (keeping.KeepOrganisation, keeping.KeepSanction)
            if organisations
            else (keeping.KeepPolicy,)
        )
        self.events: tuple[type[Event], ...] = (
            (keeping.OrganisationKept,) if organisations else (keeping.PolicyKept,)
        )

    def reach(self, command: Any) -> Reach:
        match command:
            case keeping.KeepOrganisation():
                key = command.organisation.organisation_id
            case keeping.KeepSanction():
                key = command.organisation_id
            case _:
                key = command.policy.policy_id
        return Reach((Target(self.kind, key),))

    def need_of(self, command: Any) -> Mapping[str, Need]:
        return {}

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Any]:
        read = kept_organisation if self.kind == ORGANISATION else kept_policy
        return {target: read(row) for target, row in rows.items()}

    def decide(self, states: tuple[Any, ...], command: Any) -> tuple[Event, ...] | Rejection:
        return keeping.decide(states[0], command)

    def belongs(self, event: Any) -> tuple[Target, ...]:
        return (Target(self.kind, self._key(event)),)

    def evolve(self, state: Any, event: Event) -> Any:
        return keeping.evolve(state, event)

    def encode(self, state: Any) -> Mapping[str, Any]:
        return kept_json(state)

    def outgoing(self, event: Any, decided: Decided) -> Outgoing:
        name = "organisation" if isinstance(event, keeping.OrganisationKept) else "policy"
        return Outgoing(
            topic=None,
            key=self._key(event),
            type=f"records.{name}-kept.v1",
            data={f"{name}_id": self._key(event)},
            occurred_at=decided.command.at,
        )

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]:
        return ()

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        """The aggregate's row is all there is."""

    def _key(self, event: Any) -> str:
        if isinstance(event, keeping.OrganisationKept):
            return event.organisation.organisation_id
        key: str = event.policy.policy_id
        return key
