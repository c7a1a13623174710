"""Can an operator mend a node in containers with what a service's own container knows?

A database with one role a service; the command's environment is that of a service, and no node
lies where it runs.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from node.terminal import Exit
from services.records.contract.topics import DOSSIERS
from shared.access import database_url
from shared.postgres import migrate
from tests.node.test_cli import jiexu
from tests.support.secured import drop_roles, make_role

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

SERVICES = ("records", "rewards")


@dataclass
class Containers:
    """What a container of each service is told of the database."""

    empty: Path
    environments: dict[str, dict[str, str]]
    urls: dict[str, str]

    def run(self, service: str, *arguments: str) -> Any:
        return jiexu(self.empty, *arguments, "--json", **self.environments[service])

    async def ask(self, service: str, sql: str) -> Any:
        connection = await asyncpg.connect(
            self.urls[service], server_settings={"search_path": service}
        )
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()


@pytest.fixture
async def containers(tmp_path: Path, database: str, node_name: str) -> AsyncIterator[Containers]:
    made = Containers(tmp_path / "empty", {}, {})
    roles = []
    for service in SERVICES:
        role, secret = await make_role(database, node_name, service)
        roles.append(role)
        file = tmp_path / f"{service}.password"
        file.write_text(secret, "ascii")
        url = f"postgresql://{role}@{database.rpartition('@')[2]}"
        made.environments[service] = {
            "JIEXU_DATABASE_URL": url,
            "JIEXU_DATABASE_PASSWORD_FILE": str(file),
        }
        made.urls[service] = database_url(url, secret)
        wiring = importlib.import_module(f"services.{service}.wiring")
        await migrate(made.urls[service], service, wiring.MIGRATIONS)
    yield made
    await drop_roles(database, *roles)


async def test_parked_messages_are_tried_again_from_a_service_s_container(
    containers: Containers,
) -> None:
    await containers.ask(
        "rewards",
        f"""INSERT INTO parked (topic, key, sequence, partition, raw, reason, due_at)
            VALUES ('{DOSSIERS.name}', 's', 1, 0, '', 'it waits', now() + interval '1 hour')""",
    )
    done = containers.run("rewards", "redrive", "rewards")
    assert json.loads(done.stdout) == {"service": "rewards", "waiting": 1}, done.stderr
    assert await containers.ask("rewards", "SELECT bool_and(due_at <= now()) FROM parked")
    # In the container of another the role may not, and says where.
    refused = containers.run("records", "redrive", "rewards")
    assert refused.returncode == Exit.REFUSED
    assert "run this command in a container of rewards" in " ".join(refused.stderr.split())


async def test_topics_are_published_again_and_stopped_readers_go_on_each_from_its_container(
    containers: Containers,
) -> None:
    await containers.ask(
        "rewards",
        f"""INSERT INTO source_progress (topic, partition, topic_id, next_offset, owner, cut)
            VALUES ('{DOSSIERS.name}', 0, 'gone', 7, gen_random_uuid(), true)""",
    )
    done = containers.run("records", "republish", "records")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["readers_left"] == ["registry", "rewards", "transfer"]
    assert await containers.ask("records", "SELECT count(*) FROM relay_repair") > 0
    assert await containers.ask("rewards", "SELECT count(*) FROM source_progress") == 1
    done = containers.run("rewards", "republish", "records", "--reader", "rewards")
    assert json.loads(done.stdout)["readers_left"] == [], done.stderr
    assert await containers.ask("rewards", "SELECT count(*) FROM source_progress") == 0
    refused = containers.run("records", "republish", "records", "--reader", "rewards")
    assert refused.returncode == Exit.REFUSED


def test_without_a_database_the_remedy_is_said(tmp_path: Path) -> None:
    for command in ("redrive", "republish"):
        done = jiexu(tmp_path, command, "records")
        assert done.returncode == Exit.NODE_STATE
        assert "run this command in a container of the service" in " ".join(done.stderr.split())
    done = jiexu(tmp_path, "redrive", "records", JIEXU_DATABASE_URL="mysql://me:hidden@host/x")
    assert done.returncode == Exit.ASKED_WRONGLY
    assert "JIEXU_DATABASE_URL does not begin with" in done.stderr and "hidden" not in done.stderr
