"""Are the documents true? READMEs, topic tables and commands against what the code says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from shared.envelope import Topic
from tests.support.house import files

TARGET = re.compile(r"^([a-z][a-z-]*):", re.M)
MAKE = re.compile(r"(?<![\w-])make ([a-z][a-z-]*)")
MODULE = re.compile(r"python -m (services\.[a-z]+|node[a-z.]*)(?: ([a-z-]+))?")
JIEXU = re.compile(r"(?:^|[`$ ])jiexu ([a-z]+)", re.M)
ROLES = frozenset({"serve", "api", "agents", "worker", "provision", "check", "acls", "kafka-user"})


def topics_of(service: str) -> tuple[Topic, ...]:
    """What the service's contract declares."""
    found: tuple[Topic, ...] = importlib.import_module(f"services.{service}.contract.topics").TOPICS
    return found


def declared_topics(service: str, topics: tuple[Topic, ...]) -> list[str]:
    """Topics are the service's own, versioned, and not declared twice."""
    wrong = []
    name = re.compile(rf"{service}\.[a-z]+(-[a-z]+)*\.v[1-9][0-9]*")
    for topic in topics:
        if not name.fullmatch(topic.name):
            wrong.append(f"{topic.name} is no topic name of {service}")
        if not topic.key or not topic.description or topic.partitions < 1:
            wrong.append(f"{topic.name} lacks key, description or partitions")
    names = [topic.name for topic in topics]
    wrong += [f"{name} is declared twice" for name in sorted(set(names)) if names.count(name) > 1]
    return wrong


def topic_table(service: str, readme: str, topics: tuple[Topic, ...]) -> list[str]:
    """The README's table has one row for each topic, with its key and who may read it.

    A row is ``| `records.dossiers.v1` | out | subject id | yes |``: the last cell says whether it
    is public.
    """
    rows: dict[str, list[str]] = {}
    for line in readme.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        match = re.fullmatch(r"`([a-z]+\.[a-z-]+\.v[0-9]+)`", cells[0])
        if line.lstrip().startswith("|") and match and len(cells) >= 3:
            rows[match[1]] = cells
    wrong = []
    for topic in topics:
        cells = rows.get(topic.name, [])
        if not cells:
            wrong.append(f"services/{service}/README.md has no row for {topic.name}")
            continue
        said = cells[-1].lower()
        if said not in (("yes", "public") if topic.public else ("no", "internal")):
            wrong.append(f"{topic.name} is {'public' if topic.public else 'internal'}, not {said}")
        if topic.key not in cells:
            wrong.append(f"the key of {topic.name} is {topic.key}")
    own = {name for name, cells in rows.items() if name.startswith(f"{service}.")}
    for name in sorted(own - {topic.name for topic in topics}):
        wrong.append(f"services/{service}/README.md names {name}, which nobody declares")
    return wrong


def commands(root: Path) -> list[str]:
    """``make …``, ``python -m services.… …`` and ``jiexu …`` in the documents exist."""
    makefile = root / "Makefile"
    targets = set(TARGET.findall(makefile.read_text("utf-8"))) if makefile.is_file() else set()
    known = jiexu_commands(root)
    wrong = []
    for path in files(root):
        if path.suffix != ".md" or path.name == "CHANGELOG.md":
            continue
        relative, text = path.relative_to(root), path.read_text("utf-8")
        for word in MAKE.findall(_code(text)):
            if word not in targets:
                wrong.append(f"{relative}: the Makefile has no {word}")
        for module, role in MODULE.findall(text):
            if not (root / module.replace(".", "/") / "__main__.py").is_file():
                wrong.append(f"{relative}: there is no {module} to run")
            elif module.startswith("services.") and role and role not in ROLES:
                wrong.append(f"{relative}: {module} has no role {role}")
        for word in JIEXU.findall(_code(text)):
            if word not in known:
                wrong.append(f"{relative}: jiexu has no command {word}")
    return wrong


def jiexu_commands(root: Path) -> set[str]:
    """The names of the command line's commands, as typer has them."""
    if not (root / "node/cli.py").is_file():
        return set()
    import typer.main

    cli = importlib.import_module("node.cli")
    command = typer.main.get_command(cli.make_app())
    return set(getattr(command, "commands", {}))


def _code(text: str) -> str:
    """Only what stands in code: fences and backticks."""
    fenced = re.findall(r"^```.*?^```", text, re.M | re.S)
    return "\n".join(
        [*fenced, *re.findall(r"`[^`\n]+`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))]
    )


def packaged(root: Path, patterns: list[str]) -> list[str]:
    """Files beside the code travel in the distribution."""
    suffixes = {pattern.removeprefix("*") for pattern in patterns}
    wrong = []
    for path in files(root):
        relative = path.relative_to(root)
        if relative.parts[0] not in ("services", "shared", "node") or path.suffix == ".py":
            continue
        if path.name not in ("py.typed", ".gitkeep") and path.suffix not in suffixes:
            wrong.append(f"{relative} would not be in the distribution")
    return wrong


__all__ = [
    "commands",
    "declared_topics",
    "packaged",
    "topic_table",
    "topics_of",
]
