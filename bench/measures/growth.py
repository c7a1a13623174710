"""Does an entry cost more when there are a million of them?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import asyncpg

from bench.city import City, Run
from bench.frame import Bench, Measure, Reach, Result, alternate
from bench.hours import Hours
from bench.load import ask_all, closed_loop
from bench.measures.recording import CLIENTS, PEOPLE, counted

SMALL = 10_000
LARGE = 1_000_000
MEASURES = (
    Measure(
        name="cost per entry in a large ledger",
        unit="ms",
        reference="the same city with a small one",
        reach=Reach(of="ratio", at_most=1.2),
    ),
)
# What an entry leaves behind, and how a copy of a row becomes another person's: $1 is the copy's
# number in four letters, put into ids where they are random; the first is one that no id has.
_ID = "overlay({} placing lower($1) from 1 for 4)"
_ENTRY = "overlay(entry_id placing $1 from 18 for 4)"
_EVENT = "event (incarnation, topic, key, sequence, event_id, type, data, actor_id, occurred_at)"
_COPIES = {
    "aggregate": f"""SELECT kind, {_ID.format("id")}, version,
        replace(replace(state::text, id, {_ID.format("id")}), state->'log'->>'log_id',
            {_ID.format("(state->'log'->>'log_id')")})::jsonb
        FROM seed_aggregate""",
    "stream": f"SELECT topic, {_ID.format('key')}, last_sequence, prev FROM seed_stream",
    _EVENT: f"""SELECT incarnation, topic, {_ID.format("key")}, sequence, gen_random_uuid(), type,
        data, actor_id, occurred_at FROM seed_event""",
    "answer": """SELECT gen_random_uuid(), digest, status, body, secret, answered_at
        FROM seed_answer WHERE $1 <> ''""",
    "entry_version": f"""SELECT issuer, {_ENTRY}, version, {_ID.format("subject_id")},
        {_ID.format("digest")}, signed, held_order, held_epoch, brought_by
        FROM seed_entry_version""",
    "leaf": f"""SELECT {_ID.format("log_id")}, leaf_index, issuer, {_ENTRY}, version,
        {_ID.format("digest")} FROM seed_leaf""",
    "fact_claim": f"""SELECT $1 || key, {_ENTRY}, {_ID.format("subject_id")}, content, batch_id,
        row_no FROM seed_fact_claim""",
}
_WHERE = {
    "aggregate": "WHERE kind = 'dossier'",
    "stream": "WHERE topic = 'records.dossiers.v1'",
    "event": "WHERE topic = 'records.dossiers.v1'",
}


def take(bench: Bench) -> Iterator[Result]:
    """Two databases of one city, one as it was at the first size; asked in turn."""
    people, small = bench.scaled(PEOPLE, 250), bench.scaled(SMALL, 2_500)
    large = bench.scaled(LARGE, 25_000)
    city = City.begin(bench.root / "growth", "500000", "重庆")
    try:
        city.populate(people, bench.say)
        hours = Hours(city, 0, people)
        with city.running(Run("records", "api")):
            ask_all(city.api_port("records"), islice(hours.requests(), small), clients=CLIENTS)
        city.make_database("small", "jiexu")
        bench.say(f"filling the ledger with {large:,} entries")
        city.within(lambda one: _fill(one, large // small))
        held = city.value("SELECT count(*) FROM records.entry_version")
        assert held == large, f"{held} entries"
        for database in ("jiexu", "small"):
            city.within(_tidy, database)
        seconds = bench.scaled(20, 4)
        figures = alternate(
            1,
            {
                "large": lambda: _cost(city, "jiexu", hours, seconds),
                "small": lambda: _cost(city, "small", hours, seconds),
            },
        )
    finally:
        city.close()
    yield Result(
        measure=MEASURES[0],
        ours=figures["large"],
        reference=figures["small"],
        note=f"{held:,} entries of {people * (large // small):,} people beside {small:,} of "
        f"{people:,}; {CLIENTS} clients, one API process",
    )


def _cost(city: City, database: str, hours: Hours, seconds: float) -> float:
    """Milliseconds an entry."""
    settings = city.settings("records") | {"JIEXU_DATABASE_URL": city.postgres.url_of(database)}
    with city.running(Run("records", "api", settings=settings)), counted(city, hours, database):
        load = closed_loop(
            [city.api_port("records")], hours.requests(), clients=CLIENTS, seconds=seconds
        )
    return 1000 / load.rate


async def _tidy(one: asyncpg.Connection[Any]) -> None:
    """Both databases are asked as the planner knows them, with nothing left to write out."""
    await one.execute("ANALYZE")
    await one.execute("CHECKPOINT")


async def _fill(one: asyncpg.Connection[Any], times: int) -> None:
    """The entries that are there, so many times, of other people each time."""
    await one.execute("SET search_path = records; SET synchronous_commit = off")
    columns = await one.fetch(
        """SELECT attname AS name FROM pg_attribute
           WHERE attrelid = 'standing'::regclass AND attnum > 0 ORDER BY attnum"""
    )
    changed = {
        "log_id": _ID.format("log_id"),
        "entry_id": _ENTRY,
        "subject_id": _ID.format("subject_id"),
        "ulid": "substr(" + _ENTRY + ", 8)",
    }
    copies = _COPIES | {
        "standing": "SELECT "
        + ", ".join(changed.get(row["name"], row["name"]) for row in columns)
        + " FROM seed_standing"
    }
    for table in copies:
        name = table.partition(" ")[0]
        await one.execute(
            f"CREATE UNLOGGED TABLE seed_{name} AS SELECT * FROM {name} {_WHERE.get(name, '')}"
        )
    for number in range(1, times):
        async with one.transaction():
            for table, copy in copies.items():
                await one.execute(f"INSERT INTO {table} {copy}", f"U{number:03X}")
