"""Is another language's toolchain at hand? What it builds stands in folders of the run alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

# The oldest that the locked dependencies run on, and how each says its version.
OLDEST: dict[str, tuple[int, ...]] = {
    "node": (20, 19),
    "javac": (17,),
    "go": (1, 24),
    "mvn": (3, 6),
}
ASK = {"node": "--version", "javac": "-version", "go": "version", "mvn": "--version"}
COLOUR = re.compile("\x1b\\[[0-9;]*m")
BUILD_SECONDS = 300


def need(*tools: str) -> None:
    """Skips the test where one of these is missing or too old, and says which."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not at hand")
        if tool in OLDEST:
            said = subprocess.run([tool, ASK[tool]], capture_output=True, text=True, check=True)
            plain = COLOUR.sub("", said.stdout + said.stderr)
            version = re.search(r"[0-9]+(\.[0-9]+)*", plain)
            assert version is not None, said
            if tuple(map(int, version[0].split("."))) < OLDEST[tool]:
                oldest = ".".join(map(str, OLDEST[tool]))
                pytest.skip(f"{tool} {version[0]} is too old: {oldest} or later is needed")


def run(command: Sequence[str], folder: Path, seconds: float = BUILD_SECONDS) -> str:
    """What the command prints; a failure shows everything that it said."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def npm_project(project: Path, copy: Path) -> Path:
    """A copy of an npm project with exactly what its lock file names; no install script runs."""
    need("node", "npm")
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("node_modules"))
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"], copy)
    return copy
