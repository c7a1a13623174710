"""Do services run against the images of Kafka and PostgreSQL as against the embedded ones?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from testcontainers.community.postgres import PostgresContainer

from shared.auth import issue_token
from shared.clock import SystemClock
from shared.messages import Grant
from tests.support import toy
from tests.support.containers import POSTGRES_IMAGE, ROOT, KafkaContainer
from tests.support.infrastructure import eventually, free_port
from tests.support.processes import Processes

pytestmark = [pytest.mark.containers, pytest.mark.timeout(300)]

NODE = "500000"
# Their sum stays below what the counter lets a day have (600).
ADDITIONS = 20


@pytest.fixture(scope="module")
def kafka(engine_at_hand: None) -> Iterator[KafkaContainer]:
    with KafkaContainer() as broker:
        yield broker


@pytest.fixture(scope="module")
def postgres(engine_at_hand: None) -> Iterator[PostgresContainer]:
    with PostgresContainer(POSTGRES_IMAGE, driver=None) as server:
        yield server


def provision(name: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.toy", name, "provision"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


async def test_what_one_service_is_told_reaches_the_next_over_the_broker(
    kafka: KafkaContainer, postgres: PostgresContainer, tmp_path: Path
) -> None:
    key = toy.write_keys(tmp_path, ["counter", "tally"])
    ports = {name: free_port() for name in ("counter", "tally")}
    environments = {
        name: toy.environment(
            tmp_path,
            name,
            node=NODE,
            database=postgres.get_connection_url(),
            bootstrap=kafka.bootstrap,
            JIEXU_API_PORT=str(port),
        )
        for name, port in ports.items()
    }
    for name, environment in environments.items():
        provision(name, environment)

    headers = {
        "authorization": "Bearer "
        + issue_token(key, NODE, "a1", [Grant("adder")], clock=SystemClock())
    }
    with Processes(tmp_path, {}) as processes:
        for name, environment in environments.items():
            processes.start(name, "tests.support.toy", name, "serve", **environment)
        async with httpx.AsyncClient(headers=headers, trust_env=False) as client:
            url = f"http://127.0.0.1:{ports['counter']}/v1/counters/c1"

            async def takes_writes() -> bool:
                try:
                    answer = await client.post(
                        f"{url}/additions", json={"amount": 0}, headers={"idempotency-key": "k"}
                    )
                except httpx.ConnectError:
                    return False
                return answer.status_code == 201

            await eventually(takes_writes, "the counter takes additions", seconds=60)
            for n in range(ADDITIONS):
                answer = await client.post(
                    f"{url}/additions", json={"amount": n}, headers={"idempotency-key": f"k{n}"}
                )
                assert answer.status_code == 201, answer.text

            async def total() -> bool:
                answer = await client.get(f"http://127.0.0.1:{ports['tally']}/v1/counters/copy-c1")
                return answer.json().get("total") == sum(range(ADDITIONS))

            await eventually(total, "the second service has the same total", seconds=60)
