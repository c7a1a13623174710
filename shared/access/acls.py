"""What must the broker allow a service, and nothing more? From what it declares, so never stale."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import yaml

from shared.envelope import full_name


@dataclass(frozen=True, slots=True)
class Rule:
    """One resource by its name, or by how its name begins, and what may be done with it."""

    resource: Literal["topic", "group"]
    name: str
    pattern: Literal["literal", "prefixed"]
    operations: tuple[str, ...]


def rules(node: str, service: str, reads: Iterable[str]) -> tuple[Rule, ...]:
    """What one service needs, ``reads`` being the short names of the topics that it reads.

    Its own topics: write, compare what stands there with its database, and make them when it is
    provisioned. Its own consumer groups. Of its neighbours' topics nothing but reading.
    """
    own = f"{node}.{service}."
    return (
        Rule("topic", own, "prefixed", ("Create", "Read", "Write")),
        Rule("group", own, "prefixed", ("Read",)),
        *(Rule("topic", full_name(node, topic), "literal", ("Read",)) for topic in sorted(reads)),
    )


def commands(servers: str, principal: str, found: Iterable[Rule]) -> str:
    """For ``kafka-acls.sh``, one line a rule; ``admin.properties`` is how an operator is let in."""
    lines = []
    for rule in found:
        words = ["kafka-acls.sh", "--bootstrap-server", servers]
        words += ["--command-config", "admin.properties"]
        words += ["--add", "--allow-principal", f"User:{principal}"]
        for operation in rule.operations:
            words += ["--operation", operation]
        words += [f"--{rule.resource}", rule.name, "--resource-pattern-type", rule.pattern]
        lines.append(shlex.join(words))
    return "\n".join(lines)


def kafka_user(principal: str, found: Iterable[Rule]) -> str:
    """For Strimzi: the KafkaUser of this principal, in YAML; its cluster is called ``city``."""
    acls = [
        {
            "resource": {
                "type": rule.resource,
                "name": rule.name,
                "patternType": "prefix" if rule.pattern == "prefixed" else "literal",
            },
            "operations": list(rule.operations),
        }
        for rule in found
    ]
    user = {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": principal, "labels": {"strimzi.io/cluster": "city"}},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": acls},
        },
    }
    return yaml.safe_dump(user, sort_keys=False, explicit_start=True).rstrip()
