"""Does a move go through two nodes' real processes, over real Kafka, and survive their deaths?

Registry, records and rewards are played by a program on the topics: it reads what transfer's relay
publishes and writes facts as those services do, numbered by key.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer, Producer

from services.transfer.contract.topics import ENDINGS, TRANSFERS
from services.transfer.wiring import assemble
from shared.envelope import Topic, decode, encode_headers, source
from shared.roles import gather
from shared.roles.servers import Listener
from tests.edge.transfer.conftest import databases, migrated
from tests.support.cities import City, Neighbours, Office, ShiftedClock, apply, code_id_of
from tests.support.infrastructure import eventually, free_port
from tests.support.processes import Processes
from tests.support.topics import everything, make_topics

__all__ = ["databases", "migrated"]

NEIGHBOURS = {
    "registry.checks": Topic(name="registry.checks.v1", key="", public=False, description=""),
    "registry.policies": Topic(name="registry.policies.v1", key="", public=True, description=""),
    "registry.volunteers": Topic(
        name="registry.volunteers.v1", key="", public=True, description=""
    ),
    "records.dossiers": Topic(name="records.dossiers.v1", key="", public=True, description=""),
}


class Node(City):
    """A city whose transfer service runs as processes, its neighbours on the topics."""

    bootstrap: str = ""
    producer: Producer
    sequences: dict[tuple[str, str], int]

    async def tell(self, kind: str, key: str, data: Mapping[str, Any]) -> None:
        """A fact on the topic of the service that it names, under that key's next sequence."""
        service = kind.partition(".")[0]
        topic = "registry.checks.v1" if service == "registry" else "records.dossiers.v1"
        key = data["transfer_id"] if service == "registry" else data["subject_id"]
        self.sequences[topic, key] = sequence = self.sequences.get((topic, key), 0) + 1
        headers = encode_headers(
            source=source(self.name, service),
            event_id=uuid4(),
            type=kind,
            subject=key,
            time=self.clock.now(),
            sequence=sequence,
        )
        self.producer.produce(
            f"{self.name}.{topic}", json.dumps(data).encode(), key.encode(), headers=headers
        )
        await asyncio.to_thread(self.producer.flush, 10)


class OnTopics(Neighbours):
    """Reads transfer's topics with a client of its own; a repeat of a sequence is passed."""

    async def play(self) -> None:
        node = self.city
        assert isinstance(node, Node)
        consumer = Consumer(
            {
                "bootstrap.servers": node.bootstrap,
                "group.id": f"{node.name}.neighbours",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
            }
        )
        consumer.subscribe([topic.on(node.name) for topic in (TRANSFERS, ENDINGS)])
        passed: dict[tuple[str, str], int] = defaultdict(int)
        try:
            while True:
                record = await asyncio.to_thread(consumer.poll, 0.1)
                if record is None:
                    continue
                assert record.error() is None, record.error()
                topic = str(record.topic()).removeprefix(f"{node.name}.")
                message = decode(topic, record.key(), record.value(), record.headers())
                assert message.sequence is not None
                if message.sequence <= passed[topic, message.key]:
                    continue
                # INV-13: no gap in a key's sequence, whatever died in between.
                assert message.sequence == passed[topic, message.key] + 1
                passed[topic, message.key] = message.sequence
                node.told.append(message)
                for kind, data in await self._answers(message):
                    await node.tell(kind, message.key, data)
        finally:
            consumer.close()


@pytest.fixture
async def nodes(
    tmp_path: Path,
    databases: list[str],
    kafka_bootstrap: str,
    node_name: str,
) -> AsyncIterator[tuple[Node, Node, Processes]]:
    """Two nodes, provisioned and serving, each in a process of its own."""
    office, clock = Office(tmp_path / "directory.json"), ShiftedClock()
    async with AsyncExitStack() as stack:
        processes = stack.enter_context(Processes(tmp_path, {}))
        found: list[Node] = []
        neighbours: list[tuple[Listener, OnTopics]] = []
        environments: dict[str, dict[str, str]] = {}
        for n, letter in enumerate("ab"):
            node = Node(f"{node_name}-{letter}", tmp_path / letter, office, databases[n], clock)
            node.bootstrap, node.sequences = kafka_bootstrap, {}
            node.producer = Producer(
                {"bootstrap.servers": kafka_bootstrap, "partitioner": "murmur2_random"}
            )
            node.prepare()
            played = OnTopics(node)
            beside = Listener("neighbours", played.app(), "127.0.0.1", 0)
            for name in ("api", "internal", "federation"):
                node.ports[name] = free_port()
            office.list(node.name, f"http://127.0.0.1:{node.ports['federation']}", node.keys)
            settings = node.settings(
                f"http://127.0.0.1:{beside.port}", kafka_bootstrap=kafka_bootstrap
            )
            environments[letter] = environment(node, beside.port)
            parts = gather(assemble(settings), "api", clock)
            node.parts = parts
            await parts.database.open()
            stack.push_async_callback(parts.database.close)
            stack.push_async_callback(parts.http.aclose)
            make_topics(kafka_bootstrap, node.name, list(NEIGHBOURS.values()), partitions=8)
            found.append(node)
            neighbours.append((beside, played))
        for letter in "ab":
            processes.start(
                f"provision-{letter}", "services.transfer", "provision", **environments[letter]
            )
        for letter, node in zip("ab", found, strict=True):
            child = processes[f"provision-{letter}"]
            await eventually(lambda child=child: not child.running, "provisioned", seconds=60)
            assert child.exit_code == 0, child.log_tail(40)
            processes.start(letter, "services.transfer", "serve", **environments[letter])
            await node.house.directory.load()
            node.parts.beside[0].cancel()
        for beside, played in neighbours:
            tasks = [asyncio.ensure_future(each) for each in (beside.run(), played.play())]
            stack.push_async_callback(ended, tasks, beside)
        for node in found:
            await eventually(lambda node=node: ready(node), f"{node.name} is ready", seconds=60)
        yield found[0], found[1], processes


