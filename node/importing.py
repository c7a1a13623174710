"""How does a sheet get into records: shown first, page by page, going on where it was cut off?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.client import Api, ServiceRefused
from node.sheets import rules, tables, writing
from node.sheets.columns import BY_FIELD, match
from node.sheets.rows import SheetRow, rows
from node.sheets.tables import Table
from node.sheets.writing import BadRow

# The most that one request may hold (domain.md, batch import).
PAGE_ROWS = 500
# Rows that wait for a fact of a neighbour are sent again for so long, then held.
AGAIN_SECONDS = 20.0
AGAIN_PAUSE_SECONDS = 0.5
# Where records says of which member of the request it speaks, and which column that is.
_FIELDS = {
    "document": "document_number", "document.number": "document_number",
    "document.type": "document_type", "number": "document_number", "place": "region_code",
    "place.region_code": "region_code", "place.name": "place_name", "source.id": "source_id",
    "source": "source_id",
}


# Of a rule about a whole row: the cell to look at, the first of these that the sheet has.
_OF_RULE = {
    "ServiceIsInTheFuture": ("occurred_on", "started_at"),
    "MinutesDisagree": ("hours", "minutes", "ended_at"),
    "MinutesAreNotPositive": ("hours", "minutes", "ended_at"),
    "MinutesAreTooMany": ("hours", "minutes", "ended_at"),
    "NotVolunteerService": ("category", "activity_name"),
    "BeforeBirth": ("occurred_on", "started_at"),
    "DossierIsSealed": ("document_number",), "SubjectIsUnknown": ("document_number",),
    "PersonIsUnknown": ("document_number",), "TooManyAreHeld": ("document_number",),
    "SameFactExists": ("distinct",),
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that was read: its table, which column is which field, and its rows."""

    path: Path
    table: Table
    columns: Mapping[str, int]
    rows: Sequence[SheetRow]

    def row(self, row_no: int) -> SheetRow:
        """The row of this number, from 1."""
        return self.rows[row_no - 1]

    def header(self, field: str) -> str:
        """What stands over a field's column; the field's own name where there is none."""
        index = self.columns.get(field)
        if index is not None:
            return self.table.headers[index]
        return f"{BY_FIELD[field].zh} {BY_FIELD[field].en}" if field in BY_FIELD else field

    def headers(self) -> dict[str, str]:
        """Field → the header it was found under."""
        return {name: self.table.headers[index] for name, index in self.columns.items()}


@dataclass(slots=True)
class Result:
    """What became of the rows: outcome by row number, as records answered."""

    outcomes: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def count(self) -> Counter[str]:
        """How many were imported, repeated, held, or are to be sent again."""
        return Counter(str(answer["outcome"]) for answer in self.outcomes.values())

    def reasons(self) -> Counter[str]:
        """Why rows were held, and how many for each reason."""
        return Counter(str(answer["reason"]) for answer in self.outcomes.values()
                       if answer["outcome"] == "held")

    def minutes(self) -> int:
        """Minutes of the rows that were taken now."""
        return sum(answer.get("minutes") or 0 for answer in self.outcomes.values()
                   if answer["outcome"] == "imported")


