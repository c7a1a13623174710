"""What does each role of each service say when it cannot start, or cannot work yet?

Real processes of the real services: a wrong setting, a missing secret, a broker or database that
is not there, that does not let us in, or that nobody has provisioned.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from node import making
from node.layout import SERVICES, Node, find
from shared.postgres import migrate
from shared.roles import Role, provision
from shared.roles.check import Finding, check
from shared.settings import ServiceSettings, load
from tests.support.infrastructure import eventually, free_port
from tests.support.processes import ROOT, Processes

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

RUNNING = get_args(Role)
STARTED = (*RUNNING, "provision")
# A secret that is this service's alone.
SECRETS = {
    "registry": "vault.key",
    "records": "entry.key",
    "rewards": "digest.key",
    "transfer": "message.key",
}
SERVICE_KEYS = pytest.mark.parametrize("service", SERVICES)
# How a start waits is the core's doing, the same in all: two stand for the others.
TWO_SERVICES = pytest.mark.parametrize("service", ["registry", "transfer"])


@dataclass(frozen=True)
class Place:
    """A node's keys and directory, and the variables of its services."""

    node: Node

    def variables(
        self, service: str, database: str | None = None, bootstrap: str | None = None, **more: str
    ) -> dict[str, str]:
        """The service's environment; what is not given points where nobody listens."""
        nobody = f"127.0.0.1:{free_port()}"
        found = self.node.environment(service, database or f"postgresql://a:b@{nobody}/jiexu")
        ports = {"API", "INTERNAL", "FEDERATION"}
        return (
            {name: value for name, value in os.environ.items() if not name.startswith("JIEXU_")}
            | found
            | {f"JIEXU_{name}_PORT": str(free_port()) for name in ports}
            | {"JIEXU_KAFKA_BOOTSTRAP": bootstrap or nobody}
            | more
        )

    def write_directory(self, text: str) -> None:
        Path(self.node.directory).write_text(text, "ascii")


@pytest.fixture
def place(tmp_path: Path, node_name: str) -> Place:
    making.make(tmp_path, node_name, "重庆", at=datetime.now(UTC))
    making.sign(tmp_path, tmp_path / making.OFFICE, datetime.now(UTC))
    return Place(find(node_name, tmp_path))


