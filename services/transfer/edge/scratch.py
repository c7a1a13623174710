"""Where does a verification keep its one row a leaf? In a file that lives as long as it does.

SQLite in a temporary folder: no row of another service, no transaction of the node's database held
open, and a dossier of 500,000 leaves costs no memory. It is deleted with the verification; after a
crash a verification begins again.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from services.transfer.domain.credit import Span
from services.transfer.domain.entry_form import Leaf

_PAGE = 500
_COLUMNS = (
    *("issuer", "entry_id", "version", "kind", "state", "minutes", "counted"),
    *("started", "ended", "digest", "doubted_since"),
)
_TABLE = """
CREATE TABLE leaf (
    entry_id TEXT NOT NULL, version INTEGER NOT NULL, issuer TEXT NOT NULL, kind TEXT NOT NULL,
    state TEXT NOT NULL, minutes INTEGER NOT NULL, counted INTEGER NOT NULL, started INTEGER,
    ended INTEGER, digest BLOB NOT NULL, doubted_since TEXT, PRIMARY KEY (entry_id, version)
) WITHOUT ROWID
"""
_INSERT = "INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
# Standing: no higher version of the same entry.
_STANDING = """
SELECT issuer, entry_id, version, kind, state, minutes, counted, started, ended, digest,
    doubted_since
FROM leaf AS one
WHERE version = (SELECT max(version) FROM leaf WHERE entry_id = one.entry_id)
ORDER BY issuer, entry_id
"""
_SPANS = """
SELECT one.entry_id, one.issuer, one.counted,
    CASE WHEN times.entry_id IS NULL THEN one.started ELSE times.started END,
    CASE WHEN times.entry_id IS NULL THEN one.ended ELSE times.ended END
FROM leaf AS one
LEFT JOIN leaf AS times ON times.entry_id = one.entry_id AND times.version = (
    SELECT max(version) FROM leaf WHERE entry_id = one.entry_id AND state = 'approved')
WHERE one.version = (SELECT max(version) FROM leaf WHERE entry_id = one.entry_id)
    AND one.kind = 'service' AND one.counted > 0
ORDER BY substr(one.entry_id, -26), one.issuer
"""


class FileScratch:
    """A ``Scratch`` on disk; use it as a context manager. One thread at a time."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="jiexu-verify-", dir=folder)
        path = Path(self._folder.name) / "scratch.sqlite"
        # Slices are judged in a pool: the connection wanders between its threads.
        self._rows = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # Nothing here must survive a crash; 2 MiB of pages are kept in memory.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-2048"):
            self._rows.execute(f"PRAGMA {pragma}").close()
        self._rows.execute(_TABLE).close()

    def __enter__(self) -> FileScratch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Deletes the file."""
        self._rows.close()
        self._folder.cleanup()

    def add(self, leaves: Sequence[Leaf]) -> int | None:
        """See ``Scratch``."""
        self._rows.execute("BEGIN").close()
        try:
            for position, leaf in enumerate(leaves):
                cursor = self._rows.execute(
                    _INSERT,
                    (
                        leaf.entry_id,
                        leaf.version,
                        leaf.issuer,
                        leaf.kind,
                        leaf.state,
                        leaf.minutes,
                        leaf.counted,
                        leaf.started,
                        leaf.ended,
                        leaf.digest,
                        leaf.doubted_since,
                    ),
                )
                if cursor.rowcount == 0:
                    return position
            return None
        finally:
            self._rows.execute("COMMIT").close()

    def standing(self) -> Iterator[Leaf]:
        """See ``Scratch``."""
        for row in self._pages(_STANDING):
            yield Leaf(**dict(zip(_COLUMNS, row, strict=True)))

    def spans(self) -> Iterator[Span]:
        """See ``Scratch``."""
        for row in self._pages(_SPANS):
            yield Span(*row)

    def _pages(self, query: str) -> Iterator[tuple[Any, ...]]:
        cursor = self._rows.execute(query)
        try:
            while page := cursor.fetchmany(_PAGE):
                yield from page
        finally:
            cursor.close()
