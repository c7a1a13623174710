"""What stands in this file, cell by cell? ``.xlsx`` and ``.csv``; nothing is interpreted here."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

import python_calamine

Cell = str | int | float | bool | date | datetime | time | timedelta | None

# domain.md 1: school imports have up to 100,000 rows; beyond this a sheet is split by hand.
MAX_ROWS = 200_000
MAX_FILE_BYTES = 64 * 1024 * 1024
ENCODINGS = ("utf-8-sig", "gb18030")


class SheetIsUnreadable(Exception):
    """The file is no sheet that we read; ``zh`` and ``en`` say why."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh, self.en = zh, en


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a sheet; ``number`` is the one that the spreadsheet shows beside it."""

    number: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Header and lines, without the empty ones. ``digest``: SHA-256 of the file, in hex.

    ``encoding`` is that of a text file, shown before anything is taken; empty for ``.xlsx``.
    """

    headers: tuple[str, ...]
    lines: tuple[Line, ...]
    digest: str
    encoding: str
    sheet: str


def read(path: Path, sheet: str | None = None) -> Table:
    """The first sheet of a file, or the named one. Raises ``SheetIsUnreadable``."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise SheetIsUnreadable(f"文件超过 {MAX_FILE_BYTES >> 20} MB,请拆分",
                                f"the file is larger than {MAX_FILE_BYTES >> 20} MB: split it")
    content = path.read_bytes()
    if path.suffix.lower() in (".csv", ".txt"):
        name, encoding, rows = "", *_read_csv(content)
    elif path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        name, rows = _read_workbook(content, sheet)
        encoding = ""
    else:
        raise SheetIsUnreadable(f"不支持 {path.suffix} 文件,请用 .xlsx 或 .csv",
                                f"{path.suffix} files are not read; use .xlsx or .csv")
    lines = [Line(number, tuple(map(_tidy, cells))) for number, cells in rows]
    lines = [line for line in lines if any(cell is not None for cell in line.cells)]
    if not lines:
        raise SheetIsUnreadable("表格是空的", "the sheet is empty")
    if len(lines) - 1 > MAX_ROWS:
        raise SheetIsUnreadable(f"超过 {MAX_ROWS} 行,请拆分",
                                f"more than {MAX_ROWS} rows: split the sheet")
    headers = tuple("" if cell is None else str(cell) for cell in lines[0].cells)
    return Table(headers, tuple(lines[1:]), hashlib.sha256(content).hexdigest(), encoding, name)


def _read_workbook(content: bytes,
                   wanted: str | None) -> tuple[str, list[tuple[int, Sequence[Cell]]]]:
    try:
        with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)) as book:
            if wanted is not None and wanted not in book.sheet_names:
                names = ", ".join(book.sheet_names)
                raise SheetIsUnreadable(f"没有名为“{wanted}”的工作表;有:{names}",
                                        f"no sheet is called {wanted}; there are: {names}")
            name = wanted or book.sheet_names[0]
            found = book.get_sheet_by_name(name)
            # skip_empty_area=False: line numbers stay those that the spreadsheet shows.
            return name, list(enumerate(found.to_python(skip_empty_area=False), start=1))
    except (python_calamine.CalamineError, OSError) as problem:
        raise SheetIsUnreadable(f"无法读取该工作簿:{problem}",
                                f"the workbook cannot be read: {problem}") from None


def _read_csv(content: bytes) -> tuple[str, list[tuple[int, Sequence[Cell]]]]:
    for encoding in ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        name = "UTF-8" if encoding == "utf-8-sig" else "GB18030"
        dialect = _separator(text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=dialect)
        try:
            return name, [(reader.line_num, row) for row in reader]
        except csv.Error as problem:
            raise SheetIsUnreadable(f"CSV 格式有误:{problem}",
                                    f"the CSV is malformed: {problem}") from None
    raise SheetIsUnreadable("既不是 UTF-8 也不是 GB18030 编码",
                            "the text is neither UTF-8 nor GB18030")


def _separator(text: str) -> str:
    """Comma, semicolon or tab: whichever the first line has most of."""
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _tidy(cell: Cell) -> Cell:
    """Text without surrounding white space; an empty one is no value."""
    if isinstance(cell, str):
        return cell.strip().strip("\ufeff\u200b") or None
    return cell
