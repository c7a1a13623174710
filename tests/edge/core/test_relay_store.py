"""What does the relay take up in one batch, and what do its gauges tell?"""

from __future__ import annotations

import asyncpg

from shared.relay import store
from tests.support.counter import add, counter_service
from tests.support.infrastructure import eventually


async def test_a_batch_of_large_events_is_bounded_in_bytes(database: str) -> None:
    async with counter_service(database) as (opened, ledger):
        for n in range(50):
            await ledger.submit(add("ann", 1, f"{n}", day=n, text="x" * 260_000))
        batches: list[int] = []
        taken, point = 0, store.BEGINNING
        async with opened.ledger.acquire() as connection:

            async def all_taken() -> bool:
                # Others on this server may hold the end back for a while.
                nonlocal taken, point
                if rows := await store.next_events(connection, point):
                    batches.append(sum(len(row["data"]) for row in rows))
                    taken, point = taken + len(rows), store.point_of(rows[-1])
                return taken == 50

            await eventually(all_taken, "all fifty were taken up")
    assert max(batches) <= store.BATCH_BYTES + 262_144


async def test_the_gauges_tell_the_oldest_unsent_event_and_the_oldest_writer(
    database: str,
) -> None:
    async with counter_service(database) as (opened, ledger):
        async with opened.ledger.acquire() as connection:
            assert (await store.lag(connection))[0] == 0.0
        await ledger.submit(add("ann", 1))
        await opened.pool.execute("UPDATE event SET recorded_at = now() - interval '1 hour'")
        writer = await asyncpg.connect(database)
        async with writer.transaction():
            await writer.execute("SELECT pg_current_xact_id()")
            async with opened.ledger.acquire() as connection:
                lag, oldest = await store.lag(connection)
        await writer.close()
        assert 3600 <= lag < 3700
        assert oldest > 0.0


async def test_a_rare_topic_is_published_again_without_reading_the_whole_table(
    database: str,
) -> None:
    async with counter_service(database) as (opened, ledger):
        await ledger.submit(add("ann", 1))
        await opened.pool.execute(
            """INSERT INTO event OVERRIDING SYSTEM VALUE
               SELECT (jsonb_populate_record(e, jsonb_build_object('event_id', gen_random_uuid(),
                   'sequence', e.sequence + n, 'position', e.position + n))).*
               FROM event AS e, generate_series(1, 5000) AS n WHERE e.topic IS NOT NULL"""
        )
        await opened.pool.execute("ANALYZE event")
        async with opened.ledger.acquire() as connection, connection.transaction():
            until = store.Point(9, 2**62, 2**62)
            read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
            assert await store.events_again(connection, "rare.v1", store.BEGINNING, until) == []
            # idx_tup_fetch counts what an index led to and a filter threw away too.
            assert await connection.fetchval(f"{read} WHERE relid = 'event'::regclass") < 100
            assert await store.events_again(connection, "counter.totals.v1", store.BEGINNING, until)
            assert await connection.fetchval(f"{read} WHERE relid = 'event'::regclass") >= 1000
