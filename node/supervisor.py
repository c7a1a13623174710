"""Who starts, watches, restarts and stops the processes of a node, and leaves none behind?

PostgreSQL and Kafka first, then each service's ``provision``, then the services; they stop in the
reverse order. When the supervisor itself is killed, the kernel ends its children
(``node.launch``). Run as ``python -m node.supervisor HOME``.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from node.layout import DATABASE, SERVICES, Node, load, write_whole
from node.members import Member, ServiceProcess, broker_of, server_of
from node.postgres import EmbeddedPostgres
from node.process import Child, DidNotStart

# A process that ends is started again after 0.5, 1, 2 … 30 s; one that lived 60 s begins anew.
FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 30.0
SOUND_AFTER_SECONDS = 60.0
WATCH_SECONDS = 0.2
PROBE_SECONDS = 1.0
START_TIMEOUT_SECONDS = 120.0
PROVISION_TIMEOUT_SECONDS = 180.0
# A log beyond this is moved to `.1` before the process that writes it starts again, and cut off
# when it grows beyond it under a running process: at most twice this per process.
LOG_LIMIT_BYTES = 64 * 1024 * 1024
LOG_CHECK_SECONDS = 30.0
# Somebody who only asks whether the node runs holds the lock for microseconds.
LOCK_PATIENCE_SECONDS = 0.5


class AlreadyRuns(Exception):
    """Another supervisor holds this node."""


class Stopping(Exception):
    """Somebody asked us to stop while we were starting."""


@dataclass
class Watch:
    """What the supervisor knows of one member."""

    member: Member
    restarts: int = 0
    failures: int = 0
    started_at: float = 0.0
    due_at: float | None = None
    ready: bool = False
    last_exit: int | None = field(default=None)
    # Why a service that runs takes no writes and will not by waiting.
    only_reads: str | None = None

    def probe(self) -> bool:
        """Ask whether it is ready; True when the answer is another than before."""
        before = (self.ready, self.only_reads)
        self.ready = self.due_at is None and self.member.is_ready()
        self.only_reads = (self.member.only_reads()
                           if isinstance(self.member, ServiceProcess) and not self.ready else None)
        return before != (self.ready, self.only_reads)

    def ended(self, now: float, exit_code: int | None) -> None:
        """Note that it ended, and when it is to start again."""
        sound = now - self.started_at >= SOUND_AFTER_SECONDS
        self.failures = 0 if sound else self.failures + 1
        self.due_at = now + delay(self.failures)
        self.ready = False
        self.last_exit = exit_code


def delay(failures: int) -> float:
    """Seconds to wait before the next start, after so many short lives in a row."""
    return float(min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** max(0, failures - 1)))


class Supervisor:
    """The processes of one node, from the first start to the last stop."""

    def __init__(self, node: Node, say: Callable[[str], None] = print, *,
                 services: Sequence[str] = SERVICES) -> None:
        self.node = node
        self.say = say
        self.postgres = server_of(node)
        self.services = {name: ServiceProcess(name, node, self._database_url)
                         for name in services}
        members: list[Member] = [self.postgres, broker_of(node), *self.services.values()]
        self.watches = [Watch(member) for member in members]
        self.phase = "starting"
        self.problem: str | None = None
        self.asked_to_stop = 0
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)

    def run(self) -> int:
        """Until SIGINT, SIGTERM or SIGHUP. 0: stopped as asked; 1: could not start.

        They are heeded at any moment of the start too, between two of its steps. SIGINT also where
        it was ignored, as a shell has it for its background jobs: who sends it to us means us.
        """
        with held(self.node), self._signals():
            # Whoever wants us to stop reads here who we are.
            self._save()
            try:
                self._start_all()
                self.phase = "running"
                self._tell(f"node {self.node.code} runs" + (
                    f" and only reads: {said}" if (said := self._restored()) else ""))
                self._watch()
            except Stopping:
                pass
            except (DidNotStart, OSError, RuntimeError) as problem:
                self.problem = str(problem)
                self._tell(f"node {self.node.code} did not start: {problem}")
            finally:
                self.phase = "stopping"
                self._save()
                self._stop_all()
            self.phase = "stopped" if self.problem is None else "failed"
            self._save()
        return 0 if self.problem is None else 1

    def _start_all(self) -> None:
        infrastructure = self.watches[:2]
        for watch in infrastructure:
            self._start(watch)
        for watch in infrastructure:
            self._wait(watch)
        self._go_on()
        asyncio.run(make_database(self.postgres))
        running = {name: service.provision() for name, service in self.services.items()}
        try:
            for name, child in running.items():
                self._wait_for_end(f"provision of {name}", child)
        finally:
            for child in running.values():
                child.kill()
        for watch in self.watches[2:]:
            self._start(watch)
        for watch in self.watches[2:]:
            self._wait(watch)

    def _go_on(self) -> None:
        if self.asked_to_stop:
            raise Stopping

    def _start(self, watch: Watch) -> None:
        self._go_on()
        keep_log_small(watch.member.log_file)
        watch.started_at, watch.due_at = time.monotonic(), None
        watch.member.start(wait=False)
        self._save()

    def _wait(self, watch: Watch) -> None:
        def ready() -> bool:
            self._go_on()
            watch.probe()
            return watch.ready or watch.only_reads is not None

        if isinstance(watch.member, EmbeddedPostgres):
            watch.member.wait_until_ready(START_TIMEOUT_SECONDS, ready)
        else:
            assert watch.member.child is not None, "it was started"
            watch.member.child.wait_until(ready, watch.member.name, START_TIMEOUT_SECONDS)
        self._save()

    def _wait_for_end(self, what: str, child: Child) -> None:
        deadline = time.monotonic() + PROVISION_TIMEOUT_SECONDS
        while child.running:
            self._go_on()
            if time.monotonic() > deadline:
                raise DidNotStart(f"{what} took longer than {PROVISION_TIMEOUT_SECONDS:g} s:\n"
                                  f"{child.log_tail()}")
            self._sleep(0.05)
        if child.exit_code:
            raise DidNotStart(f"{what} ended with code {child.exit_code}:\n{child.log_tail()}")

    def _watch(self) -> None:
        """Start again what ends; ask for readiness now and then; until asked to stop."""
        probe_at = log_at = 0.0
        self._save()
        while not self.asked_to_stop:
            now = time.monotonic()
            changed = False
            for watch in self.watches:
                changed |= self._look_at(watch, now)
            if now >= probe_at:
                probe_at = now + PROBE_SECONDS
                changed |= self._probe()
            if now >= log_at:
                log_at = now + LOG_CHECK_SECONDS
                for watch in self.watches:
                    cut_log(watch.member.log_file)
            if changed:
                self._save()
            self._sleep(WATCH_SECONDS)

    def _look_at(self, watch: Watch, now: float) -> bool:
        child = watch.member.child
        if watch.due_at is not None and now >= watch.due_at:
            watch.restarts += 1
            try:
                self._start(watch)
            except OSError as problem:  # its port is still taken, say: try again later
                self._tell(f"{watch.member.name} could not be started: {problem}")
                watch.ended(now, None)
            return True
        if watch.due_at is None and (child is None or not child.running):
            exit_code = None if child is None else child.exit_code
            watch.ended(now, exit_code)
            self._tell(f"{watch.member.name} ended with code {exit_code}; "
                       f"starts again in {delay(watch.failures):g} s")
            return True
        return False

    def _probe(self) -> bool:
        changed = False
        for watch in self.watches:
            changed |= watch.probe()
        return changed

    def _restored(self) -> str | None:
        """Which services only read, for their database was restored, and why; None: none does."""
        found = [f"{watch.member.name} {watch.only_reads}" for watch in self.watches
                 if watch.only_reads is not None]
        return "; ".join(found) or None

    def _stop_all(self) -> None:
        asked = self.asked_to_stop
        for watch in reversed(self.watches):
            if watch.member.child is None:
                continue
            begun = time.monotonic()
            if self.asked_to_stop > asked:  # a second Ctrl-C: no more patience
                watch.member.kill()
            else:
                watch.member.stop()
            self._tell(f"{watch.member.name} stopped after {time.monotonic() - begun:.1f} s")
            self._save()

    def _tell(self, text: str) -> None:
        # A terminal that hung up, a pipe that was closed: nobody listens, and we go on as before.
        with suppress(OSError, SystemExit):
            self.say(text)

    def _save(self) -> None:
        write_whole(self.node.run / "state.json", json.dumps(self.state(), indent=2))

    def state(self) -> dict[str, Any]:
        """What ``jiexu status`` shows of us; no secret in it."""
        return {
            "pid": os.getpid(), "code": self.node.code, "phase": self.phase,
            "problem": self.problem or self._restored(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "ready": self.phase == "running" and all(watch.ready for watch in self.watches),
            "processes": [{
                "name": watch.member.name,
                "pid": child.pid if (child := watch.member.child) and child.running else None,
                "ready": watch.ready, "restarts": watch.restarts, "last_exit": watch.last_exit,
                "log": str(watch.member.log_file),
            } for watch in self.watches],
        }

    def _database_url(self) -> str:
        return self.postgres.url_of(DATABASE)

    def _sleep(self, seconds: float) -> None:
        """Wait, or wake at a signal."""
        select.select([self._wake_read], [], [], seconds)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def ask(_number: int, _frame: FrameType | None) -> None:
            self.asked_to_stop += 1
            os.write(self._wake_write, b".")

        heeded = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup says to stay
            heeded.append(signal.SIGHUP)
        before = {number: signal.signal(number, ask) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def held(node: Node) -> Iterator[None]:
    """The node's lock, for one supervisor at a time. Raises ``AlreadyRuns``."""
    node.run.mkdir(parents=True, exist_ok=True)
    node.logs.mkdir(parents=True, exist_ok=True)
    with (node.run / "lock").open("w", encoding="ascii") as lock:
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise AlreadyRuns(f"node {node.code} runs already") from None
                time.sleep(0.02)
        yield


