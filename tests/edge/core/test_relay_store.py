"""What does the relay take up in one batch, and what do its gauges tell?"""

from __future__ import annotations

import asyncpg

from shared.relay import store
from tests.support.counter import add, counter_service


async def test_a_batch_of_large_events_is_bounded_in_bytes(database: str) -> None:
    async with counter_service(database) as (opened, ledger):
        for n in range(50):
            await ledger.submit(add("ann", 1, f"{n}", day=n, text="x" * 260_000))
        async with opened.ledger.acquire() as connection:
            taken, point, batches = 0, store.BEGINNING, []
            while rows := await store.next_events(connection, point):
                batches.append(sum(len(row["data"]) for row in rows))
                taken, point = taken + len(rows), store.point_of(rows[-1])
    assert taken == 50
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
        assert 0.0 < oldest
