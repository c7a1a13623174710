"""How do moves, deliveries and keys stand? Gauges of the active worker, from this service's tables.

Labels are states, roles and uses of keys, never ids.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from services.transfer.domain.directory import Directory
from services.transfer.edge.directory import DirectoryFile
from shared.clock import Clock, read
from shared.messages import Unavailable
from shared.postgres import Database
from shared.telemetry import Metrics

LOOK_SECONDS: Final = 10.0
USES: Final = ("message", "custody", "entry", "head")


class Watch:
    """Looks every ten seconds; what cannot be asked keeps its last value."""

    def __init__(
        self,
        city: str,
        database: Database,
        directory: DirectoryFile,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._city = city
        self._database = database
        self._directory = directory
        self._clock = clock
        self._open = metrics.active_gauge(
            "moves_open",
            "Moves that have not ended; role O: from here, D: to here.",
            "role",
            "state",
        )
        self._oldest = metrics.active_gauge(
            "moves_oldest_state_seconds",
            "How long the move that stands still longest before its settling has.",
            "role",
        )
        self._waiting = metrics.active_gauge(
            "deliveries_waiting", "Messages to other cities that are not receipted."
        )
        self._late = metrics.active_gauge(
            "deliveries_oldest_seconds", "How long the oldest of them has been due."
        )
        self._stuck = metrics.active_gauge(
            "deliveries_stuck", "Messages that another city refuses for good."
        )
        self._directory_ends = metrics.active_gauge(
            "directory_expires_seconds", "Until the node directory expires."
        )
        self._key_ends = metrics.active_gauge(
            "key_expires_seconds", "Until the last listed key of this node ends.", "use"
        )

    async def run(self) -> None:
        """For ever; a database that is away is waited for."""
        while True:
            # That the database is away others tell.
            with contextlib.suppress(Unavailable):
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Once."""
        async with self._database.reading() as connection:
            moves = await connection.fetch(
                """SELECT role, state, count(*) AS moves,
                          extract(epoch FROM now() - min(since))::float8 AS seconds
                   FROM transfer WHERE state NOT IN ('Closed', 'Refused', 'Aborted')
                   GROUP BY role, state"""
            )
            due = await connection.fetchrow(
                """SELECT count(*) AS waiting,
                          coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 AS seconds
                   FROM peer_outbox
                   WHERE delivered_at IS NULL AND stuck_at IS NULL AND given_up_at IS NULL"""
            )
            stuck = await connection.fetchval(
                """SELECT count(*) FROM peer_outbox
                   WHERE stuck_at IS NOT NULL AND delivered_at IS NULL"""
            )
        assert due is not None, "an aggregate always gives a row"
        self._open.clear()
        for row in moves:
            self._open.labels(row["role"], row["state"]).set(row["moves"])
        for role in ("O", "D"):
            # After it a move waits for late changes, as it should.
            ages = [
                row["seconds"]
                for row in moves
                if row["role"] == role and row["state"] not in ("Settling", "Active")
            ]
            self._oldest.labels(role).set(max(ages, default=0.0))
        self._waiting.set(due["waiting"])
        self._late.set(max(due["seconds"], 0.0))
        self._stuck.set(stuck)
        self._look_at_keys(self._directory.current())

    def _look_at_keys(self, directory: Directory) -> None:
        now = self._clock.now()
        self._directory_ends.set((read(directory.expires_at) - now).total_seconds())
        own = directory.cities.get(self._city)
        for use in USES:
            ends = [
                key.not_after
                for key in (own.keys.values() if own else ())
                if use in key.uses and key.revoked_at is None
            ]
            if ends:
                self._key_ends.labels(use).set((read(max(ends)) - now).total_seconds())
