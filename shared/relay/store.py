"""What does the relay read and keep in the service's schema?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.envelope import encode_headers
from shared.ledger import Conflict
from shared.messages import Unavailable
from shared.postgres import Connection, Database
from shared.relay.log import Delivered, Place, Record, Standing

BATCH_EVENTS: Final = 2000
# One event may have 262,144 bytes: a batch of the largest would be half a gigabyte.
BATCH_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A place in the commit-safe order of events; ``xid`` as the 64-bit number it is."""

    incarnation: int
    xid: int
    position: int


BEGINNING: Final = Point(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Stored:
    """What stood last in a partition when the broker acknowledged it."""

    topic_id: str
    next_offset: int
    last_event_id: UUID


# Both bounds as rows, so that a long queue behind an open transaction costs an index probe. The
# upper one is what no transaction in flight can still write below; rows of an earlier incarnation
# lie below it by themselves. Ordered by the columns, never by a text alias of theirs.
_BATCH: Final = """
    SELECT w.* FROM (
        SELECT b.*, sum(b.size) OVER (ORDER BY b.nth) - b.size AS before FROM (
            SELECT e.incarnation, e.xid::text AS xid_text, e.position, e.topic, e.key, e.sequence,
                e.event_id, e.type, e.data, e.correlation_id, e.causation_id, e.custody_epoch,
                e.occurred_at, octet_length(e.data) AS size,
                row_number() OVER (ORDER BY e.incarnation, e.xid, e.position) AS nth
            FROM event AS e
            WHERE (e.incarnation, e.xid, e.position) > ($1::integer, $2::text::xid8, $3::bigint)
                AND {upper}
            ORDER BY e.incarnation, e.xid, e.position
            LIMIT $4
        ) AS b
    ) AS w
    WHERE w.before < $5 ORDER BY w.nth
"""
_COMMITTED: Final = """(e.incarnation, e.xid, e.position) < (
    (SELECT number FROM node_incarnation), (SELECT pg_snapshot_xmin(pg_current_snapshot())), 0)"""
_AGAIN: Final = """(e.incarnation, e.xid, e.position) <= (
    $6::integer, $7::text::xid8, $8::bigint) AND e.topic = $9"""


async def cursor(connection: Connection) -> Point:
    """How far everything has been acknowledged."""
    row = await connection.fetchrow(
        "SELECT incarnation, xid::text AS xid_text, position FROM relay_cursor"
    )
    if row is None:
        raise Unavailable("the schema is not provisioned yet")
    return Point(row["incarnation"], int(row["xid_text"]), row["position"])


async def next_events(connection: Connection, after: Point) -> list[Any]:
    """Committed events after a point, at most 2,000 or about 8 MiB, in the one order that never
    skips a row still in flight."""
    found: list[Any] = await connection.fetch(
        _BATCH.format(upper=_COMMITTED), *_bound(after), BATCH_EVENTS, BATCH_BYTES
    )
    return found


async def events_again(connection: Connection, topic: str, after: Point, until: Point) -> list[Any]:
    """Events of one topic after a point, up to and with another, by the same bounds."""
    async with connection.transaction():
        # Planned for this topic: a plan for any would read the whole table for a rare one.
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        found: list[Any] = await connection.fetch(
            _BATCH.format(upper=_AGAIN),
            *_bound(after),
            BATCH_EVENTS,
            BATCH_BYTES,
            *_bound(until),
            topic,
        )
    return found


def _bound(point: Point) -> tuple[int, str, int]:
    return point.incarnation, str(point.xid), point.position


def point_of(row: Any) -> Point:
    return Point(row["incarnation"], int(row["xid_text"]), row["position"])


def record_of(row: Any, source: str) -> Record:
    """An event row as it goes out."""
    return Record(
        topic=row["topic"],
        key=row["key"].encode("utf-8"),
        value=row["data"].encode("utf-8"),
        headers=encode_headers(
            source=source,
            event_id=row["event_id"],
            type=row["type"],
            subject=row["key"],
            time=row["occurred_at"],
            sequence=row["sequence"],
            correlation_id=row["correlation_id"],
            causation_id=row["causation_id"],
            custody_epoch=row["custody_epoch"],
        ),
        event_id=row["event_id"],
    )


async def offsets(connection: Connection) -> dict[Place, Stored]:
    """What stood last in each partition."""
    return {
        (row["topic"], row["partition"]): Stored(
            row["topic_id"], row["next_offset"], row["last_event_id"]
        )
        for row in await connection.fetch("SELECT * FROM relay_offset")
    }


# One statement, so that no transaction stays open for a round trip: it would hold every relay of
# the server back.
_MOVED: Final = """
    WITH moved AS ({moved} RETURNING 1), kept AS (
        INSERT INTO relay_offset (topic, partition, topic_id, next_offset, last_event_id)
        SELECT * FROM unnest($1::text[], $2::integer[], $3::text[], $4::bigint[], $5::uuid[])
        WHERE EXISTS (SELECT FROM moved)
        ON CONFLICT (topic, partition) DO UPDATE SET topic_id = excluded.topic_id,
            next_offset = excluded.next_offset, last_event_id = excluded.last_event_id)
    SELECT count(*) FROM moved
"""
_CURSOR: Final = _MOVED.format(
    moved="""UPDATE relay_cursor SET incarnation = $6, xid = $7::text::xid8, position = $8
             WHERE (incarnation, xid, position) = ($9, $10::text::xid8, $11)"""
)
_REPAIRED: Final = _MOVED.format(
    moved="""DELETE FROM relay_repair
             WHERE topic = $6 AND (incarnation, xid, position) = ($7, $8::text::xid8, $9)"""
)
_REPAIR: Final = _MOVED.format(
    moved="""UPDATE relay_repair SET incarnation = $6, xid = $7::text::xid8, position = $8
             WHERE topic = $9 AND (incarnation, xid, position) = ($10, $11::text::xid8, $12)"""
)


async def move_cursor(
    database: Database,
    before: Point,
    after: Point,
    delivered: Mapping[Place, Delivered],
    topic_ids: Mapping[str, str],
) -> None:
    """Cursor and offsets, together; ``Conflict`` when another relay moved the cursor meanwhile."""
    offsets = _offsets(delivered, topic_ids)
    async with database.ledger.acquire() as connection:
        if not await connection.fetchval(_CURSOR, *offsets, *_bound(after), *_bound(before)):
            raise Conflict("another relay moved the cursor")


async def move_repair(
    database: Database,
    topic: str,
    before: Point,
    after: Point | None,
    delivered: Mapping[Place, Delivered],
    topic_ids: Mapping[str, str],
) -> None:
    """How far a topic has been published again (None: done); ``Conflict`` as ``move_cursor``."""
    offsets = _offsets(delivered, topic_ids)
    async with database.ledger.acquire() as connection:
        moved = (
            await connection.fetchval(_REPAIRED, *offsets, topic, *_bound(before))
            if after is None
            else await connection.fetchval(
                _REPAIR, *offsets, *_bound(after), topic, *_bound(before)
            )
        )
        if not moved:
            raise Conflict("the repair was asked for anew, or another relay is at it")


def _offsets(
    delivered: Mapping[Place, Delivered], topic_ids: Mapping[str, str]
) -> tuple[list[Any], ...]:
    places = sorted(delivered)
    return (
        [topic for topic, _ in places],
        [partition for _, partition in places],
        [topic_ids[topic] for topic, _ in places],
        [delivered[place].last + 1 for place in places],
        [delivered[place].event_id for place in places],
    )


async def repairs(connection: Connection) -> dict[str, Point]:
    """The topics that are to be published again, each from where."""
    return {
        row["topic"]: point_of(row)
        for row in await connection.fetch(
            "SELECT topic, incarnation, xid::text AS xid_text, position FROM relay_repair"
        )
    }


async def ask_for_repair(
    connection: Connection, topic: str, point: Point, *, forget: Iterable[Place] = ()
) -> None:
    """Notes, before anything is sent, that a topic is published again from a point; a lower one
    already noted stays. ``forget``: partitions whose stored offsets say nothing any more."""
    await connection.execute(
        """INSERT INTO relay_repair AS t (topic, incarnation, xid, position)
           VALUES ($1, $2, $3::text::xid8, $4)
           ON CONFLICT (topic) DO UPDATE SET incarnation = excluded.incarnation,
               xid = excluded.xid, position = excluded.position
           WHERE (t.incarnation, t.xid, t.position)
               > (excluded.incarnation, excluded.xid, excluded.position)""",
        topic,
        *_bound(point),
    )
    gone = sorted(set(forget))
    await connection.execute(
        """DELETE FROM relay_offset AS t USING unnest($1::text[], $2::integer[])
               AS x(topic, partition)
           WHERE t.topic = x.topic AND t.partition = x.partition""",
        [topic for topic, _ in gone],
        [partition for _, partition in gone],
    )


async def published_points(
    connection: Connection, page: Sequence[Standing], until: Point
) -> dict[UUID, Point]:
    """Of these messages, those whose events lie at or before a point, and where."""
    return {
        row["event_id"]: point_of(row)
        for row in await connection.fetch(
            """SELECT e.event_id, e.incarnation, e.xid::text AS xid_text, e.position
               FROM unnest($1::uuid[]) AS x(id) JOIN event AS e ON e.event_id = x.id
               WHERE (e.incarnation, e.xid, e.position) <= ($2, $3::text::xid8, $4)""",
            [standing.event_id for standing in page],
            *_bound(until),
        )
    }


async def lag(connection: Connection) -> tuple[float, float]:
    """Seconds since the oldest event beyond the cursor was recorded, and since the oldest writing
    transaction of the whole server began."""
    row = await connection.fetchrow(
        """SELECT (
               SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)
               FROM event AS e, relay_cursor AS c
               WHERE (e.incarnation, e.xid, e.position) > (c.incarnation, c.xid, c.position)
               ORDER BY e.incarnation, e.xid, e.position LIMIT 1
           )::double precision AS lag, (
               SELECT max(extract(epoch FROM clock_timestamp() - xact_start))
               FROM pg_stat_activity WHERE backend_xid IS NOT NULL
           )::double precision AS oldest"""
    )
    if row is None:
        return 0.0, 0.0
    return row["lag"] or 0.0, row["oldest"] or 0.0
