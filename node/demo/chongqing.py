"""The first half of the story: a city registers, imports, approves, and a star rises."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import openpyxl
import yaml

from node import importing
from node.client import ServiceRefused
from node.demo import reading, sheet
from node.demo.cast import JINJIANG, YUZHONG, Story
from node.demo.cities import City
from node.demo.people import Person, credit_code, stranger
from node.demo.stage import fields
from node.keys import moment
from node.terminal import say, table

SHOWN_BAD_ROWS = 9


def organisations(story: Story) -> None:
    """Both cities register an organisation."""
    stage = story.stage
    stage.step("组织登记", "organisations are registered")
    for index, (city, region, name) in enumerate((
            (story.chongqing, YUZHONG, "渝中区晨光志愿服务协会"),
            (story.chengdu, JINJIANG, "锦江区春晖志愿服务协会")), start=1):
        told = story.county(city).post("/organisations", {
            "name": name, "kind": "social_group", "seat_region": region,
            "uscc": credit_code("51", f"{city.node.code[:2]}0199", index),
            "scope": "社区服务", "established_on": "2019-03-05", "charity": True,
            "direct_category": "charity"})
        story.organisations[city.node.code] = told["organisation_id"]
        stage.answer(f"{city.name} POST /organisations",
                     fields(told, "organisation_id", "name", "status"))
        stage.check(told["status"] == "active", f"{name} 已登记", f"{name} is registered")


def policy(story: Story) -> None:
    """Two persons publish the demo's star policy in each city."""
    stage = story.stage
    stage.step(
        "发布演示用星级办法 demo-automatic(达到时长即自动认定;不是任何城市的规定)",
        "the demo publishes its star policy, demo-automatic (a star at once when its minutes are "
        "reached; no rule of any city)")
    text = files("node.demo").joinpath("demo-automatic.yaml").read_text("utf-8")
    for city in (story.chongqing, story.chengdu):
        document = yaml.safe_load(text) | {"jurisdiction": [city.node.code]}
        content = {name: value.isoformat() if isinstance(value, date) else value
                   for name, value in document.items()}
        role = [f"city_reviewer/{city.node.code}"]
        proposed = city.api("registry", "reviewer-first", role).post("/policies", content)
        try:
            city.api("registry", "reviewer-first", role).post(
                f"/policies/{proposed['policy_id']}/proposals/{proposed['proposal_id']}/confirm")
            alone = "published"
        except ServiceRefused as refused:
            alone = refused.slug
        stage.check(alone == "second-person-is-missing",
                    f"{city.name}:提议人不能自己确认", f"{city.name}: who proposes cannot confirm",
                    seen=alone)
        told = city.api("registry", "reviewer-second", role).post(
            f"/policies/{proposed['policy_id']}/proposals/{proposed['proposal_id']}/confirm")
        stage.answer(f"{city.name} …/confirm", told)


def registrations(story: Story) -> None:
    """Li Hua registers herself; the organisation registers the others, with their consent."""
    stage = story.stage
    city = story.chongqing
    stage.step("李华在重庆登记;协会经本人同意为其他人登记",
               "Li Hua registers in Chongqing; the association registers the others, with consent")
    consent = registration_consent(city, YUZHONG)
    story.subjects.append(_register_herself(story, city, story.li_hua, consent))
    _refuse_twice(story, city, consent)
    for person in story.people[1:]:
        told = city.api("registry", "staff-admin", [f"org_admin@{story.organisation}"]).post(
            "/volunteers",
            {**person.body(YUZHONG, consent), "organisation_id": story.organisation})
        story.subjects.append(told["subject_id"])
    stage.check(len(set(story.subjects)) == len(story.people), "12 人各有一个随机编号",
                "twelve people, each with a random number of their own")
    seen = story.county(city).post(f"/volunteers/{story.subject}/verifications", {
        "method": "document", "result": "matched", "checked_at": moment(datetime.now(UTC))})
    stage.check(seen["verification"] == "document_seen", "工作人员核对了李华的证件",
                "an officer has seen Li Hua's document", seen=seen)
    stage.eventually(lambda: reading.dossier(story, city), "重庆为李华建立了空档案",
                     "Chongqing opened an empty dossier for Li Hua")


def registration_consent(city: City, region: str) -> dict[str, Any]:
    """The consent to registration, under the text in force."""
    texts = city.api("registry").get("/policies", kind="consent_text", region=region)["items"]
    text = next(item for item in texts if item["purpose"] == "registration")
    return {"text_id": text["policy_id"], "text_version": text["version"], "channel": "web"}


