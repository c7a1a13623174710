"""A node that runs: do its processes export what the page and the rules name, and can its state be
kept apart from it?"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from node import backup, control, making, supervisor
from node.commands import keeping
from node.layout import DATABASE, POSTGRES, SERVICES, Node, find
from node.members import server_of
from node.postgres import binaries
from node.terminal import Exit, Failure
from tests.node.conftest import free_base_port
from tests.node.test_cli import jiexu
from tests.support import operators
from tests.support.infrastructure import apart

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A whole node: broker, PostgreSQL, four services, with the policy packs published."""
    root = tmp_path_factory.mktemp("node")
    making.make(root, "500000", "重庆", at=datetime.now(UTC), base_port=free_base_port())
    making.sign(root, root / making.OFFICE, datetime.now(UTC))
    node = find("500000", root)
    process = control.start(node)
    try:
        control.wait_until_ready(node, process.poll)
        yield node
    finally:
        process.terminate()
        process.wait(60)


# Never by way of a proxy.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def exported(node: Node, service: str) -> set[str]:
    """The metrics that the service's process exports now, by the names that rules use."""
    with DIRECT.open(f"{node.internal_url(service)}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    # A metric with labels that has not been used yet has its TYPE line alone.
    found = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    return {name for name, kind in found.items() if not name.endswith("_created")}


def test_the_processes_export_exactly_the_metrics_of_the_page(running: Node) -> None:
    wanted = operators.metrics()
    for service in SERVICES:
        # Requests are counted from the first on, whatever it asks.
        with contextlib.suppress(urllib.error.HTTPError):
            DIRECT.open(f"{running.api_url(service)}/nothing", timeout=10)
        expected = {m.name for m in wanted if m.owner in ("all", service)}
        deadline = time.monotonic() + 30
        # Those of the active worker come when it has its lock.
        while (found := exported(running, service)) != expected:
            assert time.monotonic() < deadline, (service, found ^ expected)
            time.sleep(0.2)


def test_transfer_tells_of_its_directory_and_keys(running: Node) -> None:
    def values() -> dict[str, float]:
        url = f"{running.internal_url('transfer')}/metrics"
        with DIRECT.open(url, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    deadline = time.monotonic() + 40
    while 'jiexu_key_expires_seconds{use="head"}' not in (found := values()):
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    days = {name: round(value / 86_400) for name, value in found.items() if "expires" in name}
    assert days == {
        "jiexu_directory_expires_seconds": 180,
        **{f'jiexu_key_expires_seconds{{use="{use}"}}': 457
           for use in ("message", "custody", "entry", "head")},
    }
    assert found['jiexu_alarms_total{kind="in-doubt"}'] == 0


def test_doctor_finds_nothing_wrong_with_a_node_that_runs(running: Node) -> None:
    done = jiexu(running.home.parent, "doctor", "-n", "500000", "--json")
    assert done.returncode == 0, done.stdout
    looked_at = {item["what"] for item in json.loads(done.stdout)}
    parts = ("settings", "files", "database", "broker", "ready")
    assert {f"{service} {part}" for service in SERVICES for part in parts} <= looked_at


def test_doctor_finds_what_a_service_would_say_at_its_start(tmp_path: Path) -> None:
    making.make(tmp_path, "500000", "重庆", at=datetime.now(UTC), base_port=free_base_port())
    making.sign(tmp_path, tmp_path / making.OFFICE, datetime.now(UTC))
    node = find("500000", tmp_path).changed(extra={"JIEXU_MAX_BUNDLES": "0"})
    (node.keys / "records" / "entry.key").unlink()
    # As if it ran, with neither broker nor database.
    with supervisor.held(node):
        done = jiexu(tmp_path, "doctor", "-n", "500000", "--json")
    assert done.returncode == Exit.FOUND_WRONG
    mend = {item["what"]: item["mend"] for item in json.loads(done.stdout) if not item["right"]}
    assert mend["transfer settings"].startswith("JIEXU_MAX_BUNDLES is below 1: ")
    assert mend["records files"].endswith("entry.key cannot be read (No such file or directory): "
                                          "put the key there, mode 0400")
    assert mend["registry database"].startswith("the database is away (ConnectionRefusedError): ")
    assert mend["registry broker"].startswith("no broker answers (Connection refused): ")
    assert mend["rewards ready"].startswith("nobody answers on 127.0.0.1:")


async def _rows(url: str) -> dict[str, int]:
    """How many rows each table of each service has."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            """SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY ($1::text[])""",
            list(SERVICES))
        return {f"{t['schemaname']}.{t['tablename']}": await connection.fetchval(
                    f'SELECT count(*) FROM "{t["schemaname"]}"."{t["tablename"]}"')
                for t in tables}
    finally:
        await connection.close()


def test_a_backup_has_what_was_committed_and_read_and_no_key(running: Node, tmp_path: Path) -> None:
    data, place = running.home.parent, tmp_path / "backup"
    done = jiexu(data, "backup", str(place), "--json")
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert (manifest["node"], set(manifest["incarnations"])) == ("500000", set(SERVICES))
    assert set(manifest["files"]) == {
        "database.dump", "offsets.json", "settings/node.json", "settings/entry.json",
        "settings/directory.json"}
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "database.dump").stat().st_mode) == 0o600
    # Keys and the password of the database are kept apart.
    password = server_of(running).password.encode()
    secrets = [password, *(path.read_bytes() for path in running.keys.rglob("*.key"))]
    for path in place.rglob("*"):
        assert path.is_dir() or not any(secret in path.read_bytes() for secret in secrets), path

    offsets = json.loads((place / "offsets.json").read_text("utf-8"))
    published = offsets["services"]["registry"]["published"]
    policies = sum(n for topic, n in published.items() if topic.startswith("registry.policies"))
    assert policies > 0
    read = offsets["services"]["rewards"]["read"]
    assert sum(n for topic, n in read.items() if topic.startswith("registry.policies")) == policies
    assert any(name.startswith("500000.rewards.") for name in offsets["groups"])


def test_a_backup_says_whether_it_is_whole(running: Node, tmp_path: Path) -> None:
    data, place = running.home.parent, tmp_path / "backup"
    assert jiexu(data, "backup", str(place)).returncode == 0
    assert jiexu(data, "backup", str(place), "--check").returncode == 0
    again = jiexu(data, "backup", str(place))
    assert (again.returncode, "is not empty" in again.stderr) == (Exit.ASKED_WRONGLY, True)
    with (place / "database.dump").open("ab") as file:
        file.write(b"!")
    spoilt = jiexu(data, "backup", str(place), "--check")
    assert spoilt.returncode == Exit.FOUND_WRONG
    assert "database.dump is missing or has changed" in spoilt.stderr


def test_a_backup_that_failed_leaves_nothing(
    running: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "DATABASE", "nobody_made_this")
    with pytest.raises(backup.CannotBackUp, match="pg_dump ended with 1"):
        backup.take(running, tmp_path / "backup", datetime.now(UTC))
    assert not (tmp_path / "backup").exists()


def test_a_backup_that_is_terminated_leaves_nothing(
    running: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "_dump", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as ended:
        keeping._take(tmp_path / "backup", "500000", running.home.parent)
    assert ended.value.code == 143
    assert not (tmp_path / "backup").exists()


def test_a_database_that_lacks_a_service_is_not_said_to_be_down(
    running: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "SERVICES", ("nobody",))
    with pytest.raises(Failure, match="the database answers UndefinedTableError"):
        keeping._take(tmp_path / "backup", "500000", running.home.parent)


def test_a_node_that_does_not_run_is_not_backed_up(tmp_path: Path) -> None:
    making.make(tmp_path, "500000", "重庆", at=datetime.now(UTC), base_port=free_base_port())
    done = jiexu(tmp_path, "backup", str(tmp_path / "backup"))
    assert (done.returncode, "keeps no database here" in done.stderr) == (Exit.NODE_STATE, True)
    (tmp_path / "500000" / "postgres").mkdir()
    done = jiexu(tmp_path, "backup", str(tmp_path / "backup"))
    assert (done.returncode, "does not run" in done.stderr) == (Exit.NODE_STATE, True)
    assert not (tmp_path / "backup").exists()
    absent: Any = jiexu(tmp_path, "backup", str(tmp_path / "backup"), "--check")
    assert (absent.returncode, "no complete backup" in absent.stderr) == (Exit.FOUND_WRONG, True)


@pytest.mark.parametrize(("manifest", "said"), [
    ("{", "no complete backup"), ('{"files": {}}', "no complete backup"),
    ('{"files": {}, "format": 2, "node": "500000", "at": "x"}', "is of format 2"),
])
def test_a_manifest_that_is_none_is_no_backup(tmp_path: Path, manifest: str, said: str) -> None:
    (tmp_path / backup.MANIFEST).write_text(manifest, "utf-8")
    with pytest.raises(backup.BackupIsWrong, match=said):
        backup.check(tmp_path)


def test_a_node_whose_database_was_restored_starts_and_only_reads(
        running: Node, tmp_path: Path) -> None:
    """The page's own steps. The last test here: afterwards the node is another."""
    data, place = running.home.parent, tmp_path / "backup"
    assert jiexu(data, "backup", str(place)).returncode == 0
    before = apart(_rows(server_of(running).url_of(DATABASE)))
    assert jiexu(data, "down").returncode == 0

    (running.home / "postgres").rename(tmp_path / "old")
    assert jiexu(data, "up", "--infrastructure").returncode == 0
    server = server_of(running)
    restored = subprocess.run(
        [str(binaries() / "pg_restore"), "--exit-on-error", "--host=127.0.0.1",
         f"--port={running.port(POSTGRES)}", "--username=postgres", f"--dbname={DATABASE}",
         str(place / "database.dump")],
        env={"PGPASSWORD": server.password}, capture_output=True, text=True, check=False)
    assert restored.returncode == 0, restored.stderr
    assert apart(_rows(server.url_of(DATABASE))) == before
    assert before["registry.event"] > 0
    assert jiexu(data, "down").returncode == 0

    try:
        up = jiexu(data, "up", timeout=200)
        assert up.returncode == Exit.NODE_STATE
        assert "runs and only reads" in up.stderr and "another PostgreSQL cluster" in up.stderr
        shown = jiexu(data, "status", "--json")
        state = json.loads(shown.stdout)
        assert (state["phase"], state["ready"]) == ("running", False)
        assert all(f"{service} restored: " in state["problem"] for service in SERVICES)
        doctor = jiexu(data, "doctor", "--json")
        mend = {item["what"]: item["mend"] for item in json.loads(doctor.stdout)}
        for service in SERVICES:
            assert mend[f"{service} ready"].startswith("restored: ")
            assert 'see "Backup and restore"' in mend[f"{service} database"]
        with DIRECT.open(f"{running.api_url('registry')}/policies", timeout=10) as answer:
            assert json.load(answer)["items"]
    finally:
        assert jiexu(data, "down").returncode == 0
