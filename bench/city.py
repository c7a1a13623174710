"""Which city is measured? A node of this machine, durable, its services started as a measure asks.

Broker, database and services are those of ``node/``: Apache Kafka and PostgreSQL as processes,
fsync on, ``acks=all``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from bench.load import ask_all, post
from node import making, tokens
from node.client import Api
from node.demo.people import Person, credit_code, id_number
from node.kafka import EmbeddedKafka
from node.layout import API, DATABASE, INTERNAL, SERVICES, Node, load
from node.members import PROJECT, broker_of, health, server_of
from node.postgres import EmbeddedPostgres
from node.process import Child, port_is_taken
from node.supervisor import make_database

T = TypeVar("T")
# Below the ports that the system gives to clients: one of those may be in use at any moment.
BASE_PORTS = range(20_000, 32_000, 200)
READY_SECONDS = 120.0
PROVISION_SECONDS = 180.0
REGISTER_CLIENTS = 16
REGION = "500103"


class Failed(Exception):
    """A process ended, or something did not come in time; the text holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process of a service: its role, and where it differs from the node's settings."""

    service: str
    role: str = "serve"
    api_port: int | None = None
    internal_port: int | None = None
    # ``python -m`` this, where the service is put together otherwise than it is shipped.
    module: str | None = None
    settings: Mapping[str, str] | None = None


