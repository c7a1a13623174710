"""Do the topics of a service exist as they were declared? Made by provisioning, never by use."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog

from shared.access import BROKER_MEND, Bootstrap, Broker, refusal
from shared.envelope import Topic
from shared.messages import Unavailable

if TYPE_CHECKING:
    from kafka.admin import KafkaAdminClient

# kafka-python is imported where it is used: every process knows this module, only provisioning
# makes topics, and the library takes a third of a second to load.

# A broker that is just starting answers within this.
REACH_SECONDS: Final = 60.0
REQUEST_MILLISECONDS: Final = 10_000
LET_IN_SECONDS: Final = 3.0


class BrokerRefuses(Exception):
    """The broker is there and does not let us in, or make a topic; the text names the setting."""


class TopicDiffers(Exception):
    """A topic exists with another number of partitions: keys would move. A new version is due."""


def dead_letters(service: str) -> Topic:
    """Where a service's readers put what they could not read; every service has one."""
    return Topic(
        name=f"{service}.dead-letters.v1",
        key="key of the record that could not be read",
        public=False,
        description="What could not be read, with reason and position.",
        partitions=1,
    )


def with_dead_letters(service: str, topics: Iterable[Topic]) -> tuple[Topic, ...]:
    """The declared topics, and the dead letters where they are not declared."""
    declared = tuple(topics)
    extra = dead_letters(service)
    return declared if any(t.name == extra.name for t in declared) else (*declared, extra)


def create_topics(
    bootstrap: Bootstrap,
    node: str,
    topics: Iterable[Topic],
    *,
    replication: int = 1,
    reach_seconds: float = REACH_SECONDS,
) -> tuple[str, ...]:
    """Makes what is missing and returns its names; safe to run again, and by two at once.

    Blocking: call it in a thread. Raises ``TopicDiffers``, ``BrokerRefuses``, or ``Unavailable``
    when no broker answers in time, or too few are there.
    """
    from kafka.errors import KafkaError

    wanted = {topic.on(node): topic for topic in topics}
    admin = _reach(Broker.of(bootstrap), reach_seconds)
    try:
        there = set(admin.list_topics())
        missing = {name: topic for name, topic in wanted.items() if name not in there}
        if missing:
            answer = admin.create_topics(
                {name: _declared(topic, replication) for name, topic in missing.items()},
                timeout_ms=REQUEST_MILLISECONDS,
                raise_errors=False,
            )
            _refused(answer, replication)
            admin.wait_for_topics(list(missing))
        _compare(admin, wanted)
    except KafkaError as error:
        raise Unavailable(f"the broker failed to make topics ({type(error).__name__})") from error
    finally:
        admin.close()
    return tuple(sorted(missing))


def _declared(topic: Topic, replication: int) -> dict[str, Any]:
    return {
        "num_partitions": topic.partitions,
        "replication_factor": replication,
        "configs": {
            "cleanup.policy": "delete",
            "retention.ms": str(_milliseconds(topic.retention)),
            "retention.bytes": "-1",
            "message.timestamp.type": "CreateTime",
            # Of three copies two must have an event before it counts as published.
            "min.insync.replicas": "2" if replication >= 3 else "1",
        },
    }


def _refused(answer: dict[str, Any], replication: int) -> None:
    """What an operator mends is said; what another provisioner made meanwhile is no error."""
    from confluent_kafka import KafkaError

    for topic in answer["topics"]:
        problem = KafkaError(topic["error_code"])
        if problem.name() == "INVALID_REPLICATION_FACTOR":
            # Waited for: brokers of a cluster come up one by one.
            raise Unavailable(
                f"JIEXU_TOPIC_REPLICATION: {topic['name']} cannot have {replication} copies, "
                "there are fewer brokers"
            )
        if why := refusal(problem):
            raise BrokerRefuses(f"{topic['name']} cannot be made: {why}")


def _compare(admin: KafkaAdminClient, wanted: dict[str, Topic]) -> None:
    for found in admin.describe_topics(list(wanted)):
        name = found.get("name") or found.get("topic")
        count = len(found["partitions"])
        topic = wanted.get(str(name))
        if topic is not None and count != topic.partitions:
            raise TopicDiffers(f"{name} has {count} partitions, declared are {topic.partitions}")


def _reach(broker: Broker, seconds: float) -> KafkaAdminClient:
    from kafka.admin import KafkaAdminClient
    from kafka.errors import KafkaError

    deadline = time.monotonic() + seconds
    while True:
        try:
            # kafka-python leaves a socket behind when its first connection fails: ask first.
            knock(broker.servers)
            let_in(broker)
            return KafkaAdminClient(
                **broker.kafka_python(),
                client_id="jiexu-provision",
                request_timeout_ms=REQUEST_MILLISECONDS,
                bootstrap_timeout_ms=REQUEST_MILLISECONDS,
            )
        except (KafkaError, OSError) as error:
            if time.monotonic() > deadline:
                raise Unavailable(f"no broker answers: {BROKER_MEND}") from error
            structlog.get_logger(__name__).warning("provision.waits_for_broker")
            time.sleep(0.5)


def knock(servers: str) -> None:
    """Any one of the servers takes a connection, else ``OSError``."""
    problem: OSError | None = None
    for server in servers.split(","):
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
            return
        except OSError as error:
            problem = error
    assert problem is not None
    raise problem


def let_in(broker: Broker) -> bool:
    """Whether it answers within three seconds. Raises ``BrokerRefuses`` with a reason for what
    kafka-python only calls a timeout."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    told: list[str | None] = []
    options = broker.confluent() | {"log_level": 0}
    options["error_cb"] = lambda error: told.append(refusal(error))
    admin = AdminClient(options)
    deadline = time.monotonic() + LET_IN_SECONDS
    while time.monotonic() < deadline:
        try:
            admin.list_topics(timeout=0.5)
            return True
        except KafkaException:
            admin.poll(0)
            if why := next(filter(None, told), None):
                raise BrokerRefuses(why) from None
    return False


def _milliseconds(retention: timedelta | None) -> int:
    return -1 if retention is None else retention // timedelta(milliseconds=1)
