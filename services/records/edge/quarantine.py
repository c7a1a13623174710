"""Who looks again at what failed its judgement? A chore of the active worker (protocol.md 7)."""

from __future__ import annotations

import asyncio
import json
import logging
from itertools import groupby
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from services.records.domain.dossiers import commands as c
from services.records.edge.directory import Directory, DirectoryFile, DirectoryIsWrong
from services.records.edge.jobs import RECORDS, stored_beside
from services.records.edge.judging import KeyIsUnlisted, judge_entry
from shared.clock import Clock
from shared.ids import fact_command_id
from shared.ledger import LedgerApi
from shared.messages import Unavailable
from shared.postgres import Database, is_outage
from shared.telemetry import Metrics

# A newer directory is a rare event; a minute later is soon enough.
LOOK_SECONDS: Final = 60.0
# As many as one supplement may bring: one transaction each.
AT_ONCE: Final = 50

_LOG = logging.getLogger(__name__)


class Quarantine:
    """Judges what is quarantined again with each newer directory, and counts what remains."""

    def __init__(
        self,
        database: Database,
        ledger: LedgerApi,
        directory: DirectoryFile,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._directory = directory
        self._clock = clock
        self._judged_by = 0
        self._kept = metrics.active_gauge(
            "quarantined_entries", "Entry versions of other cities that failed their judgement."
        )

    async def run(self) -> None:
        """For ever; a database or a directory that is away is waited for."""
        while True:
            try:
                await self.look()
            except (Unavailable, DirectoryIsWrong) as away:
                _LOG.warning("quarantine waits: %s", away)
            except Exception as error:
                if not is_outage(error):
                    raise
                _LOG.warning("quarantine waits: %s", type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> int:
        """One look; how many versions joined."""
        directory = self._directory.current()
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                """SELECT subject_id, issuer, entry_id, version, digest, signed FROM quarantine
                   ORDER BY subject_id, issuer, entry_id, version"""
                if directory.serial > self._judged_by
                else "SELECT count(*) AS n FROM quarantine"
            )
        if directory.serial <= self._judged_by:
            self._kept.set(rows[0]["n"])
            return 0
        joined = 0
        for subject_id, group in groupby(rows, key=lambda row: str(row["subject_id"])):
            passing = [each for row in group if (each := _judged(row, directory)) is not None]
            for place in range(0, len(passing), AT_ONCE):
                page = await stored_beside(self._database, passing[place : place + AT_ONCE])
                joined += await self._release(subject_id, page, directory.serial)
        self._judged_by = directory.serial
        self._kept.set(len(rows) - joined)
        return joined

    async def _release(self, subject_id: str, page: list[c.JudgedEntry], serial: int) -> int:
        cause = uuid5(NAMESPACE_URL, f"urn:jiexu:directory:{serial}")
        key = f"{subject_id}/{page[0].issuer}/{page[0].entry_id}/{page[0].version}"
        outcome = await self._ledger.submit(
            c.ReleaseQuarantined(
                command_id=fact_command_id(cause, "release-quarantined", key),
                actor=RECORDS,
                at=self._clock.now(),
                subject_id=subject_id,
                entries=tuple(page),
            )
        )
        events: tuple[Any, ...] = getattr(outcome, "events", ())
        return sum(type(event).__name__ == "QuarantineEnded" for event in events)


def _judged(row: Any, directory: Directory) -> c.JudgedEntry | None:
    try:
        judged = judge_entry(json.loads(row["signed"]), row["subject_id"], directory)
    except KeyIsUnlisted:
        return None
    return judged if judged.code is None else None
