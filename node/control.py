"""How is a node started in the background, watched until it is ready, and stopped?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from node.layout import SERVICES, Node
from node.members import PROJECT
from node.supervisor import is_held

# Four provisions and four services on two busy cores, and a broker started for the first time.
UP_TIMEOUT_SECONDS = 300.0
DOWN_TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.1


class NodeDidNotStart(Exception):
    """The supervisor gave up, or the time is over; the text says why."""


class NodeDidNotStop(Exception):
    """The supervisor still runs although it was asked to stop."""


def state(node: Node) -> dict[str, Any]:
    """The supervisor's last state; ``phase: stopped`` where none runs."""
    path = node.run / "state.json"
    found: dict[str, Any] = (json.loads(path.read_text("utf-8")) if path.exists()
                             else {"phase": "stopped", "ready": False, "processes": [],
                                   "problem": None})
    if not is_held(node):
        if found["phase"] not in ("stopped", "failed"):
            found["phase"] = "died"
        found["ready"] = False
        for row in found["processes"]:
            row["pid"], row["ready"] = None, False
    return found


def command(node: Node, services: Sequence[str] = SERVICES) -> list[str]:
    """The command line of the node's supervisor."""
    return [sys.executable, "-m", "node.supervisor", str(node.home), "--services",
            ",".join(services)]


def start(node: Node, services: Sequence[str] = SERVICES) -> subprocess.Popen[bytes]:
    """Start the supervisor in the background, in a session of its own, its words in its log."""
    node.logs.mkdir(parents=True, exist_ok=True)
    (node.run / "state.json").unlink(missing_ok=True)
    with (node.logs / "supervisor.log").open("ab") as log:
        return subprocess.Popen(command(node, services), stdin=subprocess.DEVNULL, stdout=log,
                                stderr=subprocess.STDOUT, cwd=PROJECT, start_new_session=True)


def wait_until_ready(node: Node, exit_code: Callable[[], int | None],
                     on_change: Callable[[dict[str, Any]], None] = lambda _: None,
                     timeout_seconds: float = UP_TIMEOUT_SECONDS) -> dict[str, Any]:
    """Return the state when every process is ready, or runs and only reads, for its database was
    restored; ``problem`` says so then. Raises ``NodeDidNotStart``.

    ``exit_code``: of the supervisor's process, ``None`` while it runs.
    """
    deadline = time.monotonic() + timeout_seconds
    last: dict[str, Any] = {}
    path = node.run / "state.json"
    while True:
        now = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if now != last:
            last = now
            on_change(now)
        if now.get("ready") or (now.get("phase") == "running" and now["problem"]):
            return now
        if (code := exit_code()) is not None:
            log = node.logs / "supervisor.log"
            raise NodeDidNotStart(now.get("problem") or f"the supervisor ended with code {code}; "
                                  f"see {log}")
        if time.monotonic() > deadline:
            waiting = [row["name"] for row in now.get("processes", []) if not row["ready"]]
            raise NodeDidNotStart(f"after {timeout_seconds:g} s these were not ready: "
                                  f"{', '.join(waiting)}; see {node.logs}")
        time.sleep(_POLL_SECONDS)


def end(process: subprocess.Popen[bytes], hurry: Callable[[], bool] = lambda: False,
        timeout_seconds: float = DOWN_TIMEOUT_SECONDS) -> None:
    """Have a supervisor that we started stop what it started, and wait until it has.

    ``hurry``: true once each time that somebody asks again. Raises ``NodeDidNotStop``.
    """
    deadline = time.monotonic() + timeout_seconds
    process.send_signal(signal.SIGTERM)
    while process.poll() is None:
        if hurry():
            process.send_signal(signal.SIGTERM)
        if time.monotonic() > deadline:
            raise NodeDidNotStop(f"the supervisor (process {process.pid}) still runs")
        time.sleep(_POLL_SECONDS)


def stop(node: Node, timeout_seconds: float = DOWN_TIMEOUT_SECONDS) -> bool:
    """Ask the supervisor to stop and wait until it has. False: none ran."""
    if not is_held(node):
        return False
    deadline = time.monotonic() + timeout_seconds
    path = node.run / "state.json"
    # A supervisor that has just begun holds its lock before it writes who it is.
    while is_held(node) and not path.exists():
        if time.monotonic() > deadline:
            raise NodeDidNotStop(f"node {node.code} is starting and does not say who it is")
        time.sleep(_POLL_SECONDS)
    if not is_held(node):
        return False
    process_id = json.loads(path.read_text("utf-8"))["pid"]
    os.kill(process_id, signal.SIGTERM)
    while is_held(node):
        if time.monotonic() > deadline:
            raise NodeDidNotStop(f"node {node.code} (process {process_id}) still runs")
        time.sleep(_POLL_SECONDS)
    return True
