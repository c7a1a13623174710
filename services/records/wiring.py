"""How is records put together? The only file that knows everyone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI

from services.records.contract.topics import TOPICS
from services.records.domain.dossiers.folding import City
from services.records.edge import agents, api, batches_api, internal, jobs
from services.records.edge.batch_jobs import BatchJobs
from services.records.edge.batches import DECIDE_JOB, BatchPart
from services.records.edge.batches_queries import BatchQueries
from services.records.edge.copies import ORGANISATION, POLICY, KeepingPart
from services.records.edge.directory import DirectoryFile, DirectoryIsWrong
from services.records.edge.dossiers import DossierPart
from services.records.edge.persons import Persons
from services.records.edge.quarantine import Quarantine
from services.records.edge.queries import Queries
from services.records.edge.stagings import StagingPart
from services.records.edge.store import RecordsDomain
from services.records.settings import Settings
from shared.jobs import JobHandler
from shared.roles import Chore, Parts, Service
from shared.signing import Signer, load_signing_key

MIGRATIONS: Final = Path(__file__).parent / "edge" / "migrations"


def assemble(settings: Settings) -> Service:
    """The service, with nothing built yet."""
    return Service(
        name="records",
        settings=settings,
        topics=TOPICS,
        migrations=MIGRATIONS,
        domain=_domain,
        api=_api,
        internal=_internal,
        sources=lambda parts: agents.sources(parts.digest_key),
        jobs=_jobs,
        chores=_chores,
        files=_files,
    )


def _domain(parts: Parts) -> RecordsDomain:
    dossiers = DossierPart(
        City(parts.node, parts.calendar),
        Signer.of(parts.node, load_signing_key(parts.keys / "entry.key")),
        Signer.of(parts.node, load_signing_key(parts.keys / "head.key")),
    )
    parts.kept["dossiers"] = dossiers
    return RecordsDomain(
        dossiers,
        StagingPart(),
        KeepingPart(ORGANISATION),
        KeepingPart(POLICY),
        BatchPart(dossiers.city, dossiers),
    )


def _queries(parts: Parts) -> Queries:
    return Queries(parts.database, parts.kept["dossiers"], parts.clock)


def _api(parts: Parts) -> FastAPI:
    app = api.build(parts, parts.ledger, _queries(parts))
    persons = Persons(lambda: parts.neighbour("registry"))
    batches = BatchQueries(parts.database, parts.node)
    app.include_router(batches_api.router(parts.ledger, batches, persons))
    return app


def _jobs(parts: Parts) -> Mapping[str, JobHandler]:
    of_dossiers = jobs.handlers(
        parts.database,
        lambda: parts.neighbour("transfer"),
        _directory(parts),
        parts.clock,
        parts.node,
    )
    batches = BatchJobs(parts.database, parts.clock, parts.node)
    return {**of_dossiers, DECIDE_JOB: batches.decide}


def _internal(parts: Parts) -> APIRouter:
    return internal.router(_queries(parts))


def _directory(parts: Parts) -> DirectoryFile:
    """One per process: what it holds is read once, and again when the file changes."""
    held: DirectoryFile | None = parts.kept.get("directory")
    if held is None:
        settings: Settings = parts.settings
        held = DirectoryFile(
            settings.directory, settings.directory_keys, settings.directory_threshold
        )
        parts.kept["directory"] = held
    return held


def _files(parts: Parts) -> tuple[str, ...]:
    try:
        _directory(parts).current()
    except DirectoryIsWrong as wrong:
        return (f"JIEXU_DIRECTORY: {wrong}; take it from the federation's office again",)
    return ()


def _chores(parts: Parts) -> tuple[Chore, ...]:
    quarantine = Quarantine(
        parts.database, parts.ledger, _directory(parts), parts.clock, parts.metrics
    )
    return (Chore("quarantine", quarantine.run),)
