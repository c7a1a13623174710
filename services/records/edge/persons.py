"""Whose row is it? Registry resolves numbers and names; records never keeps either."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from services.records.domain.batches.events import RowHeld
from services.records.edge.batch_rows import Person, ReadRow
from shared.internal_http import InternalClient, Refused
from shared.messages import Unavailable

RESOLVE: Final = "/internal/v1/persons/resolve"
REASONS: Final = {
    "unknown": ("PersonIsUnknown", "document_number"),
    "name_differs": ("NameDiffers", "name"),
    "before_birth": ("BeforeBirth", "occurred_on"),
}


class Persons:
    """Asks registry once for a page of rows."""

    def __init__(self, registry: Callable[[], InternalClient]) -> None:
        self._registry = registry

    async def resolve(self, rows: Sequence[ReadRow]) -> dict[int, str | RowHeld]:
        """By row number: the subject, or why the row is held. Raises ``Unavailable``."""
        asked = [(row.row_no, row.person) for row in rows if row.person is not None]
        if not asked:
            return {}
        try:
            answer = await self._registry().post(
                RESOLVE, {"persons": [_asked(person) for _, person in asked]}
            )
        except Refused as refused:
            raise Unavailable(f"registry refused to resolve persons ({refused.slug})") from None
        results = answer["results"]
        if len(results) != len(asked):
            raise Unavailable("registry answered another number of persons")
        return {
            row_no: _found(row_no, result)
            for (row_no, _), result in zip(asked, results, strict=True)
        }


def _asked(person: Person) -> dict[str, Any]:
    return {
        "type": person.type,
        "number": person.number,
        "name": person.name,
        "started_on": person.started_on.isoformat(),
    }


def _found(row_no: int, result: dict[str, Any]) -> str | RowHeld:
    subject = result.get("subject_id")
    if isinstance(subject, str):
        return subject
    reason, field = REASONS.get(str(result.get("reason")), REASONS["unknown"])
    return RowHeld(batch_id="", row_no=row_no, reason=reason, field=field)