def _register_herself(story: Story, city: City, person: Person,
                      consent: dict[str, Any]) -> str:
    told = city.api("registry", "login-0", ["login"]).post(
        "/volunteers", person.body(YUZHONG, consent))
    story.stage.answer(f"{city.name} POST /volunteers",
                       fields(told, "subject_id", "status", "age_band", "verification"))
    text = str(told)
    story.stage.check(person.name not in text and person.number not in text,
                      "回答中没有姓名和证件号码", "the answer holds neither name nor number")
    return str(told["subject_id"])


def _refuse_twice(story: Story, city: City, consent: dict[str, Any]) -> None:
    """The same number in full-width digits is the same person (S1)."""
    body = story.li_hua.body(YUZHONG, consent)
    wide = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
    body["documents"] = [{"type": "resident_id", "number": story.li_hua.number.translate(wide)}]
    try:
        city.api("registry", "login-again", ["login"]).post("/volunteers", body)
        said = "registered"
    except ServiceRefused as refused:
        said = refused.slug
        story.stage.answer(f"{city.name} POST /volunteers", str(refused))
    story.stage.check(said == "already-registered-here",
                      "用全角数字再登记一次,被认出是同一人",
                      "a second registration, in full-width digits, is known to be the same person",
                      seen=said)


def imports(story: Story) -> None:
    """The organisation imports a spreadsheet; each bad row is named, the others are not held."""
    stage = story.stage
    city = story.chongqing
    stage.step("协会导入一份 200 行的 Excel 表,其中 9 行有错",
               "the association imports a spreadsheet of 200 rows, nine of them wrong")
    path = story.work / "志愿服务时长.xlsx"
    planned = sheet.write(path, story.people, stranger(story.today), story.today)
    story.planned, story.sheet = planned, path
    read = importing.read(path)
    stage.note(f"表头:{'、'.join(read.table.headers)}",
               f"headers: {', '.join(read.table.headers)}")
    api = story.recorder(city)
    batch = stage.eventually(
        lambda: importing.open_batch(api, read, story.organisation),
        "已开批次", "a batch is open")
    assert batch is not None, "eventually() stops the story otherwise"
    story.batch_id = batch.batch_id
    rehearsed = batch.rehearse(read, lambda _: None)
    empty = batch.status()
    stage.check(rehearsed.count()["imported"] + rehearsed.count()["held"] == sheet.ROWS
                and empty["imported"] == empty["held"] == 0,
                "预演判断了全部 200 行而没有写入",
                "a dry run judged all 200 rows and wrote nothing",
                seen=dict(rehearsed.count()))
    batch.send(read, lambda _: None)
    closed = batch.close(read)
    stage.answer(f"{city.name} POST /batches/…/close", closed)
    held = batch.held()
    _show_bad(story, read, held)
    told = {(row["row_no"], problem[0], problem[1]) for row in held
            for problem in importing.problems_of(read, row)}
    for wrong in planned.wrong:
        found = {(field, rule) for row_no, field, rule in told if row_no == wrong.row_no}
        zh, en = importing.rules.words(wrong.rule)
        stage.check((wrong.field, wrong.rule) in found,
                    f"第 {wrong.row_no + 1} 行:{zh}", f"line {wrong.row_no + 1}: {en}", seen=found)
    stage.check(closed["imported"] == planned.good and closed["held"] == len(planned.wrong),
                f"{planned.good} 行好的全部接收,没有被坏行拖住",
                f"all {planned.good} good rows were taken, not held back by the bad ones",
                seen=closed)
    stage.check(closed["minutes"] == planned.total, f"共 {planned.total} 分钟,一分不差",
                f"{planned.total} minutes, exactly", seen=closed["minutes"])
    bad = story.work / "待更正.xlsx"
    count = importing.write_held(bad, read, held)
    stage.check(count == len(planned.wrong) and bad.exists(),
                f"问题行另存到 {bad.name},可更正再导入",
                f"bad rows are in {bad.name}, to be corrected and imported", seen=count)


def _show_bad(story: Story, read: importing.Sheet, held: list[dict[str, Any]]) -> None:
    rows = []
    for answer in held[:SHOWN_BAD_ROWS]:
        for field, rule, zh, en in importing.problems_of(read, answer):
            rows.append((read.row(answer["row_no"]).line.number, read.header(field), rule, zh,
                         en))
    story.stage.console.print(table(
        say("逐行报告", "row by row"),
        [say("行", "line"), say("列", "column"), say("规则", "rule"), "中文", "English"], rows))


