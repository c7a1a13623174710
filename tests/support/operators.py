"""Is docs/operators.md what the code says of settings, topics, metrics and alarms?

``python -m tests.support.operators`` writes the tables between ``<!-- settings -->`` and
``<!-- end -->`` again, and so for the other names of ``TABLES``; and shared/variables.txt, by which
a misspelt variable is found. The text stands beside what it describes: below a field of a Settings
class, in the description of a metric, in ALARMS, in the annotations of a rule.
"""

from __future__ import annotations

import ast
import importlib
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Union, get_args, get_origin

import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.roles.topics import with_dead_letters
from shared.settings import ServiceSettings, variable
from tests.support.house import SERVICES
from tests.support.papers import topics_of

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "operators.md"
VARIABLES: Final = ROOT / "shared" / "variables.txt"
# What others than a service read: the command `jiexu`, the manifests, the compose file.
TOOLING: Final = {"JIEXU_DATA", "JIEXU_HOME", "JIEXU_SERVICE", "JIEXU_IMAGE"}
RULES: Final = ROOT / "deploy" / "prometheus" / "jiexu.rules.yaml"
MAKERS: Final = {
    "counter": "counter",
    "gauge": "gauge",
    "active_gauge": "gauge",
    "histogram": "histogram",
}


def page() -> str:
    """The page with its tables as the code has them now."""
    text = PAGE.read_text("utf-8")
    for name, table in TABLES.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
        text, found = re.subn(
            pattern, lambda m, t=table: f"{m[1]}{t()}\n{m[2]}", text, count=1, flags=re.S
        )
        assert found, f"docs/operators.md has no place for {name}"
    return text


def settings_of(service: str) -> type[ServiceSettings]:
    """The one Settings class that the service defines."""
    module = importlib.import_module(f"services.{service}.settings")
    (found,) = (
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, ServiceSettings)
        and each.__module__ == module.__name__
    )
    return found


def _settings() -> str:
    common = ServiceSettings.model_fields
    rows = [(variable(name), "all", field) for name, field in common.items()]
    for service in SERVICES:
        for name, field in settings_of(service).model_fields.items():
            if name not in common or _said(field) != _said(common[name]):
                rows.append((variable(name), service, field))
    return _table(
        ("variable", "service", "type", "default", "meaning"),
        [(f"`{name}`", whose, *_said(field)) for name, whose, field in rows],
    )


def variables() -> str:
    """The names of all variables that a program of a node reads, as the code has them now."""
    names = {variable(name) for each in SERVICES for name in settings_of(each).model_fields}
    head = "# Made by tests/support/operators.py: all that an environment may set."
    return "\n".join([head, *sorted(names | TOOLING), ""])


def undescribed() -> list[str]:
    """Settings without a text below them."""
    return [
        f"{service}: {variable(name)}"
        for service in SERVICES
        for name, field in settings_of(service).model_fields.items()
        if not field.description
    ]


def _said(field: FieldInfo) -> tuple[str, str, str]:
    """Type, default, meaning."""
    kind = _type(field.annotation, field.metadata)
    if field.is_required():
        default = "**required**"
    elif field.default in (None, (), ""):
        default = "–"
    else:
        value = field.default
        shown = ",".join(value) if isinstance(value, tuple) else str(value)
        default = f"`{shown.lower() if isinstance(value, bool) else shown}`"
    return kind, default, " ".join((field.description or "").split())


def _type(annotation: Any, metadata: list[Any]) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        (annotation,) = (each for each in get_args(annotation) if each is not type(None))
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = [*metadata, *more]
    if get_origin(annotation) is tuple:
        return "list"
    names = {getattr(each, "func", each).__name__ for each in metadata if hasattr(each, "func")}
    if annotation is Path:
        return "directory" if "open_directory" in names else "file"
    if annotation is SecretStr:
        return "URL, secret"
    if annotation is bool:
        return "true, false"
    bounds = [getattr(each, end) for end in ("ge", "le") for each in metadata if hasattr(each, end)]
    if annotation is int:
        return f"number {bounds[0]}–{bounds[1]}" if len(bounds) == 2 else "number"
    if get_origin(annotation) is not None and all(isinstance(a, str) for a in get_args(annotation)):
        return ", ".join(get_args(annotation))
    return "URL" if "_url" in names else "text"