def read(path: Path, given: Mapping[str, str] | None = None, *, sheet: str | None = None,
         region: str | None = None) -> Sheet:
    """Read a file. Raises ``SheetIsUnreadable``."""
    table = tables.read(path, sheet)
    columns = match(table.headers, given)
    found = rows(table, columns, region=region)
    if not found:
        raise tables.SheetIsUnreadable("表格只有表头,没有记录",
                                       "the sheet has headers and no rows under them")
    return Sheet(path, table, columns, found)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch at records: opened now, or the own one that was cut off."""

    api: Api
    batch_id: str
    resumed: bool

    def status(self) -> dict[str, Any]:
        """The batch as records has it."""
        found: dict[str, Any] = self.api.get(f"/batches/{self.batch_id}")
        return found

    def rehearse(self, sheet: Sheet, on_page: Callable[[int], None]) -> Result:
        """What records would say to each row; nothing is written."""
        return self._send(sheet.rows, on_page, dry_run=1)

    def send(self, sheet: Sheet, on_page: Callable[[int], None]) -> Result:
        """Send every row that is not done yet, in order; returns what was answered now.

        A page is done before the next begins, so what was done before a cut is a beginning of
        the sheet, but for the page that was under way, which is sent again and answered as
        before.
        """
        known = self.status()
        done = known["imported"] + known["held"] + known["repeats"]
        first = done - done % PAGE_ROWS
        on_page(first)
        return self._send(sheet.rows[first:], lambda count: on_page(first + count))

    def close(self, sheet: Sheet) -> dict[str, Any]:
        """No more rows: the approver may decide. Rows that are missing all the same are sent."""
        path = f"/batches/{self.batch_id}/close"
        try:
            return dict(self.api.post(path))
        except ServiceRefused as refused:
            if refused.slug != "rows-are-missing":
                raise
        self._send(sheet.rows, lambda _: None)
        return dict(self.api.post(path))

    def held(self) -> list[dict[str, Any]]:
        """Every row that is held, with its reason."""
        return self.api.pages(f"/batches/{self.batch_id}/rows", state="held")

    def _send(self, wanted: Sequence[SheetRow], on_page: Callable[[int], None],
              **query: Any) -> Result:
        result = Result()
        for first in range(0, len(wanted), PAGE_ROWS):
            page = wanted[first:first + PAGE_ROWS]
            self._page(page, result, query)
            on_page(first + len(page))
        return result

    def _page(self, page: Sequence[SheetRow], result: Result, query: Mapping[str, Any]) -> None:
        deadline = time.monotonic() + AGAIN_SECONDS
        left, final = list(page), False
        while left:
            answer = self.api.post(
                f"/batches/{self.batch_id}/rows", {"rows": [row.request() for row in left]},
                query={**query, **({"final": 1} if final else {})})
            told = {row["row_no"]: row for row in answer["rows"]}
            result.outcomes |= told
            left = [row for row in left if told[row.row_no]["outcome"] == "again"]
            if query.get("dry_run"):
                return
            if left:
                final = time.monotonic() > deadline
                time.sleep(AGAIN_PAUSE_SECONDS)


def open_batch(api: Api, sheet: Sheet, organisation_id: str, *, kind: str = "spreadsheet",
               declared_minutes: int | None = None, decision_id: str | None = None) -> Batch:
    """Open the batch of this sheet, or find the own open one of the same file.

    Raises ``ServiceRefused``: ``same-sheet-imported`` names the batch that took it.
    """
    answer = api.post("/batches", {
        "kind": kind, "organisation_id": organisation_id, "sheet_digest": sheet.table.digest,
        "rows": len(sheet.rows), "declared_minutes": declared_minutes,
        "decision_id": decision_id})
    return Batch(api, answer["batch_id"], bool(answer.get("resumed")))


def write_held(path: Path, sheet: Sheet, held: Sequence[Mapping[str, Any]]) -> int:
    """Write the held rows to a sheet that can be corrected and imported; how many."""
    bad = [BadRow(sheet.row(answer["row_no"]).line, problems_of(sheet, answer))
           for answer in held]
    if bad:
        writing.write_bad_rows(path, sheet.table, sheet.columns, bad)
    return len(bad)


def problems_of(sheet: Sheet,
                answer: Mapping[str, Any]) -> tuple[tuple[str, str, str, str], ...]:
    """Every bad cell of a held row: field, rule, and the rule in zh and en.

    What the importer saw itself names every cell; else what records says, which names one.
    """
    row = sheet.row(answer["row_no"])
    if row.problems:
        return tuple((problem.field, problem.rule,
                      *rules.words(problem.rule, field=problem.field))
                     for problem in row.problems)
    same = answer.get("same_as_row")
    rule = str(answer["reason"])
    field = _field(sheet, rule, str(answer.get("field") or ""))
    zh, en = rules.words(rule, None if same is None else sheet.row(same).line.number, field=field)
    return ((field, rule, zh, en),)


def _field(sheet: Sheet, rule: str, said: str) -> str:
    """The field whose cell is bad: as records says it, else as the rule suggests."""
    name = said.removeprefix("facts.")
    if name := _FIELDS.get(name, name):
        return name
    wanted = _OF_RULE.get(rule, ())
    return next((one for one in wanted if one in sheet.columns), wanted[0] if wanted else "")