def all_end(variables: Mapping[str, str], service: str) -> dict[str, tuple[int, str]]:
    """Every role of the service, started at once: exit code and standard error of each."""
    running = {
        role: subprocess.Popen(
            [sys.executable, "-m", f"services.{service}", role],
            env=dict(variables) | {"JIEXU_API_PORT": "0", "JIEXU_INTERNAL_PORT": "0"}
            if role != "serve"
            else dict(variables),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role in STARTED
    }
    try:
        return {
            role: (process.wait(60), process.stderr.read() if process.stderr else "")
            for role, process in running.items()
        }
    finally:
        for process in running.values():
            process.kill()
            if process.stderr:
                process.stderr.close()


@SERVICE_KEYS
def test_wrong_settings_are_each_named_with_what_they_mean(place: Place, service: str) -> None:
    wrong = place.variables(service, JIEXU_INTERNAL_PORT="0", JIEXU_TOPIC_REPLICATION="none")
    del wrong["JIEXU_KAFKA_BOOTSTRAP"]
    wrong["JIEXU_DATABASE_URL"] = "postgresql://me:secret-of-mine@host:99999/jiexu"
    for role, (code, said) in all_end(wrong, service).items():
        assert code == 2, (role, said)
        assert said.splitlines() == [
            "JIEXU_DATABASE_URL is not of the form postgresql://user:password@host:port/database: "
            "The node's PostgreSQL, postgresql://user:password@host:port/database.",
            "JIEXU_KAFKA_BOOTSTRAP is missing: The node's brokers, host:port,host:port.",
            "JIEXU_TOPIC_REPLICATION is no whole number: Copies of each topic that provisioning "
            "makes: 3 in production, 1 on a single broker.",
        ], role


@SERVICE_KEYS
def test_a_misspelt_setting_ends_every_role_with_the_name_that_was_meant(
    place: Place, service: str
) -> None:
    """Else what it was to switch on stays off, and nobody is told."""
    # What other programs of the node read is nobody's mistake here.
    whole = place.variables(
        service, JIEXU_PEER_CA="", JIEXU_ROSTER="", JIEXU_SERVICE=service, JIEXU_IMAGE="jiexu"
    )
    del whole["JIEXU_PEER_CA" if service == "transfer" else "JIEXU_ROSTER"]
    assert checked(whole, service)[1]["settings"] is None
    meant = {
        "JIEXU_FEDERATION_CLIENT_CERTIFICATE": "JIEXU_FEDERATION_CLIENT_CERTIFICATES",
        "JIEXU_KAFKA_SECURITI": "JIEXU_KAFKA_SECURITY",
    }
    lines = [f"{name} is no setting: is {right} meant?" for name, right in meant.items()]
    lines.append("JIEXU_QQQQ is no setting")
    misspelt = whole | dict.fromkeys((*meant, "JIEXU_QQQQ"), "required")
    for role, (code, said) in all_end(misspelt, service).items():
        assert (code, said.splitlines()) == (2, lines), role
    assert checked(misspelt, service) == (2, {"settings": lines[-1]})


@SERVICE_KEYS
def test_a_missing_secret_is_named_with_its_place(place: Place, service: str) -> None:
    missing = place.node.keys / service / SECRETS[service]
    missing.unlink()
    for role, (code, said) in all_end(place.variables(service), service).items():
        assert code == 2, (role, said)
        assert said.splitlines()[-1] == (
            f"{missing} cannot be read (No such file or directory): put the key there, mode 0400"
        ), role
        assert "Traceback" not in said


@TWO_SERVICES
def test_a_database_that_does_not_let_us_in_is_told(
    place: Place, database: str, service: str
) -> None:
    parts = urlsplit(database)
    absent = urlunsplit(parts._replace(path="/nobody_made_this"))
    for role, (code, said) in all_end(place.variables(service, absent), service).items():
        assert (code, said.splitlines()[-1]) == (
            2,
            "JIEXU_DATABASE_URL: the server has no database of this name",
        ), (role, said)
    stranger = urlunsplit(parts._replace(netloc=f"postgres:wrong@{parts.hostname}:{parts.port}"))
    for role, (code, said) in all_end(place.variables(service, stranger), service).items():
        assert (code, said.splitlines()[-1]) == (
            2,
            "JIEXU_DATABASE_URL: the server does not take this user with this password",
        ), (role, said)
        assert "wrong@" not in said


class Waiting:
    """The roles of one service that run although they cannot work yet."""

    def __init__(self, processes: Processes, place: Place, service: str) -> None:
        self.processes = processes
        self.place = place
        self.service = service
        self.ports: dict[str, int] = {}

    def start(self, database: str | None = None) -> None:
        for role in RUNNING:
            self.ports[role] = free_port()
            variables = self.place.variables(
                self.service, database, JIEXU_INTERNAL_PORT=str(self.ports[role])
            )
            self.processes.start(role, f"services.{self.service}", role, **variables)

    async def asked(self, role: str, path: str) -> tuple[int, list[str]]:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.ports[role]}{path}")
            except httpx.ConnectError:
                return 0, []
        return answer.status_code, answer.json().get("reasons", [])

    async def says(self, role: str, *wanted: str) -> None:
        """It lives, is not ready, and gives reasons that hold all these words."""

        async def why() -> bool:
            status, reasons = await self.asked(role, "/health/ready")
            return status == 503 and all(word in " ".join(reasons) for word in wanted)

        await eventually(why, f"{self.service} {role} says {wanted}", seconds=60)
        assert await self.asked(role, "/health/live") == (200, [])

    def assert_waited(self) -> None:
        """None has ended, none wrote a traceback, all stop when told to."""
        self.processes.assert_alive(*RUNNING)
        for role in RUNNING:
            child = self.processes[role]
            assert "Traceback" not in child.log_tail(1000), child.log_tail(40)
            assert child.stop(signal.SIGTERM, timeout_seconds=10) == 0, child.log_tail(40)


@pytest.fixture
def waiting(place: Place, tmp_path: Path, service: str) -> Iterator[Waiting]:
    with Processes(tmp_path, {}) as processes:
        yield Waiting(processes, place, service)


@TWO_SERVICES
async def test_without_a_database_every_role_waits_and_says_so(waiting: Waiting) -> None:
    waiting.start()
    provisioning = waiting.processes.start(
        "provision",
        f"services.{waiting.service}",
        "provision",
        **waiting.place.variables(waiting.service),
    )
    for role in RUNNING:
        await waiting.says(role, "the database is away (ConnectionRefusedError)")
    await eventually(
        lambda: '"provision.waits"' in provisioning.log_tail(5), "provision says what it waits for"
    )
    assert "the database is away (ConnectionRefusedError)" in provisioning.log_tail(5)
    assert provisioning.log_tail(100).count("provision.waits") == 1
    waiting.processes.assert_alive("provision")
    waiting.assert_waited()


@TWO_SERVICES
async def test_a_schema_that_nobody_provisioned_is_waited_for(
    waiting: Waiting, database: str
) -> None:
    waiting.start(database)
    for role in RUNNING:
        await waiting.says(role, "the schema is not provisioned yet: run the role provision")
    waiting.assert_waited()


