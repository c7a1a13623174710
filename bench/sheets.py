"""Which spreadsheet is imported? So many services a person, one a day, all good."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from pathlib import Path

import openpyxl

from node.demo.people import Person

HEADERS = (
    "姓名",
    "身份证号",
    "活动名称",
    "服务日期",
    "开始时间",
    "结束时间",
    "服务地点",
    "服务内容",
)
MINUTES = 120


def write(path: Path, people: Sequence[Person], services_each: int, today: date) -> int:
    """Writes an .xlsx, day by day from yesterday back; how many rows."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("志愿服务")
    sheet.append(HEADERS)
    for n in range(services_each):
        day = today - timedelta(days=1 + n)
        for person in people:
            sheet.append(
                [
                    person.name,
                    person.number,
                    "社区环境清洁",
                    day,
                    time(14, 0),
                    time(16, 0),
                    "晨光社区",
                    "清理楼道和绿地",
                ]
            )
    book.save(path)
    return services_each * len(people)
