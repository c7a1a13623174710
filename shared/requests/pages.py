"""How is a long list read? ``?limit=&after=`` → ``{items, next}``; the cursor is opaque."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from fastapi import Query

from shared.problems import field_is_wrong

DEFAULT_LIMIT: Final = 50
# More than a screen, less than a second.
MAX_LIMIT: Final = 200
MAX_CURSOR_CHARACTERS: Final = 1_024

T = TypeVar("T")
Position = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What a list is asked for: ``limit`` items after the position of the last one seen.

    ``after`` holds the sort key of that item, None at the beginning. Read ``fetch`` rows, one more
    than asked for, and give them to ``page_of``.
    """

    limit: int = DEFAULT_LIMIT
    after: Position | None = None

    @property
    def fetch(self) -> int:
        return self.limit + 1


def page(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="最多条数 · items at most")] = (
        DEFAULT_LIMIT
    ),
    after: Annotated[
        str | None,
        Query(max_length=MAX_CURSOR_CHARACTERS, description="上一页的 next · `next` of a page"),
    ] = None,
) -> Page:
    """``Depends(page)``; a cursor that is none of ours is a wrong field (422)."""
    return Page(limit, None if after is None else _read(after))


def page_of(
    rows: Sequence[T], asked: Page, item: Callable[[T], Any], position: Callable[[T], Position]
) -> dict[str, Any]:
    """``{items, next}``; ``next`` is null on the last page. ``position`` gives a row's sort key."""
    shown = rows[: asked.limit]
    more = len(rows) > asked.limit
    return {
        "items": [item(row) for row in shown],
        "next": _write(position(shown[-1])) if more else None,
    }


def _write(position: Position) -> str:
    raw = json.dumps(position, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _read(cursor: str) -> Position:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        position = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        raise field_is_wrong("after", "not_a_cursor") from None
    if not isinstance(position, list) or not position or not all(map(_plain, position)):
        raise field_is_wrong("after", "not_a_cursor")
    return tuple(position)


def _plain(part: Any) -> bool:
    if isinstance(part, str):
        # What a database takes as text.
        return "\0" not in part and not any("\ud800" <= c <= "\udfff" for c in part)
    return isinstance(part, int) and not isinstance(part, bool) and abs(part) < 2**63