@TWO_SERVICES
async def test_a_schema_of_an_older_release_is_waited_for(
    waiting: Waiting, database: str, service: str
) -> None:
    """A rollout starts new processes beside ``provision``; until it is done they do nothing."""
    migrations = ROOT / "services" / waiting.service / "edge" / "migrations"
    await migrate(database, waiting.service, migrations)
    connection = await asyncpg.connect(database)
    try:
        newest = await connection.fetchval(
            f"UPDATE {service}.alembic_version AS t SET version_num = '0000' "
            f"FROM {service}.alembic_version AS old RETURNING old.version_num"
        )
        waiting.start(database)
        for role in RUNNING:
            await waiting.says(
                role, f"the schema stands at revision 0000, and this release needs {newest}: "
                "run the role provision"
            )
        await connection.execute(f"UPDATE {service}.alembic_version SET version_num = '9999'")
        for role in RUNNING:
            await waiting.says(role, "has not yet compared")
    finally:
        await connection.close()
    waiting.assert_waited()


@TWO_SERVICES
async def test_without_a_broker_every_role_waits_and_says_so(
    waiting: Waiting, database: str
) -> None:
    migrations = ROOT / "services" / waiting.service / "edge" / "migrations"
    await migrate(database, waiting.service, migrations)
    waiting.start(database)
    for role in RUNNING:
        await waiting.says(
            role, "has not yet compared", "the broker cannot say", ": see whether Kafka runs where"
        )
        # Once a reason, however often it was asked again.
        told = [json.loads(line) for line in waiting.processes[role].log_tail(100).splitlines()]
        waits = [line["reason"] for line in told if line["event"] == "start.waits"]
        assert waits and len(waits) == len(set(waits)), told
        assert all(each.endswith("JIEXU_KAFKA_SECURITY says") for each in waits)
    waiting.assert_waited()


def checked(variables: Mapping[str, str], service: str) -> tuple[int, dict[str, str | None]]:
    """What the role ``check`` ends with, and the problem of each thing that it looked at."""
    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}", "check"],
        env=dict(variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, {each["what"]: each["problem"] for each in json.loads(done.stdout)}


@TWO_SERVICES
def test_check_finds_what_would_hinder_a_start(
    place: Place, database: str, kafka_bootstrap: str, service: str
) -> None:
    away = "the database is away (ConnectionRefusedError): see whether PostgreSQL runs where "
    assert checked(place.variables(service), service) == (
        5,
        {
            "settings": None,
            "files": None,
            "database": f"{away}JIEXU_DATABASE_URL says",
            "broker": "no broker answers (Connection refused): see whether Kafka runs where "
            "JIEXU_KAFKA_BOOTSTRAP says and speaks as JIEXU_KAFKA_SECURITY says",
        },
    )
    empty = place.variables(service, database, kafka_bootstrap)
    code, found = checked(empty, service)
    assert code == 2
    assert found["database"] == "the schema is not provisioned yet: run the role provision"
    assert str(found["broker"]).endswith(" is not there yet: run the role provision")

    absent = urlunsplit(urlsplit(database)._replace(path="/nobody_made_this"))
    code, found = checked(place.variables(service, absent), service)
    assert code == 2
    assert found["database"] == "JIEXU_DATABASE_URL: the server has no database of this name"

    code, found = checked(place.variables(service, JIEXU_LOG_LEVEL="loud"), service)
    assert code == 2
    assert str(found["settings"]).startswith("JIEXU_LOG_LEVEL is none of the allowed values: ")

    (place.node.keys / service / SECRETS[service]).unlink()
    code, found = checked(place.variables(service), service)
    assert code == 2
    assert str(found["files"]).endswith("put the key there, mode 0400")


@pytest.mark.parametrize(
    ("service", "name", "content", "said"),
    [
        ("registry", "keys/registry/token.key", None, "put the key there, mode 0400"),
        ("transfer", "keys/transfer/wrap.key", None, "put the key there, mode 0400"),
        ("transfer", "keys/transfer/wrap.key", "abcd", "does not hold 32 bytes in hex"),
        ("records", "keys/public/service-transfer.pub", None, ".pub cannot be read"),
        ("records", "directory", "[]", "JIEXU_DIRECTORY: the directory is not of its form"),
        ("transfer", "directory", "[]", "JIEXU_DIRECTORY: "),
        ("transfer", "directory", '{"body": {}, "sigs": []}', "JIEXU_DIRECTORY: "),
    ],
)
def test_check_reads_every_file_that_some_role_reads(
    place: Place, service: str, name: str, content: str | None, said: str
) -> None:
    path = Path(place.node.directory) if name == "directory" else place.node.home / name
    path.unlink()
    if content is not None:
        path.write_text(content, "ascii")
        path.chmod(0o400)
    with environment(place.variables(service)):
        wrong = [each.problem or "" for each in look(service) if each.what == "files"]
    assert len(wrong) == 1 and said in wrong[0], wrong


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JIEXU_BODY_KIND", "nonsense"),
        ("JIEXU_BODY_USCC", "abc"),
        ("JIEXU_BODY_USCC", "51500199MJX0000180"),  # its last character is wrong
    ],
)
def test_check_finds_a_body_as_no_registry_has_it(place: Place, name: str, value: str) -> None:
    with environment(place.variables("rewards", **{name: value})):
        wrong = [each.problem or "" for each in look("rewards") if each.what == "settings"]
    assert len(wrong) == 1 and name in wrong[0], wrong


