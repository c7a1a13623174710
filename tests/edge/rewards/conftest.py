"""Rewards on a real PostgreSQL: its ledger, its API without a socket, facts without a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from services.rewards.edge.agents import reader_of
from services.rewards.edge.api import build
from services.rewards.edge.jobs import handlers
from services.rewards.edge.queries import Queries
from services.rewards.edge.store import RewardsDomain
from services.rewards.wiring import MIGRATIONS
from shared.clock import FixedClock
from shared.ledger import Ledger
from shared.messages import Message, Rejection
from shared.postgres import Database, migrate
from tests.domain.rewards import world as w
from tests.support.api import TestSurroundings, client_of
from tests.support.documented import keeping_to_its_document

EXAMPLES = Path(__file__).parents[3] / "services"


@dataclass
class Rewards:
    """One running service, as far as a test without a broker needs it."""

    database: Database
    domain: RewardsDomain
    ledger: Ledger
    surroundings: TestSurroundings
    clock: FixedClock
    app: Any = field(init=False)

    def __post_init__(self) -> None:
        self.app = build(
            self.surroundings, self.ledger, Queries(self.database, self.domain, self.clock)
        )

    async def hears(
        self, name: str, data: Mapping[str, Any], at: datetime | None = None
    ) -> list[str]:
        """Takes in one event of a neighbour; gives the types of the events that followed."""
        message = Message(
            topic="test",
            key=str(data.get("subject_id", "")),
            sequence=1,
            event_id=uuid4(),
            source="/nodes/500000/test",
            type=name,
            time=at or self.clock.now(),
            data=data,
        )
        followed: list[str] = []
        for command in reader_of("500000")(message):
            outcome = await self.ledger.submit(command)
            assert not isinstance(outcome, Rejection), outcome
            followed += [type(event).__name__ for event in outcome.events]
        return followed

    def client(self, *roles: Any, subject_id: str | None = None, actor_id: str = "someone"):
        token = self.surroundings.token(*roles, subject_id=subject_id, actor_id=actor_id)
        return keeping_to_its_document(client_of(self.app, token), self.app)

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.reading() as connection:
            return [dict(row) for row in await connection.fetch(sql, *values)]

    def jobs(self):
        return handlers(self.database, lambda: pytest.fail("no neighbour is asked"), self.clock)


@pytest.fixture
async def rewards(database: str) -> AsyncIterator[Rewards]:
    await migrate(database, "rewards", MIGRATIONS)
    clock = FixedClock(datetime(2026, 6, 1, 4, 0, tzinfo=UTC))
    async with Database(database, "rewards") as reached:
        domain = RewardsDomain(node="500000", body=w.CENTRE, calendar=w.CALENDAR)
        ledger = Ledger(reached, domain)
        yield Rewards(reached, domain, ledger, TestSurroundings(clock=clock), clock)
        await ledger.close()


def policy_fact(policy_id: str, **changes: Any) -> dict[str, Any]:
    """Registry's fact of a star policy, as its examples are shaped."""
    content = {**w.DOCUMENTS[policy_id], **changes}
    content["effective_from"] = str(content["effective_from"])
    return {
        "policy_id": policy_id,
        "version": content["version"],
        "kind": "star",
        "content": content,
    }


def entry_fact(after: int, before: int = 0, subject_id: str = w.LI_HUA) -> dict[str, Any]:
    """Records' fact of an entry whose credited minutes moved."""
    return {
        "subject_id": subject_id,
        "issuer": "500000",
        "entry_id": "500000-01KK362VM09TDRMAB20MBC0B5C",
        "kind": "service",
        "state": "approved",
        "stands": True,
        "occurred_on": "2026-03-07",
        "moved": [
            {
                "issuer": "500000",
                "entry_id": "500000-01KK362VM09TDRMAB20MBC0B5C",
                "cell": {
                    "year": 2026,
                    "category": "service",
                    "evidence_class": "auto_qr",
                    "source_system": "500000",
                    "field_code": "community_affairs",
                    "own": True,
                },
                "before": before,
                "after": after,
            }
        ],
    }


def volunteer_fact(claimed: bool = True, subject_id: str = w.LI_HUA) -> dict[str, Any]:
    """Registry's fact of a registration."""
    return {
        "subject_id": subject_id,
        "first_registered_on": "2019-03-05",
        "residence_region": "500103",
        "claimed": claimed,
    }
