"""Registry on a real PostgreSQL: wired as in earnest, its API without a socket, no broker."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from services.registry.domain.idnumbers import check_character
from services.registry.edge.packs import publish
from services.registry.settings import RegistrySettings
from services.registry.wiring import MIGRATIONS, assemble
from shared.auth import issue_token
from shared.clock import FixedClock
from shared.jobs import Jobs
from shared.ledger import Ledger, Outcome
from shared.messages import Grant, Message
from shared.postgres import migrate
from shared.roles import Parts, Service, gather
from shared.roles.servers import internal_app
from shared.signing import write_private_key, write_public_key
from tests.support.api import client_of
from tests.support.documented import keeping_to_its_document
from tests.support.infrastructure import eventually

NODE = "500000"
NOW = datetime(2027, 3, 1, 2, 0, tzinfo=UTC)
SERVICES = ("registry", "records", "transfer", "rewards")
OFFICER = Grant("county_reviewer", region="500103")
CITY = Grant("city_reviewer", region="500000")


@dataclass
class Keys:
    """The key files of a node, as far as registry and its tests need them."""

    own: Path
    public: Path
    token: Ed25519PrivateKey
    services: Mapping[str, Ed25519PrivateKey]


@dataclass
class Registry:
    """One registry, as far as a test without a broker needs it."""

    service: Service
    parts: Parts
    clock: FixedClock
    keys: Keys
    app: FastAPI
    internal: FastAPI

    def token(
        self,
        *roles: str | Grant,
        actor_id: str = "actor-1",
        subject_id: str | None = None,
        strong: bool = False,
    ) -> str:
        grants = [Grant(role) if isinstance(role, str) else role for role in roles]
        acr = "strong" if strong else None
        return issue_token(
            self.keys.token, NODE, actor_id, grants, subject_id, acr, clock=self.clock
        )

    def client(self, *roles: str | Grant, language: str = "en", **who: Any) -> httpx.AsyncClient:
        """Speaks with a token of these roles; without roles, without a token."""
        token = self.token(*roles, **who) if roles else None
        return keeping_to_its_document(client_of(self.app, token, language), self.app)

    async def post(
        self, client: httpx.AsyncClient, path: str, body: Any = None, key: str | None = None
    ) -> httpx.Response:
        """With an Idempotency-Key of its own, or this one."""
        headers = {"idempotency-key": key or secrets.token_hex(8)}
        return await client.post(path, json={} if body is None else body, headers=headers)

    async def hears(
        self, type_: str, data: Mapping[str, Any], at: datetime | None = None
    ) -> list[Outcome]:
        """Takes in one event of transfer, as the reader would; gives the outcomes."""
        message = Message(
            topic="transfer.transfers.v1",
            key=str(data["transfer_id"]),
            sequence=1,
            event_id=uuid4(),
            source=f"/nodes/{NODE}/transfer",
            type=f"transfer.{type_}.v1",
            time=at or self.clock.now(),
            data=data,
            correlation_id=str(data["transfer_id"]),
        )
        react = self.service.sources(self.parts)[0].react
        return [await self.parts.ledger.submit(command) for command in react(message)]

    async def jobs_are_done(self) -> None:
        """Runs the jobs that are due by the test's clock, by the real runner."""
        jobs = Jobs(
            self.parts.database,
            self.parts.ledger,
            self.service.jobs(self.parts),
            clock=self.clock,
            metrics=self.parts.metrics,
        )
        running = asyncio.create_task(jobs.run())
        try:
            await eventually(self._none_is_due, "no job is due")
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _none_is_due(self) -> bool:
        due = await self.rows(
            "SELECT kind, last_error FROM job WHERE state = 'waiting' AND due_at <= $1",
            self.clock.now(),
        )
        return not due

    async def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        async with self.parts.database.reading() as connection:
            return [dict(row) for row in await connection.fetch(statement, *values)]

    async def events(self, *types: str) -> list[dict[str, Any]]:
        """The event rows of these types (short names), in order."""
        names = [f"registry.{each}.v1" for each in types]
        return await self.rows(
            "SELECT topic, key, sequence, type, data FROM event WHERE type = ANY ($1) "
            "ORDER BY position",
            names,
        )


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    own, public = tmp_path / "keys", tmp_path / "public"
    own.mkdir()
    public.mkdir()
    token = Ed25519PrivateKey.generate()
    services = {name: Ed25519PrivateKey.generate() for name in SERVICES}
    write_private_key(own / "token.key", token)
    write_private_key(own / "service.key", services["registry"])
    for name in ("digest", "vault", "pepper"):
        write_private_key(own / f"{name}.key", secrets.token_bytes(32))
    write_public_key(public / "token.pub", token.public_key())
    for name, key in services.items():
        write_public_key(public / f"service-{name}.pub", key.public_key())
    return Keys(own, public, token, services)


@pytest.fixture
def more_settings() -> dict[str, Any]:
    """What a test adds to the settings; overridden where one needs more."""
    return {}


@pytest.fixture
async def registry(
    database: str, keys: Keys, more_settings: dict[str, Any]
) -> AsyncIterator[Registry]:
    await migrate(database, "registry", MIGRATIONS)
    settings = RegistrySettings(
        node=NODE,
        database_url=database,
        kafka_bootstrap="127.0.0.1:9",
        keys=keys.own,
        public_keys=keys.public,
        **more_settings,
    )
    service = assemble(settings)
    clock = FixedClock(NOW)
    parts = gather(service, "serve", clock)
    async with parts.http, parts.database:
        ledger = Ledger(parts.database, service.domain(parts))
        parts.give_ledger(ledger)
        await publish(ledger, clock)

        async def ready() -> tuple[str, ...]:
            return ()

        yield Registry(
            service,
            parts,
            clock,
            keys,
            service.api(parts),
            internal_app(parts, service.internal(parts), ready),
        )
        await ledger.close()


def id_number(n: int = 123, born: str = "19900101", region: str = "500103") -> str:
    """A number that nobody has: it only passes the check. Odd ``n``: male."""
    first = f"{region}{born}{n:03d}"
    return first + check_character(first)


def person(n: int = 123, name: str = "李华", **changes: Any) -> dict[str, Any]:
    """The body of a registration; ``n`` tells persons apart."""
    return {
        "name": name,
        "sex": "male" if n % 2 else "female",
        "birth_date": "1990-01-01",
        "documents": [{"type": "resident_id", "number": id_number(n)}],
        "contact": {"phone": "13800138000"},
        "residence_region": "500103",
        "consent": {"text_id": "consent-registration", "text_version": 1},
    } | changes


def minor(n: int = 123, born: str = "20150101", **changes: Any) -> dict[str, Any]:
    """The body of a child's registration, without a guardian."""
    day = f"{born[:4]}-{born[4:6]}-{born[6:]}"
    documents = [{"type": "resident_id", "number": id_number(n, born)}]
    return person(n, birth_date=day, documents=documents, **changes)


GUARDIAN = {
    "text_id": "consent-registration",
    "text_version": 1,
    "guardian": {"name": "李建国", "relation": "father", "phone": "13900139000"},
}


def slug(answer: httpx.Response) -> str:
    """The last part of the problem's type."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.json()["type"].removeprefix("urn:jiexu:problem:")
