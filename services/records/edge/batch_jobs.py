"""How is a decision on an import carried out? One entry command a row, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from services.records.domain.batches.commands import AdvanceBatch, DecideRow
from services.records.domain.dossiers.commands import ApproveEntry, RejectEntry, RevokeEntry
from shared.clock import Clock
from shared.ids import job_command_id, random_hex
from shared.jobs import Job
from shared.messages import Actor, Command
from shared.postgres import Database

# Four times what a job commits together, so that the end of a page, which travels alone, is rare; a
# crash repeats at most so many rows.
ROWS_PER_PAGE: Final = 2_048

_ACTOR: TypeAdapter[Actor] = TypeAdapter(Actor)


class BatchJobs:
    """The handler of ``decide-batch``."""

    def __init__(self, database: Database, clock: Clock, node: str) -> None:
        self._database = database
        self._clock = clock
        self._node = node

    async def decide(self, job: Job) -> Sequence[Command]:
        """The next rows as the person who decided would decide them; then the next page."""
        actor = _ACTOR.validate_python(job.data["actor"])
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                """SELECT row_no, subject_id, entry_id FROM batch_row
                WHERE batch_id = $1 AND row_no > $2 AND state = 'imported'
                ORDER BY row_no LIMIT $3""",
                job.data["batch_id"],
                job.data["after"],
                ROWS_PER_PAGE,
            )
        commands: list[Command] = [
            DecideRow(
                **self._head(job, actor, row["row_no"]),
                batch_id=job.data["batch_id"],
                row_no=row["row_no"],
                decision=job.data["decision"],
                entry=self._entry(job, actor, row),
            )
            for row in rows
        ]
        carried = {
            key: job.data[key]
            for key in ("reason_code", "reason", "evidence_id", "decision_id")
            if key in job.data
        }
        advance = AdvanceBatch(
            **self._head(job, actor, 0),
            batch_id=job.data["batch_id"],
            decision=job.data["decision"],
            after=rows[-1]["row_no"] if len(rows) == ROWS_PER_PAGE else None,
            carried=carried,
        )
        return [*commands, advance]

    def _head(self, job: Job, actor: Actor, n: int) -> dict[str, Any]:
        return {
            "command_id": job_command_id(job.id, n),
            "actor": actor,
            "at": self._clock.now(),
            "causation_id": str(job.id),
            "correlation_id": job.correlation_id,
        }

    def _entry(self, job: Job, actor: Actor, row: Any) -> ApproveEntry | RejectEntry | RevokeEntry:
        named = {
            **self._head(job, actor, row["row_no"]),
            "subject_id": row["subject_id"],
            "issuer": self._node,
            "entry_id": row["entry_id"],
            "salt": random_hex(16),
        }
        match job.data["decision"]:
            case "approve":
                return ApproveEntry(**named)
            case "reject":
                return RejectEntry(**named, reason_code=job.data["reason_code"])
            case _:
                return RevokeEntry(
                    **named,
                    reason=job.data["reason"],
                    evidence_id=job.data["evidence_id"],
                    decision_id=job.data["decision_id"],
                )
