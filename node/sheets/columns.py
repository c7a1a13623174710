"""Which column is which field? By header, Chinese or English, or by what ``--map`` says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openpyxl.utils import column_index_from_string, get_column_letter

from node.sheets.tables import SheetIsUnreadable


@dataclass(frozen=True, slots=True)
class Column:
    """A field of a row: its header in both languages, its other names, an example.

    ``limit``: characters; ``form``: what a text must match whole; ``least``, ``most``: of a whole
    number. They are those of records, which judges again; here every bad cell of a row is seen.
    """

    field: str
    zh: str
    en: str
    aliases: tuple[str, ...]
    hint: str
    required: bool = False
    limit: int = 400
    form: str | None = None
    least: int = 0
    most: int | None = None


COLUMNS = (
    Column("name", "姓名", "Name", ("志愿者姓名", "volunteer", "full name"), "李华"),
    Column("document_type", "证件类型", "Document type", ("证件种类", "id type"), "居民身份证"),
    Column("document_number", "证件号码", "Document number",
           ("身份证号", "身份证号码", "证件号", "公民身份号码", "身份证", "id number", "id card"),
           "文本格式 as text", required=True, limit=64),
    Column("activity_name", "活动名称", "Activity",
           ("活动", "服务名称", "服务活动", "activity name", "event"), "社区清洁", required=True,
           limit=100),
    Column("project_name", "项目名称", "Project", ("项目", "志愿项目", "project name"), "",
           limit=100),
    Column("occurred_on", "服务日期", "Date", ("日期", "活动日期", "service date", "day"),
           "2027-03-01"),
    Column("started_at", "开始时间", "Start",
           ("服务开始时间", "开始", "签到时间", "start time", "from", "started at"), "09:00"),
    Column("ended_at", "结束时间", "End",
           ("服务结束时间", "结束", "签退时间", "end time", "to", "ended at"), "11:30"),
    Column("break_minutes", "休息(分钟)", "Break (minutes)",
           ("休息分钟", "休息时长", "break", "break minutes"), "0", most=1_440),
    Column("hours", "服务时长(小时)", "Hours",
           ("时长(小时)", "小时", "小时数", "服务小时", "服务小时数", "service hours"), "2.5"),
    Column("minutes", "服务时长(分钟)", "Minutes",
           ("时长(分钟)", "分钟", "分钟数", "服务分钟", "service minutes"), "150"),
    Column("place_name", "服务地点", "Place", ("地点", "活动地点", "location", "venue"), "某社区",
           limit=100),
    Column("region_code", "地区代码", "Region code",
           ("行政区划代码", "区划代码", "region"), "500106", form="[0-9]{6}"),
    Column("category", "活动类别", "Category", ("类别", "服务类别"), "service"),
    Column("field_code", "服务领域", "Field", ("领域", "field code"), "community_affairs",
           form="[a-z0-9][a-z0-9_.-]{0,39}"),
    Column("content", "服务内容", "Content", ("内容", "备注内容", "description"), "",
           limit=200),
    Column("distinct", "同日序号", "Distinct", ("序次", "第几次"),
           "同日相同活动:1, 2, 3 … alike on one day", least=1, most=99),
    Column("source_id", "原系统编号", "Source id", ("记录编号", "原编号", "record id"), "",
           limit=120),
)
BY_FIELD = {column.field: column for column in COLUMNS}
# What the sheet of bad rows adds; passed over when it comes back.
PROBLEM_HEADERS = ("原行号 Line", "问题列 Column", "规则 Rule", "说明", "Explanation")
# ``--map hours=column:D`` names a column by its letter, where its header does not tell it apart.
_LETTER = re.compile(r"(?:column|列)\s*[:：]\s*([A-Za-z]{1,3})", re.IGNORECASE)
# A duration without its unit: hours or minutes? Nobody guesses.
AMBIGUOUS = ("服务时长", "时长", "服务时间", "志愿服务时长", "duration", "time")


def normal(header: str) -> str:
    """A header as it is compared: NFKC, lower case, letters, digits and Han characters only."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", header).lower())


