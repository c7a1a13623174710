"""What does the reader find in the service's schema, and how does it take a partition up?

Ownership in ``source_progress`` is the fence: whoever took a partition up last is the only one
whose batches commit (``shared.reader.settlement``).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.postgres import Connection, Database, as_unavailable, fetch_together, is_outage
from shared.postgres.database import CONNECT_SECONDS
from shared.reader.log_view import Extent, Place
from shared.reader.plan import Known, Raw


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[Connection]:
    """A connection with the ledger's settings (these tables grow from empty); ``Unavailable``."""
    try:
        async with database.ledger.acquire(timeout=CONNECT_SECONDS) as connection:
            yield connection
    except Exception as error:
        if is_outage(error):
            raise as_unavailable(error) from error
        raise


@dataclass(frozen=True, slots=True)
class Progress:
    """One row of ``source_progress``."""

    next_offset: int
    owner: UUID


async def take_up(
    connection: Connection, owner: UUID, extents: Mapping[Place, Extent]
) -> dict[Place, int]:
    """Makes ``owner`` the one reader of these partitions; returns where each was read to.

    A partition never read, or of a topic made anew, begins at its log's start; one whose log has
    become shorter, at its end. Keys parked there become due.
    """
    rows = await connection.fetch(
        """
        INSERT INTO source_progress AS t (topic, partition, topic_id, next_offset, owner)
        SELECT x.topic, x.partition, x.topic_id, x.start, $1
        FROM unnest($2::text[], $3::int[], $4::text[], $5::bigint[])
            AS x(topic, partition, topic_id, start)
        ORDER BY 1, 2
        ON CONFLICT (topic, partition) DO UPDATE
        SET owner = excluded.owner,
            next_offset = CASE WHEN t.topic_id = excluded.topic_id
                THEN t.next_offset ELSE excluded.next_offset END,
            topic_id = excluded.topic_id,
            cut = t.topic_id = excluded.topic_id AND t.next_offset < excluded.next_offset
        RETURNING topic, partition, next_offset
        """,
        owner,
        [topic for topic, _ in extents],
        [partition for _, partition in extents],
        [extent.topic_id for extent in extents.values()],
        [extent.start for extent in extents.values()],
    )
    shorter = [
        (row["topic"], row["partition"], extents[row["topic"], row["partition"]].end)
        for row in rows
        if row["next_offset"] > extents[row["topic"], row["partition"]].end
    ]
    if shorter:
        await connection.executemany(
            "UPDATE source_progress SET next_offset = $4 "
            "WHERE topic = $2 AND partition = $3 AND owner = $1",
            [(owner, *one) for one in shorter],
        )
    await connection.execute(
        """
        UPDATE parked AS t SET due_at = now()
        FROM (SELECT DISTINCT ON (p.topic, p.key) p.topic, p.key, p.sequence
              FROM parked AS p
              JOIN unnest($1::text[], $2::int[]) AS x(topic, partition)
                  ON p.topic = x.topic AND p.partition = x.partition
              ORDER BY p.topic, p.key, p.sequence) AS head
        WHERE t.topic = head.topic AND t.key = head.key AND t.sequence = head.sequence
        """,
        [topic for topic, _ in extents],
        [partition for _, partition in extents],
    )
    cut = {(topic, partition): end for topic, partition, end in shorter}
    return {
        (row["topic"], row["partition"]): cut.get(
            (row["topic"], row["partition"]), row["next_offset"]
        )
        for row in rows
    }


_PROGRESS: Final = """
    SELECT partition, next_offset, owner FROM source_progress
    WHERE topic = $1 AND partition = ANY ($2::int[])
"""
_KNOWN: Final = """
    SELECT k.key,
        (SELECT s.last_sequence FROM source_key AS s
         WHERE s.topic = $1 AND s.key = k.key) AS last,
        (SELECT p.sequence FROM parked AS p WHERE p.topic = $1 AND p.key = k.key
         ORDER BY p.sequence LIMIT 1) AS head
    FROM unnest($2::text[]) AS k(key)
"""


async def progress(
    connection: Connection, topic: str, partitions: Iterable[int]
) -> dict[int, Progress]:
    """How far these partitions have been read, and by whom."""
    return _stood(await connection.fetch(_PROGRESS, topic, sorted(set(partitions))))


async def look(
    connection: Connection, topic: str, batch: Sequence[Raw]
) -> tuple[dict[int, Progress], Known]:
    """What stands of the partitions and keys of a batch."""
    keys = {raw.key.decode("utf-8", "replace") for raw in batch if raw.key and b"\0" not in raw.key}
    partitions = sorted({raw.partition for raw in batch})
    stood, rows = await fetch_together(
        connection, [(_PROGRESS, (topic, partitions)), (_KNOWN, (topic, sorted(keys)))]
    )
    return _stood(stood), Known(
        last={key: last for key, last, _ in rows if last},
        heads={key: head for key, _, head in rows if head},
    )


def _stood(rows: Iterable[Iterable[Any]]) -> dict[int, Progress]:
    return {partition: Progress(offset, owner) for partition, offset, owner in rows}


async def due(connection: Connection, places: Sequence[Place], keys: int) -> list[tuple[str, str]]:
    """(topic, key) of at most so many keys whose first parked message should be tried now."""
    rows = await connection.fetch(
        """
        SELECT p.topic, p.key FROM parked AS p
        JOIN unnest($1::text[], $2::int[]) AS x(topic, partition)
            ON p.topic = x.topic AND p.partition = x.partition
        WHERE p.due_at <= now()
        GROUP BY p.topic, p.key ORDER BY min(p.due_at) LIMIT $3
        """,
        [topic for topic, _ in places],
        [partition for _, partition in places],
        keys,
    )
    return [(row["topic"], row["key"]) for row in rows]


async def parked(
    connection: Connection, topic: str, keys: Sequence[str], rows: int
) -> list[tuple[Raw, str]]:
    """The first so many parked messages of these keys, each key's in order, with the reasons."""
    found = await connection.fetch(
        "SELECT raw, reason FROM parked WHERE topic = $1 AND key = ANY ($2::text[]) "
        "ORDER BY key, sequence LIMIT $3",
        topic,
        list(keys),
        rows,
    )
    return [(Raw.of(json.loads(row["raw"])), row["reason"]) for row in found]


async def parked_size(connection: Connection, places: Sequence[Place]) -> tuple[int, float]:
    """How many messages wait in these partitions, and for how many seconds the oldest."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS rows,
            coalesce(extract(epoch FROM now() - min(p.since)), 0)::float8 AS seconds
        FROM parked AS p
        JOIN unnest($1::text[], $2::int[]) AS x(topic, partition)
            ON p.topic = x.topic AND p.partition = x.partition
        """,
        [topic for topic, _ in places],
        [partition for _, partition in places],
    )
    assert row is not None
    return row["rows"], row["seconds"]
