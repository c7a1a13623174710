"""The supervisor as a real process: restarts, order, one at a time, and no orphan."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from node import control
from node.layout import Node
from node.supervisor import MAX_DELAY_SECONDS, Watch, delay, is_held
from tests.node.conftest import bare_node

pytestmark = pytest.mark.broker
PROJECT = Path(__file__).parents[2]


class Running:
    """A supervisor of Kafka and PostgreSQL alone, in a process of its own."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.process = subprocess.Popen(
            [sys.executable, "-m", "node.supervisor", str(node.home), "--services", ""],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=PROJECT)

    def state(self) -> dict[str, Any]:
        path = self.node.run / "state.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else {}

    def process_of(self, name: str) -> dict[str, Any]:
        return next(row for row in self.state()["processes"] if row["name"] == name)

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"after {seconds:g} s still not: {what}; {self.state()}")
            time.sleep(0.05)

    def wait_until_ready(self) -> None:
        self.wait(lambda: self.state().get("ready"), "the node is ready")

    def finish(self) -> str:
        output, _ = self.process.communicate(timeout=40)
        return output


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Running]:
    running = Running(bare_node(tmp_path / "500000"))
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.process.kill()
        running.process.communicate(timeout=20)


def test_killed_with_9_it_leaves_no_orphan_and_the_node_starts_again(supervised: Running) -> None:
    children = psutil.Process(supervised.process.pid).children(recursive=True)
    assert len(children) >= 2
    os.kill(supervised.process.pid, signal.SIGKILL)
    supervised.finish()
    _gone, alive = psutil.wait_procs(children, timeout=15)
    assert not alive
    assert not is_held(supervised.node)
    again = Running(supervised.node)
    try:
        again.wait(lambda: again.state().get("pid") == again.process.pid, "the new one's state")
        again.wait_until_ready()
    finally:
        again.process.terminate()
        again.finish()


HOLDER = """
import signal, sys, time
from pathlib import Path
from node import control, layout
from node.process import Child
node = layout.load(Path(sys.argv[1]))
child = Child(control.command(node, ()), directory=Path.cwd(),
              log_file=node.home / "supervisor.log", death_signal=signal.SIGTERM)
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_demo_that_is_killed_takes_its_supervisors_with_it(tmp_path: Path) -> None:
    node = bare_node(tmp_path / "500000")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(node.home)],
                              stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert holder.stdout is not None
    with holder.stdout:
        supervisor = psutil.Process(int(holder.stdout.readline()))
        deadline = time.monotonic() + 60
        while not control.state(node)["ready"]:
            assert time.monotonic() < deadline, control.state(node)
            time.sleep(0.05)
        family = [supervisor, *supervisor.children(recursive=True)]
        assert len(family) >= 3
        holder.kill()
        holder.wait(10)
        _gone, alive = psutil.wait_procs(family, timeout=40)
        assert not alive
    assert control.state(node)["phase"] == "stopped"  # in order, not by the axe


@pytest.mark.parametrize("name", ["kafka", "postgres"])
def test_a_child_that_is_killed_starts_again(supervised: Running, name: str) -> None:
    before = supervised.process_of(name)["pid"]
    os.kill(before, signal.SIGKILL)
    supervised.wait(lambda: supervised.process_of(name)["restarts"] == 1, f"{name} restarted")
    supervised.wait_until_ready()
    after = supervised.process_of(name)
    assert after["pid"] not in (None, before)
    assert after["last_exit"] == -signal.SIGKILL


def test_ctrl_c_stops_in_the_reverse_order_of_the_start(supervised: Running) -> None:
    supervised.process.send_signal(signal.SIGINT)
    output = supervised.finish()
    assert supervised.process.returncode == 0
    assert [row.partition(" ")[0] for row in output.splitlines()[-2:]] == ["kafka", "postgres"]
    assert output.count("stopped after") == 2
    assert supervised.state()["phase"] == "stopped"
    assert all(row["pid"] is None for row in supervised.state()["processes"])


def test_a_node_has_one_supervisor_at_a_time(supervised: Running) -> None:
    second = Running(supervised.node)
    assert "runs already" in second.finish()
    assert second.process.returncode == 3
    assert supervised.state()["ready"]


def test_what_cannot_start_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    node = bare_node(tmp_path / "500000")
    (node.home / "postgres" / "cluster").mkdir(parents=True)
    (node.home / "postgres" / "cluster" / "PG_VERSION").write_text("16\n", "ascii")
    running = Running(node)
    output = running.finish()
    assert running.process.returncode == 1
    assert "did not start" in output
    assert running.state()["phase"] == "failed"
    assert all(row["pid"] is None for row in running.state()["processes"])


def test_restarts_wait_longer_and_longer_up_to_a_bound() -> None:
    assert [delay(n) for n in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 4.0]
    assert delay(40) == MAX_DELAY_SECONDS


def test_a_process_that_lived_long_starts_again_at_once() -> None:
    watch = Watch(member=None, failures=7, started_at=0.0)  # type: ignore[arg-type]
    watch.ended(now=1000.0, exit_code=1)
    assert (watch.failures, watch.due_at) == (0, 1000.5)