def _known() -> dict[str, str]:
    known: dict[str, str] = {}
    for column in COLUMNS:
        names = (column.field, column.zh, column.en, *column.aliases, column.zh + column.en)
        for name in names:
            known[normal(name)] = column.field
    return known


def match(headers: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, int]:
    """Field → index of its column. ``given``: field → header, as ``--map field=header`` says it,
    or ``column:D``.

    Raises ``SheetIsUnreadable``: a field or the header meant twice, a duration without unit, or
    what is required missing.
    """
    known = _known()
    found: dict[str, int] = {}
    for field, wanted in (given or {}).items():
        if field not in BY_FIELD:
            raise SheetIsUnreadable(f"没有名为 {field} 的字段;有:{', '.join(BY_FIELD)}",
                                    f"no field is called {field}; there are: "
                                    f"{', '.join(BY_FIELD)}")
        found[field] = _column_of(headers, field, wanted)
    taken = set(found.values())
    ours = {normal(header) for header in PROBLEM_HEADERS}
    for index, header in enumerate(headers):
        name = normal(header)
        if index in taken or not name or name in ours:
            continue
        field_found = known.get(name)
        if field_found is None:
            continue
        if field_found in found:
            if field_found in (given or {}):
                continue
            both = [found[field_found], index]
            raise SheetIsUnreadable(
                f"有两列都是“{BY_FIELD[field_found].zh}”:{_places(both)}"
                f"(可用 --map {field_found}=column:{get_column_letter(index + 1)} 选定)",
                f"two columns are {BY_FIELD[field_found].en}: {_places(both)} "
                f"(choose with --map {field_found}=column:{get_column_letter(index + 1)})")
        found[field_found] = index
    _check(headers, found)
    return found


def _column_of(headers: Sequence[str], field: str, wanted: str) -> int:
    """The column that ``--map field=wanted`` means; of two with one header, none is taken."""
    if letters := _LETTER.fullmatch(wanted):
        index = column_index_from_string(letters[1]) - 1
        if index >= len(headers):
            raise SheetIsUnreadable(f"没有 {letters[1].upper()} 列", f"there is no column "
                                    f"{letters[1].upper()}")
        return index
    same = [index for index, header in enumerate(headers)
            if header and normal(header) == normal(wanted)]
    if not same:
        raise SheetIsUnreadable(f"表头中没有“{wanted}”", f"no column is headed {wanted}")
    if len(same) > 1:
        letter = get_column_letter(same[0] + 1)
        raise SheetIsUnreadable(
            f"表头“{wanted}”出现 {len(same)} 次:{_places(same)}"
            f"(可用 --map {field}=column:{letter} 选定)",
            f"{len(same)} columns are headed {wanted}: {_places(same)} "
            f"(choose with --map {field}=column:{letter})")
    return same[0]


def _places(indexes: Sequence[int]) -> str:
    """Columns as a spreadsheet names them: ``B, D``."""
    return ", ".join(get_column_letter(index + 1) for index in indexes)


def _check(headers: Sequence[str], found: Mapping[str, int]) -> None:
    missing = [column for column in COLUMNS if column.required and column.field not in found]
    if missing:
        raise SheetIsUnreadable(
            f"缺少列:{', '.join(column.zh for column in missing)}(可用 --map 字段=表头 指定)",
            f"columns are missing: {', '.join(column.en for column in missing)} "
            "(name them with --map field=header)")
    if found.keys() & {"hours", "minutes"} or {"started_at", "ended_at"} <= found.keys():
        return
    doubtful = [header for header in headers if normal(header) in map(normal, AMBIGUOUS)]
    if doubtful:
        raise SheetIsUnreadable(
            f"“{doubtful[0]}”的单位是小时还是分钟?请用 --map hours={doubtful[0]} 或 minutes=… 指定",
            f"is {doubtful[0]} in hours or minutes? Say --map hours={doubtful[0]} or minutes=…")
    raise SheetIsUnreadable("没有时长列:需要小时、分钟,或开始和结束时间",
                            "no column says how long: hours, minutes, or start and end")
