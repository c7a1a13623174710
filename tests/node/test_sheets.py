"""Sheets of service hours: every way they come, and every cell that is not taken."""

# ruff: noqa: DTZ001 - the cells of a spreadsheet carry no zone
from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from node import importing
from node.sheets import cells, columns, tables, writing
from node.sheets.rows import Problem, SheetRow, rows
from node.sheets.tables import SheetIsUnreadable
from node.sheets.writing import BadRow

ID = "11010519491231002X"
ZH = ("姓名", "身份证号", "活动名称", "服务日期", "服务时长(小时)")
EN = ("Name", "ID number", "Activity", "Date", "Hours")
LINE = ("李华", ID, "社区清洁", "2026-03-07", "2.5")


def csv(path: Path, *lines: Sequence[str], encoding: str = "utf-8", separator: str = ",") -> Path:
    path.write_bytes("\r\n".join(separator.join(line) for line in lines).encode(encoding))
    return path


def xlsx(path: Path, *lines: Sequence[object], formats: dict[str, str] | None = None) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for line in lines:
        sheet.append(list(line))
    for place, shape in (formats or {}).items():
        sheet[place].number_format = shape
    book.save(path)
    return path


def read(path: Path, **given: str) -> list[SheetRow]:
    table = tables.read(path)
    return rows(table, columns.match(table.headers, given))


def one(tmp_path: Path, headers: Sequence[str], *cells: object) -> SheetRow:
    [row] = read(xlsx(tmp_path / "one.xlsx", headers, cells))
    return row


@pytest.mark.parametrize("headers", [ZH, EN, ("NAME", "证件号码 Document number", "活动", "日期",
                                              "服务小时数")])
@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"),
                                                 ("gb18030", "GB18030")])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_csv_is_read_in_either_language_and_encoding(
        tmp_path: Path, headers: Sequence[str], encoding: str, shown: str, separator: str) -> None:
    path = csv(tmp_path / "hours.csv", headers, LINE, encoding=encoding, separator=separator)
    assert tables.read(path).encoding == shown
    [row] = read(path)
    assert row.request() == {
        "row_no": 1, "name": "李华", "document": {"type": "resident_id", "number": ID},
        "activity_name": "社区清洁", "category": "service", "occurred_on": "2026-03-07",
        "hours": "2.5"}


def test_a_name_beyond_gb2312_survives_gb18030(tmp_path: Path) -> None:
    path = csv(tmp_path / "hours.csv", ZH, ("𠮷𪚥", *LINE[1:]), encoding="gb18030")
    assert read(path)[0].values["name"] == "𠮷𪚥"


def test_bytes_that_are_neither_encoding_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    path.write_bytes(b"\xff\xff\xff")
    with pytest.raises(SheetIsUnreadable) as refused:
        tables.read(path)
    assert "GB18030" in refused.value.zh and "GB18030" in refused.value.en


def test_quoted_cells_keep_their_commas_and_line_numbers_are_the_file_s(tmp_path: Path) -> None:
    path = tmp_path / "hours.csv"
    text = f'{",".join(ZH)}\n\n李华,{ID},"清洁,绿化",2026-03-07,1\n'
    path.write_text(text, "utf-8")
    [row] = read(path)
    assert (row.values["activity_name"], row.line.number, row.row_no) == ("清洁,绿化", 3, 1)


def test_headers_may_be_named_by_hand(tmp_path: Path) -> None:
    path = csv(tmp_path / "hours.csv", ("谁", "号", "干啥", "哪天", "时长"), LINE)
    with pytest.raises(SheetIsUnreadable, match="Document number"):
        read(path)
    [row] = read(path, name="谁", document_number="号", activity_name="干啥", occurred_on="哪天",
                 minutes="时长")
    assert row.problems == (Problem("minutes", "unit_is_not_representable"),)


@pytest.mark.parametrize(("headers", "given", "said"), [
    ((*ZH[:4], "服务时长"), {}, "hours or minutes"),
    (ZH[:4], {}, "how long"),
    ((*ZH, "小时"), {}, r"two columns are Hours: E, F \(choose with --map hours=column:F"),
    ((*ZH[:4], "时长", "时 长"), {"hours": "时长"},
     r"2 columns are headed 时长: E, F \(choose with --map hours=column:E"),
    (ZH, {"hours": "column:F"}, "no column F"),
    (ZH, {"hours": "小时数目"}, "no column is headed"),
    (ZH, {"stunden": "姓名"}, "no field is called"),
])
def test_headers_that_leave_a_doubt_are_refused(
        tmp_path: Path, headers: Sequence[str], given: dict[str, str], said: str) -> None:
    with pytest.raises(SheetIsUnreadable, match=said):
        read(csv(tmp_path / "hours.csv", headers, LINE), **given)


