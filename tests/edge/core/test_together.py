"""Do statements that travel together answer as each would alone, and are they planned once?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from shared.postgres import Connection, Database, by_columns, execute_together, fetch_together

_ID = UUID(int=7)


@pytest.fixture
async def one(database: str) -> AsyncIterator[Connection]:
    async with Database(database, "public") as opened, opened.ledger.acquire() as connection:
        await connection.execute("""
            CREATE TABLE a (id text PRIMARY KEY, n bigint, state jsonb);
            CREATE TABLE b (id text PRIMARY KEY, a text REFERENCES a, key uuid);
            INSERT INTO a VALUES ('one', 1, '{"x": 1}'), ('two', 2, '{}'), ('three', 3, '{}');
            INSERT INTO b VALUES ('of one', 'one', '00000000-0000-0000-0000-000000000007')
        """)
        yield connection


BY_IDS = "SELECT id, n, state::text AS s FROM a WHERE id = ANY ($1::text[]) ORDER BY n DESC"


async def test_each_select_has_its_own_rows_arguments_and_order(one: Connection) -> None:
    # Eleven parameters before the last: $1 is not to be found in $11.
    sums = "SELECT " + " + ".join(f"${n}::bigint" for n in range(1, 12)) + " AS n"
    rows = await fetch_together(
        one,
        [
            (BY_IDS, (["one", "three"],)),
            None,
            (sums, list(range(11))),
            (BY_IDS, (["two", "nobody"],)),
            ("SELECT key, a FROM b WHERE id = $1", ("of one",)),
            ("SELECT n FROM a WHERE false", ()),
        ],
    )
    assert rows == [
        [("three", 3, "{}"), ("one", 1, '{"x": 1}')],
        [],
        [(55,)],
        [("two", 2, "{}")],
        [(_ID, "one")],
        [],
    ]


async def test_nothing_asked_is_nothing_sent(one: Connection) -> None:
    sent: list[object] = []
    await fetch_together(one, [(BY_IDS, (["two"],))])  # a connection's first: asyncpg asks of types
    with one.query_logger(lambda record: sent.append(record.query)):
        assert await fetch_together(one, [None, None]) == [[], []]
        assert await execute_together(one, []) == []
        assert sent == []
        assert await fetch_together(one, [(BY_IDS, (["two"],)), (BY_IDS, (["one"],))])
        await asyncio.sleep(0)  # loggers are called by the loop
        assert len(sent) == 1


async def test_each_change_tells_how_many_rows_it_touched(one: Connection) -> None:
    insert = "INSERT INTO a SELECT * FROM unnest($1::text[], $2::bigint[], $3::jsonb[])"
    again = f"{insert} ON CONFLICT (id) DO UPDATE SET n = 9 WHERE a.n = 2"
    done = await execute_together(
        one,
        [
            (insert, by_columns([("four", 4, "{}"), ("five", 5, "{}")])),
            (again, by_columns([("two", 0, "{}"), ("three", 0, "{}")])),
            ("INSERT INTO b VALUES ('of four', $1, NULL)", ("four",)),
            ("DELETE FROM b WHERE id = $1", ("of one",)),
            ("UPDATE a SET n = $2 WHERE id = $1", ("nobody", 1)),
        ],
    )
    assert done == [2, 1, 1, 1, 0]
    assert await one.fetchval("SELECT n FROM a WHERE id = 'two'") == 9
    assert await one.fetchval("SELECT array_agg(id) FROM b") == ["of four"]


async def test_changes_stand_all_or_none(one: Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await execute_together(
            one,
            [
                ("UPDATE a SET n = 0", ()),
                ("INSERT INTO b VALUES ('of nobody', 'nobody', NULL)", ()),
            ],
        )
    assert await one.fetchval("SELECT sum(n) FROM a") == 6


async def test_a_lookup_is_planned_once(one: Connection) -> None:
    """Planning costs more than looking up: arrays of one key would be planned each time."""
    for _ in range(20):
        await fetch_together(one, [(BY_IDS, (["one"],)), (BY_IDS, (["two"],))])
    planned = await one.fetchrow(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE $1",
        "SELECT ARRAY(%",
    )
    assert planned is not None
    assert tuple(planned) == (20, 0)
