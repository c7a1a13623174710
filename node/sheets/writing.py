"""Which sheets do we write: the empty one to fill in, and the bad rows to correct?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import openpyxl
from openpyxl.cell import Cell as WrittenCell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from node.sheets.columns import BY_FIELD, COLUMNS, PROBLEM_HEADERS, normal
from node.sheets.tables import Line, Table

_BAD = PatternFill("solid", start_color="FFFFC7CE")
_TEXT = "@"
_WIDTH = 18
# So many rows of the template are formatted as text where numbers would lose digits.
_TEMPLATE_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that was not taken; each problem: field, rule, and the rule in zh and in en."""

    line: Line
    problems: tuple[tuple[str, str, str, str], ...]


def write_template(path: Path) -> None:
    """An empty sheet with bilingual headers and a hint on each."""
    book = openpyxl.Workbook()
    sheet = _first(book, "志愿服务 Service hours")
    for index, column in enumerate(COLUMNS, start=1):
        cell = sheet.cell(1, index, f"{column.zh} {column.en}")
        _head(sheet, cell)
        if column.hint:
            cell.comment = Comment(column.hint, "jiexu")
        if column.field in ("document_number", "region_code"):
            for row in range(2, _TEMPLATE_ROWS + 2):
                sheet.cell(row, index).number_format = _TEXT
    book.save(path)


def write_bad_rows(path: Path, table: Table, columns: Mapping[str, int],
                   bad: Sequence[BadRow]) -> None:
    """The bad rows as they were, each bad cell marked and explained, ready to be corrected.

    The sheet can be imported again as it is: the columns that explain are passed over, and
    ``distinct`` is there to tell apart rows that are alike on one day.
    """
    book = openpyxl.Workbook()
    sheet = _first(book, "待更正 To correct")
    ours = {normal(header) for header in PROBLEM_HEADERS}
    kept = [index for index, header in enumerate(table.headers) if normal(header) not in ours]
    headers = [table.headers[index] for index in kept]
    place = {field: kept.index(index) + 1 for field, index in columns.items() if index in kept}
    for field in ("distinct",):
        if field not in place:
            headers.append(f"{BY_FIELD[field].zh} {BY_FIELD[field].en}")
            place[field] = len(headers)
    first_explaining = len(headers) + 1
    for index, header in enumerate([*headers, *PROBLEM_HEADERS], start=1):
        _head(sheet, sheet.cell(1, index, header))
    for row, item in enumerate(bad, start=2):
        for index, source in enumerate(kept, start=1):
            value = item.line.cells[source] if source < len(item.line.cells) else None
            cell = sheet.cell(row, index)
            _put(cell, value)
        _explain(sheet, row, item, place, headers, first_explaining)
    sheet.freeze_panes = "A2"
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def _explain(sheet: Worksheet, row: int, item: BadRow, place: Mapping[str, int],
             headers: Sequence[str], first: int) -> None:
    names = []
    for field, _rule, zh, en in item.problems:
        index = place.get(field)
        names.append(headers[index - 1] if index else field)
        if index:
            cell = sheet.cell(row, index)
            cell.fill = _BAD
            cell.comment = Comment(f"{zh}\n{en}", "jiexu")
    explained = (
        item.line.number, "; ".join(names), "; ".join(rule for _, rule, _, _ in item.problems),
        ";".join(zh for _, _, zh, _ in item.problems),
        "; ".join(en for _, _, _, en in item.problems))
    for index, value in enumerate(explained, start=first):
        sheet.cell(row, index, value)


def _put(cell: WrittenCell, value: object) -> None:
    if isinstance(value, str):
        # As text and never as a formula, whatever the first character is.
        cell.value = value
        cell.data_type = "s"
        cell.number_format = _TEXT
    elif isinstance(value, datetime):
        cell.value = value
        cell.number_format = "yyyy-mm-dd hh:mm:ss"
    else:
        cell.value = value


def _first(book: openpyxl.Workbook, title: str) -> Worksheet:
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = title
    return sheet


def _head(sheet: Worksheet, cell: WrittenCell) -> None:
    cell.font = Font(bold=True)
    sheet.column_dimensions[cell.column_letter].width = _WIDTH
