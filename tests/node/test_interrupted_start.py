"""A start that is interrupted, as real processes: it stops, leaves nothing, and can start again."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from node import control, making
from node.layout import Node
from node.supervisor import is_held
from tests.node.conftest import bare_node, free_base_port

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

PROJECT = Path(__file__).parents[2]
START_SECONDS = 240.0
STOP_SECONDS = 90.0


def processes_of(node: Node) -> list[psutil.Process]:
    """Every process that works in the node's home, or was told of it."""
    home = str(node.home)
    found = []
    for process in psutil.process_iter():
        try:
            said = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.pid != os.getpid() and any(home in each for each in said):
            found.append(process)
    return found


def runs(word: str) -> Callable[[Node], bool]:
    """Whether a word on the command line of a process of the node ends so."""
    def asked(node: Node) -> bool:
        for process in processes_of(node):
            try:
                if any(each.endswith(word) for each in process.cmdline()):
                    return True
            except psutil.NoSuchProcess:
                continue
        return False

    return asked


@dataclass
class Up:
    """One ``jiexu up``, in a process group of its own, as a shell starts it."""

    node: Node
    process: subprocess.Popen[str]

    def wait_for(self, moment: Callable[[Node], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not moment(self.node):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, control.state(self.node)
            time.sleep(0.02)

    def finish(self) -> tuple[int, str, str]:
        output, errors = self.process.communicate(timeout=STOP_SECONDS)
        return self.process.returncode, output, errors


@contextmanager
def up(node: Node, *arguments: str, ignoring: signal.Signals | None = None) -> Iterator[Up]:
    """``ignoring``: what the caller has it ignore, as a script its background jobs SIGINT."""
    def ignore() -> None:
        if ignoring is not None:
            signal.signal(ignoring, signal.SIG_IGN)

    process = subprocess.Popen(
        [sys.executable, "-m", "node.cli", "up", "-n", str(node.home), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT,
        start_new_session=True, preexec_fn=ignore, env={**os.environ, "LC_ALL": "en_US.UTF-8"})
    try:
        yield Up(node, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=20)
        control.stop(node)


def nothing_is_left(node: Node) -> None:
    assert not is_held(node)
    # Who has just let go of the lock is on its way out; an orphan is not.
    _gone, alive = psutil.wait_procs(processes_of(node), timeout=5)
    assert alive == []


def starts_again(node: Node, *arguments: str) -> None:
    with up(node, "--json", *arguments) as again:
        code, output, errors = again.finish()
        assert code == 0, errors
        assert json.loads(output)["ready"]
        assert control.stop(node)
    nothing_is_left(node)


@pytest.mark.parametrize(("moment", "foreground"), [
    ("initdb", True), ("StorageTool", False), ("postgres/cluster", False), ("kafka.Kafka", True)])
def test_ctrl_c_at_a_terminal_stops_a_start_in_order(
        tmp_path: Path, moment: str, foreground: bool) -> None:
    node = bare_node(tmp_path / "500000")
    with up(node, "--infrastructure", *(["--foreground"] if foreground else [])) as starting:
        starting.wait_for(runs(moment))
        os.killpg(starting.process.pid, signal.SIGINT)  # a terminal tells the whole group
        code, _, errors = starting.finish()
    assert code == (0 if foreground else 130), errors
    assert foreground or "interrupted before it was ready" in errors
    nothing_is_left(node)
    assert control.state(node)["phase"] == "stopped"
    starts_again(node, "--infrastructure")


@pytest.mark.parametrize(("foreground", "number", "ignoring"), [
    (True, signal.SIGINT, signal.SIGINT), (False, signal.SIGINT, signal.SIGINT),
    (False, signal.SIGTERM, None), (True, signal.SIGTERM, signal.SIGINT)])
def test_a_background_job_heeds_both_signals(
        tmp_path: Path, foreground: bool, number: signal.Signals,
        ignoring: signal.Signals | None) -> None:
    node = bare_node(tmp_path / "500000")
    with up(node, "--infrastructure", *(["--foreground"] if foreground else []),
            ignoring=ignoring) as starting:
        starting.wait_for(runs("kafka.Kafka"))
        starting.process.send_signal(number)
        code, _, errors = starting.finish()
    assert code == (0 if foreground else 128 + number), errors
    nothing_is_left(node)


@pytest.mark.parametrize(("moment", "number"), [
    ("provision", signal.SIGTERM), ("serve", signal.SIGINT)])
def test_services_that_are_starting_stop_too(
        tmp_path: Path, moment: str, number: signal.Signals) -> None:
    now = datetime.now(UTC)
    node = making.make(tmp_path, "500000", "重庆", at=now, base_port=free_base_port())
    making.sign(tmp_path, tmp_path / "office", now)
    with up(node) as starting:
        starting.wait_for(runs(moment))
        starting.process.send_signal(number)
        code, _, errors = starting.finish()
    assert code == 128 + number, errors
    nothing_is_left(node)
    assert control.state(node)["phase"] == "stopped"
    starts_again(node)


def test_a_start_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    node = bare_node(tmp_path / "500000")
    with up(node, "--infrastructure", "--foreground", ignoring=signal.SIGHUP) as starting:
        starting.wait_for(runs("kafka.Kafka"))
        starting.process.send_signal(signal.SIGHUP)
        starting.wait_for(lambda node: bool(control.state(node)["ready"]))
        starting.process.send_signal(signal.SIGTERM)
        assert starting.finish()[0] == 0
    nothing_is_left(node)


def test_a_terminal_that_hangs_up_stops_what_it_started_in_order(tmp_path: Path) -> None:
    node = bare_node(tmp_path / "500000")
    command = [sys.executable, "-m", "node.cli", "up", "-n", str(node.home), "--infrastructure",
               "--foreground"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(PROJECT)
        os.execv(sys.executable, command)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not control.state(node)["ready"]:
            assert time.monotonic() < deadline, control.state(node)
            time.sleep(0.05)
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    finally:
        control.stop(node)
    # 120: Python had something left to say, and no terminal to say it to.
    assert os.waitstatus_to_exitcode(status) in (0, 120)
    nothing_is_left(node)
    found = control.state(node)
    assert found["phase"] == "stopped"
