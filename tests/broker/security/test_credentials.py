"""Does a service run whole under a principal and a role of its own, and can it do nothing more?

Registry and rewards as real processes, over SASL_SSL and with what each printed of itself as its
only permissions; a broker with Kafka's authorizer, a database with one role a service.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import yaml
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka.admin import KafkaAdminClient

from services.records.contract.topics import DOSSIERS
from services.registry.contract.topics import CHECKS, POLICIES, VOLUNTEERS
from services.rewards.contract.topics import AWARDS
from services.transfer.contract.topics import ENDINGS, TRANSFERS
from shared.access import Broker, database_url
from shared.access.acls import Rule
from shared.messages import Unavailable
from shared.reader.log_view import LogView
from shared.roles.topics import BrokerRefuses, create_topics
from shared.signing import write_private_key, write_public_key
from tests.broker.registry.test_process import City
from tests.support.certificates import Authority
from tests.support.infrastructure import eventually, free_port
from tests.support.processes import ROOT, Processes
from tests.support.secured import SecuredKafka, drop_roles, make_role
from tests.support.topics import everything, make_topics

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

SERVICES = ("registry", "rewards")


# -- the three clients --------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["SASL_PLAINTEXT", "SASL_SSL", "SSL"])
async def test_every_client_is_let_in(broker: SecuredKafka, node_name: str, security: str) -> None:
    shown = broker.authority.sign(f"{node_name}-client")
    principal = f"CN={node_name}-client" if security == "SSL" else f"{node_name}-client"
    password = broker.make_user(principal)
    broker.allow(principal, [Rule("topic", f"{node_name}.", "prefixed", ("Read",))])
    make_topics(broker.bootstrap, node_name, [POLICIES], partitions=2)
    told = Broker(
        broker.servers(security),
        security,
        username=None if security == "SSL" else principal,
        password=None if security == "SSL" else password,
        ca=broker.authority.ca,
        certificate=shown.certificate if security == "SSL" else None,
        key=shown.key if security == "SSL" else None,
    )
    assert len(await LogView(told, node_name).ends([POLICIES.name])) == 2
    admin = await asyncio.to_thread(lambda: KafkaAdminClient(**told.kafka_python()))
    assert await asyncio.to_thread(admin.list_topics) == [POLICIES.on(node_name)]
    await asyncio.to_thread(admin.close)
    options = told.faust()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=[url.authority for url in options["broker"]],
        **credentials_to_aiokafka_auth(options["broker_credentials"]),
    )
    await consumer.start()
    assert await consumer.topics() == {POLICIES.on(node_name)}
    await consumer.stop()


async def test_what_the_broker_refuses_is_named(
    broker: SecuredKafka, node_name: str, tmp_path: Path
) -> None:
    principal = f"{node_name}-rewards"
    known = Broker(
        broker.servers("SASL_SSL"),
        "SASL_SSL",
        username=principal,
        password=broker.make_user(principal),
        ca=broker.authority.ca,
    )
    user, other = "JIEXU_KAFKA_USERNAME", Authority(tmp_path).ca
    for wrong, said in (
        (replace(known, password="guessed"), f"{user}: the broker does not take it"),
        (replace(known, ca=other), "JIEXU_KAFKA_CA: the broker's certificate is not taken"),
        (known, f"{node_name}.rewards.awards.v1 cannot be made: {user}: .* the role acls"),
    ):
        with pytest.raises(BrokerRefuses, match=said):
            await asyncio.to_thread(create_topics, wrong, node_name, [AWARDS])
    with pytest.raises(Unavailable, match=f"{user}: the broker does not take it"):
        await LogView(replace(known, password="guessed"), node_name).ends([AWARDS.name])
    with pytest.raises(Unavailable, match=f"{user}: the broker does not let it use a topic"):
        await LogView(known, node_name).ends([AWARDS.name])


# -- the services whole -------------------------------------------------------------------------


@dataclass
class Guarded:
    """A city of which registry and rewards run, each let in as itself."""

    city: City
    broker: SecuredKafka
    environments: dict[str, dict[str, str]]
    brokers: dict[str, Broker]
    urls: dict[str, str]

    def topic(self, name: str) -> str:
        return f"{self.city.node}.{name}"

    def run(self, service: str, role: str, *, code: int = 0) -> str:
        """What one role that ends by itself says: its output, or its errors where it is refused."""
        done = subprocess.run(
            [sys.executable, "-m", f"services.{service}", role],
            env={**os.environ, **self.environments[service]},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == code, done.stderr + done.stdout
        return done.stderr if code else done.stdout

    async def is_ready(self, service: str) -> bool:
        port = self.environments[service]["JIEXU_INTERNAL_PORT"]
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
            except httpx.HTTPError:
                return False
        return answer.status_code == 200


def printed(manifest: str) -> tuple[str, list[Rule]]:
    """The principal and the rules of a KafkaUser."""
    user = yaml.safe_load(manifest)
    found = []
    for acl in user["spec"]["authorization"]["acls"]:
        resource = acl["resource"]
        pattern = {"prefix": "prefixed", "literal": "literal"}[resource["patternType"]]
        operations = tuple(acl["operations"])
        found.append(Rule(resource["type"], resource["name"], pattern, operations))  # type: ignore[arg-type]
    return user["metadata"]["name"], found


@pytest.fixture
async def guarded(
    tmp_path: Path, broker: SecuredKafka, database: str, node_name: str
) -> AsyncIterator[Guarded]:
    make_topics(broker.bootstrap, node_name, [TRANSFERS, ENDINGS, DOSSIERS])
    city = City(tmp_path, node_name, database, broker.bootstrap)
    _rewards_keys(tmp_path)
    made = Guarded(city, broker, {}, {}, {})
    for service in SERVICES:
        role, secret = await make_role(database, node_name, service)
        principal = f"{node_name}-{service}"
        files = {"database": secret, "kafka": broker.make_user(principal)}
        for name, text in files.items():
            (tmp_path / f"{service}.{name}").write_text(text, "ascii")
        host = database.rpartition("@")[2]
        made.environments[service] = city.environment | {
            "JIEXU_DATABASE_URL": f"postgresql://{role}@{host}",
            "JIEXU_DATABASE_PASSWORD_FILE": str(tmp_path / f"{service}.database"),
            **broker.variables(principal, tmp_path / f"{service}.kafka"),
        }
        made.urls[service] = database_url(f"postgresql://{role}@{host}", secret)
        made.brokers[service] = Broker(
            broker.servers("SASL_SSL"),
            "SASL_SSL",
            username=principal,
            password=files["kafka"],
            ca=broker.authority.ca,
        )
    made.environments["rewards"] |= {
        "JIEXU_KEYS": str(tmp_path / "rewards-keys"),
        "JIEXU_API_PORT": str(free_port()),
        "JIEXU_INTERNAL_PORT": str(free_port()),
        "JIEXU_BODY_ORGANISATION_ID": "office",
        "JIEXU_BODY_NAME": "Office",
    }
    try:
        yield made
    finally:
        await drop_roles(database, *(f"{node_name}-{service}" for service in SERVICES))


def _rewards_keys(directory: Path) -> None:
    keys, service = directory / "rewards-keys", Ed25519PrivateKey.generate()
    keys.mkdir()
    write_private_key(keys / "service.key", service)
    write_private_key(keys / "digest.key", b"d" * 32)
    write_public_key(directory / "public" / "service-rewards.pub", service.public_key())


async def test_a_service_runs_whole_and_can_do_no_more(guarded: Guarded, tmp_path: Path) -> None:
    told = guarded.run("registry", "provision", code=2)
    assert told.strip().endswith("the role acls prints what it must be allowed")
    for service in SERVICES:
        guarded.broker.allow(*printed(guarded.run(service, "kafka-user")))
        guarded.run(service, "provision")
    with Processes(tmp_path, {}) as processes:
        for service in SERVICES:
            environment = guarded.environments[service]
            processes.start(service, f"services.{service}", "serve", **environment)
        await _she_is_registered_and_rewards_hears_of_her(guarded)
        processes.assert_alive()
    await _the_broker_refuses(guarded)
    await _the_database_refuses(guarded)


async def _she_is_registered_and_rewards_hears_of_her(guarded: Guarded) -> None:
    for service in SERVICES:
        await eventually(lambda s=service: guarded.is_ready(s), f"{service} is ready", seconds=60)
    body = {
        "name": "李华",
        "sex": "male",
        "birth_date": "1990-01-01",
        "documents": [{"type": "resident_id", "number": guarded.city.number}],
        "residence_region": "500103",
        "consent": {"text_id": "consent-registration", "text_version": 1},
    }
    async with guarded.city.client("login") as login:
        made = await login.post("/volunteers", json=body, headers={"idempotency-key": "one"})
    assert made.status_code == 201, made.text
    connection = await asyncpg.connect(guarded.urls["rewards"])
    read = "SELECT count(*) FROM rewards.source_key WHERE topic = $1"
    try:
        await eventually(
            lambda: connection.fetchval(read, VOLUNTEERS.name),
            "rewards has read of her",
            seconds=60,
        )
    finally:
        await connection.close()
    assert len(everything(guarded.broker.bootstrap, guarded.topic(POLICIES.name))) == 7


async def _the_broker_refuses(guarded: Guarded) -> None:
    registry, rewards = (guarded.brokers[service].confluent() for service in SERVICES)
    group = {"group.id": f"{guarded.city.node}.rewards.test"}
    told: list[Any] = []
    producer = Producer({**registry, "message.timeout.ms": 10_000})
    for name in (AWARDS.name, DOSSIERS.name):
        producer.produce(
            guarded.topic(name), b"{}", on_delivery=lambda error, _: told.append(error)
        )
    assert await asyncio.to_thread(producer.flush, 20) == 0
    assert [error.name() for error in told] == ["TOPIC_AUTHORIZATION_FAILED"] * 2
    # Checks are for transfer alone; and nobody joins the readers of another.
    refused = await asyncio.to_thread(first_error, {**rewards, **group}, guarded.topic(CHECKS.name))
    assert refused == "TOPIC_AUTHORIZATION_FAILED"
    theirs = {"group.id": f"{guarded.city.node}.records.loop"}
    topic = guarded.topic(POLICIES.name)
    refused = await asyncio.to_thread(first_error, {**rewards, **theirs}, topic)
    assert refused == "GROUP_AUTHORIZATION_FAILED"
    admin = AdminClient(registry)
    asked = admin.create_topics([NewTopic(guarded.topic("records.more.v1"), 1, 1)])
    with pytest.raises(KafkaException, match="TOPIC_AUTHORIZATION_FAILED"):
        await asyncio.to_thread(next(iter(asked.values())).result, 20)


def first_error(options: dict[str, Any], topic: str) -> str:
    consumer = Consumer({**options, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    try:
        message = consumer.poll(20)
        assert message is not None, "neither refused nor read"
        error = message.error()
        return "read" if error is None else error.name()
    except KafkaException as refused:
        return str(refused.args[0].name())
    finally:
        consumer.close()


async def _the_database_refuses(guarded: Guarded) -> None:
    connection = await asyncpg.connect(guarded.urls["registry"])
    try:
        assert await connection.fetchval("SELECT count(*) FROM registry.event") > 0
        for statement in (
            "INSERT INTO rewards.relay_cursor DEFAULT VALUES",
            "SELECT * FROM rewards.event",
            "DELETE FROM rewards.source_key",
            "CREATE TABLE rewards.mine (a int)",
            "CREATE TABLE public.mine (a int)",
            "CREATE SCHEMA mine",
            'SET ROLE "postgres"',
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
