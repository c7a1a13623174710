"""What happens on the node right now? Its events, read from its broker by kafka-python."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from shared.access import Bootstrap, Broker
from shared.envelope import short_name

POLL_MILLISECONDS = 300
# Topics that are made while we listen are heard after this.
METADATA_MILLISECONDS = 5_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as it stands on the broker. ``data`` holds nothing personal, by contract."""

    node: str
    topic: str
    partition: int
    offset: int
    key: str
    type: str
    source: str
    time: str
    sequence: int | None
    epoch: int | None
    data: Any

    def as_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted; ``None``: any. ``type`` matches as a part of the type."""

    type: str | None = None
    subject: str | None = None
    service: str | None = None

    def takes(self, seen: Seen) -> bool:
        """Whether this event is wanted."""
        return ((self.type is None or self.type in seen.type)
                and (self.subject is None or seen.key == self.subject)
                and (self.service is None or seen.topic.split(".", 1)[0] == self.service))


class Tail:
    """A reader of every topic of a node; without a group, so it disturbs nobody."""

    def __init__(self, node: str, bootstrap: Bootstrap, *, from_beginning: bool = False) -> None:
        self.node = node
        self._consumer = KafkaConsumer(
            **Broker.of(bootstrap).kafka_python(), group_id=None, enable_auto_commit=False,
            auto_offset_reset="earliest" if from_beginning else "latest",
            metadata_max_age_ms=METADATA_MILLISECONDS, request_timeout_ms=30_000)
        self._prefix = f"{node}."
        self._assigned: set[TopicPartition] = set()
        self._from_beginning = from_beginning
        self._assign()

    def poll(self) -> list[Seen]:
        """What came since the last call; waits 0.3 s at most.

        Partitions are merged by time, and each keeps its own order: a key's events come in the
        order of their sequence, whatever their times say.
        """
        batches = self._consumer.poll(timeout_ms=POLL_MILLISECONDS)
        if not batches:
            self._assign()
        return list(heapq.merge(*(map(self._open, batch) for batch in batches.values()),
                                key=lambda seen: seen.time))

    def __iter__(self) -> Iterator[Seen]:
        while True:
            yield from self.poll()

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _assign(self) -> None:
        """Read every partition of every topic of the node, those made meanwhile from their
        beginning: nothing that happened while we listened is left out."""
        parts = {TopicPartition(topic, number)
                 for topic in self._consumer.topics() if topic.startswith(self._prefix)
                 for number in self._consumer.partitions_for_topic(topic) or ()}
        if not (new := parts - self._assigned):
            return
        first = not self._assigned
        self._consumer.assign(sorted(parts))
        if self._from_beginning or not first:
            self._consumer.seek_to_beginning(*sorted(new))
        else:
            self._consumer.seek_to_end(*sorted(new))
            for part in new:  # fixed now: what is written from here on is seen
                self._consumer.position(part)
        self._assigned = parts

    def _open(self, record: Any) -> Seen:
        headers = {name: value.decode("utf-8", "replace") for name, value in record.headers
                   if value is not None}
        return Seen(
            self.node, short_name(self.node, record.topic), record.partition, record.offset,
            (record.key or b"").decode("utf-8", "replace"), headers.get("ce_type", "?"),
            headers.get("ce_source", "?"), headers.get("ce_time", ""),
            _number(headers.get("ce_sequence")), _number(headers.get("ce_custodyepoch")),
            _data(record.value))


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _data(value: bytes | None) -> Any:
    try:
        return None if value is None else json.loads(value)
    except ValueError:
        return {"unreadable_bytes": len(value or b"")}