@dataclass
class City:
    """Broker and database run from ``begin`` to ``close``; services within ``running``."""

    node: Node
    postgres: EmbeddedPostgres
    kafka: EmbeddedKafka
    people: list[Person] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    _organisation: str | None = None

    @classmethod
    def begin(cls, root: Path, code: str, name: str) -> City:
        """Makes the node and starts its broker and database; schemas and topics are made."""
        base = next(base for base in BASE_PORTS if not is_taken(base))
        node = making.make(root, code, name, at=datetime.now(UTC), base_port=base)
        making.sign(root, root / "office", datetime.now(UTC))
        node = load(node.home)
        node.logs.mkdir(parents=True, exist_ok=True)
        made = cls(node, server_of(node), broker_of(node))
        try:
            made.postgres.start(wait=False)
            made.kafka.start()
            made.postgres.wait_until_ready()
            asyncio.run(make_database(made.postgres))
            made._provision()
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        """Stops broker and database."""
        self.kafka.stop()
        self.postgres.stop()

    @property
    def database_url(self) -> str:
        """The superuser's, of the node's database."""
        return self.postgres.url_of(DATABASE)

    # -- processes ------------------------------------------------------------------------------

    @contextmanager
    def running(self, *runs: Run | str) -> Iterator[list[Child]]:
        """These processes, ready; a name alone is that service, whole. Stopped at the end."""
        wanted = [Run(run) if isinstance(run, str) else run for run in runs]
        children: list[Child] = []
        try:
            for run in wanted:
                children.append(self.start(run))
            for run, child in zip(wanted, children, strict=True):
                port = run.internal_port or self.node.port(INTERNAL[run.service])
                child.wait_until(
                    lambda port=port: health(port) == 200,  # type: ignore[misc]
                    f"{run.service} {run.role}",
                    READY_SECONDS,
                )
            yield children
        finally:
            for child in reversed(children):
                child.stop()

    def start(self, run: Run) -> Child:
        """One process, without waiting."""
        more = {"JIEXU_API_PORT": run.api_port, "JIEXU_INTERNAL_PORT": run.internal_port}
        settings = dict(run.settings or self.settings(run.service)) | {
            name: str(value) for name, value in more.items() if value is not None
        }
        module = run.module or f"services.{run.service}"
        return self.child(
            module, run.role, settings=settings, log=f"{run.service}-{run.role}"
        )

    def child(self, module: str, *arguments: str, settings: Mapping[str, str], log: str) -> Child:
        """Any Python module as a process of ours."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("JIEXU_")}
        return Child(
            [sys.executable, "-m", module, *arguments],
            directory=PROJECT,
            log_file=self.node.logs / f"{log}.log",
            environment=kept | {"PYTHONUNBUFFERED": "1"} | dict(settings),
        )

    def settings(self, service: str) -> dict[str, str]:
        """What the service is told, as environment variables."""
        return self.node.environment(service, self.database_url)

    def api_port(self, service: str) -> int:
        """Where its API listens."""
        return self.node.port(API[service])

    def _provision(self) -> None:
        children = {name: self.start(Run(name, "provision")) for name in SERVICES}
        for name, child in children.items():
            wait_for_end(child, f"provision of {name}", PROVISION_SECONDS)

    # -- who speaks -----------------------------------------------------------------------------

    def token(
        self, actor: str, *roles: str, subject_id: str | None = None, strong: bool = False
    ) -> str:
        """Good for 15 minutes."""
        return tokens.token(self.node, actor, roles, subject_id=subject_id, strong=strong)

    def api(self, service: str, actor: str, *roles: str) -> Api:
        """A patient client, for what is not measured."""
        return Api(self.node.api_url(service), lambda: self.token(actor, *roles))

    @property
    def recorder(self) -> str:
        """A token of the organisation's recorder."""
        return self.token("staff-recorder", f"recorder@{self._organisation}")

    @property
    def approver(self) -> str:
        """A token of a second person of the organisation."""
        return self.token("staff-approver", f"approver@{self._organisation}")

    @property
    def organisation(self) -> str:
        """The organisation that records; registered when people first are."""
        assert self._organisation is not None, "register people first"
        return self._organisation

    # -- who is there ---------------------------------------------------------------------------

    def populate(self, count: int, say: Callable[[str], None]) -> None:
        """At least so many people, each with a dossier at records; by the ordinary API."""
        if count <= len(self.people):
            return
        say(f"registering {count - len(self.people)} people")
        with self.running("registry", "records"):
            if self._organisation is None:
                self._register_organisation()
            consent = self._consent()
            new = people(len(self.people), count)
            token = self.token("staff-admin", f"org_admin@{self._organisation}")
            told = ask_all(
                self.api_port("registry"),
                [
                    post(
                        "/volunteers",
                        {**person.body(REGION, consent), "organisation_id": self._organisation},
                        token,
                    )
                    for person in new
                ],
                clients=REGISTER_CLIENTS,
            )
            self.people += new
            self.subjects += [answer["subject_id"] for answer in told]
            self.wait(
                lambda: (
                    self.value("SELECT count(*) FROM records.aggregate WHERE kind = 'dossier'")
                    >= len(self.subjects)
                ),
                "every registered person has a dossier",
                300,
            )

    def _register_organisation(self) -> None:
        with self.api("registry", "reviewer", f"county_reviewer/{REGION}") as api:
            told = api.post(
                "/organisations",
                {
                    "name": "渝中区晨光志愿服务协会",
                    "kind": "social_group",
                    "seat_region": REGION,
                    "uscc": credit_code("51", "500199", 1),
                    "scope": "社区服务",
                    "established_on": "2019-03-05",
                    "charity": True,
                    "direct_category": "charity",
                },
            )
        self._organisation = told["organisation_id"]
        self.wait(
            lambda: self.value(
                "SELECT count(*) FROM records.aggregate WHERE kind = 'organisation' AND id = $1",
                self._organisation,
            ),
            "records knows the organisation",
            60,
        )

    def _consent(self) -> dict[str, Any]:
        with self.api("registry", "anybody", "login") as api:
            texts = api.get("/policies", kind="consent_text", region=REGION)["items"]
        text = next(item for item in texts if item["purpose"] == "registration")
        return {"text_id": text["policy_id"], "text_version": text["version"], "channel": "web"}

    # -- what stands in the database --------------------------------------------------------------

    def value(self, sql: str, *arguments: Any, database: str = DATABASE) -> Any:
        """One value, read as the superuser."""
        return self.within(lambda one: one.fetchval(sql, *arguments), database)

    def within(
        self, work: Callable[[asyncpg.Connection[Any]], Any], database: str = DATABASE
    ) -> Any:
        """Runs a coroutine with a connection of its own, no bound on its transaction's time."""

        async def run() -> Any:
            one = await asyncpg.connect(
                self.postgres.url_of(database), server_settings={"transaction_timeout": "0"}
            )
            try:
                return await work(one)
            finally:
                await one.close()

        return asyncio.run(run())

    def make_database(self, name: str, template: str = "template0") -> str:
        """A database beside the node's, as ``template`` is; its URL."""
        self.drop_database(name)
        self.within(
            lambda one: one.execute(f"CREATE DATABASE {name} TEMPLATE {template}"), "postgres"
        )
        return self.postgres.url_of(name)

    def drop_database(self, name: str) -> None:
        """Where it is there."""
        self.within(
            lambda one: one.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"), "postgres"
        )

    def wait(self, condition: Callable[[], T], what: str, seconds: float) -> T:
        """Until it holds; raises ``Failed``."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise Failed(f"after {seconds:g} s still not: {what}")
            time.sleep(0.05)
        return found


def wait_for_end(child: Child, what: str, seconds: float) -> None:
    """Returns when it has ended well; raises ``Failed``."""
    deadline = time.monotonic() + seconds
    while child.running:
        if time.monotonic() > deadline:
            child.kill()
            raise Failed(f"{what} took longer than {seconds:g} s:\n{child.log_tail()}")
        time.sleep(0.02)
    if child.exit_code:
        raise Failed(f"{what} ended with code {child.exit_code}:\n{child.log_tail(30)}")


def people(first: int, last: int) -> list[Person]:
    """Invented adults, each with a number that nobody has (the address code was never given)."""
    made = []
    for index in range(first, last):
        birth = date(1960 + index % 40, 1 + index // 40 % 12, 1 + index // 480 % 28)
        sequence = index // 13_440
        name = f"李{chr(0x4E00 + index // 200)}{chr(0x5000 + index % 200)}"
        made.append(
            Person(
                name,
                "female" if sequence % 2 == 0 else "male",
                birth,
                id_number("500199", birth, sequence),
            )
        )
    return made


def is_taken(base: int) -> bool:
    """Whether somebody listens on a port of a node that would begin at ``base``."""
    offsets = (*range(1, 5), *range(11, 15), 23, 30, 31, 40)
    return any(port_is_taken(base + offset) for offset in offsets)
