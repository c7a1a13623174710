"""Records on a real PostgreSQL: its ledger, its API without a socket, facts without a broker."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.records.domain import keeping
from services.records.domain.dossiers.folding import City
from services.records.edge.api import build
from services.records.edge.copies import ORGANISATION, POLICY, KeepingPart
from services.records.edge.dossiers import DossierPart
from services.records.edge.queries import Queries
from services.records.edge.stagings import StagingPart
from services.records.edge.store import RecordsDomain
from services.records.wiring import MIGRATIONS
from shared.clock import FixedClock
from shared.ledger import Accepted, Ledger
from shared.messages import Command, Rejection
from shared.postgres import Database, migrate
from shared.signing import Signer
from tests.domain.records import story as w
from tests.support.api import TestSurroundings, client_of
from tests.support.documented import keeping_to_its_document

ENTRY_KEY = Ed25519PrivateKey.from_private_bytes(b"e" * 32)
HEAD_KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)


def make_domain(
    city: City = w.AMBER,
    entry_key: Ed25519PrivateKey = ENTRY_KEY,
    head_key: Ed25519PrivateKey = HEAD_KEY,
) -> RecordsDomain:
    part = DossierPart(city, Signer.of(city.node, entry_key), Signer.of(city.node, head_key))
    return RecordsDomain(part, StagingPart(), KeepingPart(ORGANISATION), KeepingPart(POLICY))


@asynccontextmanager
async def open_records(url: str, schema: str) -> AsyncIterator[tuple[Database, Ledger]]:
    """A migrated schema and its ledger, with the organisations and the policy of the stories."""
    await migrate(url, schema, MIGRATIONS)
    async with Database(url, schema) as database:
        ledger = Ledger(database, make_domain())
        for command in neighbours():
            assert isinstance(await ledger.submit(command), Accepted)
        yield database, ledger
        await ledger.close()


def neighbours() -> list[Command]:
    """What registry has told of: the bodies and the rules of ``story``."""
    story = w.Story(opened=False)
    told: list[Command] = [
        keeping.KeepOrganisation(organisation=w.organisation(each), **story.common(w.SYSTEM))
        for each in (w.TEAM, w.PARENT, w.OTHER)
    ]
    return [*told, keeping.KeepPolicy(policy=w.recording_policy(), **story.common(w.SYSTEM))]


class Records:
    """One database, and a story that is told to it; events are as the ledger gave them."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self.database, self.ledger = database, ledger
        self.story = w.Story(opened=False)

    async def does(self, command: Command) -> tuple[Any, ...]:
        outcome = await self.ledger.submit(command)
        assert isinstance(outcome, Accepted), outcome
        self.story.now += w.timedelta(seconds=1)
        return outcome.events

    async def refuses(self, command: Command) -> Rejection:
        outcome = await self.ledger.submit(command)
        assert isinstance(outcome, Rejection), outcome
        return outcome

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.reading() as connection:
            return [dict(row) for row in await connection.fetch(sql, *values)]

    async def state(self, subject: str = w.LI_HUA) -> Any:
        rows = await self.rows(
            "SELECT state::text AS s FROM aggregate WHERE kind = 'dossier' AND id = $1", subject
        )
        return json.loads(rows[0]["s"])


@pytest.fixture
async def records(database: str) -> AsyncIterator[Records]:
    async with open_records(database, "records") as (reached, ledger):
        yield Records(reached, ledger)


class Api:
    """The public API and the internal routes over one database, without a socket."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.clock = FixedClock(w.MONDAY)
        self.surroundings = TestSurroundings(node="amber", clock=self.clock)
        part = DossierPart(w.AMBER, Signer.of("amber", ENTRY_KEY), Signer.of("amber", HEAD_KEY))
        self.queries = Queries(records.database, part, self.clock)
        self.app = build(self.surroundings, records.ledger, self.queries)

    def client(self, *grants: Any, actor_id: str = "someone", subject_id: str | None = None) -> Any:
        token = self.surroundings.token(*grants, subject_id=subject_id, actor_id=actor_id)
        return keeping_to_its_document(client_of(self.app, token), self.app)


@pytest.fixture
async def api(records: Records) -> Api:
    await records.does(records.story.open())
    return Api(records)
