"""How does the story end: totals of a stranger, a table, a verdict, and what to try?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.markup import escape

from node import verify
from node.commands.dossiers import show
from node.demo import reading
from node.demo.cast import JINJIANG, YUZHONG, Story
from node.demo.cities import City
from node.demo.move import LATE_MINUTES
from node.demo.subscriber import Subscriber
from node.layout import SERVICES
from node.terminal import say, table


def subscriber(story: Story) -> None:
    """A subscriber started at the beginning has the services' own totals."""
    stage = story.stage
    stage.step("一个从头开始的订阅者,只读公开主题,算出的合计与各服务一致",
               "a subscriber started at the beginning, reading the public topic alone, has the "
               "totals of the services")
    stage.flow.settle()
    heard = story.subscriber
    stage.note(f"读了 {heard.taken} 个事件,略过 {heard.passed_over} 个",
               f"{heard.taken} events taken, {heard.passed_over} passed over")
    wrong = []
    for index, subject in enumerate(story.subjects):
        city = story.chengdu if index == 0 else story.chongqing
        served = reading.credited(reading.dossier(story, city, index))
        if heard.minutes(subject) != served:
            wrong.append((subject[:8], heard.minutes(subject), served))
    stage.check(not wrong, f"{len(story.subjects)} 人的合计全部相同",
                f"the totals of all {len(story.subjects)} people agree", seen=wrong)
    stage.check(heard.epoch(story.subject) == 2, "李华的归属代次是 2",
                "Li Hua's custody epoch is 2", seen=heard.epoch(story.subject))
    stage.check(stage.flow.problem is None, "事件流没有中断", "the tails heard everything",
                seen=stage.flow.problem)
    planted = [*(person.name for person in story.people),
               *(person.number for person in story.people)]
    text = json.dumps([seen.data for seen in stage.flow.all()], ensure_ascii=False)
    found = [value for value in planted if value in text]
    stage.check(not found, f"{len(stage.flow.all())} 个事件中没有任何姓名或证件号码",
                f"none of the {len(stage.flow.all())} events holds a name or a number", seen=found)


def conservation(story: Story) -> None:
    """Entries and minutes of each city, before and after; nothing lost, nothing doubled."""
    stage = story.stage
    stage.step("收支核对", "the books")
    cities = (story.chongqing, story.chengdu)
    before = [story.books_before[city.node.code] for city in cities]
    after = [reading.books(story, city) for city in cities]
    stage.console.print(table(
        say("李华的记录", "Li Hua's record"),
        [say("城市", "city"), say("记录(前)", "entries before"), say("分钟(前)", "minutes before"),
         say("记录(后)", "entries after"), say("分钟(后)", "minutes after"),
         say("留存备查,不计入", "kept as history, not counted")],
        [*((city.name, *then.counted, *now.counted, _kept(now))
           for city, then, now in zip(cities, before, after, strict=True)),
         (say("合计", "both"), *_sum(before), *_sum(after), "")]))
    stage.check([one.is_home for one in (*before, *after)] == [True, False, False, True],
                "转移前只有重庆计入,转移后只有成都计入",
                "before the move Chongqing alone counts, after it Chengdu alone",
                seen=[one.is_home for one in (*before, *after)])
    assert story.planned is not None, "the sheet was written"
    entries_then, minutes_then = _sum(before)
    stage.check(minutes_then == story.planned.minutes[0],
                f"转移前的 {minutes_then} 分钟正是表格所列",
                f"the {minutes_then} minutes before the move are those of the sheet",
                seen=story.planned.minutes[0])
    total = _sum(after)
    stage.check(total == (entries_then + 1, minutes_then + LATE_MINUTES),
                f"守恒:{minutes_then} + {LATE_MINUTES}(补录)= {total[1]}",
                f"conserved: {minutes_then} + {LATE_MINUTES} logged late = {total[1]}", seen=total)
    stage.check(story.proven == total, "导出的档案由核验程序另行相加,条数与分钟相同",
                "the exported dossier, added up by its verifier, has the same entries and minutes",
                seen=story.proven)
    stage.check(after[0].kept == before[0].counted,
                "重庆留存的正是转移前的记录,此后没有再加",
                "what Chongqing keeps is what stood there before the move, nothing added since",
                seen=after[0].kept)
    alone = [_topic_alone(story, city) for city in cities]
    stage.check(alone == [after[0].kept[1], after[1].counted[1]],
                f"只读一座城市的主题:重庆止于 {alone[0]} 分钟,成都 {alone[1]} 分钟",
                f"of topics read alone, Chongqing's ends at {alone[0]} minutes, Chengdu's at "
                f"{alone[1]}",
                seen=alone)
    heard = story.subscriber.minutes(story.subject)
    stage.check(heard == total[1], f"同时读两座城市主题的订阅者得 {heard} 分钟",
                f"a subscriber of both cities' topics has {heard} minutes", seen=heard)
    rest = sum(reading.credited(reading.dossier(story, story.chongqing, index))
               for index in range(1, len(story.people)))
    expected = story.planned.total - story.planned.minutes[0]
    stage.check(rest == expected, f"其余 11 人仍在重庆,共 {expected} 分钟",
                f"the other eleven are still Chongqing's, {expected} minutes", seen=rest)


