"""Which sheet does the organisation import? 200 rows, Chinese headers, nine of them wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path

import openpyxl
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

from node.demo.people import Person

ROWS = 200
HEADERS = ("姓名", "身份证号", "活动名称", "服务日期", "开始时间", "结束时间", "休息(分钟)",
           "服务时长(小时)", "服务地点", "服务内容")
_ACTIVITIES = (("社区环境清洁", "清理楼道和绿地"), ("周末助学辅导", "辅导小学生作业"),
               ("养老院陪伴", "陪老人读报聊天"), ("图书馆引导", "整理书架、指引读者"),
               ("地铁站引导", "为旅客指路"))
# (begins, ends, minutes of break, minutes that count)
_SHIFTS = ((time(9, 0), time(11, 0), 0, 120), (time(14, 0), time(16, 30), 20, 130),
           (time(8, 30), time(11, 0), 10, 140), (time(18, 0), time(20, 0), 0, 120))
_HOURS = (2, 2.5, 1.5, 2.25)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A row that is wrong on purpose: its place among the rows, what is said of it, and where."""

    row_no: int
    rule: str
    field: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What must come of the sheet: the wrong rows, and the minutes of each person by place."""

    wrong: Sequence[Wrong]
    minutes: dict[int, int]

    @property
    def good(self) -> int:
        """Rows that are to be taken."""
        return ROWS - len(self.wrong)

    @property
    def total(self) -> int:
        """Minutes of all good rows."""
        return sum(self.minutes.values())


Row = list[object]


def write(path: Path, people: Sequence[Person], stranger: Person, today: date) -> Planned:
    """Write the sheet and say what must come of it.

    Every person serves at most once a day, from yesterday back over seven weeks; so no day is
    long, no two services overlap, and all lie before ``today`` (the local day).
    """
    planned = _wrong_rows(people, stranger, today)
    minutes = dict.fromkeys(range(len(people)), 0)
    rows: list[Row] = []
    served = 0
    for row_no in range(1, ROWS + 1):
        if row_no in planned:
            rows.append(planned[row_no][1])
            continue
        who = served % len(people)
        row, credited = _good_row(people[who], today - timedelta(days=1 + 3 * (served // 12)),
                                  served)
        minutes[who] += credited
        rows.append(row)
        served += 1
    # A row said twice, with hours alone: nobody can tell whether it happened twice.
    first = next(index for index, row in enumerate(rows)
                 if row[4] is None and index + 1 not in planned)
    rows[_SAID_TWICE - 1] = list(rows[first])
    _save(path, rows)
    return Planned(tuple(wrong for wrong, _ in planned.values()), minutes)


_SAID_TWICE = 117


def _good_row(person: Person, day: date, number: int) -> tuple[Row, int]:
    activity, content = _ACTIVITIES[number % len(_ACTIVITIES)]
    place = ("解放碑街道", "七星岗街道", "大溪沟街道")[number % 3]
    head: Row = [person.name, person.number, activity, day]
    if (number // 12) % 2:
        hours = _HOURS[number % len(_HOURS)]
        return [*head, None, None, None, hours, place, content], round(hours * 60)
    start, end, pause, minutes = _SHIFTS[number % len(_SHIFTS)]
    return [*head, start, end, pause or None, None, place, content], minutes


def _wrong_rows(people: Sequence[Person], stranger: Person,
                today: date) -> dict[int, tuple[Wrong, Row]]:
    """Row number → what is wrong with it and the row. Each on a day of its own, long ago."""
    wang, zhang, liu = people[1], people[2], people[3]
    name, content = _ACTIVITIES[0]

    def row(person: Person, back: int, **changes: object) -> Row:
        values: dict[str, object] = {
            "name": person.name, "number": person.number, "activity": name,
            "day": today - timedelta(days=60 + back), "start": None, "end": None, "pause": None,
            "hours": 2, "place": "解放碑街道", "content": content} | changes
        return list(values.values())

    return {
        8: (Wrong(8, "PersonIsUnknown", "document_number"), row(stranger, 0)),
        31: (Wrong(31, "NameDiffers", "name"), row(wang, 1, name="王方")),
        47: (Wrong(47, "UnitIsNotRepresentable", "hours"), row(zhang, 2, hours=0.33)),
        64: (Wrong(64, "ServiceIsInTheFuture", "occurred_on"),
             row(liu, 0, day=today + timedelta(days=20))),
        82: (Wrong(82, "not_a_date", "occurred_on"), row(wang, 3, day="2月30日")),
        99: (Wrong(99, "MinutesDisagree", "hours"),
             row(zhang, 4, start=time(9, 0), end=time(11, 0), hours=3)),
        _SAID_TWICE: (Wrong(_SAID_TWICE, "SameFactExists", "distinct"), row(liu, 5)),
        140: (Wrong(140, "TextHoldsPersonalData", "content"),
              row(wang, 6, content="联系电话 13800138000")),
        173: (Wrong(173, "digits_were_lost", "document_number"),
              row(zhang, 7, number=int(zhang.number[:17]) * 10)),
    }


def _save(path: Path, rows: Sequence[Row]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "志愿服务时长"
    for index, header in enumerate(HEADERS, start=1):
        sheet.cell(1, index, header).font = Font(bold=True)
        sheet.column_dimensions[sheet.cell(1, index).column_letter].width = 20
    for number, row in enumerate(rows, start=2):
        for index, value in enumerate(row, start=1):
            cell = sheet.cell(number, index)
            cell.value = value
            if isinstance(value, date):
                cell.number_format = "yyyy-mm-dd"
            elif isinstance(value, time):
                cell.number_format = "hh:mm"
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
