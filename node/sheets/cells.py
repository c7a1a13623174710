"""What does one cell mean? Exactly, or not at all: nothing is guessed or rounded to fit."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from node.sheets.columns import BY_FIELD
from node.sheets.tables import Cell

# Times of a sheet carry no zone: they are Shanghai's of that date (summer time 1986–1991).
SHANGHAI = ZoneInfo("Asia/Shanghai")
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_TIME = re.compile(r"(\d{1,2})[:点时](\d{1,2})(?:[:分](\d{1,2})秒?|分)?")
_DAY_SECONDS = 86_400
DOCUMENT_TYPES = {
    "resident_id": ("居民身份证", "身份证", "resident id", "id card"),
    "hmt_residence_permit": ("港澳台居民居住证", "居住证"),
    "hk_macao_pass": ("港澳居民来往内地通行证", "回乡证"),
    "taiwan_pass": ("台湾居民来往大陆通行证", "台胞证"),
    "passport": ("护照",),
    "foreign_pr": ("外国人永久居留身份证",),
    "military": ("军官证", "士兵证"),
}


class CellIsWrong(Exception):
    """A cell that means nothing; ``rule`` is its slug, to be shown in both languages."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.rule = field, rule


@dataclass(frozen=True, slots=True)
class ClockTime:
    """Seconds after midnight; 86,400 is the midnight that ends the day."""

    seconds: int


def text(field: str, cell: Cell) -> str | None:
    """What it says, NFC, within its column's bounds. A number gives its digits, without ``.0``."""
    if cell is None:
        return None
    if isinstance(cell, bool | date | time | timedelta):
        raise CellIsWrong(field, "not_text")
    if isinstance(cell, int | float):
        said = plain(_decimal(cell))
    else:
        said = unicodedata.normalize("NFC", cell)
    column = BY_FIELD[field]
    if len(said) > column.limit:
        raise CellIsWrong(field, "too_long")
    if column.form is not None and not re.fullmatch(column.form, said, re.ASCII):
        raise CellIsWrong(field, "wrong_form")
    return said


def document_number(field: str, cell: Cell) -> str | None:
    """As written. A *number* of more than 15 digits has lost some: spreadsheets keep no more."""
    if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= 10**15:
        raise CellIsWrong(field, "digits_were_lost")
    return text(field, cell)


def document_type(field: str, cell: Cell) -> str | None:
    """The code of a document's type, by code or by name."""
    said = text(field, cell)
    if said is None:
        return None
    wanted = unicodedata.normalize("NFKC", said).strip().lower()
    for code, names in DOCUMENT_TYPES.items():
        if wanted in (code, *names):
            return code
    raise CellIsWrong(field, "unknown_document_type")


def decimal(field: str, cell: Cell) -> str | None:
    """An exact decimal as plain text, ``1.25``; the unit is the column's. No sign, no exponent."""
    if cell is None:
        return None
    if isinstance(cell, time | timedelta | date | bool):
        raise CellIsWrong(field, "not_a_number")
    if isinstance(cell, int | float):
        return plain(_decimal(cell))
    said = re.sub(r"(小时|时|h|hours?|分钟|分|min|minutes?)$", "",
                  unicodedata.normalize("NFKC", cell).strip().lower()).strip()
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?|\.[0-9]+", said, re.ASCII):
        raise CellIsWrong(field, "not_a_number")
    value = Decimal(said)
    if value >= Decimal(10) ** 9:
        raise CellIsWrong(field, "not_a_number")
    return plain(value)


def duration_minutes(field: str, cell: time | timedelta) -> int:
    """A cell formatted h:mm or [h]:mm under "hours" is a duration, to the nearest second."""
    seconds = _clock_seconds(cell) if isinstance(cell, time) else _whole_seconds(cell)
    if seconds < 0 or seconds % 60:
        raise CellIsWrong(field, "unit_is_not_representable")
    return seconds // 60


