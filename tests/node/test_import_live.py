"""``jiexu import`` against registry and records as real processes: shown, cut off, gone on with."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from node import importing
from node.client import Api, ServiceRefused
from node.demo import people as cast
from node.demo.cities import City, make
from node.demo.people import Person
from node.sheets.cells import SHANGHAI
from node.terminal import Exit
from tests.support.infrastructure import base_ports

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

PROJECT = Path(__file__).parents[2]
REGION = "500103"
HEADERS = ("姓名", "身份证号", "活动名称", "服务日期", "服务时长(小时)")


@dataclass
class Town:
    """One node with registry and records, an organisation, and three people."""

    city: City
    organisation: str
    people: list[Person]
    subjects: list[str]
    today: date

    def records(self, actor: str = "importer") -> Api:
        return self.city.api("records", actor, [f"recorder@{self.organisation}"])

    def jiexu(self, *arguments: str, lang: str = "en_US.UTF-8") -> subprocess.CompletedProcess[str]:
        node = self.city.node
        return subprocess.run(
            [sys.executable, "-m", "node.cli", "import", "-o", self.organisation, "-n",
             node.code, *arguments], capture_output=True, text=True, cwd=PROJECT, timeout=120,
            check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "LANG": lang,
                              "COLUMNS": "200", "JIEXU_DATA": str(node.home.parent)})

    def row(self, who: int, back: int, activity: str = "社区清洁",
            hours: object = 1) -> tuple[object, ...]:
        person = self.people[who]
        return (person.name, person.number, activity, self.today - timedelta(days=back), hours)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    city, _ = make(tmp_path_factory.mktemp("town") / "nodes", base_ports())
    try:
        city.start(["registry", "records"])
        city.wait_until_ready(lambda _: None)
        today = datetime.now(SHANGHAI).date()
        county = city.api("registry", "county", [f"county_reviewer/{REGION}"])
        organisation = county.post("/organisations", {
            "name": "渝中区晨光志愿服务协会", "kind": "social_group", "seat_region": REGION,
            "uscc": cast.credit_code("51", "500199", 1), "scope": "社区服务",
            "established_on": "2019-03-05", "charity": True,
            "direct_category": "charity"})["organisation_id"]
        people = list(cast.people(today)[:3])
        consent = {"text_id": "consent-registration", "text_version": 1, "channel": "web"}
        subjects = [city.api("registry", f"login-{number}", ["login"]).post(
            "/volunteers", person.body(REGION, consent))["subject_id"]
            for number, person in enumerate(people)]
        for subject in subjects:
            opened(city, subject)
        yield Town(city, organisation, people, subjects, today)
    finally:
        city.stop()


def opened(city: City, subject: str, seconds: float = 90.0) -> None:
    """Records has heard of her: until then a dry run would say "again"."""
    herself = city.api("records", f"self-{subject}", ["volunteer"], subject_id=subject)
    deadline = time.monotonic() + seconds
    while True:
        try:
            herself.get("/dossier")
            return
        except ServiceRefused as refused:
            if refused.status != 404 or time.monotonic() > deadline:
                raise AssertionError(f"no dossier for {subject} in {seconds:g} s") from refused
        time.sleep(0.1)


def xlsx(path: Path, *rows: tuple[object, ...], headers: tuple[str, ...] = HEADERS) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (headers, *rows):
        sheet.append(list(row))
    book.save(path)
    return path


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode in (Exit.DONE, Exit.FOUND_WRONG), done.stderr
    return json.loads(done.stdout)


def test_a_dry_run_writes_nothing_and_the_import_takes_what_it_showed(
        town: Town, tmp_path: Path) -> None:
    path = xlsx(tmp_path / "a.xlsx", town.row(0, 1), town.row(1, 1, hours=0.5),
                town.row(2, 1, hours=0.33))
    shown = told(town.jiexu(str(path), "--json"))
    assert shown["dry_run"] and shown["outcomes"] == {"imported": 2, "held": 1}
    status = town.records().get(f"/batches/{shown['batch_id']}")
    assert (status["imported"], status["held"], status["status"]) == (0, 0, "open")
    done = town.jiexu(str(path), "--json", "--yes")
    taken = told(done)
    assert done.returncode == Exit.FOUND_WRONG
    assert (taken["resumed"], taken["batch_id"]) == (True, shown["batch_id"])
    assert taken["closed"]["imported"] == 2 and taken["closed"]["minutes"] == 90
    [held] = taken["held"]
    assert (held["line"], held["problems"][0]["field"]) == (4, "hours")
    assert held["problems"][0]["zh"] and held["problems"][0]["en"]


def test_bad_rows_are_corrected_in_their_sheet_and_imported(town: Town, tmp_path: Path) -> None:
    path = xlsx(tmp_path / "b.xlsx", town.row(0, 3), town.row(0, 4, hours=0.33),
                ("某人", *town.row(1, 5)[1:]))
    first = told(town.jiexu(str(path), "--json", "--yes"))
    assert first["closed"]["held"] == 2
    bad = Path(first["bad_rows"])
    assert bad.name == "b.to-correct.xlsx"
    book = openpyxl.load_workbook(bad)
    sheet = book.worksheets[0]
    rules = {sheet.cell(row, 9).value for row in (2, 3)}
    assert rules == {"UnitIsNotRepresentable", "NameDiffers"}
    for row in (2, 3):
        sheet.cell(row, 1, town.people[0 if sheet.cell(row, 7).value == 3 else 1].name)
        sheet.cell(row, 5, 0.75)
    book.save(bad)
    done = town.jiexu(str(bad), "--json", "--yes")
    assert done.returncode == Exit.DONE
    assert told(done)["closed"]["minutes"] == 90


def test_two_equal_rows_are_held_and_distinct_lets_the_second_in(  # S12
        town: Town, tmp_path: Path) -> None:
    same = town.row(2, 7)
    path = xlsx(tmp_path / "c.xlsx", same, same)
    first = told(town.jiexu(str(path), "--json", "--yes"))
    assert (first["closed"]["imported"], first["closed"]["held"]) == (1, 1)
    [problem] = first["held"][0]["problems"]
    assert (problem["field"], problem["rule"]) == ("distinct", "SameFactExists")
    assert "line 2" in problem["en"] and "第 2 行" in problem["zh"]
    book = openpyxl.load_workbook(first["bad_rows"])
    book.worksheets[0].cell(2, 6, 2)
    book.save(first["bad_rows"])
    again = told(town.jiexu(first["bad_rows"], "--json", "--yes"))
    assert (again["closed"]["imported"], again["closed"]["held"]) == (1, 0)


def test_an_import_that_was_cut_off_goes_on_where_it_was(town: Town, tmp_path: Path) -> None:
    lines = [",".join(HEADERS)]
    for number in range(520):
        person = town.people[number % 3]
        day = town.today - timedelta(days=10 + number // 3)
        lines.append(f"{person.name},{person.number},图书整理,{day},0.5")
    path = tmp_path / "long.csv"
    path.write_bytes("\n".join(lines).encode("gb18030"))
    read = importing.read(path)
    batch = importing.open_batch(town.records(), read, town.organisation)
    page = [row.request() for row in read.rows[:300]]
    town.records().post(f"/batches/{batch.batch_id}/rows", {"rows": page})  # then the line broke
    pages: list[int] = []
    resumed = importing.open_batch(town.records(), read, town.organisation)
    assert resumed.resumed and resumed.batch_id == batch.batch_id
    resumed.send(read, pages.append)
    assert pages == [0, 500, 520]
    closed = resumed.close(read)
    assert (closed["imported"], closed["held"], closed["minutes"]) == (520, 0, 520 * 30)


def test_the_same_sheet_is_refused_once_it_was_taken(town: Town, tmp_path: Path) -> None:
    path = xlsx(tmp_path / "d.xlsx", town.row(1, 9))
    assert town.jiexu(str(path), "--yes").returncode == Exit.DONE
    again = town.jiexu(str(path), "--yes", lang="zh_CN.UTF-8")
    assert again.returncode == Exit.REFUSED
    assert "已导入" in again.stderr


def test_no_name_or_number_is_in_any_log_or_table_of_records(town: Town) -> None:
    text = "".join(path.read_text("utf-8", "replace")
                   for path in town.city.node.logs.glob("*.log"))
    for person in town.people:
        assert person.number not in text and person.name not in text
