"""Is a schema brought to its newest shape, once, and an outage told from a defect?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from shared.messages import Unavailable
from shared.postgres import Database, is_outage, migrate
from shared.postgres.database import outages_are_unavailable
from shared.postgres.wakes import Wakes
from tests.support.infrastructure import eventually, free_port

FIRST = '''
from alembic import op
from shared.postgres import ledger_tables, reader_tables
revision = "0001"
down_revision = None

def upgrade() -> None:
    op.execute(ledger_tables())
    op.execute(reader_tables())
    op.execute("""CREATE FUNCTION half(n integer) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE rest integer := n % 2;
    BEGIN
        IF rest <> 0 THEN RAISE EXCEPTION 'odd: %', n; END IF;
        RETURN format('%s:%s', n / 2, '{"a":1}'::jsonb);
    END $$""")
'''
SECOND = """
from alembic import op
revision = "0002"
down_revision = "0001"

def upgrade() -> None:
    op.execute("CREATE TABLE later (id integer PRIMARY KEY); INSERT INTO later VALUES (1)")
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "0001_first.py").write_text(FIRST)
    return tmp_path


async def test_pending_revisions_run_once_and_in_order(database: str, migrations: Path) -> None:
    assert await migrate(database, "one", migrations) == ("0001",)
    (migrations / "versions" / "0002_second.py").write_text(SECOND)
    assert await migrate(database, "one", migrations) == ("0002",)
    assert await migrate(database, "one", migrations) == ()
    assert await migrate(database, "two", migrations) == ("0001", "0002")
    async with Database(database, "one") as one:
        assert await one.pool.fetchval("SELECT half(4)") == '2:{"a": 1}'
        assert await one.pool.fetchval("SELECT count(*) FROM later") == 1
        with pytest.raises(asyncpg.RaiseError, match="odd: 3"):
            await one.pool.fetchval("SELECT half(3)")


async def test_two_provisioners_wait_for_each_other(database: str, migrations: Path) -> None:
    (migrations / "versions" / "0002_second.py").write_text(SECOND)
    ran = await asyncio.gather(*(migrate(database, "one", migrations) for _ in range(4)))
    assert sorted(ran) == [(), (), (), ("0001", "0002")]


async def test_a_revision_that_fails_leaves_nothing_behind(database: str, migrations: Path) -> None:
    (migrations / "versions" / "0002_second.py").write_text(
        SECOND.replace("VALUES (1)", "VALUES (1), (1)")
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await migrate(database, "one", migrations)
    async with Database(database, "one") as one:
        assert await one.pool.fetchval("SELECT to_regclass('one.aggregate')") is None


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with Database(f"postgresql://postgres@127.0.0.1:{free_port()}/x", "one") as one:
        with pytest.raises(Unavailable):
            await one.ping()
        with pytest.raises(Unavailable):
            await one.wait(seconds=0.2)
        with pytest.raises(Unavailable):
            await migrate(one.url, "one", Path("."))


async def test_a_wrong_argument_and_a_slow_statement_are_no_outage(database: str) -> None:
    async with Database(database, "public") as one:
        with pytest.raises(Exception) as wrong:
            await one.pool.fetchval("SELECT $1::integer", "text")
        assert not is_outage(wrong.value)
        with pytest.raises(asyncpg.QueryCanceledError) as slow:
            async with one.pool.acquire() as connection, connection.transaction():
                await connection.execute("SET LOCAL statement_timeout = '20ms'")
                await connection.execute("SELECT pg_sleep(5)")
        assert not is_outage(slow.value)


async def test_of_two_workers_one_is_active_and_the_other_takes_over(database: str) -> None:
    # F32
    active: list[str] = []
    release = {name: asyncio.Event() for name in "ab"}

    def work(name: str):  # type: ignore[no-untyped-def]
        async def run() -> None:
            active.append(name)
            try:
                await release[name].wait()
            finally:
                active.remove(name)

        return run

    async with Database(database, "public") as one, Database(database, "public") as two:
        first = asyncio.create_task(one.as_the_only_one("worker", work("a")))
        await eventually(lambda: active == ["a"], "the first worker is active")
        second = asyncio.create_task(two.as_the_only_one("worker", work("b")))
        other_schema = asyncio.create_task(
            Database(database, "other").as_the_only_one("worker", work("b"))
        )
        await eventually(lambda: "b" in active, "another schema's worker is active")
        other_schema.cancel()
        await asyncio.gather(other_schema, return_exceptions=True)
        assert active == ["a"]
        # The lock's connection is cut: the work must stop before another starts.
        killed = await one.pool.fetchval(
            """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE application_name = 'jiexu:worker' AND datname = current_database()
                 AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"""
        )
        assert killed == 1
        await eventually(lambda: len(active) == 1, "one of them is active again")
        for event in release.values():
            event.set()
        await asyncio.wait_for(asyncio.gather(first, second), 10)


async def test_a_cancelled_task_ends_though_asyncpg_answers_with_an_error_of_its_own():
    """Else a loop that waits outages out goes on for ever, and with it the end of its process."""
    began = asyncio.Event()

    async def statement():
        try:
            began.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise asyncpg.InternalClientError("got result for unknown protocol state") from None

    async def wait_out_outages():
        while True:
            try:
                async with outages_are_unavailable():
                    await statement()
            except Unavailable:
                await asyncio.sleep(0)

    waiting = asyncio.create_task(wait_out_outages())
    await began.wait()
    waiting.cancel()
    done, _ = await asyncio.wait({waiting}, timeout=5)
    assert done and waiting.cancelled()


async def test_a_wake_in_the_same_turn_makes_nobody_deaf_to_a_cancellation() -> None:
    wakes = Wakes()
    waiting = asyncio.ensure_future(wakes.wait("job", seconds=5))
    for _ in range(3):
        await asyncio.sleep(0)
    wakes.heard("job")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
