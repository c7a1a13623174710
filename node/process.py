"""How is a child process started, watched, stopped and killed so that none is left behind?"""

from __future__ import annotations

import contextlib
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

import psutil

_LAUNCHER = Path(__file__).with_name("launch.py")
_POLL_SECONDS = 0.02
# Below the ports that the system gives to clients: one of those may be taken at any moment.
# Above those where cities made for a test or a demo take whole ranges, for the same reason.
_PORTS = range(22_000, 32_000)
# Not what a test seeds: two processes that look at the same time must not look at the same ones.
_AT_RANDOM = random.SystemRandom()


class DidNotStart(Exception):
    """A process ended, or gave no sign of life in time; the text quotes the end of its log."""


_Promise = Future[subprocess.Popen[bytes]]
_Wish = Callable[[], subprocess.Popen[bytes]]


class _Spawner:
    """One thread for all starts of children, living as long as this process.

    The kernel's parent-death signal follows the *thread* that started a child: a child started
    by a short-lived thread would die with it.
    """

    def __init__(self) -> None:
        self._wishes: queue.SimpleQueue[tuple[_Promise, _Wish]] = queue.SimpleQueue()
        self.process_id = os.getpid()
        threading.Thread(target=self._run, name="spawner", daemon=True).start()

    def _run(self) -> None:
        while True:
            future, wish = self._wishes.get()
            try:
                future.set_result(wish())
            except (OSError, ValueError, subprocess.SubprocessError) as problem:
                future.set_exception(problem)

    def spawn(self, wish: _Wish) -> subprocess.Popen[bytes]:
        future: _Promise = Future()
        self._wishes.put((future, wish))
        return future.result()


_spawner: _Spawner | None = None
_spawner_lock = threading.Lock()


def _the_spawner() -> _Spawner:
    global _spawner
    with _spawner_lock:
        if _spawner is None or _spawner.process_id != os.getpid():
            _spawner = _Spawner()
        return _spawner


class Child:
    """One child process in its own process group, its output appended to a log file.

    ``death_signal`` is what the kernel sends it when we die, however we die (Linux).
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
        user: str | None = None,
    ) -> None:
        self.log_file = log_file
        launch = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()),
                  str(int(death_signal)), user or "-", *command]
        with log_file.open("ab") as log:
            self._log_start = log.tell()

            def wish() -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    launch, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    env=None if environment is None else dict(environment), cwd=directory,
                    start_new_session=True, close_fds=True)

            self._popen = _the_spawner().spawn(wish)

    @property
    def pid(self) -> int:
        """Its process id, which is also its process group."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """``None`` while it runs; negative: the signal that ended it."""
        return self._popen.poll()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.exit_code is None

    def log_tail(self, lines: int = 15) -> str:
        """The last lines it wrote since this start."""
        with self.log_file.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, log.tell() - 16_384))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])

    def wait_until(self, ready: Callable[[], bool], what: str, timeout_seconds: float) -> None:
        """Return when ``ready()``; raise ``DidNotStart`` when it ends or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running:
                raise DidNotStart(f"{what} ended with code {self.exit_code}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise DidNotStart(
                    f"{what} was not ready after {timeout_seconds:g} s:\n{self.log_tail()}")
            time.sleep(_POLL_SECONDS)

    def send(self, number: signal.Signals) -> None:
        """Send one signal to the process, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_seconds: float = 20) -> int:
        """Ask it to end; after the time is over, kill it with all it started. Its exit code."""
        self.send(number)
        try:
            return self._popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """``kill -9`` for it and everything it started; returns when they are gone."""
        descendants: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            descendants = psutil.Process(self.pid).children(recursive=True)
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        for process in descendants:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(descendants, timeout=10)
        return self._popen.wait(10)


def free_ports(count: int) -> list[int]:
    """So many TCP ports of 127.0.0.1 that nobody uses at this moment.

    Raises ``OSError`` when a thousand were looked at and fewer are free.
    """
    found: list[int] = []
    for port in _AT_RANDOM.sample(_PORTS, 1000):
        with socket.socket() as one, contextlib.suppress(OSError):
            # As whoever asks will bind it: a connection that has just ended is no hindrance.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"of 1000 ports that were looked at, fewer than {count} are free")


def port_is_taken(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for_free(*ports: int, timeout_seconds: float = 5.0) -> None:
    """Return when nobody listens there any more: a process just killed may take a moment.

    Raises ``OSError`` when the time is over: somebody else has the port.
    """
    deadline = time.monotonic() + timeout_seconds
    for port in ports:
        while port_is_taken(port):
            if time.monotonic() > deadline:
                raise OSError(f"port {port} of 127.0.0.1 is taken by another process")
            time.sleep(_POLL_SECONDS)