def _topics() -> str:
    rows = []
    for service in SERVICES:
        for topic in with_dead_letters(service, topics_of(service)):
            kept = "for ever" if topic.retention is None else _days(topic.retention)
            who = "public" if topic.public else "internal"
            rows.append((f"`{{node}}.{topic.name}`", who, topic.key, str(topic.partitions), kept))
    return _table(("topic", "who reads", "key", "partitions", "kept"), rows)


def _days(retention: timedelta) -> str:
    return f"{retention.days} days"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as the code makes it; ``name`` as /metrics shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    description: str
    owner: str


def metrics() -> tuple[Metric, ...]:
    """Every metric that shared and the services make, read from the source."""
    found = [each for path in _sources() for each in _made_in(path)]
    return tuple(sorted(found, key=lambda each: (each.owner != "all", each.owner, each.name)))


def _sources() -> Iterator[Path]:
    for folder in ("shared", "services"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def _made_in(path: Path) -> Iterator[Metric]:
    parts = path.relative_to(ROOT).parts
    owner = parts[1] if parts[0] == "services" else "all"
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=kind),
                args=[ast.Constant(value=str(name)), ast.Constant(value=str(text)), *labels],
            ) if kind in MAKERS:
                suffix = "_total" if kind == "counter" else ""
                yield Metric(
                    f"jiexu_{name.removesuffix('_total')}{suffix}",
                    MAKERS[kind],
                    tuple(each.value for each in labels if isinstance(each, ast.Constant)),
                    text,
                    owner,
                )


def samples(each: Metric) -> set[str]:
    """The names by which a rule may ask for it."""
    if each.kind == "histogram":
        return {f"{each.name}_{part}" for part in ("bucket", "sum", "count")}
    return {each.name}


def names_in(expression: str) -> set[str]:
    """The metrics of ours that a PromQL expression names."""
    return set(re.findall(r"\bjiexu_[a-z0-9_]+", expression))


def _metrics() -> str:
    return _table(
        ("metric", "kind", "labels", "of", "meaning"),
        [
            (f"`{m.name}`", m.kind, ", ".join(m.labels) or "–", m.owner, m.description)
            for m in metrics()
        ],
    )


def rules() -> list[dict[str, Any]]:
    """The alerting rules of deploy/prometheus."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _alarms() -> str:
    return _table(
        ("alarm", "severity", "after", "meaning", "remedy"),
        [
            (
                f"`{rule['alert']}`",
                rule["labels"]["severity"],
                rule.get("for", "at once"),
                rule["annotations"]["summary"],
                rule["annotations"]["remedy"],
            )
            for rule in rules()
        ],
    )


def _kinds() -> str:
    alarms = importlib.import_module("services.transfer.edge.alarms").ALARMS
    return _table(
        ("kind", "meaning", "remedy"),
        [(f"`{kind}`", alarm.meaning, alarm.remedy) for kind, alarm in sorted(alarms.items())],
    )


def kinds_raised() -> set[str]:
    """The kinds that transfer raises, read from its source: ``….alarm("kind", …)``."""
    found = set()
    for path in sorted((ROOT / "services/transfer").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="alarm" | "_report"),
                    args=[ast.Constant(value=str(kind)), *_],
                ):
                    found.add(kind)
    return found


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "settings": _settings,
    "topics": _topics,
    "metrics": _metrics,
    "alarms": _alarms,
    "kinds": _kinds,
}


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    VARIABLES.write_text(variables(), "ascii")
