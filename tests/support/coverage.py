"""Which test shows which command, refusal, state row and vector?

``python -m tests.support.coverage`` writes docs/coverage.md. What a test shows is read from its
source: the names that it mentions, itself or through the helpers of its file and of
``tests/`` that it calls. A name without a test is a gap, and a test of the house finds it.
"""

from __future__ import annotations

import ast
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.messages import Command, Rejection

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = ROOT / "tests"
PAGE: Final = ROOT / "docs" / "coverage.md"
SERVICES: Final = ("registry", "records", "rewards", "transfer")
SHOWN_PER_ITEM: Final = 2

# Rows of the state tables that a first release does not have: visits, returns, redelivery, and
# what follows from a recovery.
LATER_ORIGIN: Final = {"O1a", "O5", "O27", "O28", "O30", "O31", "O35", "O36"}
LATER_DESTINATION: Final = {"D1a", "D11a", "D17a", "D18a", "D18b", "D22a"} | {
    f"D{number}" for number in range(33, 38)
}
LATER_ROWS: Final = LATER_ORIGIN | LATER_DESTINATION
# Vectors of capabilities that come later.
LATER_VECTORS: Final = frozenset({"sm1.json"})


@dataclass
class Source:
    """A test file: the words of its tests, and of the helpers through which they say them."""

    path: Path
    tests: dict[str, set[str]] = field(default_factory=dict)
    helpers: dict[str, set[str]] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)


def read(path: Path) -> Source:
    """The words (identifiers and strings) of each function of a file."""
    source = Source(path)
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            kept = source.tests if node.name.startswith("test_") else source.helpers
            kept[node.name] = words(node)
        elif isinstance(node, ast.ClassDef):
            source.helpers[node.name] = words(node)
            for item in node.body:
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                    if item.name.startswith("test_"):
                        source.tests[f"{node.name}::{item.name}"] = words(item)
                    else:
                        source.helpers.setdefault(item.name, set()).update(words(item))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    source.helpers[target.id] = words(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests"):
            # ``from tests.x import y``: y is a name of x, or a module of the package x.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            source.imports |= {str(node.module), *names}
    return source


def words(node: ast.AST) -> set[str]:
    """Identifiers and the words of strings under a node."""
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            found.add(each.id)
        elif isinstance(each, ast.Attribute):
            found.add(each.attr)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found.update(re.findall(r"[A-Za-z][A-Za-z0-9_.-]*", each.value))
    return found


def shown() -> dict[str, list[str]]:
    """Word → the tests that say it, as ``folder/file::test``."""
    sources = {_module(path): read(path) for path in sorted(TESTS.rglob("*.py"))}
    told: dict[str, list[str]] = {}
    for source in sources.values():
        helpers = _reached_helpers(source, sources)
        for test, said in source.tests.items():
            where = f"{source.path.relative_to(TESTS)}::{test}"
            for word in closure(said, helpers):
                told.setdefault(word, []).append(where)
    return told


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _reached_helpers(source: Source, sources: Mapping[str, Source]) -> dict[str, set[str]]:
    """The helpers of a file, of what it imports from ``tests``, and of its conftest."""
    helpers: dict[str, set[str]] = {}
    ahead = {*source.imports, f"{_module(source.path).rpartition('.')[0]}.conftest"}
    seen: set[str] = set()
    while ahead:
        name = ahead.pop()
        if name in seen or name not in sources:
            continue
        seen.add(name)
        ahead |= sources[name].imports
        for helper, said in sources[name].helpers.items():
            helpers.setdefault(helper, set()).update(said)
    return {**helpers, **source.helpers}


def closure(said: set[str], helpers: Mapping[str, set[str]]) -> set[str]:
    """The words of a test and of the helpers it uses, and theirs."""
    reached, ahead = set(said), list(said & helpers.keys())
    used: set[str] = set()
    while ahead:
        name = ahead.pop()
        if name in used:
            continue
        used.add(name)
        more = helpers[name]
        reached |= more
        ahead += [word for word in more & helpers.keys() if word not in used]
    return reached


def domain_classes(service: str, base: type) -> list[type]:
    """Every concrete subclass of a base in a service's domain, by name."""
    package = importlib.import_module(f"services.{service}.domain")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    # A dataclass with slots is made twice; its name is one. What others inherit from is no item.
    mine = [
        kind for kind in _subclasses(base) if kind.__module__.startswith(f"services.{service}.")
    ]
    bases = {kind.__name__ for kind in mine if kind.__subclasses__()}
    found = {kind.__name__: kind for kind in mine if kind.__name__ not in bases}
    return [kind for _, kind in sorted(found.items())]


def _subclasses(base: type) -> Iterator[type]:
    for kind in base.__subclasses__():
        yield kind
        yield from _subclasses(kind)


def items() -> Iterator[tuple[str, str, list[str]]]:
    """(section, item, the words by which a test shows it)."""
    for service in SERVICES:
        for kind in domain_classes(service, Command):
            yield f"{service}: commands", kind.__name__, [kind.__name__]
        for kind in domain_classes(service, Rejection):
            yield f"{service}: refusals", kind.__name__, [kind.__name__, kind.slug()]  # type: ignore[attr-defined]
    tables = json.loads((TESTS / "data" / "protocol" / "tables.json").read_text("utf-8"))
    for side in ("origin", "destination"):
        for row in tables[side]:
            if row["row"] not in LATER_ROWS:
                yield f"transfer: rows of the {side}", row["row"], [row["row"], "tables"]
    for row in tables["refusals"]:
        yield "transfer: refusal codes", row["code"], [row["code"]]
    for row in tables["problems"]:
        name = re.search(
            r"`([a-z-]+)`", row["on failure (RFC 9457 `type` = `urn:jiexu:problem:` + name)"]
        )
        if name:
            yield (
                "transfer: problems between cities",
                name.group(1),
                [name.group(1), "negative"],
            )
    for path in sorted((TESTS / "data").rglob("*")):
        if path.is_file() and path.name not in LATER_VECTORS and path.suffix in (".json", ".csv"):
            yield "vectors", path.name, [path.name, path.stem]


def gaps() -> list[str]:
    """Items that no test shows."""
    told = shown()
    return [f"{section}: {item}" for section, item, said in items() if not _tests(told, said)]


def _tests(told: Mapping[str, list[str]], said: list[str]) -> list[str]:
    """The tests that say the first of these words that anyone says."""
    for word in said:
        if told.get(word):
            return sorted(told[word], key=lambda where: (len(where.split("::")[0]), where))
    return []


def page() -> str:
    """docs/coverage.md."""
    told = shown()
    lines = [
        "# What is done, and which test shows it",
        "",
        "Made by `python -m tests.support.coverage`; a test keeps it true. Not in this release:",
        f"state rows {', '.join(sorted(LATER_ROWS))}; vectors {', '.join(sorted(LATER_VECTORS))}.",
    ]
    last = ""
    for section, item, said in items():
        if section != last:
            lines += ["", f"## {section}", "", "| | shown by |", "|---|---|"]
            last = section
        tests = _tests(told, said)
        listed = ", ".join(f"`{where}`" for where in tests[:SHOWN_PER_ITEM]) or "**nothing**"
        more = f" and {len(tests) - SHOWN_PER_ITEM} more" if len(tests) > SHOWN_PER_ITEM else ""
        lines.append(f"| `{item}` | {listed}{more} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    for gap in gaps():
        print("no test shows", gap)
