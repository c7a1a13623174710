"""Of which processes does a node consist, and when is each of them ready?"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from node.kafka import EmbeddedKafka
from node.layout import INTERNAL, KAFKA, KAFKA_CONTROLLER, POSTGRES, Node
from node.postgres import EmbeddedPostgres
from node.process import Child

# Where `python -m services.…` finds the services: the directory that holds them and us.
PROJECT = Path(__file__).resolve().parent.parent
PROBE_TIMEOUT_SECONDS = 2.0
# A service ends its requests and batches; beyond this it is killed, and loses nothing.
STOP_TIMEOUT_SECONDS = 15.0
# So begins the reason of a service that refuses to write over a restored database.
RESTORED = "restored: "


class Member(Protocol):
    """One process of a node, as the supervisor sees it."""

    name: str
    log_file: Path
    child: Child | None

    def start(self, *, wait: bool) -> None: ...
    def is_ready(self) -> bool: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


class ServiceProcess:
    """``python -m services.NAME serve``: API, agents and worker in one process."""

    def __init__(self, name: str, node: Node, database_url: Callable[[], str]) -> None:
        self.name = name
        self.log_file = node.logs / f"{name}.log"
        self.child: Child | None = None
        self._node = node
        self._database_url = database_url

    def start(self, *, wait: bool) -> None:
        """Start and return at once; readiness is asked for apart."""
        assert not wait, "the supervisor asks for readiness itself"
        self.child = self._run("serve")

    def provision(self) -> Child:
        """Start ``provision``: migrations, topics, first policies; it ends by itself."""
        return self._run("provision")

    def is_ready(self) -> bool:
        """Whether ``/health/ready`` of its internal port says yes."""
        return health(self._node.port(INTERNAL[self.name])) == 200

    def only_reads(self) -> str | None:
        """Why it will not write however long one waits: its database was restored; else None."""
        reasons = why_not_ready(self._node.port(INTERNAL[self.name]))
        return next((reason for reason in reasons if reason.startswith(RESTORED)), None)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self.child is not None:
            self.child.stop(signal.SIGTERM, STOP_TIMEOUT_SECONDS)

    def kill(self) -> None:
        """``kill -9``."""
        if self.child is not None:
            self.child.kill()

    def _run(self, role: str) -> Child:
        return Child(
            [sys.executable, "-m", f"services.{self.name}", role], log_file=self.log_file,
            directory=PROJECT,
            environment=environment(self._node.environment(self.name, self._database_url())))


def broker_of(node: Node) -> EmbeddedKafka:
    """The node's broker."""
    return EmbeddedKafka(node.home / "kafka", node.port(KAFKA),
                         controller_port=node.port(KAFKA_CONTROLLER),
                         log_file=node.logs / "kafka.log")


def server_of(node: Node) -> EmbeddedPostgres:
    """The node's PostgreSQL."""
    return EmbeddedPostgres(node.home / "postgres", node.port(POSTGRES),
                            log_file=node.logs / "postgres.log")


def health(port: int, path: str = "/health/ready") -> int | None:
    """The status of a health answer of 127.0.0.1:port; ``None``: no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def why_not_ready(port: int) -> list[str]:
    """The reasons that a process of a service gives on its internal port; none: it is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        return list(json.loads(connection.getresponse().read())["reasons"])
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return [f"nobody answers on 127.0.0.1:{port}"]
    finally:
        connection.close()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Ours, with these settings of a service and no others."""
    # Settings of the caller's shell must not reach a service by accident.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JIEXU_")}
    return kept | {"PYTHONUNBUFFERED": "1"} | dict(settings)
