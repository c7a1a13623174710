"""Which two nodes does the demo run, and how does it speak to their services as whom?"""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from node import control, making, tokens
from node.client import Api
from node.layout import SERVICES, Body, Node, load, nodes
from node.members import PROJECT
from node.process import Child, port_is_taken
from node.supervisor import is_held

CODES = (("500000", "重庆", "Chongqing"), ("510100", "成都", "Chengdu"))
# Where the demo looks for a free range of ports, a hundred apart for each try.
BASE_PORTS = range(18000, 30000, 400)
_TOKEN_SECONDS = 600.0
STOP_SECONDS = 90.0


# What a demo leaves behind; a folder with anything else in it is not the demo's to clear.
LEFTOVERS = frozenset({"office", "files", *(code for code, _, _ in CODES)})


class NoPorts(Exception):
    """Every range of ports that the demo would take is in use."""


class NotOurs(Exception):
    """The folder holds what no demo left there."""


class StillRuns(Exception):
    """Another demo's node runs in this folder."""


@dataclass
class City:
    """One node of the demo, and the people who speak to it."""

    node: Node
    supervisor: Child | None = None
    _apis: dict[Any, Api] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``500000 重庆``."""
        return f"{self.node.code} {self.node.name_zh}"

    def start(self, services: Sequence[str] = SERVICES) -> None:
        """Start its supervisor; it stops when we are killed, and its children with it."""
        self.node.logs.mkdir(parents=True, exist_ok=True)
        (self.node.run / "state.json").unlink(missing_ok=True)
        self.supervisor = Child(control.command(self.node, services), directory=PROJECT,
                                log_file=self.node.logs / "supervisor.log",
                                death_signal=signal.SIGTERM)

    def wait_until_ready(self, on_change: Callable[[dict[str, Any]], None]) -> None:
        """Raises ``NodeDidNotStart``."""
        child = self.supervisor
        assert child is not None, "start it first"
        control.wait_until_ready(self.node, lambda: child.exit_code, on_change)

    def ask_to_stop(self) -> None:
        """SIGTERM, without waiting."""
        if self.supervisor is not None:
            self.supervisor.send(signal.SIGTERM)

    def stop(self) -> None:
        """Stop every process of the node."""
        for api in self._apis.values():
            api.close()
        if self.supervisor is not None:
            self.supervisor.stop(signal.SIGTERM, STOP_SECONDS)

    def api(self, service: str, actor: str = "", roles: Sequence[str] = (), *,
            subject_id: str | None = None, strong: bool = False,
            language: str | None = None) -> Api:
        """A service's API as this actor; without roles nobody in particular."""
        key = (service, actor, tuple(roles), subject_id, strong, language)
        if key not in self._apis:
            give = self._tokens(actor, roles, subject_id, strong) if roles else None
            self._apis[key] = Api(self.node.api_url(service), give, accept_language=language)
        return self._apis[key]

    def _tokens(self, actor: str, roles: Sequence[str], subject_id: str | None,
                strong: bool) -> Callable[[], str]:
        made: list[tuple[float, str]] = []

        def give() -> str:
            now = time.monotonic()
            if not made or now - made[0][0] > _TOKEN_SECONDS:
                made[:] = [(now, tokens.token(self.node, actor, roles, subject_id=subject_id,
                                              strong=strong))]
            return made[0][1]

        return give


def make(root: Path, base_ports: Iterable[int] = BASE_PORTS) -> tuple[City, City]:
    """Make both nodes anew below ``root``: data, keys, and one directory signed for both.

    They listen from the first of ``base_ports`` whose range is free. Raises ``NoPorts``,
    ``NotOurs``, ``StillRuns``.
    """
    clear(root)
    root.mkdir(parents=True)
    base = _free_base(base_ports)
    now = datetime.now(UTC)
    made = [
        making.make(root, code, zh, at=now, name_en=en, base_port=base + 100 * index,
                    body=Body(organisation_id=f"{code}-office", name=f"{zh}市志愿服务指导中心"))
        for index, (code, zh, en) in enumerate(CODES)]
    making.sign(root, root / "office", now)
    first, second = (City(load(root / node.code)) for node in made)
    return first, second


def welcome(node: Node, content: dict[str, Any]) -> Node:
    """Give the node's page at ``/`` what it says of the people of the demo."""
    path = node.home / "welcome.json"
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2), "utf-8")
    return node.changed(extra={**node.extra, "JIEXU_WELCOME": str(path)})


def clear(root: Path) -> None:
    """Remove what an earlier demo left there. Raises ``NotOurs``, ``StillRuns``."""
    if not root.exists():
        return
    if not root.is_dir() or any(path.name not in LEFTOVERS for path in root.iterdir()):
        raise NotOurs(f"{root} holds what no demo left there")
    for node in nodes(root):
        if is_held(node):
            raise StillRuns(f"node {node.code} runs in {root}")
    shutil.rmtree(root)


def _free_base(base_ports: Iterable[int]) -> int:
    for base in base_ports:
        if not any(port_is_taken(base + shift + offset)
                   for shift in (0, 100) for offset in (*range(1, 5), *range(11, 15), 23, 30, 31,
                                                        40)):
            return base
    raise NoPorts("every range of ports that was looked at is taken")


def progress_line(state: dict[str, Any]) -> str:
    """What of a node is ready, on one line."""
    rows = state.get("processes", [])
    return " ".join(f"{row['name']}{'✓' if row['ready'] else '…'}" for row in rows)

