"""Two (or three) cities' transfer services over real HTTP and PostgreSQL, neighbours scripted.

Registry, records and rewards are played by ``Neighbours``: it reads what transfer published and
answers with facts of the shapes those services publish, through transfer's own reading.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse

from services.transfer.domain.certificates import KINDS
from services.transfer.domain.entry_form import judge_leaf
from services.transfer.domain.verify_sums import MemoryScratch, state_digest, sums
from services.transfer.edge import agents
from services.transfer.edge.signatures import verify_signature
from services.transfer.settings import Settings
from services.transfer.wiring import House, assemble, house_of
from shared import merkle
from shared.auth import issue_token
from shared.canonical import canonical, digest
from shared.clock import wire
from shared.internal_http import InternalClient
from shared.jobs import Jobs
from shared.ledger import Gate, Ledger
from shared.messages import Grant, Message, Rejection, Unavailable
from shared.postgres import migrate
from shared.roles import Parts, gather
from shared.roles.servers import Listener, internal_app
from shared.signing import Signer, kid, write_private_key, write_public_key
from tests.support.infrastructure import eventually

CONSENT_TEXT = hashlib.sha256(b"consent of a test").hexdigest()
# A dossier moves whole: the consent names every kind.
KINDS_ASKED = list(KINDS)


class ShiftedClock:
    """The machine's clock, moved by as much as a test says."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def now(self) -> datetime:
        instant = datetime.now(UTC) + self.by
        return instant.replace(microsecond=instant.microsecond // 1000 * 1000)

    def jump(self, by: timedelta) -> None:
        """Every timer within is due."""
        self.by += by


@dataclass
class Office:
    """The federation office: one directory key, and the cities it lists."""

    path: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    serial: int = 0

    @property
    def pin(self) -> str:
        public = self.key.public_key().public_bytes_raw()
        return f"{kid('directory', public)}:{public.hex()}"

    def list(
        self,
        city: str,
        base_url: str,
        keys: Mapping[str, Ed25519PrivateKey],
        shows: Sequence[str] = (),
    ) -> None:
        """``keys``: message (and custody) and entry (and head). ``shows``: digests of the
        certificates by which it calls others."""
        begin, end = "2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z"
        uses = {
            "message": ["message"],
            "custody": ["custody"],
            "entry": ["entry", "head"],
        }
        self.nodes[city] = {
            "city": city,
            "name_zh": city,
            "name_en": city,
            "operator": {"name": f"Office of {city}", "contact": f"ops@{city}.example"},
            "base_url": base_url,
            "status": "active",
            "successor": None,
            "protocols": ["jiexu/1.0"],
            "suites": ["intl-1"],
            "regions": ["500103"],
            "keys": [
                {
                    "kid": kid(city, key.public_key().public_bytes_raw()),
                    "alg": "Ed25519",
                    "public": key.public_key().public_bytes_raw().hex(),
                    "uses": uses[name],
                    "not_before": begin,
                    "not_after": end,
                    "revoked_at": None,
                    "compromised_since": None,
                }
                for name, key in keys.items()
            ],
            "seal_keys": [_seal_key(city, begin, end)],
            "tls_client_sha256": list(shows),
        }
        self.publish()

    def publish(self) -> None:
        """Signs the present list under the next serial."""
        self.serial += 1
        body = {
            "v": "directory/1",
            "serial": self.serial,
            "issued_at": "2026-01-01T00:00:00Z",
            "expires_at": "2036-01-01T00:00:00Z",
            "witness_threshold": 0,
            "nodes": list(self.nodes.values()),
        }
        signed = Signer.of("directory", self.key).sign("jiexu-directory-v1", body)
        file = {"body": body, "sigs": [{"kid": signed["kid"], "sig": signed["sig"]}]}
        self.path.write_bytes(canonical(file))


def _seal_key(city: str, begin: str, end: str) -> dict[str, Any]:
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    return {
        "kid": kid(city, public),
        "alg": "X25519",
        "public": public.hex(),
        "not_before": begin,
        "not_after": end,
    }


@dataclass
class Dossier:
    """What the scripted records keeps of one subject."""

    subject_id: str
    home: str
    log_id: str = field(default_factory=lambda: uuid4().hex)
    entries: list[dict[str, Any]] = field(default_factory=list)
    late: dict[str, dict[str, Any]] = field(default_factory=dict)
    epoch: int = 1


@dataclass
class City:
    """One city: its keys, its transfer service, and the neighbours played beside it."""

    name: str
    folder: Path
    office: Office
    database_url: str
    clock: ShiftedClock
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    service_keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    token_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    dossiers: dict[str, Dossier] = field(default_factory=dict)
    # What the neighbours are told to do otherwise than usual: by event type.
    instead: dict[str, Callable[[Message], list[tuple[str, dict[str, Any]]]]] = field(
        default_factory=dict
    )
    silent: set[str] = field(default_factory=set)
    persons: dict[str, str] = field(default_factory=dict)
    unproved: tuple[int, str] | None = None
    told: list[Message] = field(default_factory=list)
    parts: Parts | None = None
    ports: dict[str, int] = field(default_factory=dict)
    # Settings of its certificates, and the digests that the directory lists for it.
    access: dict[str, Any] = field(default_factory=dict)
    shows: Sequence[str] = ()

    @property
    def house(self) -> House:
        assert self.parts is not None
        return house_of(self.parts)

    # -- keys and settings ------------------------------------------------------------------------

    def prepare(self) -> None:
        """Key files as ``jiexu init`` leaves them, and settings that name them."""
        if not self.office.path.exists():
            self.office.publish()
        for name in ("keys", "public"):
            (self.folder / name).mkdir(parents=True)
        for name in ("message", "custody", "entry"):
            self.keys[name] = Ed25519PrivateKey.generate()
        for name in ("transfer", "records", "registry"):
            self.service_keys[name] = Ed25519PrivateKey.generate()
            path = self.folder / "public" / f"service-{name}.pub"
            write_public_key(path, self.service_keys[name].public_key())
        own = self.folder / "keys"
        write_private_key(own / "message.key", self.keys["message"])
        write_private_key(own / "custody.key", self.keys["custody"])
        write_private_key(own / "service.key", self.service_keys["transfer"])
        write_private_key(own / "wrap.key", b"w" * 32)
        write_private_key(own / "digest.key", b"d" * 32)
        write_public_key(self.folder / "public" / "token.pub", self.token_key.public_key())

    def settings(self, neighbours: str, **more: Any) -> Settings:
        return Settings(
            node=self.name,
            database_url=self.database_url,
            kafka_bootstrap=more.pop("kafka_bootstrap", "127.0.0.1:1"),
            keys=self.folder / "keys",
            public_keys=self.folder / "public",
            registry_internal_url=neighbours,
            records_internal_url=neighbours,
            directory=self.office.path,
            directory_keys=(self.office.pin,),
            allow_private_peers=True,
            **self.access,
            **more,
        )

    def token(self, *roles: str, actor_id: str = "actor-1", subject_id: str | None = None) -> str:
        grants = [Grant(role) for role in roles]
        return issue_token(
            self.token_key, self.name, actor_id, grants, subject_id, clock=self.clock
        )

    # -- dossiers ---------------------------------------------------------------------------------

    def sign_entry(self, subject_id: str, ulid: str, **changed: Any) -> dict[str, Any]:
        """A signed service entry of this city, approved, 60 minutes unless told otherwise."""
        body = {
            "v": "entry/1",
            "kind": "service",
            "issuer": self.name,
            "subject_id": subject_id,
            "entry_id": f"{self.name}-{ulid}",
            "version": 1,
            "state": "approved",
            "minutes": 60,
            "counted_minutes": 60,
            "occurred_on": "2026-02-14",
            "recorded_at": "2026-02-15T03:00:00Z",
            "reason": None,
            "detail": {"evidence_class": "leader_entry", "body": {"category": "service"}},
            "salt": hashlib.sha256(ulid.encode()).hexdigest()[:32],
        } | changed
        return Signer.of(self.name, self.keys["entry"]).sign("jiexu-entry-v1", body)

    def open_dossier(self, subject_id: str, entries: int = 3) -> Dossier:
        """A dossier of this city with that many approved hours."""
        dossier = Dossier(subject_id=subject_id, home=self.name)
        for n in range(entries):
            dossier.entries.append(self.sign_entry(subject_id, f"{n:026d}"))
        self.dossiers[subject_id] = dossier
        return dossier

    def head(self, dossier: Dossier) -> dict[str, Any]:
        """Signed now, with totals and state digest recomputed from the entries."""
        scratch, kinds, frontier = MemoryScratch(), dict.fromkeys(KINDS, 0), ()
        directory = self.house.directory.current()
        for n, entry in enumerate(dossier.entries):
            leaf = judge_leaf(
                canonical(entry),
                subject_id=dossier.subject_id,
                directory=directory,
                verify=verify_signature,
            )
            scratch.add([leaf])
            kinds[leaf.kind] += 1
            frontier = merkle.append(n, frontier, leaf.digest)
        totals = sums(scratch)
        body = {
            "v": "head/1",
            "subject_id": dossier.subject_id,
            "epoch": dossier.epoch,
            "home": self.name,
            "first_registered_on": "2019-03-05",
            "count": len(dossier.entries),
            "root": merkle.root(frontier).hex(),
            "totals": {name: getattr(totals, name) for name in totals.__slots__},
            "kinds": kinds,
            "state_digest": state_digest(scratch),
            "at": wire(self.clock.now()),
        }
        return Signer.of(self.name, self.keys["entry"]).sign("jiexu-head-v1", body)

    # -- reading what transfer says ---------------------------------------------------------------

    async def rows(self, query: str, *values: Any) -> list[asyncpg.Record]:
        assert self.parts is not None
        async with self.parts.database.reading() as connection:
            return await connection.fetch(query, *values)

    async def state(self, transfer_id: str) -> str | None:
        found = await self.rows("SELECT state FROM transfer WHERE transfer_id = $1", transfer_id)
        return found[0]["state"] if found else None

    async def reaches(self, transfer_id: str, state: str, seconds: float = 60) -> None:
        async def there() -> bool:
            return await self.state(transfer_id) == state

        await eventually(there, f"{self.name} {transfer_id[:8]} is {state}", seconds=seconds)

    async def tell(self, kind: str, key: str, data: Mapping[str, Any]) -> None:
        """A fact of a neighbour, through transfer's own reading and deciding."""
        assert self.parts is not None
        message = Message(
            topic="test.facts.v1",
            key=key,
            sequence=1,
            event_id=uuid4(),
            source=f"/nodes/{self.name}/test",
            type=kind,
            time=self.clock.now(),
            data=json.loads(json.dumps(data)),
        )
        for command in agents.reader_of(self.clock)(message):
            outcome = await self.parts.ledger.submit(command)
            assert not isinstance(outcome, Rejection), outcome

    def asking(self, neighbour: str = "transfer") -> InternalClient:
        """records, asking transfer on its internal port."""
        assert self.parts is not None
        return InternalClient(
            service="records",
            neighbour=neighbour,
            base_url=f"http://127.0.0.1:{self.ports['internal']}",
            key=self.service_keys["records"],
            clock=self.clock,
            client=self.parts.http,
        )


class Neighbours:
    """registry, records and rewards of one city, as far as a move needs them."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.position = 0

    def app(self) -> FastAPI:
        """Their internal HTTP."""
        app, city = FastAPI(), self.city
        routes = APIRouter(prefix="/internal/v1")

        @routes.post("/proofs")
        async def proofs(body: dict[str, Any]) -> JSONResponse:
            if city.unproved is not None:
                status, slug = city.unproved
                return JSONResponse({"type": f"urn:jiexu:problem:{slug}"}, status)
            code_id = hashlib.sha256(body["applicant_ref"].encode()).hexdigest()[:32]
            proof = hashlib.sha256(body["transfer_id"].encode()).hexdigest()
            return JSONResponse({"code_id": code_id, "proof": proof})

        @routes.get("/dossiers/{subject}/head")
        async def head(subject: str) -> JSONResponse:
            dossier = city.dossiers.get(subject)
            if dossier is None:
                return JSONResponse({"type": "urn:jiexu:problem:not-found"}, 404)
            if dossier.home != city.name:
                elsewhere = {"type": "urn:jiexu:problem:dossier-is-elsewhere", "city": dossier.home}
                return JSONResponse(elsewhere, 409)
            return JSONResponse({"head": city.head(dossier), "log_id": dossier.log_id})

        @routes.get("/dossiers/{subject}/log/{log_id}")
        async def log(subject: str, log_id: str, after: int = -1, limit: int = 500) -> Any:
            dossier = city.dossiers[subject]
            assert dossier.log_id == log_id
            return JSONResponse({"items": dossier.entries[after + 1 : after + 1 + limit]})

        @routes.get("/objects/{sha}")
        async def objects(sha: str) -> JSONResponse:
            for dossier in city.dossiers.values():
                if sha in dossier.late:
                    return JSONResponse(dossier.late[sha])
            return JSONResponse({"type": "urn:jiexu:problem:not-found"}, 404)

        app.include_router(routes)
        return app

    async def play(self) -> None:
        """Reads what transfer published, in order, and answers; until cancelled."""
        while True:
            rows = await self.city.rows(
                """SELECT * FROM event WHERE topic IS NOT NULL AND position > $1
                   ORDER BY position LIMIT 100""",
                self.position,
            )
            for row in rows:
                self.position = row["position"]
                message = _message(self.city.name, row)
                self.city.told.append(message)
                for kind, data in await self._answers(message):
                    await self.city.tell(kind, message.key, data)
            if not rows:
                await asyncio.sleep(0.02)

    async def _answers(self, message: Message) -> list[tuple[str, dict[str, Any]]]:
        if message.type in self.city.silent:
            return []
        if message.type in self.city.instead:
            return self.city.instead[message.type](message)
        name = message.type.removeprefix("transfer.").removesuffix(".v1").replace("-", "_")
        answer = getattr(self, f"_on_{name}", None)
        return await answer(message) if answer else []

    async def _on_transfer_requested(self, m: Message) -> list[tuple[str, dict[str, Any]]]:
        subject = self.city.persons.get(m.data["code_id"])
        if subject is None:
            data = {"transfer_id": m.data["transfer_id"], "code": "TR-102"}
            return [("registry.identity-denied.v1", data)]
        data = {"transfer_id": m.data["transfer_id"], "subject_id": subject, "holds": []}
        return [("registry.identity-confirmed.v1", data)]

    async def _on_transfer_admitted(self, m: Message) -> list[tuple[str, dict[str, Any]]]:
        return [("records.dossier-frozen.v1", self.frozen(m))]

    def frozen(self, m: Message) -> dict[str, Any]:
        dossier = self.city.dossiers[m.data["subject_id"]]
        return {
            "subject_id": dossier.subject_id,
            "transfer_id": m.data["transfer_id"],
            "epoch": m.data["epoch"],
            "log_id": dossier.log_id,
            "head": self.city.head(dossier),
        }

    async def _on_dossier_verified(self, m: Message) -> list[tuple[str, dict[str, Any]]]:
        asking = self.city.asking()
        entries: list[dict[str, Any]] = []
        for sha in json.loads(await asking.get_bytes(m.data["path"])):
            plain = await asking.get_bytes(f"/internal/v1/objects/{sha}")
            assert hashlib.sha256(plain).hexdigest() == sha
            entries += [json.loads(line) for line in plain.splitlines()]
        assert len(entries) == m.data["count"]
        self.city.dossiers[m.data["subject_id"]] = Dossier(
            subject_id=m.data["subject_id"],
            home="",
            entries=entries,
            epoch=m.data["epoch"] + 1,
        )
        data = {
            "subject_id": m.data["subject_id"],
            "transfer_id": m.data["transfer_id"],
            "state_digest": m.data["state_digest"],
            "count": len(entries),
        }
        return [("records.dossier-staged.v1", data)]

    async def _on_release_received(self, m: Message) -> list[tuple[str, dict[str, Any]]]:
        dossier = self.city.dossiers[m.data["subject_id"]]
        dossier.home = self.city.name
        head = self.city.head(dossier)["body"]
        data = {
            "subject_id": dossier.subject_id,
            "transfer_id": m.data["transfer_id"],
            "new_epoch": m.data["new_epoch"],
            "state_digest": head["state_digest"],
            "totals": head["totals"],
        }
        return [("records.dossier-adopted.v1", data)]

    async def _on_dossier_released(self, m: Message) -> list[tuple[str, dict[str, Any]]]:
        self.city.dossiers[m.data["subject_id"]].home = m.data["home"]
        return []

    async def _on_supplement_received(self, m: Message) -> list[tuple[str, dict[str, Any]]]:
        raw = await self.city.asking().get_bytes(m.data["path"])
        assert hashlib.sha256(raw).hexdigest() == m.data["digest"]
        content = json.loads(raw)
        dossier = self.city.dossiers[m.data["subject_id"]]
        dossier.entries += content["entries"]
        data = {
            "subject_id": m.data["subject_id"],
            "transfer_id": m.data["transfer_id"],
            "sender": m.data["sender"],
            "incarnation": m.data["incarnation"],
            "k": m.data["k"],
            "new": len(content["entries"]),
            "duplicates": 0,
            "quarantined": 0,
            "first_quarantined": None,
        }
        return [("records.supplement-applied.v1", data)]


def _message(city: str, row: Mapping[str, Any]) -> Message:
    return Message(
        topic=row["topic"],
        key=row["key"],
        sequence=row["sequence"],
        event_id=UUID(str(row["event_id"])),
        source=f"/nodes/{city}/transfer",
        type=row["type"],
        time=row["occurred_at"],
        data=json.loads(row["data"]),
        correlation_id=row["correlation_id"],
        custody_epoch=row["custody_epoch"],
    )


@asynccontextmanager
async def running(city: City, *, neighbours: bool = True) -> AsyncIterator[City]:
    """The city's transfer service: API, federation, internal, jobs, courier; and neighbours."""
    city.prepare()
    played = Neighbours(city)
    async with AsyncExitStack() as stack:
        beside = Listener("neighbours", played.app(), "127.0.0.1", 0)
        stack.callback(beside.close)
        settings = city.settings(f"http://127.0.0.1:{beside.port}")
        service = assemble(settings)
        await migrate(city.database_url, service.name, service.migrations)
        parts = gather(service, "serve", city.clock)
        city.parts = parts
        await parts.database.open()
        stack.push_async_callback(parts.database.close)
        stack.push_async_callback(parts.http.aclose)
        ledger = Ledger(parts.database, service.domain(parts), gate=Gate())
        parts.give_ledger(ledger)
        stack.push_async_callback(ledger.close)
        house = city.house
        stack.push_async_callback(house.peers.close)
        assert service.federation is not None
        listeners = [beside]
        for name, app in (
            ("api", service.api(parts)),
            ("federation", service.federation(parts)),
            ("internal", internal_app(parts, service.internal(parts), _ready)),
        ):
            listener = Listener(name, app, "127.0.0.1", 0, settings.listener_tls(name))
            stack.callback(listener.close)
            city.ports[name] = listener.port
            listeners.append(listener)
        scheme = "http" if settings.listener_tls("federation") is None else "https"
        address = f"{scheme}://127.0.0.1:{city.ports['federation']}"
        city.office.list(city.name, address, city.keys, city.shows)
        await house.directory.load()
        jobs = Jobs(
            parts.database, ledger, service.jobs(parts), clock=city.clock, metrics=parts.metrics
        )
        work = [listener.run() for listener in listeners] + [jobs.run()]
        work += [chore.run() for chore in service.chores(parts)]
        if neighbours:
            work.append(played.play())
        tasks = [asyncio.ensure_future(each) for each in work]
        tasks.extend(parts.beside)
        watching = asyncio.ensure_future(_watch(tasks))
        try:
            yield city
        finally:
            watching.cancel()
            for listener in listeners:
                listener.stop()
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, watching, return_exceptions=True)
            # A query that was cut off by the end of the test is none of its findings.
            broken = [e for e in ended if isinstance(e, Exception)]
            broken = [e for e in broken if not isinstance(e, Unavailable)]
            assert not broken, broken


