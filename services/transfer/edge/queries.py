"""What do people read of moves? Their own, and officers all of this node's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from services.transfer.edge.views import attempt_json
from shared.clock import Clock, wire
from shared.messages import Actor
from shared.postgres import Database
from shared.problems import field_is_wrong
from shared.requests import Page

Rows = Sequence[Mapping[str, Any]]


class Queries:
    """Reads of this service's own tables."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def attempts(self, applicant_ref: str) -> Rows:
        """Every attempt of one application, the newest first."""
        async with self._database.reading() as connection:
            rows: Rows = await connection.fetch(
                """SELECT t.*, a.actor_id FROM transfer AS t
                   LEFT JOIN application AS a USING (applicant_ref)
                   WHERE t.applicant_ref = $1 ORDER BY t.requested_at DESC, t.attempt DESC
                   LIMIT 200""",
                applicant_ref,
            )
        return rows

    def is_own(self, actor: Actor, rows: Rows) -> bool:
        """Whether it is this person's application, here or at the city that lets go."""
        return any(
            row["actor_id"] == actor.actor_id
            or (actor.subject_id is not None and row["subject_id"] == actor.subject_id)
            for row in rows
        )

    def application(self, rows: Rows) -> dict[str, Any]:
        """The application as it stands: its newest attempt, and all attempts inside."""
        now = self._clock.now()
        attempts = [attempt_json(row, now) for row in rows]
        newest = dict(attempts[0])
        newest.pop("transfer_id")
        return {"applicant_ref": rows[0]["applicant_ref"], **newest, "attempts": attempts}

    async def listed(
        self, asked: Page, *, subject_id: str | None, state: str | None, peer: str | None
    ) -> Rows:
        """Moves, newest first; of one subject, or all."""
        instant, transfer_id, role = _position(asked)
        async with self._database.reading() as connection:
            rows: Rows = await connection.fetch(
                """SELECT * FROM transfer
                   WHERE ($1::text IS NULL OR subject_id = $1)
                       AND ($2::text IS NULL OR state = $2)
                       AND ($3::text IS NULL OR peer = $3)
                       AND (requested_at, transfer_id, role) < ($4, $5, $6)
                   ORDER BY requested_at DESC, transfer_id DESC, role DESC LIMIT $7""",
                subject_id,
                state,
                peer,
                instant,
                transfer_id,
                role,
                asked.fetch,
            )
        return rows

    def item(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A move in a list."""
        return {
            "applicant_ref": row["applicant_ref"],
            **attempt_json(row, self._clock.now()),
        }

    async def alarms(self, asked: Page) -> Rows:
        """What the office must know, newest first."""
        return await self._book("SELECT id, kind, transfer_id, about, at FROM alarm", asked)

    async def notices(self, asked: Page) -> Rows:
        """What other cities' offices wrote, newest first."""
        return await self._book(
            """SELECT row_number() OVER (ORDER BY kept_at, message_id) AS id, kind, transfer_id,
                   content::jsonb AS about, kept_at AS at FROM notice""",
            asked,
        )

    async def _book(self, select: str, asked: Page) -> Rows:
        before = _number(asked)
        async with self._database.reading() as connection:
            rows: Rows = await connection.fetch(
                f"SELECT * FROM ({select}) AS book WHERE id < $1 ORDER BY id DESC LIMIT $2",
                before,
                asked.fetch,
            )
        return rows


def _position(asked: Page) -> tuple[datetime, str, str]:
    """Where a page of moves begins; a cursor of another list is a wrong field."""
    match asked.after:
        case None:
            return datetime(9999, 12, 31, tzinfo=UTC), "", ""
        case (str() as since, str() as transfer_id, str() as role):
            with contextlib.suppress(ValueError, OverflowError):
                instant = datetime.fromisoformat(since)
                if instant.tzinfo is not None:
                    return instant.astimezone(UTC), transfer_id, role
    raise field_is_wrong("after", "not_a_cursor")


def _number(asked: Page) -> int:
    match asked.after:
        case None:
            return 2**62
        case (int() as number,):
            return number
    raise field_is_wrong("after", "not_a_cursor")


def book_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """An alarm or a notice."""
    return {
        "id": row["id"],
        "kind": row["kind"],
        "transfer_id": row["transfer_id"],
        "about": json.loads(row["about"]),
        "at": wire(row["at"]),
    }
