"""Which bytes is the embedded broker made of, and are they the ones we pinned?"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

PINNED = Path(__file__).with_name("kafka_jars.txt")
# `!` keeps log4j's own dependency management out: with it an old kafka-clients is chosen.
COORDINATES = "+".join((
    "org.apache.kafka:kafka_2.13:4.3.1",
    "org.apache.logging.log4j:log4j-core:2.25.3!",
    "org.apache.logging.log4j:log4j-api:2.25.3!",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3!",
))


class JarsDiffer(Exception):
    """A jar is missing, is one too many, or has other bytes than the pinned ones."""


def pinned(file: Path = PINNED) -> dict[str, str]:
    """File name → SHA-256 in hex, as ``kafka_jars.txt`` (or another list) has them."""
    lines = file.read_text("ascii").splitlines()
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    return {name: digest for digest, name in rows}


def home() -> Path:
    """Where verified jars are kept for every node of this user: ``~/.cache/jiexu/kafka-…``."""
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(caches) / "jiexu" / "kafka-4.3.1"


def verify(directory: Path, file: Path = PINNED) -> list[Path]:
    """The jars of ``directory``, each checked against its pinned SHA-256. Raises ``JarsDiffer``."""
    wanted = pinned(file)
    jars = []
    for name, digest in sorted(wanted.items()):
        path = directory / name
        if not path.is_file():
            raise JarsDiffer(f"{name} is missing in {directory}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise JarsDiffer(f"{name} in {directory} has other bytes than the pinned ones")
        jars.append(path)
    return jars


def fetch(directory: Path, file: Path = PINNED, coordinates: str = COORDINATES) -> None:
    """Bring the pinned jars into ``directory``: resolved by jgo, checked, moved there whole."""
    import jgo  # slow to import, and needed once per machine

    found = {path.name: path for path in jgo.build(coordinates).all_jars}
    wanted = pinned(file)
    if missing := sorted(wanted.keys() - found.keys()):
        raise JarsDiffer(f"the resolver did not bring {', '.join(missing)}")
    directory.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{directory.name}-", dir=directory.parent))
    try:
        for name in wanted:
            shutil.copyfile(found[name], made / name)
        verify(made, file)
        if directory.exists():
            shutil.rmtree(directory)
        made.rename(directory)
    except OSError:
        # Another process may have been quicker: then its directory must hold the same bytes.
        verify(directory, file)
    finally:
        shutil.rmtree(made, ignore_errors=True)


@cache
def class_path(on_fetch: Callable[[], None] | None = None) -> str:
    """Java's class path of verified jars; fetches them first where they are not there.

    ``on_fetch`` is called before a download begins. Verified once per process.
    """
    directory = home()
    try:
        jars = verify(directory)
    except JarsDiffer:
        if on_fetch is not None:
            on_fetch()
        fetch(directory)
        jars = verify(directory)
    return os.pathsep.join(map(str, jars))


if __name__ == "__main__":
    class_path()
