"""Does what we published know more than our database? Then it was restored behind our back.

Its sequences would be used again and skipped by readers, a silent loss. So nothing is written
before this start has compared; and nothing at all when the topics know more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from shared.access import Bootstrap
from shared.ledger import Gate
from shared.messages import Unavailable
from shared.postgres import UNPROVISIONED, Connection, Database
from shared.reader.log_view import LogView
from shared.relay.log import Standing, read_spans

NOT_COMPARED: Final = "this service has not yet compared its own topics with its database"
RETRY_SECONDS: Final = 1.0

_LOG = structlog.get_logger(__name__)


class Restored(Exception):
    """The database is older than what was published, or another than it was; says which."""


async def check_cluster(connection: Connection) -> None:
    """Raises ``Restored`` when the schema stands in another cluster, or on another timeline, than
    the one it was made in and its incarnation has not been raised since."""
    if await connection.fetchval("SELECT to_regclass('node_incarnation')") is None:
        raise Unavailable(UNPROVISIONED)
    row = await connection.fetchrow(
        """SELECT n.system_identifier AS known, s.system_identifier AS found,
                  n.timeline_id AS known_timeline, c.timeline_id AS found_timeline
           FROM node_incarnation AS n, pg_control_system() AS s, pg_control_checkpoint() AS c"""
    )
    if row is None:
        raise Unavailable(UNPROVISIONED)
    if row["known"] != row["found"]:
        raise Restored(
            "restored: the database was put into another PostgreSQL cluster (its system "
            "identifier differs) and the incarnation was not raised"
        )
    if row["known_timeline"] != row["found_timeline"]:
        raise Restored(
            "restored: the database goes on upon another timeline (a standby was promoted, or a "
            "backup recovered) and the incarnation was not raised"
        )


async def compare(
    database: Database, bootstrap: Bootstrap, node: str, topics: Sequence[str]
) -> int:
    """Compares ``stream`` with every message from ``relay_offset`` to the end of each partition.

    ``topics``: short names of all the topics that the service owns. Returns how many messages
    were compared. Raises ``Restored`` or, when broker or database cannot be asked,
    ``Unavailable``.
    """
    async with database.reading() as connection:
        await check_cluster(connection)
        stored = {
            (row["topic"], row["partition"]): row
            for row in await connection.fetch("SELECT * FROM relay_offset")
        }
    view = LogView(bootstrap, node)
    found = await view.partitions(topics)
    missing = sorted(set(topics) - found.keys())
    if missing:
        raise Unavailable(f"topic {missing[0]} is not there yet: run the role provision")
    places = [(topic, n) for topic, (_, count) in found.items() for n in range(count)]
    extents = await view.extents(places)
    spans = {}
    for place, extent in extents.items():
        row = stored.get(place)
        known = row is not None and row["topic_id"] == extent.topic_id
        start = max(row["next_offset"], extent.start) if row and known else extent.start
        spans[place] = (start, extent.end)
    compared = 0
    async for page in read_spans(bootstrap, node, spans):
        compared += len(page)
        async with database.reading() as connection:
            await _compare(connection, page)
    return compared


async def _compare(connection: Connection, page: Sequence[Standing]) -> None:
    row = await connection.fetchrow(
        """
        SELECT x.topic, x.sequence, coalesce(s.last_sequence, 0) AS last
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::uuid[])
            AS x(topic, key, sequence, event_id)
        LEFT JOIN stream AS s ON s.topic = x.topic AND s.key = x.key
        LEFT JOIN event AS e
            ON e.topic = x.topic AND e.key = x.key AND e.sequence = x.sequence
        WHERE s.last_sequence IS NULL OR s.last_sequence < x.sequence
            OR e.event_id <> x.event_id
        LIMIT 1
        """,
        [standing.place[0] for standing in page],
        [standing.key for standing in page],
        [standing.sequence for standing in page],
        [standing.event_id for standing in page],
    )
    if row is not None:
        raise Restored(
            f"restored: topic {row['topic']} holds sequence {row['sequence']} of a key of which "
            f"the database knows {row['last']}: the database is older than what was published"
        )


async def open_when_compared(
    gate: Gate, database: Database, bootstrap: Bootstrap, node: str, topics: Sequence[str]
) -> None:
    """Opens the gate once compared, waiting for broker and database as long as it takes; what it
    waits for is in the gate's reason, and logged when it changes.

    Raises ``Restored`` and leaves the gate closed with its reason, which every write then
    answers; reads go on.
    """
    gate.close(NOT_COMPARED)
    while True:
        try:
            await compare(database, bootstrap, node, topics)
        except Unavailable as away:
            reason = f"{NOT_COMPARED}: {away}"
            if gate.reason != reason:
                _LOG.warning("start.waits", reason=str(away))
            gate.close(reason)
        except Restored as restored:
            gate.close(str(restored))
            raise
        else:
            gate.open()
            return
        await asyncio.sleep(RETRY_SECONDS)
