"""How is rewards put together? The only file that knows everyone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI

from services.rewards.contract.topics import TOPICS
from services.rewards.edge import agents, api, jobs
from services.rewards.edge.queries import Queries
from services.rewards.edge.store import RewardsDomain
from services.rewards.settings import Settings
from shared.roles import Parts, Service

MIGRATIONS: Final = Path(__file__).parent / "edge" / "migrations"


def assemble(settings: Settings) -> Service:
    """The service, with nothing built yet."""
    return Service(
        name="rewards",
        settings=settings,
        topics=TOPICS,
        migrations=MIGRATIONS,
        domain=_domain,
        api=_api,
        sources=lambda parts: agents.sources(parts.node),
        jobs=lambda parts: jobs.handlers(
            parts.database, lambda: parts.neighbour("records"), parts.clock
        ),
    )


def _domain(parts: Parts) -> RewardsDomain:
    domain = RewardsDomain(node=parts.node, body=parts.settings.body(), calendar=parts.calendar)
    parts.kept["domain"] = domain
    return domain


def _api(parts: Parts) -> FastAPI:
    queries = Queries(parts.database, parts.kept["domain"], parts.clock)
    return api.build(parts, parts.ledger, queries)
