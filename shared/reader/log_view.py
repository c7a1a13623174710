"""What does the broker itself say of a partition: which topic is it, where does its log begin?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka import admin as kafka_admin
from confluent_kafka.admin import AdminClient

from shared.access import BROKER_MEND, Bootstrap, Broker, refusal
from shared.envelope import full_name
from shared.messages import Unavailable

Place = tuple[str, int]  # short topic name, partition
# confluent-kafka leaves this class untyped.
OffsetSpec: Any = vars(kafka_admin)["OffsetSpec"]
REQUEST_SECONDS: Final = 5.0


class NotLetIn(Unavailable):
    """The broker is there and does not let us in, or do what we must; the text names the setting.
    Worth a retry all the same: somebody changes a password or a grant."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A partition's log: the topic's id (a topic made anew has another), first and next offset."""

    topic_id: str
    start: int
    end: int


class LogView:
    """Asks the broker; ``Unavailable`` where it cannot say (away, topic not there yet), of these
    ``NotLetIn`` where it would."""

    def __init__(self, bootstrap: Bootstrap, node: str) -> None:
        self.broker = Broker.of(bootstrap)
        self.node = node
        self._refused: str | None = None
        # Kept for as long as futures run; connects at the first question.
        options = self.broker.confluent() | {"log_level": 2, "reconnect.backoff.max.ms": 1000}
        self._admin = AdminClient(options | {"error_cb": self._noticed})

    async def partitions(self, topics: Iterable[str]) -> dict[str, tuple[str, int]]:
        """Of each topic that exists: its id and how many partitions it has."""
        names = {full_name(self.node, topic): topic for topic in topics}
        if not names:
            return {}
        asked = self._admin.describe_topics(
            TopicCollection(list(names)), request_timeout=REQUEST_SECONDS
        )
        found: dict[str, tuple[str, int]] = {}
        for name, promise in asked.items():
            try:
                topic = await _within(promise)
            except KafkaException as problem:
                if problem.args[0].name() == "UNKNOWN_TOPIC_OR_PART":
                    continue
                raise self._away(problem) from problem
            found[names[name]] = (str(topic.topic_id), len(topic.partitions))
        return found

    async def extents(self, places: Iterable[Place]) -> dict[Place, Extent]:
        """Where each of these partitions begins and ends now."""
        wanted = sorted(set(places))
        topics = await self.partitions({topic for topic, _ in wanted})
        for topic, _ in wanted:
            if topic not in topics:
                raise Unavailable(f"topic {topic} is not there yet")
        starts = await self._offsets(wanted, OffsetSpec.earliest())
        ends = await self._offsets(wanted, OffsetSpec.latest())
        return {place: Extent(topics[place[0]][0], starts[place], ends[place]) for place in wanted}

    async def ends(self, topics: Iterable[str]) -> dict[Place, int]:
        """The next offset of every partition of these topics; all of them must exist."""
        wanted = set(topics)
        found = await self.partitions(wanted)
        missing = sorted(wanted - found.keys())
        if missing:
            raise Unavailable(f"topic {missing[0]} is not there yet")
        places = [(topic, n) for topic, (_, count) in found.items() for n in range(count)]
        return await self._offsets(places, OffsetSpec.latest())

    async def _offsets(self, places: Iterable[Place], spec: Any) -> dict[Place, int]:
        asked = {
            TopicPartition(full_name(self.node, topic), partition): (topic, partition)
            for topic, partition in places
        }
        if not asked:
            return {}
        promises: Mapping[TopicPartition, Any] = self._admin.list_offsets(
            dict.fromkeys(asked, spec), request_timeout=REQUEST_SECONDS
        )
        found: dict[Place, int] = {}
        for partition, promise in promises.items():
            try:
                found[asked[partition]] = (await _within(promise)).offset
            except KafkaException as problem:
                raise self._away(problem) from problem
        self._refused = None
        return found

    def _noticed(self, error: KafkaError) -> None:
        self._refused = refusal(error) or self._refused

    def _away(self, problem: KafkaException) -> Unavailable:
        """Says why the broker does not let us in, where it is that."""
        self._admin.poll(0)
        error: KafkaError = problem.args[0]
        why = refusal(error) or self._refused
        if why:
            return NotLetIn(why)
        return Unavailable(f"the broker cannot say ({error.name()}): {BROKER_MEND}")


async def _within(promise: Any) -> Any:
    """The client's own timeout, and a second one: whoever asks here holds a partition up."""
    try:
        async with asyncio.timeout(2 * REQUEST_SECONDS):
            return await asyncio.wrap_future(promise)
    except TimeoutError:
        raise Unavailable(f"the broker does not say: {BROKER_MEND}") from None