@pytest.mark.parametrize("said", ["column:F", "列:f"])
def test_of_two_columns_with_one_header_the_letter_chooses(tmp_path: Path, said: str) -> None:
    path = csv(tmp_path / "hours.csv", (*ZH[:4], "小时", "小时"), (*LINE, "4"))
    [row] = read(path, hours=said)
    assert row.values["hours"] == "4"


@pytest.mark.parametrize(("cell", "hours"), [  # R1, S13: numbers convert exactly, as decimals
    (0.5, "0.5"), (1.25, "1.25"), (0.33, "0.33"), (0.1 + 0.2, "0.3"), (2, "2"), ("2.50", "2.5"),
    ("２.５", "2.5"), ("3小时", "3"), ("1.5 h", "1.5"), (-1, "-1"), (1e-7, "0.0000001"),
])
def test_hours_are_exact_decimals(tmp_path: Path, cell: object, hours: str) -> None:
    assert one(tmp_path, ZH, *LINE[:4], cell).values["hours"] == hours


def test_a_sum_made_by_a_spreadsheet_means_its_15_digits() -> None:
    assert cells.decimal("hours", 0.1 + 0.2) == "0.3"
    assert cells.decimal("hours", 1.15 * 3) == "3.45"


def test_line_numbers_are_those_beside_the_sheet_even_under_empty_lines(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "late.xlsx", (), (), ZH, (), LINE)
    assert [row.line.number for row in read(path)] == [5]


@pytest.mark.parametrize("cell", ["两小时", "1/2", "1e99", "NaN", "Infinity", True])
def test_hours_that_are_no_number_are_a_problem(tmp_path: Path, cell: object) -> None:
    assert one(tmp_path, ZH, *LINE[:4], cell).problems == (Problem("hours", "not_a_number"),)


@pytest.mark.parametrize(("cell", "minutes"), [
    (timedelta(hours=2, minutes=20), 140), (timedelta(hours=26), 1560), (time(2, 30), 150),
    (timedelta(minutes=20, microseconds=300_000), 20)])
def test_a_duration_cell_under_hours_is_taken_in_minutes(
        tmp_path: Path, cell: object, minutes: int) -> None:
    row = one(tmp_path, ZH, *LINE[:4], cell)
    assert (row.values["minutes"], row.values.get("hours")) == (minutes, None)


def test_a_duration_with_seconds_is_never_rounded_to_minutes(tmp_path: Path) -> None:
    row = one(tmp_path, ZH, *LINE[:4], timedelta(minutes=20, seconds=1))
    assert row.problems == (Problem("hours", "unit_is_not_representable"),)


@pytest.mark.parametrize("cell", [
    date(2026, 3, 7), datetime(2026, 3, 7), "2026-03-07", "2026/3/7", "2026.03.07", "2026年3月7日",
    "20260307", 20260307, "２０２６-０３-０７"])
def test_a_day_comes_in_many_forms(tmp_path: Path, cell: object) -> None:
    assert one(tmp_path, ZH, *LINE[:3], cell, 1).values["occurred_on"] == "2026-03-07"


@pytest.mark.parametrize("cell", ["2026-02-30", "昨天", "7/3/2026", 46088, "2026-13-01"])
def test_what_is_no_day_is_a_problem(tmp_path: Path, cell: object) -> None:
    row = one(tmp_path, ZH, *LINE[:3], cell, 1)
    assert row.problems == (Problem("occurred_on", "not_a_date"),)


TIMED = ("姓名", "身份证号", "活动名称", "服务日期", "开始时间", "结束时间")