def is_held(node: Node) -> bool:
    """Whether a supervisor holds the node now."""
    lock = node.run / "lock"
    if not lock.exists():
        return False
    with lock.open("r", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


async def make_database(postgres: EmbeddedPostgres) -> None:
    """Make the node's database where it is not there yet. Raises ``RuntimeError``."""
    import asyncpg  # takes a while, and PostgreSQL takes longer to start

    try:
        await _make_database(postgres)
    except asyncpg.PostgresError as problem:
        raise RuntimeError(f"the database was not made: {problem}") from problem


async def _make_database(postgres: EmbeddedPostgres) -> None:
    import asyncpg

    connection = await asyncpg.connect(postgres.url, timeout=10)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()


def keep_log_small(log: Path) -> None:
    """Move a long log aside before its process starts again."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))


def cut_log(log: Path) -> None:
    """Empty a log that grew too long under a running process, which appends to it."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        os.truncate(log, 0)


def main(arguments: Sequence[str]) -> int:
    """Supervise the node that lies in the directory named, with all services or those named."""
    parser = argparse.ArgumentParser(prog="python -m node.supervisor")
    parser.add_argument("home", type=Path)
    parser.add_argument("--services", default=",".join(SERVICES),
                        help="comma-separated; empty: Kafka and PostgreSQL alone")
    asked = parser.parse_args(arguments)
    names = [name for name in asked.services.split(",") if name]
    if unknown := sorted(set(names) - set(SERVICES)):
        parser.error(f"no such service: {', '.join(unknown)}")
    try:
        return Supervisor(load(asked.home), lambda text: print(text, flush=True),
                          services=[name for name in SERVICES if name in names]).run()
    except AlreadyRuns as problem:
        print(problem, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
