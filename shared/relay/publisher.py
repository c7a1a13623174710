"""How do committed events reach Kafka? One active relay a service, from the cursor on.

The cursor moves after the broker's acknowledgement: a crash repeats events, it loses none. At the
start, after each disturbance and every 30 s the log is compared with what was acknowledged; what
it lost is published again before anything new.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from shared.access import Bootstrap
from shared.envelope import source
from shared.ledger import Conflict
from shared.messages import Unavailable
from shared.postgres import Database, Wakes, is_outage, listening
from shared.reader.log_view import Extent, LogView
from shared.relay import store
from shared.relay.log import Delivered, Place, Sender, Standing, read_spans
from shared.relay.own_topics import check_cluster
from shared.relay.store import BEGINNING, Point, Stored
from shared.telemetry import Metrics

POLL_SECONDS: Final = 0.1
COMPARE_SECONDS: Final = 30.0
GAUGE_SECONDS: Final = 5.0
PAUSES_SECONDS: Final = (0.2, 0.5, 1.0, 2.0)
BACKWARDS_MESSAGES: Final = 4000

_LOG = logging.getLogger(__name__)


class Relay:
    """Publishes the events of one service. Run it in the active worker alone."""

    def __init__(
        self,
        database: Database,
        bootstrap: Bootstrap,
        *,
        node: str,
        service: str,
        metrics: Metrics | None = None,
    ) -> None:
        self._database = database
        self._bootstrap = bootstrap
        self._node = node
        self._source = source(node, service)
        self._sender = Sender(bootstrap, node)
        self._view = LogView(bootstrap, node)
        self._topic_ids: dict[str, str] = {}
        self._offsets: dict[Place, Stored] = {}
        self._cursor: Point | None = None
        self._ahead: tuple[Point, asyncio.Task[list[Any]]] | None = None
        self._failures = 0
        metrics = metrics or Metrics(service, node)
        self._sent = metrics.counter(
            "relay_events", "Events that the broker acknowledged, repeats included.", "topic"
        )
        self._again = metrics.counter(
            "relay_repairs", "Times that a topic was found to have lost events.", "topic"
        )
        self._lag = metrics.active_gauge(
            "relay_lag_seconds", "Age of the oldest event that is not yet acknowledged."
        )
        self._oldest = metrics.active_gauge(
            "oldest_transaction_seconds",
            "Age of the oldest writing transaction in the PostgreSQL server: it holds back all.",
        )

    async def run(self) -> None:
        """For ever. Raises ``Restored`` when the cluster is another than the schema was made in;
        waits for a database or a broker that is away."""
        async with listening(self._database) as wakes:
            gauges = asyncio.create_task(self._keep_gauges())
            try:
                while True:
                    if gauges.done():
                        gauges.result()
                    try:
                        await self._until_disturbed(wakes)
                    except (Unavailable, Conflict) as reason:
                        await self._pause(str(reason))
                    except Exception as error:
                        if not is_outage(error):
                            raise
                        await self._pause(type(error).__name__)
            finally:
                gauges.cancel()
                await asyncio.gather(gauges, return_exceptions=True)
                await self._forget_ahead()
                await asyncio.to_thread(self._sender.discard)

    async def _until_disturbed(self, wakes: Wakes) -> None:
        await self._take_up()
        self._failures = 0
        again = time.monotonic() + COMPARE_SECONDS
        while not self._sender.disturbed and time.monotonic() < again:
            if not await self.publish() and await wakes.wait("event", seconds=POLL_SECONDS):
                continue
            if wakes.take("repair"):
                return

    async def _pause(self, reason: str) -> None:
        _LOG.warning("the relay waits: %s", reason)
        await asyncio.sleep(PAUSES_SECONDS[min(self._failures, len(PAUSES_SECONDS) - 1)])
        self._failures += 1

    # -- publishing -----------------------------------------------------------------------------

    async def publish(self) -> int:
        """Publishes one batch from the cursor on; returns how many rows it passed."""
        assert self._cursor is not None
        rows = await self._fetched(self._cursor) or await self._fetch(self._cursor)
        if not rows:
            self._sender.listen()
            return 0
        after = store.point_of(rows[-1])
        if len(rows) == store.BATCH_EVENTS:
            # A long queue: the next page comes from the database while this one goes out.
            self._ahead = after, asyncio.ensure_future(self._fetch(after))
        delivered = await self._send(rows)
        damaged = {
            place[0]
            for place, told in delivered.items()
            if place in self._offsets and told.first < self._offsets[place].next_offset
        }
        if damaged:
            # Acknowledged below what was acknowledged before: the log had lost its tail.
            await self._damaged(damaged)
            raise Unavailable("a topic has lost events; they are published again")
        await store.move_cursor(self._database, self._cursor, after, delivered, self._topic_ids)
        self._cursor = after
        self._remember(delivered)
        return len(rows)

    async def _fetch(self, after: Point) -> list[Any]:
        async with self._database.ledger.acquire() as connection:
            return await store.next_events(connection, after)

    async def _fetched(self, after: Point) -> list[Any]:
        """What was fetched ahead from this very point."""
        if self._ahead is None or self._ahead[0] != after:
            return []
        rows, self._ahead = await self._ahead[1], None
        return rows

    async def _forget_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead[1].cancel()
            await asyncio.gather(self._ahead[1], return_exceptions=True)
            self._ahead = None

    async def _send(self, rows: list[Any]) -> dict[Place, Delivered]:
        records = [store.record_of(row, self._source) for row in rows if row["topic"] is not None]
        unknown = {record.topic for record in records} - self._topic_ids.keys()
        if unknown:
            await self._learn_topics(unknown)
        delivered = await self._sender.send(records) if records else {}
        for topic in {record.topic for record in records}:
            self._sent.labels(topic).inc(sum(record.topic == topic for record in records))
        return delivered

    async def _learn_topics(self, topics: Iterable[str]) -> None:
        wanted = set(topics)
        found = await self._view.partitions(wanted)
        missing = sorted(wanted - found.keys())
        if missing:
            raise Unavailable(f"topic {missing[0]} is not there yet")
        self._topic_ids |= {topic: topic_id for topic, (topic_id, _) in found.items()}

    def _remember(self, delivered: Mapping[Place, Delivered]) -> None:
        for place, told in delivered.items():
            self._offsets[place] = Stored(self._topic_ids[place[0]], told.last + 1, told.event_id)

    # -- comparing, and publishing again --------------------------------------------------------

    async def _take_up(self) -> None:
        """Where were we, does the log still hold what it acknowledged, and what must come again?"""
        await self._forget_ahead()
        self._sender.disturbed = False
        async with self._database.ledger.acquire() as connection:
            await check_cluster(connection)
            self._cursor = await store.cursor(connection)
            self._offsets = await store.offsets(connection)
        extents = await self._view.extents(self._offsets)
        lost = {
            place[0]
            for place, stored in self._offsets.items()
            if extents[place].topic_id != stored.topic_id or extents[place].end < stored.next_offset
        }
        lost |= await self._standing_otherwise(extents, passing=lost)
        self._topic_ids = {topic: extent.topic_id for (topic, _), extent in extents.items()}
        if lost:
            await self._damaged(lost)
        async with self._database.ledger.acquire() as connection:
            repairs = await store.repairs(connection)
        for topic in sorted(repairs):
            await self._publish_again(topic, repairs[topic], self._cursor)

    async def _standing_otherwise(
        self, extents: Mapping[Place, Extent], *, passing: set[str]
    ) -> set[str]:
        """Topics in which another event stands where the last acknowledged one stood."""
        spans = {
            place: (stored.next_offset - 1, stored.next_offset)
            for place, stored in self._offsets.items()
            if place[0] not in passing and extents[place].start < stored.next_offset
        }
        found: dict[Place, Standing] = {}
        async for page in read_spans(self._bootstrap, self._node, spans):
            found |= {standing.place: standing for standing in page}
        return {
            place[0]
            for place in spans
            if place not in found or found[place].event_id != self._offsets[place].last_event_id
        }

    async def _damaged(self, topics: set[str]) -> None:
        """Notes from where these topics are published again: after the event that stands last in
        each partition among those acknowledged before."""
        assert self._cursor is not None
        found = await self._view.partitions(topics)
        for topic in sorted(topics):
            _LOG.error("topic %s has lost events; they are published again", topic)
            self._again.labels(topic).inc()
            places = [place for place in self._offsets if place[0] == topic]
            extents = await self._view.extents(places)
            points = [
                await self._last_standing(place, extents[place], self._cursor) for place in places
            ]
            async with self._database.ledger.acquire() as connection, connection.transaction():
                await store.ask_for_repair(connection, topic, min(points), forget=places)
            self._offsets = {
                place: stored for place, stored in self._offsets.items() if place[0] != topic
            }
            self._topic_ids[topic] = found[topic][0]

    async def _last_standing(self, place: Place, extent: Extent, until: Point) -> Point:
        """The last of our events in a partition that was acknowledged before the cursor came to
        ``until``; newer ones may stand behind a hole."""
        end = extent.end
        while end > extent.start:
            start = max(extent.start, end - BACKWARDS_MESSAGES)
            last: Point | None = None
            async for page in read_spans(self._bootstrap, self._node, {place: (start, end)}):
                async with self._database.ledger.acquire() as connection:
                    points = await store.published_points(connection, page, until)
                for standing in page:
                    last = points.get(standing.event_id, last)
            if last is not None:
                return last
            end = start
        return BEGINNING

    async def _publish_again(self, topic: str, begin: Point, until: Point) -> None:
        point = begin
        while True:
            async with self._database.ledger.acquire() as connection:
                rows = await store.events_again(connection, topic, point, until)
            if not rows:
                await store.move_repair(self._database, topic, point, None, {}, {})
                return
            delivered = await self._send(rows)
            after = store.point_of(rows[-1])
            await store.move_repair(self._database, topic, point, after, delivered, self._topic_ids)
            self._remember(delivered)
            point = after

    # -- gauges ---------------------------------------------------------------------------------

    async def _keep_gauges(self) -> None:
        while True:
            try:
                async with self._database.reading() as connection:
                    lag, oldest = await store.lag(connection)
            except Unavailable:
                pass
            else:
                self._lag.set(lag)
                self._oldest.set(oldest)
            await asyncio.sleep(GAUGE_SECONDS)


async def republish(database: Database, topics: Iterable[str]) -> None:
    """Has the relay publish topics again from their first event, at once or at its next start;
    readers pass what they have by its sequence."""
    async with database.ledger.acquire() as connection, connection.transaction():
        for topic in sorted(set(topics)):
            await store.ask_for_repair(connection, topic, BEGINNING)
        await connection.execute("SELECT pg_notify($1, 'repair')", database.channel)
