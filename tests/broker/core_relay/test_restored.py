"""Does a service notice that its database was restored behind its back, and refuse to write?"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from node.kafka import EmbeddedKafka
from node.postgres import EmbeddedPostgres, binaries
from node.process import free_ports
from shared.ledger import Accepted, Gate
from shared.messages import Unavailable
from shared.postgres import Database
from shared.relay import Relay, Restored, compare, open_when_compared
from shared.relay.own_topics import NOT_COMPARED
from tests.support.counter import TOPICS, TOTALS, add, running_counter, schema
from tests.support.infrastructure import eventually
from tests.support.relaying import Node, all_event_ids, counter_node, running, sequences
from tests.support.topics import drop_topics, everything, make_topics

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]
NAMES = [topic.name for topic in TOPICS]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    (port,) = free_ports(1)
    # Not durable: what is tried is a stop and a copy, not a power cut.
    one = EmbeddedPostgres(tmp_path / "one", port, durable=False)
    one.start()
    try:
        yield one
    finally:
        one.stop()


@pytest.fixture
def topics(kafka_bootstrap: str, node_name: str) -> Iterator[str]:
    make_topics(kafka_bootstrap, node_name, TOPICS)
    yield node_name
    drop_topics(kafka_bootstrap, node_name, TOPICS)


async def publish(url: str, bootstrap: str, node: str, days: range) -> None:
    """Additions of these days, committed and published."""
    async with running_counter(url) as (database, ledger):
        for day in days:
            assert isinstance(await ledger.submit(add("ann", 1, day=day)), Accepted)
        one = Node(database, ledger, bootstrap, node)
        async with running(one.relay()):
            await one.published()


async def assert_refused(url: str, bootstrap: str, node: str, reason: str) -> None:
    """Writes are refused with the reason, reads go on, nothing more is published."""
    gate = Gate(NOT_COMPARED)
    async with running_counter(url, gate=gate) as (database, ledger):
        with pytest.raises(Unavailable, match="not yet compared"):
            await ledger.submit(add("ann", 1, day=90))
        with pytest.raises(Restored, match=reason):
            await open_when_compared(gate, database, bootstrap, node, NAMES)
        with pytest.raises(Unavailable, match=reason):
            await ledger.submit(add("ann", 1, day=90))
        assert await database.pool.fetchval("SELECT count(*) FROM event") == 10


async def assert_taken(url: str, bootstrap: str, node: str) -> int:
    """Compared, opened, written; returns how many messages were compared."""
    gate = Gate(NOT_COMPARED)
    async with running_counter(url, gate=gate) as (database, ledger):
        compared = await compare(database, bootstrap, node, NAMES)
        await open_when_compared(gate, database, bootstrap, node, NAMES)
        assert isinstance(await ledger.submit(add("ann", 1, day=91)), Accepted)
        return compared


def program(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(binaries() / name), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def create(server: EmbeddedPostgres, name: str) -> str:
    connection = await asyncpg.connect(server.url)
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    await connection.close()
    return server.url_of(name)


async def test_a_dump_restored_into_a_new_cluster_is_refused(
    server: EmbeddedPostgres, tmp_path: Path, kafka_bootstrap: str, topics: str
) -> None:  # F41
    url = await create(server, "city")
    await schema(url)
    await publish(url, kafka_bootstrap, topics, range(10))
    program("pg_dump", "--format=custom", f"--file={tmp_path / 'dump'}", url)
    (port,) = free_ports(1)
    other = EmbeddedPostgres(tmp_path / "other", port, durable=False)
    other.start()
    try:
        restored = await create(other, "city")
        program("pg_restore", f"--dbname={restored}", str(tmp_path / "dump"))
        await assert_refused(
            restored, kafka_bootstrap, topics, "restored: .* another PostgreSQL cluster"
        )
        async with Database(restored, "counter") as database:
            relay = Relay(database, kafka_bootstrap, node=topics, service="counter")
            with pytest.raises(Restored, match="another PostgreSQL cluster"):
                await asyncio.wait_for(relay.run(), 20)
    finally:
        other.stop()
    assert sequences(everything(kafka_bootstrap, f"{topics}.{TOTALS}")) == {
        "ann": list(range(1, 11))
    }


async def test_a_dump_restored_into_the_same_cluster_is_refused(
    server: EmbeddedPostgres, tmp_path: Path, kafka_bootstrap: str, topics: str
) -> None:  # F41
    url = await create(server, "city")
    await schema(url)
    await publish(url, kafka_bootstrap, topics, range(10))
    program("pg_dump", "--format=custom", f"--file={tmp_path / 'dump'}", url)
    await publish(url, kafka_bootstrap, topics, range(10, 12))
    await create(server, "city")
    program("pg_restore", f"--dbname={url}", str(tmp_path / "dump"))
    await assert_refused(
        url,
        kafka_bootstrap,
        topics,
        "restored: topic counter.totals.v1 holds sequence 11 of a key of which the database "
        "knows 10",
    )


async def test_files_copied_back_are_refused(
    server: EmbeddedPostgres, tmp_path: Path, kafka_bootstrap: str, topics: str
) -> None:  # F41, F42
    url = await create(server, "city")
    await schema(url)
    await publish(url, kafka_bootstrap, topics, range(10))
    await asyncio.to_thread(server.stop)
    shutil.copytree(server.data, tmp_path / "copy")
    owner = server.data.stat()
    await asyncio.to_thread(server.start)
    assert await assert_taken(url, kafka_bootstrap, topics) == 0
    await publish(url, kafka_bootstrap, topics, range(20, 22))
    await asyncio.to_thread(server.stop)
    shutil.rmtree(server.data)
    shutil.copytree(tmp_path / "copy", server.data)
    server.data.chmod(0o700)
    for path in (server.data, *server.data.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    await asyncio.to_thread(server.start)
    await assert_refused(url, kafka_bootstrap, topics, "older than what was published")


@pytest.fixture
async def node(database: str, kafka_bootstrap: str, node_name: str):  # type: ignore[no-untyped-def]
    async with counter_node(database, kafka_bootstrap, node_name) as one:
        yield one


async def test_a_promoted_standby_is_refused(node: Node) -> None:
    await node.database.pool.execute("UPDATE node_incarnation SET timeline_id = timeline_id + 1")
    with pytest.raises(Restored, match="another timeline"):
        await compare(node.database, node.bootstrap, node.name, NAMES)


async def test_repeats_beyond_the_last_acknowledged_are_no_restore(node: Node) -> None:
    """The relay died after the broker had taken events and before its cursor moved."""
    for day in range(5):
        await node.ledger.submit(add("ann", 1, day=day))
    async with running(node.relay()):
        await node.published()
    await node.database.pool.execute(
        "UPDATE relay_offset SET next_offset = 2; UPDATE relay_cursor SET xid = '0', position = 0"
    )
    assert await compare(node.database, node.bootstrap, node.name, NAMES) == 3
    await node.database.pool.execute("DELETE FROM relay_offset")
    assert await compare(node.database, node.bootstrap, node.name, NAMES) == 5


async def test_another_event_under_a_known_sequence_is_a_restore(node: Node) -> None:
    """The database went back, and wrote on before anybody compared."""
    await node.ledger.submit(add("ann", 1))
    async with running(node.relay()):
        await node.published()
    await node.database.pool.execute(
        "DELETE FROM relay_offset; UPDATE event SET event_id = gen_random_uuid()"
    )
    with pytest.raises(Restored):
        await compare(node.database, node.bootstrap, node.name, NAMES)


async def test_without_comparing_a_sequence_would_be_used_again(node: Node) -> None:  # B36
    """What the gate prevents: two events under one sequence, of which readers skip the second."""
    for day in (1, 2):
        await node.ledger.submit(add("ann", 1, day=day))
    async with running(node.relay()):
        await node.published()
        await node.database.pool.execute(
            """DELETE FROM event WHERE sequence = 2; UPDATE aggregate SET version = 1;
               UPDATE stream SET last_sequence = 1, prev = 0;
               UPDATE relay_offset SET next_offset = 1;
               UPDATE relay_cursor SET (xid, position) = (SELECT xid, position FROM event)"""
        )
    with pytest.raises(Restored):
        await compare(node.database, node.bootstrap, node.name, NAMES)
    assert isinstance(await node.ledger.submit(add("ann", 1, day=3)), Accepted)
    async with running(node.relay()):
        await node.published()
    seen = node.seen()
    assert sequences(seen) == {"ann": [1, 2, 2]}
    assert len({one.event_id for one in seen}) == 3


async def test_a_service_that_starts_without_a_broker_reads_only_until_it_is_there(
    database: str, tmp_path: Path, node_name: str
) -> None:
    await schema(database)
    port, controller = free_ports(2)
    broker = EmbeddedKafka(tmp_path, port, controller_port=controller)
    gate = Gate(NOT_COMPARED)
    async with running_counter(database, gate=gate) as (opened, ledger):
        opening = asyncio.create_task(
            open_when_compared(gate, opened, broker.bootstrap, node_name, NAMES)
        )
        await eventually(
            lambda: "the broker cannot say" in (gate.reason or ""), "the reason is told"
        )
        with pytest.raises(Unavailable, match="not yet compared"):
            await ledger.submit(add("ann", 1))
        assert await all_event_ids(opened) == set()
        await asyncio.to_thread(broker.start)
        try:
            make_topics(broker.bootstrap, node_name, TOPICS)
            await asyncio.wait_for(opening, 30)
            assert isinstance(await ledger.submit(add("ann", 1)), Accepted)
        finally:
            await asyncio.to_thread(broker.stop)
