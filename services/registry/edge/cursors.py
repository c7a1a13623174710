"""Is the cursor of a list one that this list gave? Else the database would meet odd types."""

from __future__ import annotations

from shared.problems import field_is_wrong
from shared.requests import Page


def texts(asked: Page, count: int) -> tuple[str | None, ...]:
    """The ``count`` texts of the last item's position, or so many Nones; 422 for another."""
    if asked.after is None:
        return (None,) * count
    found = tuple(part for part in asked.after if isinstance(part, str))
    if len(found) != count or len(asked.after) != count:
        raise field_is_wrong("after", "not_a_cursor")
    return found
