"""Which containers do tests meet, and is there an engine to run them at all?"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

ROOT = Path(__file__).resolve().parents[2]
KAFKA_IMAGE = "apache/kafka:4.3.1"
POSTGRES_IMAGE = "postgres:18"
START_SECONDS = 90
# An image is built and two cities are provisioned, on two busy cores.
UP_SECONDS = 900
ASK_SECONDS = 120

# What cleans up after a run that was cut off is an image of its own; every test here cleans up by
# itself, and no run needs more images than it tests.
testcontainers_config.ryuk_disabled = True


def why_no_engine() -> str | None:
    """Why containers cannot be run here; ``None`` where they can."""
    if shutil.which("docker") is None:
        return "there is no docker command"
    # The command is asked, not the Python client: that leaves its socket open where nobody answers.
    if _run("docker", "version").returncode:
        return "no container engine answers"
    if _run("docker", "compose", "version").returncode:
        return "docker has no compose command"
    return None


class KafkaContainer(DockerContainer):
    """One broker of the public image; clients on this machine meet it at ``bootstrap``."""

    def __init__(self, image: str = KAFKA_IMAGE) -> None:
        super().__init__(image)
        self.with_exposed_ports(9092)
        # Any of these variables drops all of the image's defaults: the set is whole.
        for name, value in {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
            "KAFKA_LISTENERS": "HOST://:9092,CONTROLLER://localhost:9093",
            "KAFKA_INTER_BROKER_LISTENER_NAME": "HOST",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,HOST:PLAINTEXT",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
            "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
            "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
            "KAFKA_HEAP_OPTS": "-Xms192m -Xmx384m",
        }.items():
            self.with_env(name, value)
        # Where clients find it is known only when the engine has given it a port.
        self.with_command(
            [
                "sh",
                "-c",
                "until [ -s /tmp/advertised ]; do sleep 0.1; done; "
                ". /tmp/advertised; exec /etc/kafka/docker/run",
            ]
        )

    @property
    def bootstrap(self) -> str:
        """``host:port``."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(9092)}"

    def start(self) -> Self:
        """Returns when the broker says that it has started."""
        super().start()
        self._put("/tmp/advertised", f"export KAFKA_ADVERTISED_LISTENERS=HOST://{self.bootstrap}\n")
        LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(
            START_SECONDS
        ).wait_until_ready(self)
        return self

    def _put(self, path: str, text: str) -> None:
        content = text.encode()
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            member = tarfile.TarInfo(Path(path).name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
        self.get_wrapped_container().put_archive(str(Path(path).parent), archive.getvalue())


class Compose:
    """The project's docker-compose.yml under a name and on ports of this test's own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = {**os.environ, **environment}

    def __call__(self, *arguments: str, seconds: float = ASK_SECONDS) -> str:
        """What ``docker compose …`` printed; a failure fails the test with what it said."""
        done = _run("docker", "compose", *arguments, env=self.environment, seconds=seconds)
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}:\n{done.stderr}"
        return done.stdout

    def up(self, *arguments: str) -> None:
        """Returns when everything, or the services named, is healthy."""
        self(
            "up",
            "--detach",
            "--wait",
            "--wait-timeout",
            str(UP_SECONDS),
            *arguments,
            seconds=UP_SECONDS + ASK_SECONDS,
        )

    def containers(self, *services: str) -> list[dict[str, Any]]:
        """What the engine knows of each container, the one-shot ones that ended too."""
        ids = self("ps", "--all", "--quiet", *services).split()
        done = _run("docker", "inspect", *ids)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def file(self, service: str, path: str) -> str:
        """A file inside a service's container."""
        return self("exec", "--no-TTY", service, "cat", path)

    def until_healthy(self, service: str, count: int = 1) -> None:
        """Waits for so many healthy containers of a service."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            states = [
                one["State"].get("Health", {}).get("Status") for one in self.containers(service)
            ]
            if states == ["healthy"] * count:
                return
            assert time.monotonic() < deadline, f"{service} after {START_SECONDS} s: {states}"
            time.sleep(0.5)


def engine(*arguments: str) -> None:
    """``docker …``; a failure fails the test with what it said."""
    done = _run("docker", *arguments)
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stderr}"


def _run(
    *command: str, env: Mapping[str, str] | None = None, seconds: float = ASK_SECONDS
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
