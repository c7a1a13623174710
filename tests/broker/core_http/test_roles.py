"""Does a service become processes that take requests, tell events, read them, and stop at once?

Real processes, a real broker, a real database: HTTP POST → ledger → relay → Kafka → the second
service's reader → its GET.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth import issue_token
from shared.clock import SystemClock
from shared.internal_http import InternalClient, Refused, new_client
from shared.messages import Grant, Unavailable
from shared.signing import load_signing_key
from tests.support import toy
from tests.support.certificates import Authority
from tests.support.infrastructure import eventually, free_port
from tests.support.processes import ROOT, Processes

pytestmark = pytest.mark.broker

PORTS = ("API", "INTERNAL")


class City:
    """Two toy services of one node, their environments, tokens and addresses."""

    def __init__(self, directory: Path, node: str, database: str, bootstrap: str) -> None:
        self.directory = directory
        self.node = node
        self.token_key: Ed25519PrivateKey = toy.write_keys(directory, ["counter", "tally"])
        self.ports = {(s, p): free_port() for s in ("counter", "tally") for p in PORTS}
        self.environments = {
            service: toy.environment(
                directory,
                service,
                node=node,
                database=database,
                bootstrap=bootstrap,
                **{f"JIEXU_{p}_PORT": str(self.ports[service, p]) for p in PORTS},
            )
            for service in ("counter", "tally")
        }

    def url(self, service: str, port: str = "API") -> str:
        return f"http://127.0.0.1:{self.ports[service, port]}"

    def provision(self) -> None:
        for service in ("counter", "tally"):
            done = run_role(service, "provision", self.environments[service])
            assert done.returncode == 0, done.stderr

    def client(self, service: str) -> httpx.AsyncClient:
        token = issue_token(self.token_key, self.node, "a1", [Grant("adder")], clock=SystemClock())
        headers = {"authorization": f"Bearer {token}", "accept-language": "en"}
        return httpx.AsyncClient(base_url=self.url(service), headers=headers, trust_env=False)

    async def readiness(self, service: str) -> dict[str, Any]:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                answer = await client.get(f"{self.url(service, 'INTERNAL')}/health/ready")
            except httpx.ConnectError:
                return {"ready": False, "reasons": ["does not listen"]}
        found: dict[str, Any] = answer.json()
        assert answer.status_code == (200 if found["ready"] else 503)
        return found

    async def is_ready(self, service: str) -> bool:
        return bool((await self.readiness(service))["ready"])


def run_role(service: str, role: str, environment: dict[str, str]) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "tests.support.toy", service, role],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def city(tmp_path: Path, node_name: str, database: str, kafka_bootstrap: str) -> City:
    return City(tmp_path, node_name, database, kafka_bootstrap)


@pytest.fixture
def processes(city: City, tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path, {}) as running:
        yield running


def start(processes: Processes, city: City, service: str, role: str, name: str = "") -> Any:
    arguments = (service, role)
    return processes.start(
        name or service, "tests.support.toy", *arguments, **city.environments[service]
    )


async def test_an_addition_over_http_reaches_the_second_service(
    city: City, processes: Processes
) -> None:
    city.provision()
    city.provision()  # safe to run again
    for service in ("counter", "tally"):
        start(processes, city, service, "serve")
    for service in ("counter", "tally"):
        await eventually(lambda s=service: city.is_ready(s), f"{service} is ready")

    async with city.client("counter") as counter, city.client("tally") as tally:
        for n in range(20):
            answer = await counter.post(
                "/v1/counters/c1/additions",
                json={"amount": n},
                headers={"idempotency-key": f"k{n}"},
            )
            assert answer.status_code == 201, answer.text
        repeat = await counter.post(
            "/v1/counters/c1/additions", json={"amount": 19}, headers={"idempotency-key": "k19"}
        )
        assert (repeat.status_code, repeat.json()) == (201, answer.json())
        assert repeat.headers["idempotent-replayed"] == "true"
        other = await counter.post(
            "/v1/counters/c1/additions", json={"amount": 18}, headers={"idempotency-key": "k19"}
        )
        assert other.status_code == 409
        assert other.json()["type"] == "urn:jiexu:problem:command-id-reused"
        full = await counter.post(
            "/v1/counters/c1/additions", json={"amount": 600}, headers={"idempotency-key": "full"}
        )
        assert (full.status_code, full.json()["day"]) == (409, 1)

        async def copied() -> int:
            found = await tally.get("/v1/counters/copy-c1")
            return found.json().get("total", 0) if found.status_code == 200 else 0

        await eventually(lambda: _equals(copied, 190), "the tally has all additions")
        provisioned = await tally.get("/v1/counters/copy-provisioned")
        assert provisioned.json()["total"] == 1  # though provisioned twice

    for service in ("counter", "tally"):
        began = time.monotonic()
        assert processes[service].stop(timeout_seconds=5) == 0
        assert time.monotonic() - began < 1.5, f"{service} took long to stop"


async def _equals(read: Any, wanted: int) -> bool:
    return bool(await read() == wanted)


async def test_roles_run_apart_and_the_api_is_ready_only_when_the_first_sources_were_read(
    city: City, processes: Processes
) -> None:
    city.provision()
    start(processes, city, "tally", "api", "tally-api")
    await eventually(
        lambda: _reasons(city, "tally", ["first sources have not been read yet"]),
        "the API says that first sources have not been read",
    )
    ports = {f"JIEXU_{port}_PORT": str(free_port()) for port in PORTS}
    for role in ("agents", "worker"):
        processes.start(
            f"tally-{role}",
            "tests.support.toy",
            "tally",
            role,
            **{**city.environments["tally"], **ports, "JIEXU_INTERNAL_PORT": str(free_port())},
        )
    start(processes, city, "counter", "serve")
    await eventually(lambda: city.is_ready("tally"), "the API is ready once agents have read")
    async with city.client("counter") as counter, city.client("tally") as tally:
        await eventually(lambda: city.is_ready("counter"), "counter is ready")
        answer = await counter.post(
            "/v1/counters/c2/additions", json={"amount": 7}, headers={"idempotency-key": "k"}
        )
        assert answer.status_code == 201

        async def copied() -> bool:
            return (await tally.get("/v1/counters/copy-c2")).status_code == 200

        await eventually(copied, "the agents have read the addition")
    processes.assert_alive()


async def _reasons(city: City, service: str, wanted: list[str]) -> bool:
    return bool((await city.readiness(service))["reasons"] == wanted)


async def test_a_service_that_starts_while_the_broker_is_away_only_reads(
    city: City, processes: Processes
) -> None:
    city.provision()
    away = {**city.environments["counter"], "JIEXU_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}"}
    processes.start("counter", "tests.support.toy", "counter", "serve", **away)

    async def says_why() -> bool:
        reasons = (await city.readiness("counter"))["reasons"]
        return any("has not yet compared" in reason for reason in reasons)

    await eventually(says_why, "it says that it has not compared")
    async with city.client("counter") as counter:
        assert (await counter.get("/v1/counters/provisioned")).json()["total"] == 1
        answer = await counter.post(
            "/v1/counters/c/additions", json={"amount": 1}, headers={"idempotency-key": "k"}
        )
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    processes.assert_alive()
    assert processes["counter"].stop(timeout_seconds=5) == 0, "it must not need a broker to stop"


async def test_a_database_older_than_what_was_published_is_only_read(
    city: City, processes: Processes, database: str
) -> None:
    city.provision()
    start(processes, city, "counter", "serve")
    await eventually(lambda: city.is_ready("counter"), "counter is ready")
    async with city.client("counter") as counter:
        await counter.post(
            "/v1/counters/c/additions", json={"amount": 1}, headers={"idempotency-key": "k"}
        )
    connection = await asyncpg.connect(database)
    try:
        published = "SELECT sum(next_offset)::int FROM counter.relay_offset WHERE topic = $1"

        async def both_out() -> bool:
            return bool(await connection.fetchval(published, "counter.totals.v1") == 2)

        await eventually(both_out, "both events are published")
        assert processes["counter"].stop(timeout_seconds=5) == 0
        # As a backup from before the addition would have it.
        await connection.execute(
            """DELETE FROM counter.event WHERE key = 'c';
               DELETE FROM counter.stream WHERE key = 'c';
               UPDATE counter.relay_offset SET next_offset = 0"""
        )
    finally:
        await connection.close()
    processes.restart("counter")

    await eventually(lambda: _says_restored(city), "it says that its database was restored")
    async with city.client("counter") as counter:
        assert (await counter.get("/v1/counters/c")).status_code == 200
        refused = await counter.post(
            "/v1/counters/c/additions", json={"amount": 1}, headers={"idempotency-key": "k2"}
        )
        assert refused.status_code == 503
    processes.assert_alive()
    # A release that is provisioned over it goes on to its roles, which say the same.
    done = await asyncio.to_thread(run_role, "counter", "provision", city.environments["counter"])
    assert done.returncode == 0, done.stderr
    assert '"reason": "restored: topic counter.totals.v1' in done.stdout + done.stderr
    assert "Backup and restore" in done.stdout + done.stderr


async def test_a_standby_promoted_under_a_running_service_is_only_read(
    city: City, processes: Processes, database: str
) -> None:
    city.provision()
    start(processes, city, "counter", "serve")
    await eventually(lambda: city.is_ready("counter"), "counter is ready")
    connection = await asyncpg.connect(database)
    try:
        # As the database says it after a promotion; the relay looks again when told to repair.
        await connection.execute(
            """UPDATE counter.node_incarnation SET timeline_id = timeline_id - 1;
               SELECT pg_notify('jiexu_counter', 'repair')"""
        )
    finally:
        await connection.close()
    await eventually(lambda: _says_restored(city), "it says that its database was restored")
    async with city.client("counter") as counter:
        refused = await counter.post(
            "/v1/counters/c/additions", json={"amount": 1}, headers={"idempotency-key": "k"}
        )
        assert refused.status_code == 503
    processes.assert_alive()
    assert processes["counter"].stop(timeout_seconds=5) == 0


async def _says_restored(city: City) -> bool:
    reasons = (await city.readiness("counter"))["reasons"]
    return any(reason.startswith("restored: ") for reason in reasons)


async def test_neighbours_are_let_in_by_their_keys_alone(
    city: City, processes: Processes, tmp_path: Path
) -> None:
    city.provision()
    shown = Authority(tmp_path).sign("api", life=timedelta(days=12))
    city.environments["counter"] |= {
        "JIEXU_API_CERTIFICATE": str(shown.certificate),
        "JIEXU_API_CERTIFICATE_KEY": str(shown.key),
    }
    start(processes, city, "counter", "api")
    await eventually(lambda: city.is_ready("counter"), "counter is ready")
    key = load_signing_key(city.directory / "keys/tally/service.key")
    async with new_client() as http:

        def asking(service: str, key: Ed25519PrivateKey = key) -> InternalClient:
            return InternalClient(
                service=service,
                neighbour="counter",
                base_url=city.url("counter", "INTERNAL"),
                key=key,
                clock=SystemClock(),
                client=http,
            )

        found = await asking("tally").get("/internal/v1/counters/provisioned")
        assert found == {"id": "provisioned", "total": 1, "caller": "tally"}
        with pytest.raises(Refused) as absent:
            await asking("tally").get("/internal/v1/counters/none")
        assert (absent.value.status, absent.value.slug) == (404, "not-found")
        with pytest.raises(Refused) as forged:
            await asking("tally", Ed25519PrivateKey.generate()).get("/internal/v1/counters/c")
        assert forged.value.status == 401
        own = load_signing_key(city.directory / "keys/counter/service.key")
        with pytest.raises(Refused) as unnamed:
            await asking("counter", own).get("/internal/v1/counters/c")
        assert unnamed.value.status == 403
        metrics = await http.get(f"{city.url('counter', 'INTERNAL')}/metrics")
        assert 'jiexu_build_info{node="' in metrics.text
        [left] = re.findall(
            r'^jiexu_certificate_expires_seconds{use="api"} (.*)$', metrics.text, re.M
        )
        assert 11.9 < float(left) / 86_400 < 12
        for path in ("/internal/v1/counters/provisioned", "/docs", "/openapi.json"):
            assert (await http.get(city.url("counter", "INTERNAL") + path)).status_code in (
                401,
                404,
            )
    assert processes["counter"].stop(timeout_seconds=5) == 0
    async with new_client() as http:
        gone = InternalClient(
            service="tally",
            neighbour="counter",
            base_url=city.url("counter", "INTERNAL"),
            key=key,
            clock=SystemClock(),
            client=http,
        )
        with pytest.raises(Unavailable):
            await gone.get("/internal/v1/counters/provisioned")


def test_every_wrong_setting_is_named_at_once_and_no_value_is_shown(city: City) -> None:
    wrong = {
        **city.environments["counter"],
        "JIEXU_NODE": "Not A Node",
        "JIEXU_API_PORT": "99999",
        "JIEXU_DATABASE_URL": "mysql://user:secret-of-mine@host/db",
        "JIEXU_KEYS": str(city.directory / "nowhere"),
    }
    del wrong["JIEXU_KAFKA_BOOTSTRAP"]
    done = run_role("counter", "serve", wrong)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "JIEXU_API_PORT is above 65535: Port of the API; 0 takes any free one.",
        "JIEXU_DATABASE_URL does not begin with postgresql://: "
        "The node's PostgreSQL, postgresql://user:password@host:port/database.",
        "JIEXU_KAFKA_BOOTSTRAP is missing: The node's brokers, host:port,host:port.",
        "JIEXU_KEYS is no directory: Directory of this service's private keys, files of mode 0400.",
        "JIEXU_NODE is no node name (a region code such as 500000): "
        "The node's name, for ever: its region code, 500000 say.",
    ]
    assert "secret-of-mine" not in done.stderr + done.stdout


def test_a_key_that_others_may_read_stops_the_start(city: City) -> None:
    (city.directory / "keys/counter/digest.key").chmod(0o440)
    done = run_role("counter", "serve", city.environments["counter"])
    assert done.returncode == 2
    assert done.stderr.strip().endswith("has mode 0440; make it 0400")


def test_an_unknown_role_is_told_the_roles(city: City) -> None:
    done = run_role("counter", "fly", city.environments["counter"])
    assert done.returncode == 2
    assert "serve|api|agents|worker|provision" in done.stderr


async def test_a_port_that_is_taken_ends_the_process(city: City) -> None:
    server = await asyncio.start_server(
        lambda r, w: None, "127.0.0.1", city.ports["counter", "API"]
    )
    async with server:
        done = await asyncio.to_thread(run_role, "counter", "api", city.environments["counter"])
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("JIEXU_API_HOST and JIEXU_API_PORT: ")
