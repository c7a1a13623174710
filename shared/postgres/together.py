"""How do several statements travel in one round trip?

A statement costs about 0.16 ms of two processes' time besides what it does, and sent one
by one a command needs some twenty: for a trickle of commands that is most of what they cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from shared.postgres.database import Connection

# SQL with $1, $2, … and its arguments.
Statement: TypeAlias = tuple[str, Sequence[object]]

# Which statements stand together depends on what a batch holds: a few dozen texts in practice.
_TEXTS: Final = 256


async def fetch_together(
    connection: Connection, selects: Sequence[Statement | None]
) -> list[list[tuple[Any, ...]]]:
    """The rows of each SELECT as tuples, in its order, all of one snapshot.

    None stands for a SELECT that is not needed: it has no rows. A SELECT's columns must be of
    built-in types (``state::text``), and its rows few: they travel as one array of records, which
    the server bounds at 1 GB.
    """
    asked = [select for select in selects if select is not None]
    if not asked:
        return [[] for _ in selects]
    row = await connection.fetchrow(_selects(_texts(asked), _sizes(asked)), *_arguments(asked))
    found = iter(row or ())
    return [[] if select is None else next(found) for select in selects]


async def execute_together(connection: Connection, changes: Sequence[Statement]) -> list[int]:
    """How many rows each INSERT, UPDATE or DELETE changed.

    All of them see the rows as they were before the first: no two may change the same row, and
    none may need what another writes. A foreign key between them is checked when all are done.
    """
    if not changes:
        return []
    row = await connection.fetchrow(
        _changes(_texts(changes), _sizes(changes)), *_arguments(changes)
    )
    return list(row or ())


def by_columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Rows as the arrays that ``unnest`` takes apart; no columns where there is no row."""
    return [list(column) for column in zip(*rows, strict=True)]


def _texts(statements: Sequence[Statement]) -> tuple[str, ...]:
    return tuple(text for text, _ in statements)


def _sizes(statements: Sequence[Statement]) -> tuple[int, ...]:
    return tuple(len(arguments) for _, arguments in statements)


def _arguments(statements: Sequence[Statement]) -> Iterable[object]:
    return chain.from_iterable(arguments for _, arguments in statements)


@lru_cache(_TEXTS)
def _selects(texts: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    return "SELECT " + ", ".join(
        f"ARRAY(SELECT r FROM ({text}) AS r)" for text in _renumbered(texts, sizes)
    )


@lru_cache(_TEXTS)
def _changes(texts: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    parts = [f"c{n} AS ({text} RETURNING 1)" for n, text in enumerate(_renumbered(texts, sizes))]
    counts = (f"(SELECT count(*) FROM c{n}) AS n{n}" for n in range(len(texts)))
    return f"WITH {', '.join(parts)} SELECT {', '.join(counts)}"


def _renumbered(texts: tuple[str, ...], sizes: tuple[int, ...]) -> list[str]:
    """Each text with its parameters counted on from those of the texts before it."""
    renumbered = []
    before = 0
    for text, size in zip(texts, sizes, strict=True):
        parts = re.split(r"\$(\d+)", text)
        parts[1::2] = [f"${int(number) + before}" for number in parts[1::2]]
        renumbered.append("".join(parts))
        before += size
    return renumbered