async def _watch(tasks: list[asyncio.Future[Any]]) -> None:
    """A part that ends by itself must be heard of, not waited for."""
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)


async def _ready() -> tuple[str, ...]:
    return ()


def client(city: City, token: str, language: str = "en") -> httpx.AsyncClient:
    """A person at this city's API."""
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{city.ports['api']}",
        headers={"authorization": f"Bearer {token}", "accept-language": language},
        timeout=20,
    )


def application(origin: str, destination: str, applicant_ref: str, now: datetime) -> dict[str, Any]:
    """The body of ``POST /transfers``."""
    return {
        "applicant_ref": applicant_ref,
        "origin": origin,
        "code": "621P2-DKNTV-1XNPM-C3YXK-2FQ4DV",
        "consent": {
            "text_id": "consent-move",
            "text_digest": CONSENT_TEXT,
            "provider": origin,
            "receiver": destination,
            "purpose": "move",
            "kinds": KINDS_ASKED,
            "given_at": wire(now),
            "expires_at": wire(now + timedelta(days=30)),
            "channel": "app",
            "guardian": None,
        },
    }


async def apply(
    there: City, origin: City, applicant_ref: str, *, key: str | None = None
) -> dict[str, Any]:
    """A volunteer applies at the new city; gives the answer's body."""
    async with client(there, there.token("login", actor_id=f"login-{applicant_ref}")) as person:
        answer = await person.post(
            "/transfers",
            json=application(origin.name, there.name, applicant_ref, there.clock.now()),
            headers={"Idempotency-Key": key or uuid4().hex},
        )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def code_id_of(applicant_ref: str) -> str:
    """The code id under which the scripted registry proves this application."""
    return hashlib.sha256(applicant_ref.encode()).hexdigest()[:32]


__all__ = [
    "City",
    "Dossier",
    "Neighbours",
    "Office",
    "ShiftedClock",
    "application",
    "apply",
    "client",
    "code_id_of",
    "digest",
    "running",
]
