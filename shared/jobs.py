"""What takes long or must happen later: who does it, how often, and what ends it?

A job is a row written with the state it belongs to. The active worker runs up to four at a time;
what a handler brings back goes through the ledger as commands, the last of which ends the row in
its own transaction. A crash in between runs the job again, and its commands' ids are the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from shared.clock import Clock
from shared.ledger import LedgerApi, Target
from shared.messages import Command, Rejection, Unavailable
from shared.postgres import Connection, Database, is_outage, listening
from shared.telemetry import Metrics, describe

JOBS_AT_ONCE: Final = 4
# Four batches of the ledger, far below what its queue takes.
COMMANDS_AT_ONCE: Final = 512
# Building or staging the largest dossier (500,000 leaves) page by page stays far below this.
HANDLER_SECONDS: Final = 900.0
POLL_SECONDS: Final = 0.5
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 300.0
ANSWERS_KEPT_DAYS: Final = 90
SWEEP_SECONDS: Final = 3600.0
SWEEP_ROWS: Final = 1000
GAUGE_SECONDS: Final = 5.0
# Above every pause: what fails for ever is always among them.
GAUGE_AHEAD_SECONDS: Final = 3600.0
GAUGE_ROWS: Final = 1000

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One firing of a job; ``attempts`` counts from 1. Its last command's id is its own."""

    id: UUID
    kind: str
    target: Target
    data: Mapping[str, Any]
    due_at: datetime
    attempts: int
    correlation_id: str | None = None


JobHandler = Callable[[Job], Awaitable[Sequence[Command]]]