@pytest.mark.parametrize(("start", "end", "first", "last"), [
    ("09:00", "11:30", "2026-03-07T01:00:00Z", "2026-03-07T03:30:00Z"),
    (time(9, 0), time(11, 30), "2026-03-07T01:00:00Z", "2026-03-07T03:30:00Z"),
    (0.375, 0.5, "2026-03-07T01:00:00Z", "2026-03-07T04:00:00Z"),
    ("9点", "9点30分", None, None),
    ("9时05分", "９：３０", "2026-03-07T01:05:00Z", "2026-03-07T01:30:00Z"),
    ("22:30", "01:30", "2026-03-07T14:30:00Z", "2026-03-07T17:30:00Z"),  # S6: over midnight
    ("22:00", "24:00", "2026-03-07T14:00:00Z", "2026-03-07T16:00:00Z"),
    ("22:00", "00:00", "2026-03-07T14:00:00Z", "2026-03-07T16:00:00Z"),
    (time(22, 0), time(0, 0), "2026-03-07T14:00:00Z", "2026-03-07T16:00:00Z"),
    ("00:00", "01:00", "2026-03-06T16:00:00Z", "2026-03-06T17:00:00Z"),
    (datetime(2026, 3, 7, 9), datetime(2026, 3, 7, 11, 0, 0, 400_000), "2026-03-07T01:00:00Z",
     "2026-03-07T03:00:00Z"),
    (datetime(2026, 3, 7, 8, 59, 59, 600_000), datetime(2026, 3, 7, 11), "2026-03-07T01:00:00Z",
     "2026-03-07T03:00:00Z"),
    ("2026-03-07 09:00", "2026-03-08 01:00:30", "2026-03-07T01:00:00Z", "2026-03-07T17:00:30Z"),
    ("2026年3月7日9:00", "2026/3/7 10:00", "2026-03-07T01:00:00Z", "2026-03-07T02:00:00Z"),
])
def test_times_are_shanghai_s_of_that_day(
        tmp_path: Path, start: object, end: object, first: str | None, last: str | None) -> None:
    row = one(tmp_path, TIMED, *LINE[:3], date(2026, 3, 7), start, end)
    if first is None:
        assert row.problems == (Problem("started_at", "not_a_time"),)
    else:
        assert (row.values["started_at"], row.values["ended_at"]) == (first, last)
        assert "occurred_on" not in row.values


def test_summer_time_of_1988_is_that_of_1988(tmp_path: Path) -> None:
    row = one(tmp_path, TIMED, *LINE[:3], "1988-07-01", "09:00", "10:00")
    assert row.values["started_at"] == "1988-07-01T00:00:00Z"


def test_spreadsheet_times_go_to_the_nearest_second(tmp_path: Path) -> None:
    # 11:00 as Excel's fraction of a day, and one just below it
    row = one(tmp_path, TIMED, *LINE[:3], date(2026, 3, 7), 0.4583333333333, 0.4999999999)
    assert row.values["started_at"] == "2026-03-07T03:00:00Z"
    assert row.values["ended_at"] == "2026-03-07T04:00:00Z"


@pytest.mark.parametrize(("start", "end", "problem"), [
    ("09:00", None, Problem("ended_at", "is_missing")),
    (None, "09:00", Problem("started_at", "is_missing")),
    ("25:00", "26:00", Problem("started_at", "not_a_time")),
    ("09:61", "10:00", Problem("started_at", "not_a_time")),
    ("2026-03-06 23:00", "2026-03-07 01:00", Problem("occurred_on", "date_differs_from_start")),
])
def test_times_that_are_wrong_name_their_cell(
        tmp_path: Path, start: object, end: object, problem: Problem) -> None:
    row = one(tmp_path, TIMED, *LINE[:3], date(2026, 3, 7), start, end)
    assert problem in row.problems


def test_an_id_number_stored_as_a_number_has_lost_digits(tmp_path: Path) -> None:
    row = one(tmp_path, ZH, "李华", 500101199001011234, *LINE[2:])
    assert row.problems == (Problem("document_number", "digits_were_lost"),)
    assert one(tmp_path, ZH, "李华", 110105491231002, *LINE[2:]).values["document"] == {
        "type": "resident_id", "number": "110105491231002"}


def test_every_bad_cell_of_a_row_is_named_and_the_row_is_sent_as_unreadable(
        tmp_path: Path) -> None:
    row = one(tmp_path, (*ZH, "同日序号"), "李华", None, None, "2026-02-30", "两", 1.5)
    assert {(p.field, p.rule) for p in row.problems} == {
        ("document_number", "is_missing"), ("activity_name", "is_missing"),
        ("occurred_on", "not_a_date"), ("hours", "not_a_number"),
        ("distinct", "not_a_whole_number")}
    assert set(row.request()) == {"row_no", "unreadable"}


def test_the_template_is_read_with_every_column_known(tmp_path: Path) -> None:
    writing.write_template(tmp_path / "empty.xlsx")
    book = openpyxl.load_workbook(tmp_path / "empty.xlsx")
    headers = [str(cell.value) for cell in book.worksheets[0][1]]
    assert columns.match(headers).keys() == columns.BY_FIELD.keys()