def whole(field: str, cell: Cell) -> int | None:
    """A whole number in its column's range; ``2.0`` is one, ``2.5`` is not."""
    said = decimal(field, cell)
    if said is None:
        return None
    value = Decimal(said)
    if value != value.to_integral_value() or value < 0:
        raise CellIsWrong(field, "not_a_whole_number")
    column = BY_FIELD[field]
    if value < column.least or (column.most is not None and value > column.most):
        raise CellIsWrong(field, "out_of_range")
    return int(value)


def day(field: str, cell: Cell) -> date | None:
    """A calendar day: a date cell, 2027-03-01, 2027/3/1, 2027年3月1日 or 20270301."""
    if cell is None:
        return None
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    said = text(field, cell) or ""
    said = unicodedata.normalize("NFKC", said).strip()
    found = _DATE.fullmatch(said) or _COMPACT_DATE.fullmatch(said)
    if found is None:
        raise CellIsWrong(field, "not_a_date")
    return _calendar_day(field, *map(int, found.groups()))


def moment(field: str, cell: Cell) -> datetime | ClockTime | None:
    """An instant without zone (a date with a time), or a time of day alone."""
    if cell is None:
        return None
    if isinstance(cell, datetime):
        return _nearest_second(cell)
    if isinstance(cell, time):
        return ClockTime(_clock_seconds(cell))
    if isinstance(cell, timedelta):
        return _clock(field, _whole_seconds(cell))
    if isinstance(cell, float) and 0 <= cell <= 1:
        # An unformatted time is a fraction of a day.
        return ClockTime(round(cell * _DAY_SECONDS))
    if isinstance(cell, date | int | float):
        raise CellIsWrong(field, "not_a_time")
    said = unicodedata.normalize("NFKC", cell).strip().replace("T", " ")
    first, _, rest = said.rpartition(" ")
    if not first:
        separate = re.fullmatch(r"(.*日)(\d{1,2}[:点时].*)", said)
        first, rest = separate.groups() if separate else ("", rest)
    clock = _text_clock(field, rest)
    if not first:
        return clock
    on = day(field, first)
    assert on is not None
    return datetime.combine(on, time()) + timedelta(seconds=clock.seconds)


def instant(on: date, clock: ClockTime) -> datetime:
    """A time of day on a day, without zone."""
    return datetime.combine(on, time()) + timedelta(seconds=clock.seconds)


def wire(local: datetime) -> str:
    """A time without zone, taken as Shanghai's, in UTC: ``2027-03-01T02:00:00Z``."""
    return local.replace(tzinfo=SHANGHAI).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: Decimal) -> str:
    """A decimal without exponent and without zeros at its end."""
    said = f"{value:f}"
    return (said.rstrip("0").rstrip(".") if "." in said else said) or "0"


def _decimal(cell: int | float) -> Decimal:
    # A spreadsheet shows and means 15 significant digits; a float has more, by accident.
    return Decimal(cell) if isinstance(cell, int) else Decimal(f"{cell:.15g}")


def _calendar_day(field: str, year: int, month: int, day_of_month: int) -> date:
    try:
        return date(year, month, day_of_month)
    except ValueError:
        raise CellIsWrong(field, "not_a_date") from None


def _text_clock(field: str, said: str) -> ClockTime:
    found = _TIME.fullmatch(said.strip())
    if found is None:
        raise CellIsWrong(field, "not_a_time")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    if minutes > 59 or seconds > 59:
        raise CellIsWrong(field, "not_a_time")
    return _clock(field, hours * 3600 + minutes * 60 + seconds)


def _clock(field: str, seconds: int) -> ClockTime:
    if not 0 <= seconds <= _DAY_SECONDS:
        raise CellIsWrong(field, "not_a_time")
    return ClockTime(seconds)


def _clock_seconds(clock: time) -> int:
    return round(clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6)


def _whole_seconds(span: timedelta) -> int:
    return round(span.total_seconds())


def _nearest_second(at: datetime) -> datetime:
    return (at + timedelta(microseconds=500_000)).replace(microsecond=0)
