"""What would records do if its database cost nothing? ``python -m bench.without_sql api``

The same application, ledger, decisions, canonical form and signatures; a dossier is read once and
nothing is written. The reference of the recording measure.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from typing import Any

from services.records.settings import Settings
from services.records.wiring import assemble
from shared.ledger import Attachment, Domain, Ledger, Outcome, StreamKey, Target
from shared.ledger.batch import Attempt
from shared.ledger.entries import Entry, Reading
from shared.postgres import Database
from shared.roles.main import runner
from shared.roles.parts import gather
from shared.roles.servers import Listener, internal_app
from shared.settings import load


class WithoutSql(Ledger):
    """Group commit as it is; the reading is remembered, the writing left out."""

    def __init__(self, database: Database, domain: Domain) -> None:
        super().__init__(database, domain)
        self._versions: dict[Target, int] = {}
        self._sequences: dict[StreamKey, int] = {}
        self._states: dict[Target, Any] = {}

    async def _once(
        self, entries: list[Entry], attachment: Attachment | None, locks: frozenset[str]
    ) -> list[Outcome]:
        attempt = self._attempt(entries, attachment)
        if any(target not in self._states for one in entries for target in one.reach.targets):
            await self._read(attempt)
        plan = attempt.decide(
            Reading(dict(self._versions), dict(self._sequences), self._states, {}, set(), set())
        )
        await self._prepare(plan, entries, attachment)
        assert all(outcome is not None for outcome in plan.outcomes)
        return [outcome for outcome in plan.outcomes if outcome is not None]

    async def _read(self, attempt: Attempt) -> None:
        async with self._database.ledger.acquire() as connection:
            reading = await attempt.read(connection)
        self._versions |= reading.versions
        self._sequences |= reading.sequences
        self._states |= reading.states


async def _serve() -> None:
    service = assemble(load(Settings))
    parts = gather(service, "api")
    settings = service.settings

    async def ready() -> tuple[str, ...]:
        return ()

    async with parts.database:
        parts.give_ledger(WithoutSql(parts.database, service.domain(parts)))
        listeners = [
            Listener("api", service.api(parts), settings.api_host, settings.api_port),
            Listener(
                "internal",
                internal_app(parts, service.internal(parts), ready),
                settings.internal_host,
                settings.internal_port,
            ),
        ]

        def stop() -> None:
            for listener in listeners:
                listener.stop()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        await asyncio.gather(*(listener.run() for listener in listeners))


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGTERM."""
    assert list(arguments) == ["api"], "only an API is served so"
    with runner() as ours:
        ours.run(_serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