def test_the_sheet_of_bad_rows_can_be_corrected_and_read_again(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "hours.xlsx", (*ZH, "组别"), (*LINE[:3], date(2026, 3, 7), 0.33, "一组"),
                ("王芳", ID, "=1+1", "2026-03-08", 1, "二组"))
    table = tables.read(path)
    mapping = columns.match(table.headers)
    bad = [BadRow(table.lines[0], (("hours", "unit-is-not-representable", "不是整数分钟", "no"),))]
    out = tmp_path / "bad.xlsx"
    writing.write_bad_rows(out, table, mapping, bad)
    book = openpyxl.load_workbook(out)
    sheet = book.worksheets[0]
    written: list[Any] = [cell.value for cell in sheet[2]]
    assert written[6] is None  # distinct, to be filled in
    assert written[7:] == [2, "服务时长(小时)", "unit-is-not-representable", "不是整数分钟", "no"]
    assert sheet["E2"].fill.start_color.rgb == "FFFFC7CE"
    sheet["E2"] = 0.5
    sheet["G2"] = 2
    book.save(out)
    again = tables.read(out)
    twice = tmp_path / "twice.xlsx"
    writing.write_bad_rows(twice, again, columns.match(again.headers), [BadRow(again.lines[0], ())])
    assert tables.read(twice).headers == again.headers  # explained once, however often it comes
    [row] = read(out)
    assert (row.values["hours"], row.values["distinct"], row.values["occurred_on"]) == (
        "0.5", 2, "2026-03-07")
    assert not row.problems


def test_text_that_looks_like_a_formula_stays_text(tmp_path: Path) -> None:
    path = csv(tmp_path / "hours.csv", ZH, ("=cmd|'/c calc'!A0", *LINE[1:]))
    table = tables.read(path)
    out = tmp_path / "bad.xlsx"
    writing.write_bad_rows(out, table, columns.match(table.headers), [BadRow(table.lines[0], ())])
    cell = openpyxl.load_workbook(out).worksheets[0]["A2"]
    assert (cell.data_type, cell.value) == ("s", "=cmd|'/c calc'!A0")


@pytest.mark.parametrize("name", ["hours.pdf", "hours.docx"])
def test_other_files_are_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SheetIsUnreadable):
        tables.read(tmp_path / name)


def test_a_broken_workbook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hours.xlsx").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(SheetIsUnreadable):
        tables.read(tmp_path / "hours.xlsx")


@pytest.mark.parametrize("said", ["1e2", "1_0", "+2", "-2", "٢", "2.", "inf", "nan", "1,5"])
def test_a_figure_is_digits_and_one_point_at_most(said: str) -> None:  # R1
    with pytest.raises(cells.CellIsWrong) as wrong:
        cells.decimal("hours", said)
    assert wrong.value.rule == "not_a_number"


def test_a_text_longer_than_its_column_takes_is_named_with_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("证件号码,活动名称,内容,服务日期,时长(小时)\n"
                    f"500103199001011232,{'活' * 101},{'内' * 201},2027-03-01,2\n"
                    f"500103199001011232,{'活' * 100},{'内' * 200},2027-03-01,2\n", "utf-8")
    long, fits = importing.read(path).rows
    assert long.problems == (Problem("activity_name", "too_long"), Problem("content", "too_long"))
    assert fits.problems == ()
    [first, second] = importing.problems_of(importing.read(path), {"row_no": 1})
    assert first[2:] == ("过长:最多 100 个字符", "too long: at most 100 characters")
    assert second[2:] == ("过长:最多 200 个字符", "too long: at most 200 characters")


def test_every_cell_that_breaks_its_column_is_named_with_the_rule(tmp_path: Path) -> None:
    path = csv(tmp_path / "forms.csv", (*ZH, "地区代码", "服务领域", "同日序号"),
               (*LINE, "渝中区", "Community", "100"), (*LINE, "500103", "community_affairs", "99"))
    sheet = importing.read(path)
    assert sheet.rows[1].problems == ()
    assert [(field, en) for field, _, _, en in importing.problems_of(sheet, {"row_no": 1})] == [
        ("field_code", "breaks the rule of this column: a code in lower case, such as "
                       "community_affairs, at most 40 characters"),
        ("distinct", "out of the range of this column: a whole number from 1 to 99"),
        ("region_code", "breaks the rule of this column: a region code of six digits, such as "
                        "500106")]


def test_what_records_finds_in_a_cell_is_said_with_its_column_s_rule(tmp_path: Path) -> None:
    sheet = importing.read(csv(tmp_path / "a.csv", (*ZH, "活动类别"), (*LINE, "打扫")))
    [(field, rule, zh, en)] = importing.problems_of(
        sheet, {"row_no": 1, "reason": "FieldIsWrong", "field": "facts.category"})
    assert (field, rule) == ("category", "FieldIsWrong")
    assert zh == "不符合本列规定:service 或 social_practice"
    assert en == "breaks the rule of this column: service or social_practice"


def test_a_sheet_with_headers_alone_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("证件号码,活动名称,服务日期,时长(小时)\n", "utf-8")
    with pytest.raises(SheetIsUnreadable, match="no rows"):
        importing.read(path)
