"""What a broker is told of each service, and that nothing of it can be written by hand."""

from __future__ import annotations

import importlib
import shlex

import pytest
import yaml

from services.records.edge import agents as records
from services.registry.edge import agents as registry
from services.rewards.edge import agents as rewards
from services.transfer.edge import agents as transfer
from shared.access.acls import Rule, commands, kafka_user, rules
from shared.clock import SystemClock
from shared.reader import Source
from shared.roles.topics import with_dead_letters

SOURCES: dict[str, tuple[Source, ...]] = {
    "registry": registry.sources(),
    "records": records.sources(b"salt"),
    "rewards": rewards.sources("500000"),
    "transfer": transfer.sources(SystemClock()),
}


def tally() -> tuple[Rule, ...]:
    return rules("500000", "tally", ["counter.totals.v1", "counter.groups.v1"])


def test_a_service_writes_what_is_its_own_and_reads_what_it_declared() -> None:
    assert tally() == (
        Rule("topic", "500000.tally.", "prefixed", ("Create", "Read", "Write")),
        Rule("group", "500000.tally.", "prefixed", ("Read",)),
        Rule("topic", "500000.counter.groups.v1", "literal", ("Read",)),
        Rule("topic", "500000.counter.totals.v1", "literal", ("Read",)),
    )


@pytest.mark.parametrize("service", SOURCES)
def test_the_prefix_covers_every_topic_of_its_own_and_none_that_it_reads(service: str) -> None:
    declared = importlib.import_module(f"services.{service}.contract.topics").TOPICS
    own, _, *reads = rules("500000", service, [s.topic for s in SOURCES[service]])
    assert all(
        topic.on("500000").startswith(own.name) for topic in with_dead_letters(service, declared)
    )
    assert {rule.name for rule in reads} == {f"500000.{s.topic}" for s in SOURCES[service]}
    assert not any(rule.name.startswith(own.name) for rule in reads)


def test_kafkas_own_tool_is_told() -> None:
    first, second, *_ = map(
        shlex.split, commands("kafka:9092", "500000-tally", tally()).splitlines()
    )
    begin = ["kafka-acls.sh", "--bootstrap-server", "kafka:9092", "--command-config"]
    begin += ["admin.properties", "--add", "--allow-principal", "User:500000-tally"]
    assert first == [
        *begin,
        *("--operation", "Create", "--operation", "Read", "--operation", "Write"),
        *("--topic", "500000.tally.", "--resource-pattern-type", "prefixed"),
    ]
    assert second == [
        *begin,
        *("--operation", "Read", "--group", "500000.tally."),
        *("--resource-pattern-type", "prefixed"),
    ]


def test_strimzi_is_told() -> None:
    user = yaml.safe_load(kafka_user("500000-tally", tally()))
    assert (user["kind"], user["metadata"]["name"]) == ("KafkaUser", "500000-tally")
    assert user["spec"]["authentication"] == {"type": "scram-sha-512"}
    acls = user["spec"]["authorization"]["acls"]
    assert acls[0] == {
        "resource": {"type": "topic", "name": "500000.tally.", "patternType": "prefix"},
        "operations": ["Create", "Read", "Write"],
    }
    assert acls[2]["resource"]["patternType"] == "literal"
    assert len(acls) == len(tally())
