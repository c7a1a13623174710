"""Embedded Kafka and PostgreSQL as real processes: kept data, kill -9, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
import psutil
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from node import kafka_jars
from node.kafka import EmbeddedKafka
from node.kafka_jars import JarsDiffer
from node.postgres import EmbeddedPostgres
from node.process import DidNotStart, free_ports

PROJECT = Path(__file__).parents[2]
Part = TypeVar("Part", EmbeddedKafka, EmbeddedPostgres)


@contextmanager
def running(part: Part) -> Iterator[Part]:
    part.start()
    try:
        yield part
    finally:
        part.kill()


async def ask(url: str, *statements: str) -> list[object]:
    connection = await asyncpg.connect(url)
    try:
        return [await connection.fetchval(statement) for statement in statements]
    finally:
        await connection.close()


@pytest.mark.broker
def test_kafka_keeps_what_it_acknowledged_over_kill_and_restart(tmp_path: Path) -> None:
    port, controller = free_ports(2)
    with running(EmbeddedKafka(tmp_path / "kafka", port, controller_port=controller)) as broker:
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        admin.create_topics([NewTopic("kept", 1, 1)])
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
        producer.send("kept", b"first").get(10)
        producer.close()
        admin.close()
        broker.kill()
        assert not broker.running
        broker.start()
        consumer = KafkaConsumer("kept", bootstrap_servers=broker.bootstrap,
                                 auto_offset_reset="earliest", consumer_timeout_ms=20_000)
        assert next(iter(consumer)).value == b"first"
        consumer.close()
        broker.stop()
        assert broker.child is not None
        assert broker.child.exit_code == 143  # ended by itself, at SIGTERM


@pytest.mark.broker
def test_a_topic_is_never_made_by_use(tmp_path: Path) -> None:
    port, controller = free_ports(2)
    with running(EmbeddedKafka(tmp_path / "kafka", port, controller_port=controller)) as broker:
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap, max_block_ms=1500)
        with pytest.raises(Exception, match=r"(?i)timeout|unknown.*topic"):
            producer.send("unheard", b"x").get(5)
        producer.close()
        admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
        assert "unheard" not in admin.list_topics()
        admin.close()


def test_postgres_is_version_18_with_fsync_and_bounded_transactions(tmp_path: Path) -> None:
    with running(EmbeddedPostgres(tmp_path / "postgres", free_ports(1)[0])) as server:
        version, fsync, idle, open_for, encoding = asyncio.run(ask(
            server.url, "SHOW server_version_num", "SHOW fsync",
            "SHOW idle_in_transaction_session_timeout", "SHOW transaction_timeout",
            "SHOW server_encoding"))
        assert str(version).startswith("18")
        assert (fsync, idle, open_for, encoding) == ("on", "30s", "1min", "UTF8")


def test_postgres_takes_nobody_without_its_password(tmp_path: Path) -> None:
    with running(EmbeddedPostgres(tmp_path / "postgres", free_ports(1)[0])) as server:
        with pytest.raises(asyncpg.InvalidPasswordError):
            url = f"postgresql://postgres:x@127.0.0.1:{server.port}/postgres"
            asyncio.run(ask(url, "SELECT 1"))
        assert (server.directory / "password").stat().st_mode & 0o777 == 0o400


def test_postgres_keeps_what_it_committed_over_kill_and_restart(tmp_path: Path) -> None:
    with running(EmbeddedPostgres(tmp_path / "postgres", free_ports(1)[0])) as server:
        asyncio.run(ask(server.url, "CREATE TABLE kept AS SELECT 1 AS n"))
        server.kill()
        server.start()
        assert asyncio.run(ask(server.url, "SELECT n FROM kept")) == [1]
        server.stop()
        assert server.child is not None and server.child.exit_code == 0


def test_a_start_that_fails_quotes_the_log(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", free_ports(1)[0])
    server.start()
    server.stop()
    (server.data / "pg_hba.conf").write_text("no such line\n", "ascii")
    with pytest.raises(DidNotStart, match=r"pg_hba\.conf"):
        server.start()


STARTER = """
import sys, time
from pathlib import Path
from node.kafka import EmbeddedKafka
from node.postgres import EmbeddedPostgres
a, b, c = map(int, sys.argv[2:])
home = Path(sys.argv[1])
parts = EmbeddedPostgres(home / "postgres", c), EmbeddedKafka(home / "kafka", a, controller_port=b)
for part in parts:
    part.start(wait=False)
for part in parts:
    part.wait_until_ready()
print(*(part.child.pid for part in parts), flush=True)
time.sleep(600)
"""


@pytest.mark.broker
def test_the_death_of_who_started_them_leaves_no_orphan(tmp_path: Path) -> None:
    ports = map(str, free_ports(3))
    parent = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path), *ports],
                              stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert parent.stdout is not None
    with parent.stdout:
        line = parent.stdout.readline()
        children = psutil.Process(parent.pid).children(recursive=True)
        assert {int(pid) for pid in line.split()} <= {child.pid for child in children}
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(10)
        _gone, alive = psutil.wait_procs(children, timeout=15)
        assert not alive


def test_a_jar_with_other_bytes_is_refused(tmp_path: Path) -> None:
    kafka_jars.class_path()  # fetched here, if no broker ran before
    for path in kafka_jars.verify(kafka_jars.home()):
        (tmp_path / path.name).symlink_to(path)
    assert len(kafka_jars.verify(tmp_path)) == len(kafka_jars.pinned())
    victim = tmp_path / "kafka-clients-4.3.1.jar"
    content = victim.read_bytes()
    victim.unlink()
    with pytest.raises(JarsDiffer, match="missing"):
        kafka_jars.verify(tmp_path)
    victim.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(JarsDiffer, match="other bytes"):
        kafka_jars.verify(tmp_path)


def test_a_warm_broker_starts_within_seconds(tmp_path: Path) -> None:
    port, controller = free_ports(2)
    with running(EmbeddedKafka(tmp_path / "kafka", port, controller_port=controller)) as broker:
        broker.stop()
        begun = time.monotonic()
        broker.start()
        assert time.monotonic() - begun < 15  # 1.7 s on two idle cores; the limit is for busy ones