def approval(story: Story) -> None:
    """The importer may not approve; a second person does, and the star rises."""
    stage = story.stage
    city = story.chongqing
    planned = story.planned
    assert planned is not None, "the sheet was written"
    stage.step("另一人审核;事件到达,星级随之上升",
               "a second person approves; as the events arrive, her star rises")
    before = reading.dossier(story, city)
    stage.check(reading.credited(before) == 0, "审核之前不计时长", "nothing counts before approval",
                seen=reading.credited(before))
    own = city.api("records", "staff-recorder",
                   [f"recorder@{story.organisation}", f"approver@{story.organisation}"])
    try:
        own.post(f"/batches/{story.batch_id}/approve")
        said = "approved"
    except ServiceRefused as refused:
        said = refused.slug
        stage.answer(f"{city.name} POST /batches/…/approve", str(refused))
    stage.check(said == "recorded-by-you", "导入人不能自己审核", "the importer cannot approve",
                seen=said)
    told = story.approver(city).post(f"/batches/{story.batch_id}/approve")
    stage.answer(f"{city.name} POST /batches/…/approve", told)
    goal = planned.minutes[0]
    levels: list[int] = []

    def risen() -> dict[str, Any] | None:
        now = reading.standing(story, city)
        if now is not None and (not levels or levels[-1] != now["level"]):
            levels.append(now["level"])
        # The star follows the minutes: what is eligible is awarded a moment later.
        done = now is not None and now["eligible_minutes"] == goal and now["level"] == 2
        return now if done else None

    final = stage.eventually(risen, f"星级服务随事件累计到 {goal} 分钟,升为二星",
                             f"rewards has summed her events to {goal} minutes, two stars")
    assert final is not None, "eventually() stops the story otherwise"
    stage.note(f"所见星级:{' → '.join(map(str, levels))}",
               f"levels seen: {' → '.join(map(str, levels))}")
    stage.answer(f"{city.name} GET /standing", fields(
        final, "policy_id", "level", "level_name", "eligible_minutes", "next_level",
        "missing_minutes"))
    found = stage.eventually(
        lambda: _with_star(story, city), "星级作为一条记录进入她的档案",
        "the star stands in her dossier as an entry")
    assert found is not None, "eventually() stops the story otherwise"
    stage.check(reading.credited(found) == goal, f"档案计入 {goal} 分钟",
                f"her dossier credits {goal} minutes", seen=reading.credited(found))


def _with_star(story: Story, city: City) -> dict[str, Any] | None:
    stars = [entry for entry in reading.entries(story, city) if entry["kind"] == "star"]
    return reading.dossier(story, city) if stars else None


def same_again(story: Story) -> None:
    """The same file is refused; the same rows in another file are silence."""
    stage = story.stage
    city = story.chongqing
    stage.step("同一份表再导入一次,什么也不变", "the same sheet again changes nothing")
    assert story.sheet is not None and story.planned is not None, "it was imported before"
    stage.flow.settle()
    total = sum(reading.credited(reading.dossier(story, city, index))
                for index in range(len(story.people)))
    events = _dossier_events(story)
    api = story.recorder(city)
    try:
        importing.open_batch(api, importing.read(story.sheet), story.organisation)
        said = "opened"
    except ServiceRefused as refused:
        said = refused.slug
        stage.answer(f"{city.name} POST /batches", str(refused))
    stage.check(said == "same-sheet-imported", "同一文件被认出", "the same file is recognised",
                seen=said)
    copy = story.work / "志愿服务时长-另存.xlsx"
    shutil.copyfile(story.sheet, copy)
    book = openpyxl.load_workbook(copy)
    book.properties.description = "saved again"
    book.save(copy)
    read = importing.read(copy)
    batch = importing.open_batch(api, read, story.organisation)
    batch.send(read, lambda _: None)
    closed = batch.close(read)
    stage.answer(f"{city.name} POST /batches/…/close", closed)
    stage.check(closed["imported"] == 0 and closed["repeats"] == story.planned.good,
                "另存的副本:每一行好的都认出是重复,没有一行再记",
                "a copy saved anew: every good row is known, none is recorded again", seen=closed)
    stage.flow.settle()
    again = sum(reading.credited(reading.dossier(story, city, index))
                for index in range(len(story.people)))
    stage.check(again == total, f"全部 12 人仍共 {total} 分钟",
                f"all twelve still have {total} minutes", seen=again)
    stage.check(_dossier_events(story) == events, "档案主题上没有新的事件",
                "no new event on the dossiers' topic", seen=_dossier_events(story) - events)


def _dossier_events(story: Story) -> Counter[str]:
    return Counter(seen.type for seen in story.stage.flow.all()
                   if seen.topic == "records.dossiers.v1")
