"""Is the cursor of a list one that this list gave? Else the database would meet odd types."""

from __future__ import annotations

from typing import Final

from shared.problems import field_is_wrong
from shared.requests import Page

TOP: Final = 2**63 - 1


def number(asked: Page) -> int:
    """The last item's position in a list that runs down, or above all; 422 for another cursor."""
    match asked.after:
        case None:
            return TOP
        case (int() as position,) if 0 <= position <= TOP:
            return position
    raise field_is_wrong("after", "not_a_cursor")


def texts(asked: Page, count: int) -> tuple[str | None, ...]:
    """The ``count`` texts of the last item's position, or so many Nones; 422 for another."""
    if asked.after is None:
        return (None,) * count
    found = tuple(part for part in asked.after if isinstance(part, str))
    if len(found) != count or len(asked.after) != count:
        raise field_is_wrong("after", "not_a_cursor")
    return found
