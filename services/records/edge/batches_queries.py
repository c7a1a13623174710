"""What do lists of imports and their rows show?"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import asyncpg

from services.records.domain.batches.state import BatchKind
from shared.postgres import Database
from shared.problems import field_is_wrong
from shared.requests import Page

_COLUMNS = """batch_id, organisation_id, kind, status, rows, declared_minutes, opened_by, opened_at,
    imported, repeats, held, minutes"""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """What taking a page of rows needs of its batch."""

    batch_id: str
    kind: BatchKind
    organisation_id: str
    sheet_digest: str
    opened_by: str
    opened_at: datetime
    decision_id: str | None
    seat_region: str


class BatchQueries:
    """Reads ``batch`` and ``batch_row``."""

    def __init__(self, database: Database, node: str) -> None:
        self._database = database
        self._node = node

    async def sheet(self, batch_id: str) -> SheetRow | None:
        """The batch as its rows are read; where the recorder's seat is unknown, the node's code."""
        async with self._database.reading() as connection:
            row = await connection.fetchrow(
                """SELECT b.batch_id, b.kind, b.organisation_id, b.sheet_digest, b.opened_by,
                    b.opened_at, a.state -> 'sheet' ->> 'decision_id' AS decision_id,
                    o.state -> 'organisation' ->> 'seat_region' AS seat_region
                FROM batch AS b
                JOIN aggregate AS a ON a.kind = 'batch' AND a.id = b.batch_id
                LEFT JOIN aggregate AS o ON o.kind = 'organisation' AND o.id = b.organisation_id
                WHERE b.batch_id = $1""",
                batch_id,
            )
        if row is None:
            return None
        return SheetRow(
            batch_id=row["batch_id"],
            kind=cast(BatchKind, row["kind"]),
            organisation_id=row["organisation_id"],
            sheet_digest=row["sheet_digest"],
            opened_by=row["opened_by"],
            opened_at=row["opened_at"],
            decision_id=row["decision_id"],
            seat_region=row["seat_region"] or self._node,
        )

    async def batch(self, batch_id: str, organisations: tuple[str, ...]) -> dict[str, Any] | None:
        """One batch, if it is of these organisations (``*``: any)."""
        async with self._database.reading() as connection:
            row = await connection.fetchrow(
                f"""SELECT {_COLUMNS}, (SELECT count(*) FROM batch_row AS r
                    WHERE r.batch_id = batch.batch_id AND refused_reason IS NOT NULL) AS refused
                FROM batch
                WHERE batch_id = $1
                  AND ('*' = ANY($2::text[]) OR organisation_id = ANY($2::text[]))""",
                batch_id,
                list(organisations),
            )
        return None if row is None else self.shown(row)

    async def batches(self, organisations: tuple[str, ...], asked: Page) -> list[dict[str, Any]]:
        """Batches of these organisations, oldest first."""
        since, batch_id = _position(asked)
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                f"""SELECT {_COLUMNS} FROM batch
                WHERE ('*' = ANY($1::text[]) OR organisation_id = ANY($1::text[]))
                  AND (opened_at, batch_id) > ($2, $3)
                ORDER BY opened_at, batch_id LIMIT $4""",
                list(organisations),
                since,
                batch_id,
                asked.fetch,
            )
        return [self.shown(row) for row in rows]

    async def rows(self, batch_id: str, state: str | None, asked: Page) -> list[dict[str, Any]]:
        """Rows in their order; ``refused``: those that a decision did not reach."""
        after = _row_no(asked)
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                """SELECT row_no, state, subject_id, entry_id, minutes, reason, field, same_as_row,
                    refused_decision, refused_reason
                FROM batch_row
                WHERE batch_id = $1 AND row_no > $2::int
                  AND ($3::text IS NULL OR state = $3
                       OR ($3 = 'refused' AND refused_reason IS NOT NULL))
                ORDER BY row_no LIMIT $4""",
                batch_id,
                after,
                state,
                asked.fetch,
            )
        return [dict(row) for row in rows]

    @staticmethod
    def shown(row: asyncpg.Record | dict[str, Any]) -> dict[str, Any]:
        """One batch as JSON."""
        shown = dict(row)
        if isinstance(shown["opened_at"], datetime):
            shown["opened_at"] = shown["opened_at"].isoformat()
        return shown


def _position(asked: Page) -> tuple[datetime, str]:
    """Where a page of batches begins; a cursor of another list is a wrong field."""
    match asked.after:
        case None:
            return datetime(1970, 1, 1, tzinfo=UTC), ""
        case (str() as since, str() as batch_id):
            with contextlib.suppress(ValueError, OverflowError):
                instant = datetime.fromisoformat(since)
                if instant.tzinfo is not None:
                    return instant.astimezone(UTC), batch_id
    raise field_is_wrong("after", "not_a_cursor")


def _row_no(asked: Page) -> int:
    match asked.after:
        case None:
            return 0
        case (int() as row_no,) if 0 <= row_no < 2**31:
            return row_no
    raise field_is_wrong("after", "not_a_cursor")