async def ended(tasks: list[asyncio.Future[None]], beside: Listener) -> None:
    beside.stop()
    for task in tasks:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    beside.close()
    broken = [each for each in outcomes if isinstance(each, Exception)]
    assert not broken, broken


def environment(node: Node, neighbours: int) -> dict[str, str]:
    """The node's settings as its processes read them."""
    url = f"http://127.0.0.1:{neighbours}"
    values = {
        "NODE": node.name,
        "DATABASE_URL": node.database_url,
        "KAFKA_BOOTSTRAP": node.bootstrap,
        "KEYS": node.folder / "keys",
        "PUBLIC_KEYS": node.folder / "public",
        "REGISTRY_INTERNAL_URL": url,
        "RECORDS_INTERNAL_URL": url,
        "DIRECTORY": node.office.path,
        "DIRECTORY_KEYS": node.office.pin,
        "ALLOW_PRIVATE_PEERS": "true",
        "KAFKA_SESSION_TIMEOUT_SECONDS": 6,
        "API_PORT": node.ports["api"],
        "INTERNAL_PORT": node.ports["internal"],
        "FEDERATION_PORT": node.ports["federation"],
    }
    return {f"JIEXU_{name}": str(value) for name, value in values.items()}


async def ready(node: Node) -> bool:
    assert node.parts is not None
    try:
        url = f"http://127.0.0.1:{node.ports['internal']}/health/ready"
        return (await node.parts.http.get(url)).status_code == 200
    except httpx.HTTPError:
        return False


def application(amber: Node, subject: str) -> str:
    """A new application of this subject, whom amber's registry knows by its code."""
    applicant_ref = secrets.token_hex(16)
    amber.persons[code_id_of(applicant_ref)] = subject
    return applicant_ref


async def test_a_move_goes_through_real_processes_and_topics(
    nodes: tuple[Node, Node, Processes],
) -> None:
    amber, birch, processes = nodes
    subject = secrets.token_hex(16)
    amber.open_dossier(subject, 5)
    transfer_id = (await apply(birch, amber, application(amber, subject)))["transfer_id"]
    await birch.reaches(transfer_id, "Active", seconds=60)
    await amber.reaches(transfer_id, "Settling", seconds=60)
    assert birch.dossiers[subject].entries == amber.dossiers[subject].entries
    processes.assert_alive("a", "b")

    # 10.1: the origin's events carry the old epoch, the destination's first with the new is
    # records' dossier-adopted; what transfer tells after it carries the new one.
    await eventually(
        lambda: any(m.type.endswith("dossier-activated.v1") for m in birch.told), "it was told"
    )
    released = next(m for m in amber.told if m.type == "transfer.dossier-released.v1")
    activated = next(m for m in birch.told if m.type == "transfer.dossier-activated.v1")
    assert (released.custody_epoch, activated.custody_epoch) == (1, 2)
    assert released.key == activated.key == subject
    assert released.correlation_id == transfer_id


@pytest.mark.timeout(300)
async def test_deaths_in_the_middle_of_moves_lose_and_double_nothing(  # F1, INV-5, 7, 14
    nodes: tuple[Node, Node, Processes],
) -> None:
    amber, birch, processes = nodes
    moves: dict[str, str] = {}
    for n in range(3):
        subject = secrets.token_hex(16)
        amber.open_dossier(subject, n)
        answer = await apply(birch, amber, application(amber, subject))
        moves[answer["transfer_id"]] = subject
        victim = "ab"[n % 2]
        processes.kill(victim)
        processes.restart(victim)
        # Only the city where she applies must answer at once.
        await eventually(lambda: ready(birch), "birch is back", seconds=60)
    for transfer_id, subject in moves.items():
        await birch.reaches(transfer_id, "Active", seconds=120)
        await amber.reaches(transfer_id, "Settling", seconds=60)
        assert birch.dossiers[subject].entries == amber.dossiers[subject].entries
        kinds = await amber.rows(
            "SELECT kind FROM certificate WHERE transfer_id = $1 AND own", transfer_id
        )
        assert [row["kind"] for row in kinds] == ["release"]
    for node in (amber, birch):
        seen = everything(node.bootstrap, TRANSFERS.on(node.name))
        by_key: dict[str, list[int]] = defaultdict(list)
        for one in seen:
            if one.sequence not in by_key[one.key]:
                by_key[one.key].append(one.sequence)
        for key, sequences in by_key.items():
            assert sequences == list(range(1, len(sequences) + 1)), key
