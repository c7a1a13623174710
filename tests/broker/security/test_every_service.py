"""Do all four services of a node run with the grants that are printed for each, and no more?"""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer

from node import making
from node.layout import SERVICES, find
from shared.access import Broker
from shared.roles.topics import with_dead_letters
from tests.broker.security.test_credentials import printed
from tests.support.infrastructure import eventually, free_port
from tests.support.processes import ROOT, Processes
from tests.support.secured import SecuredKafka, drop_roles, make_role

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


async def test_each_service_runs_as_itself_and_writes_no_topic_of_another(
    tmp_path: Path, broker: SecuredKafka, database: str, node_name: str
) -> None:
    making.make(tmp_path, node_name, "重庆", at=datetime.now(UTC))
    making.sign(tmp_path, tmp_path / making.OFFICE, datetime.now(UTC))
    node = find(node_name, tmp_path)
    environments: dict[str, dict[str, str]] = {}
    brokers: dict[str, Broker] = {}
    host = database.rpartition("@")[2]
    ports = {service: str(free_port()) for service in SERVICES}
    neighbours = {
        f"JIEXU_{service.upper()}_INTERNAL_URL": f"http://127.0.0.1:{port}"
        for service, port in ports.items()
    }
    try:
        for service in SERVICES:
            role, secret = await make_role(database, node_name, service)
            principal = f"{node_name}-{service}"
            password = broker.make_user(principal)
            (tmp_path / f"{service}.database").write_text(secret, "ascii")
            (tmp_path / f"{service}.kafka").write_text(password, "ascii")
            told = {
                "JIEXU_DATABASE_PASSWORD_FILE": str(tmp_path / f"{service}.database"),
                **broker.variables(principal, tmp_path / f"{service}.kafka"),
            }
            clean = {k: v for k, v in os.environ.items() if not k.startswith("JIEXU_")}
            own = node.environment(service, f"postgresql://{role}@{host}")
            told |= {f"JIEXU_{name}_PORT": str(free_port()) for name in ("API", "FEDERATION")}
            told["JIEXU_INTERNAL_PORT"] = ports[service]
            environments[service] = clean | own | neighbours | told
            brokers[service] = Broker(
                broker.servers("SASL_SSL"),
                "SASL_SSL",
                username=principal,
                password=password,
                ca=broker.authority.ca,
            )
            broker.allow(*printed(_run(service, "kafka-user", environments[service])))
        for service in SERVICES:
            _run(service, "provision", environments[service])
        with Processes(tmp_path, {}) as processes:
            for service in SERVICES:
                processes.start(service, f"services.{service}", "serve", **environments[service])
            for service in SERVICES:
                await eventually(
                    lambda s=service: _is_ready(environments[s]), f"{service} is ready", seconds=90
                )
            processes.assert_alive()
            for service in SERVICES:
                assert "AUTHORIZATION" not in processes[service].log_tail(1000).upper()
        for service in SERVICES:
            refused = await asyncio.to_thread(_refused, brokers[service], node_name, service)
            assert refused == {
                f"{node_name}.{topic}"
                for other in SERVICES
                if other != service
                for topic in _topics(other)
            }
    finally:
        await drop_roles(database, *(f"{node_name}-{service}" for service in SERVICES))


def _topics(service: str) -> list[str]:
    topics = importlib.import_module(f"services.{service}.contract.topics").TOPICS
    return [topic.name for topic in with_dead_letters(service, topics)]


def _run(service: str, role: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}", role],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


async def _is_ready(environment: dict[str, str]) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            port = environment["JIEXU_INTERNAL_PORT"]
            answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
        except httpx.HTTPError:
            return False
    return answer.status_code == 200


def _refused(broker: Broker, node: str, service: str) -> set[str]:
    """The node's topics that the broker keeps this service from writing."""
    told: dict[str, str | None] = {}
    producer = Producer({**broker.confluent(), "message.timeout.ms": 20_000})
    names = [f"{node}.{topic}" for each in SERVICES for topic in _topics(each)]
    for name in names:
        producer.produce(
            name,
            b"{}",
            on_delivery=lambda error, message: told.update({
                message.topic(): error.name() if error else None
            }),
        )
    assert producer.flush(30) == 0
    assert set(told.values()) == {None, "TOPIC_AUTHORIZATION_FAILED"}
    return {name for name, error in told.items() if error}
