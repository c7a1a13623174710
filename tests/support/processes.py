"""How does a test run services as real processes, kill them, and say what they last wrote?

    with Processes(tmp_path, env) as processes:
        agents = processes.start("agents", "tests.support.counter", "agents")
        agents.kill()                      # kill -9 of the whole process group
        agents = processes.restart("agents")
        await eventually(..., "all events are counted")

Waiting for a condition is ``tests.support.infrastructure.eventually``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from node.process import Child

ROOT = Path(__file__).resolve().parents[2]


class Processes:
    """The Python processes of one test by name; all are gone when it ends.

    ``environment`` is added to ours. Logs lie in ``directory``; when the test fails, their ends
    are printed.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._commands: dict[str, tuple[list[str], dict[str, str]]] = {}
        self._children: dict[str, Child] = {}

    def start(self, name: str, module: str, *arguments: str, **environment: str) -> Child:
        """``python -m module arguments…`` in a process group of its own, killed if we die."""
        self._commands[name] = ([sys.executable, "-m", module, *arguments], environment)
        return self.restart(name)

    def restart(self, name: str) -> Child:
        """Start ``name`` once more, as it was started first; its last process must be gone."""
        last = self._children.get(name)
        assert last is None or not last.running, f"{name} still runs"
        command, environment = self._commands[name]
        self._children[name] = Child(
            command,
            log_file=self.directory / f"{name}.log",
            environment={**self.environment, **environment},
            directory=ROOT,
        )
        return self._children[name]

    def __getitem__(self, name: str) -> Child:
        return self._children[name]

    def kill(self, name: str) -> None:
        """``kill -9``, also for whatever it started; it must have been alive."""
        child = self._children[name]
        assert child.running, f"{name} had ended with {child.exit_code}:\n{child.log_tail(40)}"
        child.kill()

    def assert_alive(self, *names: str) -> None:
        """Of these names (else of all) the process started last still runs."""
        for name in names or self._children:
            child = self._children[name]
            assert child.running, f"{name} ended with {child.exit_code}:\n{child.log_tail(40)}"

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name, child in self._children.items():
            if child.running:
                child.kill()
            if problem is not None:
                print(f"--- {name} (exit {child.exit_code})\n{child.log_tail(40)}")
