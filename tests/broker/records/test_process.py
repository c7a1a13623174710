"""Records as a process: from registry's topics and a POST to its own topic, and a kill between.

A real process, a real broker, a real database; kafka-python as the witness and as the neighbours.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kafka import KafkaProducer

from services.records.contract.topics import DOSSIERS
from shared.auth import issue_token
from shared.clock import SystemClock, wire
from shared.envelope import Topic, encode_headers, full_name
from shared.messages import Grant
from shared.signing import write_private_key, write_public_key
from tests.support.infrastructure import eventually, free_port
from tests.support.processes import ROOT, Processes
from tests.support.topics import Seen, everything, make_topics

pytestmark = pytest.mark.broker

SUBJECT = "ad19f606e2c579ee04a48dbaf59f5897"
TEAM = "org-team"
NEIGHBOURS = (
    "registry.policies.v1",
    "registry.organisations.v1",
    "registry.volunteers.v1",
    "rewards.awards.v1",
    "transfer.transfers.v1",
)


class City:
    """Keys, environment and addresses of one records, and its neighbours' voices."""

    def __init__(self, directory: Path, node: str, database: str, bootstrap: str) -> None:
        self.node, self.bootstrap = node, bootstrap
        self.processes: Processes
        self.token_key = Ed25519PrivateKey.generate()
        keys, public = directory / "keys", directory / "public"
        keys.mkdir()
        public.mkdir()
        service = Ed25519PrivateKey.generate()
        write_private_key(keys / "service.key", service)
        write_private_key(keys / "digest.key", secrets.token_bytes(32))
        for name in ("entry", "head"):
            write_private_key(keys / f"{name}.key", Ed25519PrivateKey.generate())
        write_public_key(public / "token.pub", self.token_key.public_key())
        write_public_key(public / "service-records.pub", service.public_key())
        self.port = free_port()
        self.environment = {
            "JIEXU_NODE": node,
            "JIEXU_DATABASE_URL": database,
            "JIEXU_KAFKA_BOOTSTRAP": bootstrap,
            "JIEXU_KEYS": str(keys),
            "JIEXU_PUBLIC_KEYS": str(public),
            "JIEXU_API_PORT": str(self.port),
            "JIEXU_INTERNAL_PORT": str(free_port()),
            "JIEXU_KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        }

    def provision(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "services.records", "provision"],
            env={**os.environ, **self.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def tell(self, topic: str, type_: str, key: str, data: dict[str, Any], sequence: int) -> None:
        """As a neighbour would."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap)
        headers = encode_headers(
            source=f"/nodes/{self.node}/{topic.split('.')[0]}",
            event_id=uuid4(),
            type=type_,
            subject=key,
            time=datetime.now(UTC),
            sequence=sequence,
        )
        producer.send(
            full_name(self.node, topic),
            key=key.encode(),
            value=json.dumps(data).encode(),
            headers=headers,
        ).get(timeout=20)
        producer.close()

    def seen(self) -> list[Seen]:
        found = everything(self.bootstrap, full_name(self.node, DOSSIERS.name))
        mine = [each for each in found if each.key == SUBJECT]
        # A crash may repeat events, of the same id; none is lost, none out of order.
        unique = {each.sequence: each for each in mine}
        assert len({each.event_id for each in mine}) == len(unique)
        assert sorted(unique) == list(range(1, len(unique) + 1))
        return [unique[n] for n in sorted(unique)]

    def types(self) -> list[str]:
        return [each.type.split(".")[1] for each in self.seen()]

    async def post(self, path: str, body: Any, actor: str, role: str) -> httpx.Response:
        grant = Grant(role, organisation_id=TEAM)
        token = issue_token(self.token_key, self.node, actor, [grant], clock=SystemClock())
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            return await client.post(
                f"http://127.0.0.1:{self.port}{path}",
                json=body,
                headers={"authorization": f"Bearer {token}", "idempotency-key": str(uuid4())},
            )

    async def is_ready(self) -> bool:
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                port = self.environment["JIEXU_INTERNAL_PORT"]
                answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
            except httpx.HTTPError:
                return False
        return answer.status_code == 200


@pytest.fixture
def city(tmp_path: Path, node_name: str, database: str, kafka_bootstrap: str) -> Iterator[City]:
    topics = [Topic(name=each, key="k", public=True, description="d") for each in NEIGHBOURS]
    make_topics(kafka_bootstrap, node_name, topics)
    made = City(tmp_path, node_name, database, kafka_bootstrap)
    made.provision()
    made.provision()  # safe to run again
    with Processes(tmp_path, made.environment) as processes:
        made.processes = processes
        processes.start("records", "services.records", "serve")
        yield made


def policy() -> dict[str, Any]:
    content = {"record_within_working_days": 10}
    return {
        "policy_id": "cn-recording",
        "version": 1,
        "kind": "recording",
        "jurisdiction": ["*"],
        "effective_from": "1990-01-01",
        "content": content,
    }


def organisation() -> dict[str, Any]:
    return {
        "organisation_id": TEAM,
        "name": "晨光社区志愿服务队",
        "kind": "grassroots_team",
        "uscc": None,
        "filing": None,
        "seat_region": "500106",
        "supervising_body_id": None,
        "status": "active",
    }


def service() -> dict[str, Any]:
    day = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0) - timedelta(days=3)
    return {
        "organisation_id": TEAM,
        "evidence_class": "leader_entry",
        "activity_name": "社区清洁",
        "place": {"region_code": "500106"},
        "started_at": wire(day),
        "ended_at": wire(day + timedelta(hours=2)),
    }


@pytest.mark.timeout(240)
async def test_hours_go_from_the_desk_to_the_topic_and_a_kill_loses_none(city: City) -> None:
    city.tell("registry.policies.v1", "registry.policy-published.v1", "cn-recording", policy(), 1)
    filed = "registry.organisation-filed.v1"
    city.tell("registry.organisations.v1", filed, TEAM, organisation(), 1)
    await eventually(city.is_ready, "records is ready", seconds=90)
    # Before the registration has arrived an hour waits: it is neither lost nor refused for good.
    path = f"/dossiers/{SUBJECT}/services"
    early = await city.post(path, service(), "staff-07", "recorder")
    assert (early.status_code, early.headers.get("retry-after")) == (409, "2"), early.text
    registered = {"subject_id": SUBJECT, "first_registered_on": "2026-01-05"}
    name = "registry.volunteer-registered.v1"
    city.tell("registry.volunteers.v1", name, SUBJECT, registered, 1)
    await eventually(
        lambda: city.types() == ["dossier-opened"], "the dossier is opened", seconds=60, every=0.5
    )
    recorded = await city.post(path, service(), "staff-07", "recorder")
    assert recorded.status_code == 201, recorded.text
    city.processes.kill("records")
    # How it reads may change at any restart: where it stood is in the database.
    city.processes.start("records", "services.records", "serve", JIEXU_READ_BY="loop")
    await eventually(city.is_ready, "records is ready again", seconds=90)
    entry = f"/dossiers/{SUBJECT}/entries/{city.node}/{recorded.json()['entry_id']}"
    approved = await city.post(f"{entry}/approve", {}, "staff-12", "approver")
    assert approved.status_code == 201, approved.text
    frozen = {"subject_id": SUBJECT, "transfer_id": "1" * 64, "epoch": 1}
    city.tell("rewards.awards.v1", "rewards.rewards-frozen.v1", SUBJECT, frozen, 1)
    await eventually(
        lambda: (
            city.types()
            == ["dossier-opened", "service-recorded", "entry-approved", "dossier-frozen"]
        ),
        "the hour is recorded, approved, and the dossier frozen after it",
        seconds=60,
        every=0.5,
    )
    group = f"{city.node}.records.loop"
    admin = AdminClient({"bootstrap.servers": city.bootstrap})
    described = await asyncio.wrap_future(admin.describe_consumer_groups([group])[group])
    assert described.state == ConsumerGroupState.STABLE, "the setting says by what it reads"
    last = json.loads(city.seen()[-1].value)
    assert last["head"]["body"]["totals"]["credited_minutes"] == 120
    for each in city.seen():
        assert "晨光".encode() not in each.value and b"staff-" not in each.value
