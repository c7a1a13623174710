"""What does records do with I/O between reading and deciding? (protocol.md 7, 7)"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers.state import Frozen
from services.records.domain.entries import read_body
from services.records.domain.heads import state_digest
from services.records.domain.staging import commands as s
from services.records.domain.staging.state import Staging
from services.records.edge.directory import DirectoryFile
from services.records.edge.judging import KeyIsUnlisted, judge_entry
from services.records.edge.rows import dossier_row, staging_row
from services.records.edge.staged_rows import reckon
from services.records.edge.wire import OBJECTS
from shared.canonical import digest, load, load_canonical
from shared.clock import Clock
from shared.internal_http import InternalClient, Refused
from shared.jobs import Job, JobHandler, Later
from shared.messages import Command, Unavailable, Unreadable, system
from shared.postgres import Database

RECORDS: Final = system("records")
CANNOT_STAGE: Final = "TR-506"
# A key that no directory lists yet: the office lists it, then the supplement goes on.
KEY_IS_UNLISTED_SECONDS: Final = 30.0
LINES_PER_PAGE: Final = 5_000
MAX_LEAVES_IN_BUNDLE: Final = 500

Transfer = Callable[[], InternalClient]


def handlers(
    database: Database, transfer: Transfer, directory: DirectoryFile, clock: Clock, node: str
) -> Mapping[str, JobHandler]:
    """By the kinds that the parts schedule."""
    jobs = Jobs(database, transfer, directory, clock, node)
    return {
        "reckon-freeze": jobs.reckon_freeze,
        "apply-supplement": jobs.apply_supplement,
        "stage-bundle": jobs.stage_bundle,
        "finish-staging": jobs.finish_staging,
    }


class Jobs:
    """The handlers; each gives the commands that its result makes."""

    def __init__(
        self,
        database: Database,
        transfer: Transfer,
        directory: DirectoryFile,
        clock: Clock,
        node: str,
    ) -> None:
        self._database = database
        self._transfer = transfer
        self._directory = directory
        self._clock = clock
        self._node = node

    def _head(self, job: Job) -> dict[str, Any]:
        return {
            "command_id": job.id,
            "actor": RECORDS,
            "at": self._clock.now(),
            "causation_id": str(job.id),
            "correlation_id": job.correlation_id,
        }

    async def reckon_freeze(self, job: Job) -> Sequence[Command]:
        """The state digest of a large dossier; its fence keeps the log as it is meanwhile."""
        row = dossier_row(job.target.id, await self._row("dossier", job.target.id))
        transfer_id = job.data["transfer_id"]
        if not isinstance(row, Frozen) or row.fence_transfer_id != transfer_id:
            return []
        lines: list[str] = []
        after = ("", "")
        async with self._database.reading() as connection:
            while rows := await connection.fetch(
                """SELECT ulid, issuer, line FROM standing WHERE log_id = $1
                   AND (ulid, issuer) > ($2, $3) ORDER BY ulid, issuer LIMIT $4""",
                row.log.log_id,
                *after,
                LINES_PER_PAGE,
            ):
                lines += [each["line"] for each in rows]
                after = (rows[-1]["ulid"], rows[-1]["issuer"])
        return [
            c.FinishFreeze(
                **self._head(job),
                subject_id=job.target.id,
                transfer_id=transfer_id,
                state_digest=state_digest(lines),
            )
        ]

    async def apply_supplement(self, job: Job) -> Sequence[Command]:
        """The entries of a supplement, each judged; applied in the order of k."""
        raw = await self._fetch(job.data["path"], job.data["digest"])
        content = load(raw)
        try:
            directory = self._directory.current()
            judged = [
                judge_entry(signed, job.target.id, directory) for signed in content["entries"]
            ]
        except KeyIsUnlisted:
            raise Later(KEY_IS_UNLISTED_SECONDS) from None
        return [
            c.ApplyLateChange(
                **self._head(job),
                subject_id=job.target.id,
                transfer_id=job.data["transfer_id"],
                sender=job.data["sender"],
                incarnation=job.data["incarnation"],
                k=job.data["k"],
                entries=tuple(await stored_beside(self._database, judged)),
            )
        ]

    async def stage_bundle(self, job: Job) -> Sequence[Command]:
        """One plain bundle; the next one is another job, so that memory is one bundle's."""
        row = staging_row(job.target.id, await self._row("staging", job.target.id))
        if not isinstance(row, Staging):
            return []
        n, path = job.data["n"], job.data["path"]
        order = row.order
        bundles = load(await self._fetch(path, path.rpartition("/")[2]))
        if n >= len(bundles):
            return await self.finish_staging(job)
        raw = await self._fetch(OBJECTS + bundles[n], bundles[n])
        lines = raw.split(b"\n")
        meta = self._head(job) | {
            "subject_id": order.subject_id,
            "transfer_id": order.transfer_id,
        }
        if lines.pop() != b"" or not 1 <= len(lines) <= MAX_LEAVES_IN_BUNDLE:
            return [s.FailStaging(**meta, code=CANNOT_STAGE)]
        try:
            entries = tuple(_staged(line) for line in lines)
        except (Unreadable, KeyError, TypeError, ValueError):
            # Transfer has verified these bytes; that they cannot be read is told, not guessed at.
            return [s.FailStaging(**meta, code=CANNOT_STAGE)]
        return [s.StageBundle(**meta, n=n, bundles=len(bundles), entries=entries)]

    async def finish_staging(self, job: Job) -> Sequence[Command]:
        """What the staged log adds up to."""
        row = staging_row(job.target.id, await self._row("staging", job.target.id))
        if not isinstance(row, Staging):
            return []
        async with self._database.reading() as connection:
            found = await reckon(connection, row.log.log_id, self._node)
        return [
            s.FinishStaging(
                **self._head(job),
                subject_id=row.order.subject_id,
                transfer_id=row.order.transfer_id,
                state_digest=found.state_digest,
                totals=found.totals,
                cells=found.cells,
                stars=found.stars,
                shared=found.shared,
            )
        ]

    async def _fetch(self, path: str, sha256: str) -> bytes:
        try:
            raw = await self._transfer().get_bytes(path)
        except Refused as refused:
            raise Unavailable(f"transfer answered {refused.status} for an object", 5) from None
        if hashlib.sha256(raw).hexdigest() != sha256:
            raise Unavailable("transfer answered other bytes than the digest names", 5)
        return raw

    async def _row(self, kind: str, key: str) -> Mapping[str, Any] | None:
        async with self._database.reading() as connection:
            text = await connection.fetchval(
                "SELECT state::text FROM aggregate WHERE kind = $1 AND id = $2", kind, key
            )
        return None if text is None else json.loads(text)


async def stored_beside(database: Database, judged: Sequence[c.JudgedEntry]) -> list[c.JudgedEntry]:
    """Each with the digest of what stands here under its key, wherever: no key has two contents."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            """SELECT v.issuer, v.entry_id, v.version, v.digest
               FROM unnest($1::text[], $2::text[], $3::int[]) AS x(i, e, v)
               JOIN entry_version AS v ON v.issuer = x.i AND v.entry_id = x.e AND v.version = x.v
            """,
            [each.issuer for each in judged],
            [each.entry_id for each in judged],
            [each.version for each in judged],
        )
    stored = {(row["issuer"], row["entry_id"], row["version"]): row["digest"] for row in rows}
    return [
        replace(each, stored_digest=stored.get((each.issuer, each.entry_id, each.version)))
        for each in judged
    ]


def _staged(line: bytes) -> s.StagedEntry:
    signed = load_canonical(line)
    return s.StagedEntry(signed=signed, version=read_body(signed["body"], digest(signed["body"])))
