"""Are topics made by provisioning as they were declared, once, and never changed by it?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from shared.envelope import Topic
from shared.messages import Unavailable
from shared.roles.topics import TopicDiffers, create_topics, with_dead_letters
from tests.support.infrastructure import free_port

pytestmark = pytest.mark.broker

KEPT = Topic(name="toy.things.v1", key="thing id", public=True, description="d", partitions=3)
BRIEF = replace(KEPT, name="toy.bodies.v1", retention=timedelta(days=35))


@pytest.fixture
def admin(kafka_bootstrap: str) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    yield client
    client.close()


@pytest.fixture
def node(node_name: str, admin: KafkaAdminClient) -> Iterator[str]:
    yield node_name
    left = [name for name in admin.list_topics() if name.startswith(f"{node_name}.")]
    admin.delete_topics(left)


def test_topics_are_made_as_declared_and_once(
    kafka_bootstrap: str, node: str, admin: KafkaAdminClient
) -> None:
    wanted = with_dead_letters("toy", [KEPT, BRIEF])
    made = create_topics(kafka_bootstrap, node, wanted)
    assert made == (f"{node}.toy.bodies.v1", f"{node}.toy.dead-letters.v1", f"{node}.toy.things.v1")
    assert create_topics(kafka_bootstrap, node, wanted) == ()
    counts = {t["name"]: len(t["partitions"]) for t in admin.describe_topics(list(made))}
    assert counts == {made[0]: 3, made[1]: 1, made[2]: 3}
    assert _retention(admin, made[2]) == "-1"
    assert _retention(admin, made[0]) == str(35 * 24 * 3600 * 1000)


def test_another_number_of_partitions_is_refused_and_nothing_changed(
    kafka_bootstrap: str, node: str, admin: KafkaAdminClient
) -> None:
    create_topics(kafka_bootstrap, node, [KEPT])
    with pytest.raises(TopicDiffers, match="has 3 partitions, declared are 8"):
        create_topics(kafka_bootstrap, node, [replace(KEPT, partitions=8)])
    found = admin.describe_topics([KEPT.on(node)])
    assert len(found[0]["partitions"]) == 3


def test_no_broker_within_the_time_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="no broker answers"):
        create_topics(f"127.0.0.1:{free_port()}", "n", [KEPT], reach_seconds=0.5)


def test_dead_letters_that_are_declared_are_not_added_twice() -> None:
    own = replace(KEPT, name="toy.dead-letters.v1")
    assert with_dead_letters("toy", [KEPT, own]) == (KEPT, own)


def _retention(admin: KafkaAdminClient, topic: str) -> str:
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    return _value(found, "retention.ms")


def _value(found: object, name: str) -> str:
    """The value of one setting, wherever the client's answer holds it."""
    stack = [found]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            if name in each:
                inner = each[name]
                return str(inner["value"] if isinstance(inner, dict) else inner)
            if each.get("name") == name:
                return str(each["value"])
            stack += each.values()
        elif isinstance(each, list | tuple):
            stack += each
    raise AssertionError(f"{name} was not told")
