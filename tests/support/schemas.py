"""Are a service's public events what they were promised to be? Schemas, and frozen examples.

``python -m tests.support.schemas registry`` writes ``contract/schemas/<type>.json`` from the
contract's types and adds the digests of new examples to ``contract/examples/frozen.sha256``. It
refuses what would break a reader: that is a new version of the type (decisions: the wire is
written by hand; an optional field is added in place, anything else is a ``v2``).
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

SERVICES = Path(__file__).parents[2] / "services"


@dataclass(frozen=True, slots=True)
class Wire:
    """How one shape stands on the wire: fields left out, and those with another name there."""

    shape: Any
    left_out: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contract:
    """The released types of one service, and the rooms of their schemas and examples.

    ``topics`` names by type the topic that carries it; subscribers pass over ``passed_over``.
    """

    service: str
    released: Mapping[str, Wire]
    topics: Mapping[str, str]
    passed_over: frozenset[str]

    @property
    def schemas(self) -> Path:
        return SERVICES / self.service / "contract" / "schemas"

    @property
    def examples(self) -> Path:
        return SERVICES / self.service / "contract" / "examples"

    @property
    def frozen(self) -> Path:
        return self.examples / "frozen.sha256"

    def example(self, name: str) -> Any:
        """The released example of a type."""
        return json.loads((self.examples / f"{name}.json").read_text("utf-8"))

    def schema(self, name: str) -> Any:
        """The checked-in schema of a type."""
        return json.loads((self.schemas / f"{name}.json").read_text("utf-8"))


class Breaks(Exception):
    """A change that a reader of the released version would not survive."""


def registry() -> Contract:
    types = importlib.import_module("services.registry.contract.types")
    return Contract(
        "registry",
        {
            name: Wire(shape, types.LEFT_OUT.get(shape, frozenset()), {"from_": "from"})
            for name, shape in types.RELEASED.items()
        },
        {name: types.topic_of(shape) for name, shape in types.RELEASED.items()},
        types.NODE_INTERNAL,
    )


def records() -> Contract:
    types = importlib.import_module("services.records.contract.types")
    return Contract(
        "records",
        {name: Wire(shape) for name, shape in types.SHAPES.items()},
        dict.fromkeys(types.SHAPES, "records.dossiers.v1"),
        types.NODE_INTERNAL,
    )


def rewards() -> Contract:
    types = importlib.import_module("services.rewards.contract.types")
    return Contract(
        "rewards",
        {
            name: Wire(shape, types.LEFT_OUT.get(shape, frozenset()))
            for name, shape in types.PUBLIC.items()
        },
        dict.fromkeys(types.PUBLIC, "rewards.awards.v1"),
        types.NODE_INTERNAL,
    )


def transfer() -> Contract:
    types = importlib.import_module("services.transfer.contract.types")
    return Contract(
        "transfer",
        {
            name: Wire(shape, renamed={"refusal_class": "class"})
            for name, shape in types.TYPES.items()
        },
        {name: types.topic_of(name) for name in types.TYPES},
        types.NODE_INTERNAL,
    )


# A service that joins adds its function here.
CONTRACTS: Mapping[str, Callable[[], Contract]] = {
    "registry": registry,
    "records": records,
    "rewards": rewards,
    "transfer": transfer,
}


def schema_of(name: str, wire: Wire) -> dict[str, Any]:
    """JSON Schema 2020-12 of a type's data. Unknown members are allowed: fields may be added."""
    made = TypeAdapter(wire.shape).json_schema(mode="serialization")
    properties = {
        wire.renamed.get(key, key): value
        for key, value in made["properties"].items()
        if key not in wire.left_out
    }
    required = [wire.renamed.get(key, key) for key in made["required"] if key not in wire.left_out]
    kept = {key: value for key, value in made.items() if key not in ("properties", "required")}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:jiexu:schema:{name}",
        **kept,
        "title": name,
        "properties": properties,
        "required": sorted(required),
    }


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why a reader of ``old`` would not understand ``new``; empty where it would."""
    found = []
    for key, value in old["properties"].items():
        if key not in new["properties"]:
            found.append(f"{key} is gone")
        elif _resolved(value, old) != _resolved(new["properties"][key], new):
            found.append(f"{key} has changed")
        elif key in old["required"] and key not in new["required"]:
            found.append(f"{key} is no longer always there")
    return found


def text_of(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def sums(contract: Contract) -> dict[str, str]:
    """The frozen digests by file name."""
    if not contract.frozen.exists():
        return {}
    lines = contract.frozen.read_text("utf-8").splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(contract: Contract) -> None:
    """Writes schemas and new digests; raises ``Breaks``."""
    contract.schemas.mkdir(exist_ok=True)
    for name, wire in contract.released.items():
        path = contract.schemas / f"{name}.json"
        made = schema_of(name, wire)
        if path.exists() and (why := breaks(contract.schema(name), made)):
            raise Breaks(f"{name}: {', '.join(why)}")
        path.write_text(text_of(made), "utf-8")
    known = sums(contract)
    for path in sorted(contract.examples.glob("*.json")):
        if known.setdefault(path.name, digest_of(path)) != digest_of(path):
            raise Breaks(f"{path.name} is released and was edited")
    lines = [f"{digest}  {name}\n" for name, digest in sorted(known.items())]
    contract.frozen.write_text("".join(lines), "utf-8")


def _resolved(part: Any, schema: Mapping[str, Any]) -> Any:
    """References replaced by what they name; words for people left out."""
    if isinstance(part, list):
        return [_resolved(each, schema) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _resolved(schema["$defs"][part["$ref"].rsplit("/", 1)[1]], schema)
    return {
        key: _resolved(value, schema)
        for key, value in part.items()
        if key not in ("description", "title", "default")
    }


if __name__ == "__main__":
    for asked in sys.argv[1:] or sorted(CONTRACTS):
        write(CONTRACTS[asked]())
