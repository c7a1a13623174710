"""Does the real-name service know this number under this name? A port, and one real adapter.

``matched``, ``mismatched`` or ``unavailable``; the last blocks nothing and is tried again daily.
"""

from __future__ import annotations

import asyncio
import csv
from datetime import date
from pathlib import Path
from typing import Final, Protocol, get_args

import structlog

from services.registry.domain import documents, names
from services.registry.domain.documents import Document, DocumentType
from services.registry.domain.people import Check, Person
from services.registry.domain.volunteers.events import CheckResult
from shared.clock import Clock, local_day

# A registration does not wait longer for the answer; a retry is due anyway.
PATIENCE_SECONDS: Final = 2.0
# Documents of residents can be checked online; the others are looked at by hand (domain.md 3.1).
CHECKED_ONLINE: Final[frozenset[DocumentType]] = frozenset({"resident_id", "hmt_residence_permit"})
MAX_ROSTER_BYTES: Final = 1_073_741_824
COLUMNS: Final = ("type", "number", "name")


class Verification(Protocol):
    """The port: what any real-name service must answer."""

    async def verify(self, type: DocumentType, number: str, name: str) -> CheckResult: ...


class RosterFile:
    """Checks against a file: CSV in UTF-8 with the columns type, number, name.

    Read again whenever it has changed. A file that is away, unreadable or of another form is
    ``unavailable``; a person who is not in it is ``mismatched``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._known: dict[tuple[str, str], str] = {}

    async def verify(self, type: DocumentType, number: str, name: str) -> CheckResult:
        try:
            await asyncio.to_thread(self._refresh)
        except (OSError, ValueError, csv.Error) as error:
            # The text of the error may quote a line of the file.
            structlog.get_logger(__name__).warning(
                "verification.roster_is_away", reason=error.__class__.__name__
            )
            return "unavailable"
        judged = documents.judge(Document(type, number), date.max, historical=True)
        known = self._known.get((type, judged.canonical)) if judged.reason is None else None
        return "matched" if known == names.matching(name) else "mismatched"

    def _refresh(self) -> None:
        found = self._path.stat()
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp == self._stamp:
            return
        if found.st_size > MAX_ROSTER_BYTES:
            raise ValueError("the roster is larger than 1 GiB")
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not set(COLUMNS) <= set(rows.fieldnames or ()):
                raise ValueError("the roster lacks a column")
            self._known = dict(_read(row) for row in rows)
        self._stamp = stamp


class Checker:
    """Asks the port for a person, within bounds; without a port everything is checked by hand."""

    def __init__(self, port: Verification | None, clock: Clock) -> None:
        self._port = port
        self._clock = clock

    async def person(self, person: Person) -> Check | None:
        """By her first document that can be checked online; None: there is none, or no port."""
        document = checkable(person)
        result = None if document is None else await self.document(document, person.name)
        return None if result is None else Check(result=result, checked_at=self._clock.now())

    async def document(self, document: Document, name: str) -> CheckResult | None:
        """None where this document is checked by hand."""
        if self._port is None or document.type not in CHECKED_ONLINE:
            return None
        day = local_day(self._clock.now())
        judged = documents.judge(document, day)
        if judged.reason is not None:
            return "mismatched"
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._port.verify(document.type, judged.canonical, name)
        except TimeoutError:
            return "unavailable"


def checkable(person: Person) -> Document | None:
    """The first of her documents that can be checked online."""
    return next((each for each in person.documents if each.type in CHECKED_ONLINE), None)


def _read(row: dict[str, str]) -> tuple[tuple[str, str], str]:
    kind = row["type"]
    if kind not in get_args(DocumentType):
        raise ValueError("the roster holds an unknown type")
    judged = documents.judge(Document(kind, row["number"] or ""), date.max, historical=True)  # type: ignore[arg-type]
    return (kind, judged.canonical), names.matching(row["name"] or "")
