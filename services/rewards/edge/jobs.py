"""What does rewards do later, or with I/O between reading and deciding?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from services.rewards.domain import facts as f
from services.rewards.domain.policies.keeping import AdvancePolicy
from services.rewards.domain.policy import cell_minutes
from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings.state import Star
from shared.clock import Clock
from shared.ids import job_command_id
from shared.internal_http import InternalClient
from shared.jobs import Job, JobHandler
from shared.messages import Command, Unavailable, system
from shared.postgres import Database

# As many subjects as one transaction judges without holding its locks for long.
SUBJECTS_PER_PAGE: Final = 500
REWARDS = system("rewards")

_CELLS: TypeAdapter[tuple[f.CellSum, ...]] = TypeAdapter(tuple[f.CellSum, ...])
_STARS: TypeAdapter[tuple[Star, ...]] = TypeAdapter(tuple[Star, ...])


def handlers(
    database: Database, records: Callable[[], InternalClient], clock: Clock
) -> Mapping[str, JobHandler]:
    """By the kinds that ``RewardsDomain.jobs`` schedules."""
    jobs = Jobs(database, records, clock)
    return {
        "show-star": jobs.show_star,
        "fetch-cells": jobs.fetch_cells,
        "judge-by-policy": jobs.judge_by_policy,
    }


class Jobs:
    """The handlers; each gives the commands that its result makes."""

    def __init__(
        self, database: Database, records: Callable[[], InternalClient], clock: Clock
    ) -> None:
        self._database = database
        self._records = records
        self._clock = clock

    def _head(self, job: Job, n: int = 0) -> dict[str, Any]:
        return {
            "command_id": job_command_id(job.id, n),
            "actor": REWARDS,
            "at": self._clock.now(),
            "causation_id": str(job.id),
            "correlation_id": job.correlation_id,
        }

    async def show_star(self, job: Job) -> Sequence[Command]:
        """The publicity of a passed application begins."""
        return [
            c.ShowStar(**self._head(job), subject_id=job.target.id, policy_id=job.data["policy_id"])
        ]

    async def fetch_cells(self, job: Job) -> Sequence[Command]:
        """The table of a large adoption, under its digest."""
        raw = await self._records().get_bytes(job.data["path"])
        if hashlib.sha256(raw).hexdigest() != job.data["digest"]:
            raise Unavailable("records answered other bytes than the digest names")
        try:
            cells = _CELLS.validate_python(json.loads(raw))
        except (ValidationError, ValueError):
            raise Unavailable("records answered a table of cells that cannot be read") from None
        adopted = self._head(job)
        return [
            c.AdoptRewards(
                **adopted,
                subject_id=job.target.id,
                transfer_id=job.data["transfer_id"],
                new_epoch=job.data["new_epoch"],
                first_registered_on=date.fromisoformat(job.data["first_registered_on"]),
                cells=cell_minutes(cells),
                stars=_STARS.validate_python(job.data["stars"]),
            )
        ]

    async def judge_by_policy(self, job: Job) -> Sequence[Command]:
        """A policy version has begun: a page of subjects is judged, then the next is asked for."""
        after = job.data["after"]
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                "SELECT id FROM aggregate WHERE kind = 'standing' AND id > $1 ORDER BY id LIMIT $2",
                after,
                SUBJECTS_PER_PAGE,
            )
        subjects = [row["id"] for row in rows]
        judged: list[Command] = [
            c.RecomputeStanding(**self._head(job, n), subject_id=subject)
            for n, subject in enumerate(subjects, start=1)
        ]
        advance = AdvancePolicy(
            **self._head(job),
            policy_id=job.data["policy_id"],
            version=job.data["version"],
            after=subjects[-1] if len(subjects) == SUBJECTS_PER_PAGE else None,
        )
        return [*judged, advance]
