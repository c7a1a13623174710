"""Registry as a process: from POST to topic, and from transfer's topic to the answer of a check.

A real process, a real broker, a real database; kafka-python as the witness and as transfer.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kafka import KafkaProducer

from services.registry.contract.topics import CHECKS, POLICIES, TOPICS, VOLUNTEERS
from services.registry.domain import identity
from services.registry.domain.idnumbers import check_character
from services.transfer.contract import topics as transfer
from shared.auth import issue_token
from shared.clock import SystemClock
from shared.envelope import encode_headers, full_name
from shared.messages import Grant
from shared.signing import write_private_key, write_public_key
from tests.support.infrastructure import eventually, free_port
from tests.support.processes import ROOT, Processes
from tests.support.topics import Seen, everything, make_topics

pytestmark = pytest.mark.broker

ROSTER = "type,number,name\n"


class City:
    """Keys, environment and addresses of one registry."""

    def __init__(self, directory: Path, node: str, database: str, bootstrap: str) -> None:
        self.node, self.bootstrap, self.database = node, bootstrap, database
        self.token_key = Ed25519PrivateKey.generate()
        keys, public = directory / "keys", directory / "public"
        keys.mkdir()
        public.mkdir()
        service = Ed25519PrivateKey.generate()
        write_private_key(keys / "token.key", self.token_key)
        write_private_key(keys / "service.key", service)
        for name in ("digest", "vault", "pepper"):
            write_private_key(keys / f"{name}.key", secrets.token_bytes(32))
        write_public_key(public / "token.pub", self.token_key.public_key())
        write_public_key(public / "service-registry.pub", service.public_key())
        self.number = a_number()
        roster = directory / "roster.csv"
        roster.write_text(f"{ROSTER}resident_id,{self.number},李华\n", "utf-8")
        self.port = free_port()
        self.environment = {
            "JIEXU_NODE": node,
            "JIEXU_DATABASE_URL": database,
            "JIEXU_KAFKA_BOOTSTRAP": bootstrap,
            "JIEXU_KEYS": str(keys),
            "JIEXU_PUBLIC_KEYS": str(public),
            "JIEXU_API_PORT": str(self.port),
            "JIEXU_INTERNAL_PORT": str(free_port()),
            "JIEXU_ROSTER": str(roster),
            "JIEXU_KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        }

    def client(self, *roles: str, subject_id: str | None = None) -> httpx.AsyncClient:
        token = issue_token(
            self.token_key,
            self.node,
            "li-hua",
            [Grant(role) for role in roles],
            subject_id,
            "strong",
            clock=SystemClock(),
        )
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"authorization": f"Bearer {token}", "accept-language": "en"},
            trust_env=False,
            timeout=20,
        )

    def provision(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "services.registry", "provision"],
            env={**os.environ, **self.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def seen(self, topic: str) -> list[Seen]:
        return everything(self.bootstrap, full_name(self.node, topic))

    def types(self, topic: str, key: str) -> list[str]:
        found = [each for each in self.seen(topic) if each.key == key]
        assert [each.sequence for each in found] == list(range(1, len(found) + 1))
        return [each.type.split(".")[1] for each in found]

    def tell(self, topic: str, type_: str, key: str, data: dict[str, Any], sequence: int) -> None:
        """As transfer would."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap)
        headers = encode_headers(
            source=f"/nodes/{self.node}/transfer",
            event_id=uuid4(),
            type=type_,
            subject=key,
            time=datetime.now(UTC),
            sequence=sequence,
            correlation_id=data["transfer_id"],
        )
        producer.send(
            full_name(self.node, topic),
            key=key.encode(),
            value=json.dumps(data).encode(),
            headers=headers,
        ).get(timeout=20)
        producer.close()


def a_number() -> str:
    first = f"50010319900101{secrets.randbelow(500) * 2 + 1:03d}"
    return first + check_character(first)


@pytest.fixture
def city(tmp_path: Path, node_name: str, database: str, kafka_bootstrap: str) -> Iterator[City]:
    make_topics(kafka_bootstrap, node_name, [transfer.TRANSFERS, transfer.ENDINGS])
    made = City(tmp_path, node_name, database, kafka_bootstrap)
    made.provision()
    with Processes(tmp_path, made.environment) as processes:
        processes.start("registry", "services.registry", "serve")
        yield made


async def ready(city: City) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            port = city.environment["JIEXU_INTERNAL_PORT"]
            answer = await client.get(f"http://127.0.0.1:{port}/health/ready")
        except httpx.HTTPError:
            return False
    return answer.status_code == 200


@pytest.mark.timeout(360)
async def test_a_person_goes_out_and_the_answer_to_another_city_comes_back(city: City) -> None:
    await eventually(lambda: ready(city), "registry is ready", seconds=60)
    # Writes are open once the service's own topics have been compared.
    body = {
        "name": "李华",
        "sex": "male",
        "birth_date": "1990-01-01",
        "documents": [{"type": "resident_id", "number": city.number}],
        "residence_region": "500103",
        "consent": {"text_id": "consent-registration", "text_version": 1},
    }
    key = {"idempotency-key": "one"}
    async with city.client("login") as login:
        made = await login.post("/volunteers", json=body, headers=key)
    assert made.status_code == 201, made.text
    subject = made.json()["subject_id"]
    async with city.client("volunteer", subject_id=subject) as volunteer:
        code = await volunteer.post("/transfer-codes", json={}, headers=key)
    assert code.status_code == 201, code.text

    raw = identity.read_code(code.json()["code_text"])
    assert raw is not None
    transfer_id = secrets.token_hex(32)
    shown = identity.identity_bytes("李华", "RIC", city.number)
    request = {
        "transfer_id": transfer_id,
        "role": "origin",
        "origin": city.node,
        "destination": "510100",
        "subject_id": None,
        "purpose": "move",
        "code_id": identity.code_id(raw),
        "proof": identity.proof(identity.code_key(raw), transfer_id, city.node, "510100", shown),
        "assisted": False,
        "review_due": "2027-03-15",
    }
    name = "transfer.transfer-requested.v1"
    city.tell(transfer.TRANSFERS.name, name, transfer_id, request, 1)
    await eventually(
        lambda: city.types(CHECKS.name, transfer_id) == ["identity-confirmed"],
        "the identity is confirmed",
        seconds=60,
        every=0.5,
    )
    await eventually(
        lambda: len(city.types(VOLUNTEERS.name, subject)) == 3,
        "registration, consent and check are published",
        every=0.5,
    )
    assert city.types(VOLUNTEERS.name, subject) == [
        "volunteer-registered",
        "consent-given",
        "verification-recorded",
    ]
    assert len(city.seen(POLICIES.name)) == 7
    personal = ["李华".encode(), city.number.encode(), code.json()["code_text"].encode()]
    for topic in TOPICS:
        for each in city.seen(topic.name):
            assert not any(value in each.value for value in personal), topic.name
