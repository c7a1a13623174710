"""What is a service made of, and what is put into its hands?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, FastAPI

from shared.auth import TokenVerifier
from shared.clock import Clock, SystemClock
from shared.envelope import Topic
from shared.internal_http import InternalClient, InternalVerifier, new_client
from shared.ledger import Domain, Ledger
from shared.messages import Unavailable
from shared.postgres import Database
from shared.settings import ServiceSettings
from shared.signing import load_public_key, load_signing_key, load_symmetric_key
from shared.telemetry import Metrics
from shared.working_days import Calendar, load_calendar

if TYPE_CHECKING:
    # The reader's machinery is not needed to declare a service.
    from shared.jobs import JobHandler
    from shared.reader.plan import Source


@dataclass
class Parts:
    """What the makers of a service's pieces are given. One per process; nothing in it is global.

    ``http`` asks neighbours of this node; whoever asks other cities makes a client of its own.
    ``kept`` is a place for what a service's wiring shares between its own makers (a vault, keys).
    ``beside`` runs as long as the process, and is cancelled before the database is closed.
    """

    settings: Any
    database: Database
    clock: Clock
    verifier: TokenVerifier
    internal_verifier: InternalVerifier
    service_key: Ed25519PrivateKey
    digest_key: bytes
    http: httpx.AsyncClient
    metrics: Metrics
    role: str = "serve"
    kept: dict[str, Any] = field(default_factory=dict)
    beside: list[asyncio.Task[None]] = field(default_factory=list)
    _ledger: Ledger | None = None

    @property
    def ledger(self) -> Ledger:
        """The one way to change anything; there is none yet while ``domain`` is being made."""
        if self._ledger is None:
            raise RuntimeError("the ledger is made from the domain: ask for it when it is used")
        return self._ledger

    def give_ledger(self, ledger: Ledger) -> None:
        """Once, by whoever assembles the process."""
        self._ledger = ledger

    @property
    def service(self) -> str:
        name: str = type(self.settings).service
        return name

    @property
    def node(self) -> str:
        name: str = self.settings.node
        return name

    @property
    def keys(self) -> Path:
        """The directory of this service's private keys."""
        path: Path = self.settings.keys
        return path

    @cached_property
    def calendar(self) -> Calendar:
        """The working calendar that settings name, else the packaged one."""
        return load_calendar(self.settings.calendar)

    @cached_property
    def log(self) -> Any:
        return structlog.get_logger(f"services.{self.service}")

    def neighbour(self, service: str) -> InternalClient:
        """Asks another service of this node. ``Unavailable`` where settings do not say where it
        is: a service starts and works with its neighbours absent."""
        url = self.settings.internal_url(service)
        if url is None:
            raise Unavailable(f"settings do not say where {service} is", 60)
        return InternalClient(
            service=self.service,
            neighbour=service,
            base_url=url,
            key=self.service_key,
            clock=self.clock,
            client=self.http,
        )


@dataclass(frozen=True, slots=True)
class Chore:
    """An endless coroutine of the active worker (the courier, say). It ends only by being
    cancelled; if it raises, the process ends and is started again."""

    name: str
    run: Callable[[], Awaitable[None]]


def no_chores(_: Parts) -> tuple[Chore, ...]:
    return ()


def no_files(_: Parts) -> tuple[str, ...]:
    return ()


def no_internal(_: Parts) -> APIRouter | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Service:
    """What a service's ``wiring.assemble(settings)`` returns. Nothing is built until it runs.

    ``name`` is also its schema. ``domain`` is called first, with no ledger in its hands yet.
    ``internal`` is mounted at ``/internal/v1`` beside health and metrics. ``provision`` runs after
    migrating and making topics, and again at each start: it must be safe to repeat.
    ``files`` is for the role ``check``: it reads what ``domain`` does not and some role does,
    raises as ``gather`` does, and gives a sentence for each other file that is wrong.
    """

    name: str
    settings: ServiceSettings
    topics: tuple[Topic, ...]
    migrations: Path
    domain: Callable[[Parts], Domain]
    api: Callable[[Parts], FastAPI]
    sources: Callable[[Parts], tuple[Source, ...]]
    jobs: Callable[[Parts], Mapping[str, JobHandler]]
    internal: Callable[[Parts], APIRouter | None] = no_internal
    federation: Callable[[Parts], FastAPI] | None = None
    chores: Callable[[Parts], tuple[Chore, ...]] = no_chores
    provision: Callable[[Parts], Awaitable[None]] | None = None
    files: Callable[[Parts], Iterable[str]] = no_files


def gather(service: Service, role: str, clock: Clock | None = None) -> Parts:
    """Loads keys and opens nothing yet; raises ``KeyFileIsWrong`` and ``CalendarIsWrong``.

    Must be called on the loop that will use it.
    """
    settings = service.settings
    now = clock or SystemClock()
    parts = Parts(
        settings=settings,
        database=Database(
            settings.dsn(),
            service.name,
            name=f"{settings.node}-{service.name}",
        ),
        clock=now,
        verifier=TokenVerifier(
            settings.node,
            [load_public_key(settings.public_keys / "token.pub")],
            now,
            settings.strong_acr,
        ),
        internal_verifier=InternalVerifier.from_directory(service.name, settings.public_keys, now),
        service_key=load_signing_key(settings.keys / "service.key"),
        digest_key=load_symmetric_key(settings.keys / "digest.key"),
        http=new_client(settings.neighbour_tls()),
        metrics=Metrics(service.name, settings.node),
        role=role,
    )
    # Read now, so that a wrong file is named before anything listens.
    _ = parts.calendar
    return parts