def test_check_finds_an_address_that_is_not_ours(place: Place) -> None:
    with environment(place.variables("transfer", JIEXU_API_HOST="192.0.2.7")):
        wrong = [each.problem for each in look("transfer") if each.what == "settings"]
    assert wrong == [
        "JIEXU_API_HOST and JIEXU_API_PORT: 192.0.2.7:0 cannot be listened on "
        "(Cannot assign requested address): name an address of this machine"
    ]


@pytest.mark.parametrize("service", ["transfer"])
async def test_a_directory_that_cannot_be_taken_is_told_once(waiting: Waiting) -> None:
    waiting.place.write_directory("[]")
    port = free_port()
    variables = waiting.place.variables(waiting.service, JIEXU_INTERNAL_PORT=str(port))
    child = waiting.processes.start("api", "services.transfer", "api", **variables)
    await eventually(lambda: "directory.wrong" in child.log_tail(50), "it is told")

    async def looked_again() -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            metrics = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
        found = re.findall(r'jiexu_alarms_total\{kind="directory-is-wrong"[^}]*\} (\S+)', metrics)
        return float(found[0]) >= 3

    # It goes on counting, for what was counted before the first scrape alone rings no alarm.
    await eventually(looked_again, "it is looked at again and again")
    (told,) = [line for line in child.log_tail(100).splitlines() if "directory.wrong" in line]
    assert "JIEXU_DIRECTORY: " in told and "take it from the federation's office again" in told
    waiting.processes.assert_alive("api")


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def assembled(place: Place, service: str, **variables: str):  # type: ignore[no-untyped-def]
    """The service as ``main`` assembles it from these variables."""
    kind, assemble = made_of(service)
    with environment(variables):
        return assemble(load(kind))


def look(service: str) -> tuple[Finding, ...]:
    """What ``check`` finds with the variables that are set now."""
    return check(*made_of(service))


def made_of(service: str):  # type: ignore[no-untyped-def]
    """Its settings, and how it is assembled from them."""
    wiring = importlib.import_module(f"services.{service}.wiring")
    settings = importlib.import_module(f"services.{service}.settings")
    kind = next(
        each
        for each in vars(settings).values()
        if isinstance(each, type)
        and issubclass(each, ServiceSettings)
        and each is not ServiceSettings
    )
    return kind, wiring.assemble


@pytest.mark.parametrize("broker", [False, True])
async def test_provisioning_does_not_wait_for_ever(
    place: Place, database: str, broker: bool, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles_main(), "PROVISION_SECONDS", 6.0)
    monkeypatch.setattr(roles_main(), "REACH_SECONDS", 0.5)
    variables = place.variables(
        "rewards",
        database,
        kafka_bootstrap if broker else None,
        JIEXU_TOPIC_REPLICATION="9",
    )
    why = (
        r"after 6 s JIEXU_TOPIC_REPLICATION: .* cannot have 9 copies, there are fewer brokers"
        if broker
        else "after 6 s no broker answers: see whether Kafka runs where JIEXU_KAFKA_BOOTSTRAP says"
    )
    with pytest.raises(roles_main().NotProvisioned, match=why):
        await provision(assembled(place, "rewards", **variables))


def roles_main():  # type: ignore[no-untyped-def]
    """The module; the package gives its function the same name."""
    return importlib.import_module("shared.roles.main")


@pytest.mark.parametrize("name", ["API", "INTERNAL", "FEDERATION"])
async def test_a_port_that_is_taken_is_named(place: Place, database: str, name: str) -> None:
    variables = place.variables("transfer", database)
    port = variables[f"JIEXU_{name}_PORT"]
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", int(port))
    async with server:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "services.transfer", "api"],
            env=variables,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"JIEXU_{name}_HOST and JIEXU_{name}_PORT: 127.0.0.1:{port} cannot be listened on "
        "(Address already in use): end what listens there, or choose another"
    )
    assert "directory.failed" not in done.stderr
