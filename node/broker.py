"""How do the commands reach the node's broker? By the settings of its services."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import KafkaError
from pydantic_settings import SettingsConfigDict

from node.layout import Node
from node.terminal import Exit, Failure
from shared.access import Broker, KafkaSettings
from shared.roles.topics import BrokerRefuses, knock, let_in
from shared.settings import PREFIX, Servers, SettingsAreWrong, load


class _Settings(KafkaSettings):
    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore",
                                      use_attribute_docstrings=True)

    kafka_bootstrap: Servers
    """The node's brokers, host:port,host:port."""


def brokers_of(node: Node) -> Broker:
    """As ``JIEXU_KAFKA_…`` say, in the node's settings or around the command; without them the
    embedded broker, in plain. Raises ``Failure``, which names every wrong setting.
    """
    told = {name: value for name, value in node.extra.items() if name.startswith(f"{PREFIX}KAFKA_")}
    told.setdefault(f"{PREFIX}KAFKA_BOOTSTRAP",
                    os.environ.get(f"{PREFIX}KAFKA_BOOTSTRAP", node.bootstrap))
    try:
        settings = load(_Settings, **{name.removeprefix(PREFIX).lower(): value
                                      for name, value in told.items()})
    except SettingsAreWrong as wrong:
        raise Failure(Exit.ASKED_WRONGLY, f"设置有误:{wrong}", str(wrong)) from None
    return settings.broker_at(settings.kafka_bootstrap)


def answering(node: Node) -> Broker:
    """The same, once it has let us in: a client library would try for half a minute.

    Raises ``Failure``: it does not answer, or does not let us in, and by which setting.
    """
    broker = brokers_of(node)
    try:
        knock(broker.servers)
        there = let_in(broker)
    except OSError:
        there = False
    except BrokerRefuses as refused:
        raise Failure(Exit.REFUSED, f"{broker.servers} 的 Kafka 拒绝:{refused}",
                      f"Kafka at {broker.servers} refuses: {refused}") from None
    if not there:
        raise _silent(broker)
    return broker


@contextmanager
def answering_on(broker: Broker) -> Iterator[None]:
    """While it is spoken to: a broker that goes away meanwhile is the same ``Failure``."""
    try:
        yield
    except KafkaError:
        raise _silent(broker) from None


def _silent(broker: Broker) -> Failure:
    return Failure(Exit.NODE_STATE, f"{broker.servers} 的 Kafka 没有应答",
                   f"Kafka at {broker.servers} does not answer")
