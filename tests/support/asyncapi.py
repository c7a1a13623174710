"""What may a stranger subscribe to? One AsyncAPI document of every public topic of a node.

``python -m tests.support.asyncapi`` writes docs/asyncapi.yaml from the tables of the contracts:
topics, types, schemas, released examples. Internal topics are left out. Node-internal types that
share a public topic have no message of their own; their names stand in ``x-pass-over``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from shared.envelope import Topic
from tests.support.papers import topics_of
from tests.support.schemas import CONTRACTS, Contract, schema_of

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = ROOT / "docs" / "asyncapi.yaml"

DESCRIPTION: Final = (
    "Every city runs a node of its own, named by its GB/T 2260 code, with a Kafka cluster of its "
    "own. A node sends what stands here; a subscriber reads the same topics of each city that it "
    "is interested in. docs/subscribers.md says how order, repeats and moves between cities are to "
    "be read, docs/sums.md how minutes are added up. Unknown members, headers and types are to be "
    "passed over: an optional member is added in place, anything else is a new version of the type."
)

# CloudEvents 1.0, binary mode. Kafka's headers are bytes; these are UTF-8 texts.
HEADERS: Final[Mapping[str, Any]] = {
    "type": "object",
    "description": "CloudEvents 1.0 attributes in Kafka's binary mode.",
    "required": [
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time"),
        *("ce_sequence", "content-type"),
    ],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "format": "uuid", "description": "The same in every repeat."},
        "ce_source": {
            "type": "string",
            "description": "Node and service.",
            "examples": ["/nodes/500000/records"],
        },
        "ce_type": {"type": "string", "description": "Says the schema of the data."},
        "ce_subject": {"type": "string", "description": "The record's key."},
        "ce_time": {"type": "string", "format": "date-time", "description": "When it occurred."},
        "ce_sequence": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "Of this key on this topic of this node: 1, 2, 3 … A reader drops what "
            "is not above the last one that it has taken.",
        },
        "ce_custodyepoch": {
            "type": "string",
            "pattern": "^[1-9][0-9]*$",
            "description": "Under which epoch the node held the dossier. A reader of several "
            "cities drops what is lower than the highest seen of the subject.",
        },
        "ce_correlationid": {"type": "string", "description": "What one request led to."},
        "ce_causationid": {"type": "string", "description": "The event or command that caused it."},
        "ce_traceparent": {"type": "string", "description": "W3C Trace Context."},
        "content-type": {"const": "application/json"},
    },
}


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0 document, whole."""
    schemas: dict[str, Any] = {"Headers": dict(HEADERS)}
    messages: dict[str, Any] = {}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for contract, topic in public_topics():
        names = [name for name, of in contract.topics.items() if of == topic.name]
        shown = [name for name in names if name not in contract.passed_over]
        for name in shown:
            messages[name] = _message(contract, name, topic, schemas)
        channels[topic.name] = _channel(topic, shown, sorted(set(names) - set(shown)))
        operations[topic.name] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{topic.name}"},
            "summary": topic.description,
        }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {
        "asyncapi": "3.0.0",
        "id": "urn:jiexu:node",
        "info": {
            "title": "Jiexu 接续: what a city's node publishes",
            "version": project["version"],
            "description": DESCRIPTION,
            "license": {"name": project["license"]},
        },
        "defaultContentType": "application/json",
        "servers": {
            "node": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "The Kafka cluster of one city. A subscriber may read, never write.",
                "variables": {"bootstrap": {"description": "host:port, told by its operator."}},
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def public_topics() -> Iterator[tuple[Contract, Topic]]:
    """Each public topic with the contract of the service that writes it."""
    for service, make in CONTRACTS.items():
        contract = make()
        yield from ((contract, topic) for topic in topics_of(service) if topic.public)


def text() -> str:
    """The document as it is checked in."""
    return "# Made by python -m tests.support.asyncapi; a test keeps it true.\n" + yaml.dump(
        document(), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100
    )


def _channel(topic: Topic, shown: list[str], passed_over: list[str]) -> dict[str, Any]:
    keep = -1 if topic.retention is None else topic.retention // timedelta(milliseconds=1)
    channel: dict[str, Any] = {
        "address": topic.on("{node}"),
        "description": f"{topic.description} Key: {topic.key}.",
        "parameters": {
            "node": {
                "description": "The city's GB/T 2260 code.",
                "examples": ["500000", "510100"],
            }
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in shown},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": keep},
                "bindingVersion": "0.5.0",
            }
        },
    }
    if passed_over:
        channel["x-pass-over"] = passed_over
    return channel


def _message(contract: Contract, name: str, topic: Topic, schemas: dict[str, Any]) -> Any:
    """The message of a type; its shape, and what this names, join ``schemas``."""
    wire = contract.released[name]
    shape = f"{contract.service}.{wire.shape.__name__}"
    made = _here(contract.service, schema_of(shape, wire))
    for inner, schema in made.pop("$defs", {}).items():
        schemas[f"{contract.service}.{inner}"] = schema
    schemas[shape] = {key: made[key] for key in made if key not in ("$schema", "$id")}
    return {
        "name": name,
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/Headers"},
                {"properties": {"ce_type": {"const": name}}},
            ]
        },
        "payload": {"$ref": f"#/components/schemas/{shape}"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [{"payload": contract.example(name)}],
    }


def _here(service: str, part: Any) -> Any:
    """A schema whose references lead to this document's components."""
    if isinstance(part, list):
        return [_here(service, each) for each in part]
    if not isinstance(part, dict):
        return part
    if isinstance(named := part.get("$ref"), str):
        return {"$ref": named.replace("#/$defs/", f"#/components/schemas/{service}.")}
    return {key: _here(service, value) for key, value in part.items()}


class _Plain(yaml.SafeDumper):
    """Says everything where it stands: no anchors, no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


if __name__ == "__main__":
    DOCUMENT.write_text(text(), "utf-8")