class Later(Exception):
    """Raised by a handler that cannot yet say: the same job again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


def pause_seconds(attempts: int) -> float:
    """1, 2, 4 … 300 s after the first, second, third … attempt."""
    return float(min(FIRST_PAUSE_SECONDS * 2 ** min(attempts - 1, 16), LONGEST_PAUSE_SECONDS))


class Jobs:
    """Runs the jobs of one service. Run it in the active worker alone.

    ``handlers``: by the job's kind; a kind without one waits (an older release is running).
    Neither a refusal nor a defect ends the runner: a final refusal ends the job, with its name in
    ``last_error``; everything else is tried again, without an end, after growing pauses.
    """

    def __init__(
        self,
        database: Database,
        ledger: LedgerApi,
        handlers: Mapping[str, JobHandler],
        *,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._handlers = handlers
        self._clock = clock
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._ended = metrics.counter("jobs_ended", "Jobs that ended, by how.", "kind", "how")
        self._failed = metrics.counter(
            "jobs_failed", "Attempts that failed and are made again.", "kind", "why"
        )
        self._overdue = metrics.active_gauge(
            "jobs_overdue_seconds",
            "How long the oldest open job has been due. Only the active worker has it.",
        )

    async def run(self) -> None:
        """For ever; a database that is away is waited for."""
        beside = [asyncio.create_task(each) for each in (self._sweep(), self._keep_gauge())]
        freed = asyncio.Event()
        try:
            async with listening(self._database) as wakes:
                while True:
                    for task in beside:
                        if task.done():
                            task.result()
                    started = await self._start_due(freed)
                    if started and len(self._running) < JOBS_AT_ONCE:
                        continue
                    if len(self._running) >= JOBS_AT_ONCE:
                        await freed.wait()
                    else:
                        await wakes.wait("job", seconds=POLL_SECONDS)
                    freed.clear()
        finally:
            tasks = [*beside, *self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _start_due(self, freed: asyncio.Event) -> int:
        try:
            jobs = await self._claim(JOBS_AT_ONCE - len(self._running))
        except Exception as error:
            if not is_outage(error):
                raise
            _LOG.warning("jobs wait: %s", type(error).__name__)
            await asyncio.sleep(1.0)
            return 0
        for job in jobs:
            task = asyncio.create_task(self._one(job))
            self._running[job.id] = task

            def done(_: object, job: Job = job) -> None:
                self._running.pop(job.id, None)
                freed.set()

            task.add_done_callback(done)
        return len(jobs)

    async def _claim(self, room: int) -> list[Job]:
        """Due jobs that are not running here. The next try is written first: should this process
        die of the job, it comes again after the pause, not at once and for ever."""
        if room <= 0:
            return []
        now = self._clock.now()
        async with self._database.ledger.acquire() as connection:
            rows = await connection.fetch(
                """
                UPDATE job AS t SET attempts = t.attempts + 1,
                    try_at = $1::timestamptz
                        + least($5 * power(2, least(t.attempts, 16)), $6) * interval '1 second'
                FROM (
                    SELECT id FROM job
                    WHERE state = 'waiting' AND try_at <= $1 AND kind = ANY ($2::text[])
                        AND id <> ALL ($3::uuid[])
                    ORDER BY try_at, id LIMIT $4
                ) AS due
                WHERE t.id = due.id AND t.state = 'waiting'
                RETURNING t.*
                """,
                now,
                list(self._handlers),
                list(self._running),
                room,
                FIRST_PAUSE_SECONDS,
                LONGEST_PAUSE_SECONDS,
            )
        return [
            Job(
                id=row["id"],
                kind=row["kind"],
                target=Target(row["target_kind"], row["target_id"]),
                data=json.loads(row["data"]),
                due_at=row["due_at"],
                attempts=row["attempts"],
                correlation_id=row["correlation_id"],
            )
            for row in rows
        ]

    async def _one(self, job: Job) -> None:
        try:
            how = await self._handle(job)
            self._ended.labels(job.kind, how).inc()
        except Later as later:
            await self._again(job, later.seconds, "later")
        except Unavailable as away:
            _LOG.info("a job of kind %s waits: %s", job.kind, away)
            seconds = max(pause_seconds(job.attempts), float(away.retry_after_seconds))
            await self._again(job, seconds, "unavailable")
        except Exception as error:  # noqa: BLE001 - a defect: told, counted, tried again
            _LOG.error("a job of kind %s failed: %s", job.kind, describe(error))
            await self._again(job, pause_seconds(job.attempts), type(error).__name__)

    async def _handle(self, job: Job) -> str:
        async with asyncio.timeout(HANDLER_SECONDS):
            commands = await self._handlers[job.kind](job)
        refused: Rejection | None = None
        for first in range(0, len(commands) - 1, COMMANDS_AT_ONCE):
            page = commands[first : min(first + COMMANDS_AT_ONCE, len(commands) - 1)]
            refused = await self._page(page) or refused
        if commands:
            outcome = await self._ledger.submit(commands[-1], job=job.id)
            if not isinstance(outcome, Rejection):
                return "done"
            if outcome.waits:
                raise Unavailable(f"{type(commands[-1]).__name__}: {outcome.slug()}")
            refused = outcome
        await self._end(job, refused.slug() if refused else None)
        return "refused" if refused else "done"

    async def _page(self, commands: Sequence[Command]) -> Rejection | None:
        """Commits them together, as many as travel in one batch; the last refusal, if any.

        What shares a key keeps its order in the ledger's queue. One that must wait holds none of
        the others up: when the job comes again, those are repeats.
        """
        outcomes = await asyncio.gather(
            *(self._ledger.submit(command) for command in commands), return_exceptions=True
        )
        refused: Rejection | None = None
        for command, outcome in zip(commands, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            if isinstance(outcome, Rejection):
                if outcome.waits:
                    raise Unavailable(f"{type(command).__name__}: {outcome.slug()}")
                refused = outcome
        return refused

    async def _end(self, job: Job, refusal: str | None) -> None:
        async with self._database.ledger.acquire() as connection:
            await connection.execute(
                """UPDATE job SET state = 'done', ended_at = $2, last_error = $3
                   WHERE id = $1 AND state = 'waiting'""",
                job.id,
                self._clock.now(),
                refusal,
            )

    async def _again(self, job: Job, seconds: float, why: str) -> None:
        self._failed.labels(job.kind, why).inc()
        try:
            async with self._database.ledger.acquire() as connection:
                await connection.execute(
                    """UPDATE job SET try_at = $2, last_error = $3
                       WHERE id = $1 AND state = 'waiting'""",
                    job.id,
                    self._clock.now() + timedelta(seconds=seconds),
                    why,
                )
        except Exception as error:
            if not is_outage(error):
                raise
            # The claim has written when it comes again.

    async def _sweep(self) -> None:
        while True:
            try:
                async with self._database.ledger.acquire() as connection:
                    while await forget_old_answers(connection, self._clock.now()) == SWEEP_ROWS:
                        pass
            except Exception as error:
                if not is_outage(error):
                    raise
            await asyncio.sleep(SWEEP_SECONDS)

    async def _keep_gauge(self) -> None:
        while True:
            # That the database is away others tell.
            with contextlib.suppress(Unavailable):
                async with self._database.reading() as connection:
                    self._overdue.set(await overdue_seconds(connection, self._clock.now()))
            await asyncio.sleep(GAUGE_SECONDS)


async def overdue_seconds(connection: Connection, now: datetime) -> float:
    """Seconds since the oldest job that has not ended was due; 0.0 without one. A failed attempt
    makes it no younger; a handler that asked for ``Later`` does. Among the thousand that are to be
    tried next: a longer queue has its oldest in front."""
    found = await connection.fetchval(
        """SELECT extract(epoch FROM $1::timestamptz - min(since))::float8 FROM (
               SELECT CASE WHEN last_error = 'later' THEN try_at ELSE due_at END AS since
               FROM job WHERE state = 'waiting'
                   AND try_at <= $1::timestamptz + $2::float8 * interval '1 second'
               ORDER BY try_at LIMIT $3
           ) AS next""",
        now,
        GAUGE_AHEAD_SECONDS,
        GAUGE_ROWS,
    )
    return max(found or 0.0, 0.0)


async def forget_old_answers(connection: Connection, now: datetime) -> int:
    """Deletes a page of stored answers older than 90 days; returns how many."""
    deleted = await connection.execute(
        """DELETE FROM answer WHERE command_id IN (
               SELECT command_id FROM answer WHERE answered_at < $1
               ORDER BY answered_at LIMIT $2)""",
        now - timedelta(days=ANSWERS_KEPT_DAYS),
        SWEEP_ROWS,
    )
    return int(deleted.split()[-1])