def _sum(books: list[reading.Books]) -> tuple[int, int]:
    return (sum(one.counted[0] for one in books), sum(one.counted[1] for one in books))


def _topic_alone(story: Story, city: City) -> int:
    """Li Hua's minutes by one city's topic, whatever the other says: a city that went on counting
    a dossier it has given away would show it here.
    """
    reader = Subscriber()
    for seen in story.stage.flow.all():
        if seen.node == city.node.code:
            reader.take(seen)
    return reader.minutes(story.subject)


def _kept(books: reading.Books) -> str:
    entries, minutes = books.kept
    if not entries:
        return ""
    return say(f"{entries} 条,{minutes} 分钟", f"{entries} entries, {minutes} min")


def verdict(story: Story) -> None:
    """The dossier is exported and verified offline; one flipped figure is found."""
    stage, city = story.stage, story.chengdu
    stage.step("导出档案,离线核验(签名、摘要树、归属链)",
               "the dossier is exported and verified offline (signatures, tree, custody chain)")
    exported: dict[str, Any] = story.volunteer(city, "transfer", strong=True).get(
        f"/exports/{story.subject}")
    path = story.work / "li-hua.dossier.json"
    path.write_text(json.dumps(exported, ensure_ascii=False), "utf-8")
    directory = verify.directory_of(Path(city.node.directory), city.node.directory_keys)
    judged = verify.judge(verify.read_json(path), directory)
    show(judged)
    stage.check(judged.code is None, f"jiexu verify {path.name}:档案完整",
                f"jiexu verify {path.name}: the dossier holds", seen=judged.code)
    stage.check(judged.cities == (story.chongqing.node.code, city.node.code),
                "归属链:重庆 → 成都", "custody chain: Chongqing, then Chengdu", seen=judged.cities)
    bodies = [entry["body"] for entry in exported["entries"]]
    story.proven = (len({(body["issuer"], body["entry_id"]) for body in bodies}),
                    (judged.as_json()["totals"] or {}).get("credited_minutes", 0))
    first = next(entry for entry in exported["entries"] if entry["body"]["kind"] == "service")
    first["body"]["minutes"] += 1
    forged = verify.judge(exported, directory)
    stage.check(forged.code is not None, f"改动一分钟即被发现({forged.code})",
                f"one minute changed is found ({forged.code})", seen=forged.code)


def welcome(story: Story, city: City) -> dict[str, Any]:
    """What the page at ``/`` of a node says."""
    node = city.node
    words = {"registry": ("登记", "registration"), "records": ("服务记录", "service records"),
             "rewards": ("星级认定", "stars"), "transfer": ("转移接续", "moving a record")}
    jiexu = f"JIEXU_DATA={node.home.parent} .venv/bin/jiexu"
    region = YUZHONG if city is story.chongqing else JINJIANG

    def asking(roles: str, url: str, extra: str = "") -> str:
        return (f'curl -H "Authorization: Bearer $({jiexu} token {roles} -n {node.code}{extra})" '
                f"{url}")

    # Who is home in this city when the story is over.
    who = 0 if city is story.chengdu else 1
    subject = story.subjects[who] if len(story.subjects) > who else "SUBJECT"
    hers = f" --subject {subject} --strong"
    organisation = story.organisations.get(node.code, "ORGANISATION")
    return {
        "city": {"zh": node.name_zh, "en": node.name_en},
        "services": [{"name": name, "zh": words[name][0], "en": words[name][1],
                      "docs": f"{node.api_url(name)}/docs"} for name in SERVICES],
        "people": [
            {"name": story.people[who].name, "zh": "志愿者", "en": "volunteer", "tries": [
                {"zh": "我的档案", "en": "my dossier",
                 "command": asking("volunteer", f"{node.api_url('records')}/dossier", hers)},
                {"zh": "我的星级", "en": "my stars",
                 "command": asking("volunteer", f"{node.api_url('rewards')}/standing", hers)},
                {"zh": "导出并核验", "en": "export and verify",
                 "command": f"{jiexu} export {subject} -n {node.code} "
                            f"--to dossier.json && {jiexu} verify dossier.json -n {node.code}"}]},
            {"name": "记录人", "zh": "记录人", "en": "recorder", "tries": [
                {"zh": "导入表格", "en": "import a sheet",
                 "command": f"{jiexu} import SHEET.xlsx -o {organisation} -n {node.code}"}]},
            {"name": "审核人", "zh": "审核人", "en": "approver", "tries": [
                {"zh": "批次列表", "en": "batches",
                 "command": asking(f"approver@{organisation}",
                                   f"{node.api_url('records')}/batches")}]},
            {"name": "审核部门", "zh": "区县审核人", "en": "county reviewer", "tries": [
                {"zh": "待核验的人", "en": "people to verify",
                 "command": asking(f"county_reviewer/{region}",
                                   f"{node.api_url('registry')}/volunteers/to-verify")}]},
        ],
    }


def urls(story: Story) -> None:
    """Where to go on by oneself."""
    console = story.stage.console
    for city in (story.chongqing, story.chengdu):
        console.print(f"\n[bold]{escape(city.name)}[/bold] {city.node.api_url('registry')}/")
        for service in SERVICES:
            console.print(f"   {service:9} {city.node.api_url(service)}/docs")
