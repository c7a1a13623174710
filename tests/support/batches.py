"""Do n commands in one batch give what the same n give in n batches? For the ledger of any service.

    @given(commands=lists(...))
    @settings(max_examples=50, deadline=None, suppress_health_check=[function_scoped_fixture])
    async def test_…(database, commands):                                               # INV-11
        async with twins(database, make) as pair:
            await pair.same_together_and_apart(commands)

``make(url, schema)`` is an async context manager that migrates ``schema`` of the database at
``url`` and gives its ``(Database, Ledger)``. Open the twins once and call ``empty()`` between
examples where that is quicker.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from shared.ledger import Accepted, Ledger, Outcome, Request
from shared.ledger.entries import Entry
from shared.messages import Command, Rejection
from shared.postgres import Database

Make = Callable[[str, str], AbstractAsyncContextManager[tuple[Database, Ledger]]]

# One batch writes an aggregate once, so its version counts batches; places and times are the
# database's own.
UNLIKE: Mapping[str, frozenset[str]] = {
    "aggregate": frozenset({"version"}),
    "stream": frozenset({"prev"}),
    "event": frozenset({"position", "xid", "recorded_at"}),
    "answer": frozenset({"answered_at"}),
    "job": frozenset({"created_at", "ended_at"}),
}
KEPT = ("alembic_version", "node_incarnation", "relay_cursor")


@dataclass(frozen=True, slots=True)
class Twins:
    """Two schemas of one service: one takes a batch, the other its commands one by one."""

    together: tuple[Database, Ledger]
    apart: tuple[Database, Ledger]

    async def same_together_and_apart(
        self,
        commands: Sequence[Command],
        *,
        requests: Mapping[int, Request] | None = None,
        unlike: Mapping[str, frozenset[str]] | None = None,
    ) -> list[Outcome]:
        """Asserts equal outcomes, events, sequences, states, jobs, answers and own tables.

        ``requests``: by the command's place. ``unlike``: further columns by table that may differ
        (what ``prepare`` draws at random); table ``*`` for all. Returns the outcomes.
        """
        requests = requests or {}
        one = await in_one_batch(self.together[1], commands, requests)
        many = [
            await self.apart[1].submit(command, request=requests.get(place))
            for place, command in enumerate(commands)
        ]
        assert [told(outcome) for outcome in one] == [told(outcome) for outcome in many]
        ignored = {**UNLIKE}
        for table, columns in (unlike or {}).items():
            ignored[table] = ignored.get(table, frozenset()) | columns
        left = await tables(self.together[0], ignored)
        right = await tables(self.apart[0], ignored)
        assert left == right, _first_difference(left, right)
        return one

    async def empty(self) -> None:
        """Deletes all rows of both schemas but the migrations' and the node's own."""
        for database, _ in (self.together, self.apart):
            names = [name for name in await table_names(database) if name not in KEPT]
            # Between examples only, and no row is ever referenced from outside the schema.
            await database.pool.execute(
                "SET session_replication_role = replica; "
                + "".join(f'DELETE FROM "{name}"; ' for name in names)
                + "SET session_replication_role = origin"
            )


@asynccontextmanager
async def twins(url: str, make: Make) -> AsyncIterator[Twins]:
    """Both schemas in one database, made by the service's own migrations."""
    async with make(url, "together") as one, make(url, "apart") as other:
        yield Twins(one, other)


async def in_one_batch(
    ledger: Ledger, commands: Sequence[Command], requests: Mapping[int, Request]
) -> list[Outcome]:
    """The outcomes of commands that group commit happened to gather in one batch."""
    entries = [
        Entry.of(ledger._domain, command, requests.get(place), None)
        for place, command in enumerate(commands)
    ]
    outcomes: list[Outcome] = []
    for outcome in await ledger._settle(entries):
        if isinstance(outcome, Exception):
            raise outcome
        outcomes.append(outcome)
    return outcomes


def told(outcome: Outcome) -> Any:
    """What a caller learns: the refusal, or events and answer. States are compared as rows."""
    if isinstance(outcome, Rejection):
        return outcome
    assert isinstance(outcome, Accepted)
    return (outcome.events, outcome.answer, outcome.repeated)


async def table_names(database: Database) -> list[str]:
    """The tables of the schema."""
    rows = await database.pool.fetch(
        """SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
           WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           ORDER BY 1""",
        database.schema,
    )
    return [row["relname"] for row in rows]


async def tables(
    database: Database, unlike: Mapping[str, frozenset[str]]
) -> dict[str, list[dict[str, Any]]]:
    """Every table's rows without the columns that may differ, in an order of their own."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name in await table_names(database):
        if name in KEPT:
            continue
        without = sorted(unlike.get(name, frozenset()) | unlike.get("*", frozenset()))
        rows = await database.pool.fetch(
            f'SELECT (to_jsonb(t) - $1::text[])::text AS row FROM "{name}" AS t', without
        )
        found[name] = [json.loads(row) for row in sorted(row["row"] for row in rows)]
    return found


def _first_difference(
    left: Mapping[str, list[dict[str, Any]]], right: Mapping[str, list[dict[str, Any]]]
) -> str:
    """Table, and the rows that only one side has."""
    for name in left:
        only_left = [row for row in left[name] if row not in right[name]]
        only_right = [row for row in right[name] if row not in left[name]]
        if only_left or only_right:
            return f"{name}: together {only_left[:2]}, apart {only_right[:2]}"
    return "tables differ"
