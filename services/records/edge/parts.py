"""What does one aggregate give the ledger, so that several make the service's domain?

``RecordsDomain`` asks the part whose command, event or target it is. A command of one part may
reach another's aggregate (a row of a batch makes an entry): its ``need_of`` then says what of the
dossier it reads, and the events that it returns are folded by the part that owns them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from services.records.edge.window import Need
from shared.ledger import Cancel, Decided, Reach, Schedule, Target
from shared.messages import Command, Event, Outgoing, Rejection
from shared.postgres import Connection


class Part(Protocol):
    """One aggregate of this service; ``kind`` is that of its targets."""

    kind: str
    commands: tuple[type[Command], ...]
    events: tuple[type[Event], ...]

    def reach(self, command: Any) -> Reach: ...

    def need_of(self, command: Any) -> Mapping[str, Need]:
        """By subject: what the command reads of dossiers."""
        ...

    def decide(self, states: tuple[Any, ...], command: Any) -> tuple[Event, ...] | Rejection: ...

    def belongs(self, event: Any) -> tuple[Target, ...]: ...

    def evolve(self, state: Any, event: Event) -> Any: ...

    def encode(self, state: Any) -> Mapping[str, Any]: ...

    def outgoing(self, event: Any, decided: Decided) -> Outgoing: ...

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]: ...

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None: ...


class LoadedAlone(Part, Protocol):
    """A part whose states are read without a look at others; dossiers are read last, by needs."""

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Any]:
        """The states of this part's targets alone."""
        ...
