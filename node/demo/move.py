"""The second half of the story: she moves, and her record follows, whole and once."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from node.client import ServiceRefused
from node.demo import reading
from node.demo.cast import JINJIANG, YUZHONG, Story
from node.demo.chongqing import registration_consent
from node.demo.cities import City
from node.demo.stage import POLL_SECONDS, CheckFailed, fields
from node.keys import moment
from node.terminal import say

# The move of a small dossier takes a second or two; on busy cores, many times that.
MOVE_SECONDS = 120.0
LATE_MINUTES = 60
_DONE = ("moved", "settling", "done")


def code(story: Story) -> None:
    """She takes a transfer code in Chongqing; it is shown once."""
    stage, city = story.stage, story.chongqing
    stage.step("李华在重庆取得转移码(强认证登录,只显示一次)",
               "Li Hua takes a transfer code in Chongqing (strong login, shown once)")
    body = {"purpose": "move", "receiver": story.chengdu.node.code}
    try:
        story.volunteer(city, "registry").post("/transfer-codes", body)
        said = "given"
    except ServiceRefused as refused:
        said = refused.slug
    stage.check(said == "strong-login-is-needed", "普通登录得不到转移码",
                "a plain login gets no code", seen=said)
    key = f"code-{story.subject}"
    api = story.volunteer(city, "registry", strong=True)
    told = api.post("/transfer-codes", body, key=key)
    story.code = told["code_text"]
    stage.answer(f"{city.name} POST /transfer-codes",
                 {"code_text": f"{story.code[:5]}-…", "expires_at": told["expires_at"]})
    again = api.post("/transfer-codes", body, key=key)
    stage.check("code_text" not in again or again["code_text"] is None,
                "重发同一请求,不再显示", "the same request again does not show it",
                seen=sorted(again))


def application(story: Story) -> None:
    """She applies in Chengdu; each status appears as it happens; a second one is refused."""
    stage, city = story.stage, story.chengdu
    stage.step("李华在成都申请转入", "Li Hua applies in Chengdu")
    _remember(story)
    person = story.li_hua.body(JINJIANG, registration_consent(city, JINJIANG))
    login = city.api("registry", "login-0", ["login"])
    told = login.post("/applicants", person)
    story.applicant_ref = told["applicant_ref"]
    stage.answer(f"{city.name} POST /applicants",
                 fields(told, "applicant_ref", "status", "subject_id", "verification"))
    story.county(city).post(f"/applicants/{story.applicant_ref}/verifications", {
        "method": "document", "result": "matched", "checked_at": moment(datetime.now(UTC))})
    told = city.api("transfer", "login-0", ["login"]).post("/transfers", {
        "applicant_ref": story.applicant_ref, "origin": story.chongqing.node.code,
        "code": story.code, "consent": _consent(story)})
    stage.answer(f"{city.name} POST /transfers", fields(told, "transfer_id", "status"))
    _second(story, city, "transfer-is-open",
            "转移期间在柜台再次申请,被拒绝并说明理由和办法",
            "during the move a second application at the counter is refused, with reason and "
            "remedy")
    _follow(story, city)


def _remember(story: Story) -> None:
    """What stands in Chongqing before the move, and that Chengdu knows nothing of her."""
    stage = story.stage
    found = reading.dossier(story, story.chongqing)
    assert found is not None, "she was registered there"
    story.before = {"totals": found["totals"],
                    "entries": reading.entries(story, story.chongqing)}
    story.books_before = {city.node.code: reading.books(story, city)
                          for city in (story.chongqing, story.chengdu)}
    stage.note(f"转移前:{len(story.before['entries'])} 条记录,计入 {reading.credited(found)} 分钟",
               f"before the move: {len(story.before['entries'])} entries, "
               f"{reading.credited(found)} minutes credited")


def _consent(story: Story) -> dict[str, Any]:
    """Her consent to this move, under the text in force in Chengdu."""
    registry = story.chengdu.api("registry")
    texts = registry.get("/policies", kind="consent_text", region=JINJIANG)["items"]
    text = next(item for item in texts if item["purpose"] == "transfer")
    whole = registry.get(f"/policies/{text['policy_id']}/versions/{text['version']}")
    now = datetime.now(UTC)
    return {
        "text_id": text["policy_id"],
        "text_digest": hashlib.sha256(whole["content"]["texts"]["zh"].encode()).hexdigest(),
        "provider": story.chongqing.node.code, "receiver": story.chengdu.node.code,
        "purpose": "move", "given_at": moment(now),
        "kinds": ["service", "training", "commendation", "evaluation", "star", "complaint",
                  "consumption", "donation", "adjustment"],
        "expires_at": moment(now + timedelta(days=30)), "channel": "web", "guardian": None}


def _second(story: Story, city: City, slug: str, zh: str, en: str) -> None:
    body = story.li_hua.body(JINJIANG, registration_consent(city, JINJIANG))
    said: dict[str, Any] = {}
    for language in ("zh", "en"):
        try:
            city.api("registry", "counter", ["login"], language=language).post(
                "/applicants", body)
        except ServiceRefused as refused:
            said[language] = refused
            story.stage.answer(f"{city.name} POST /applicants ({language})", str(refused))
    story.stage.check(
        len(said) == 2 and all(refused.slug == slug and refused.problem.get("detail")
                               for refused in said.values()),
        zh, en, seen={name: refused.slug for name, refused in said.items()})


def _follow(story: Story, city: City) -> None:
    """Show each status once, as it happens."""
    stage = story.stage
    api = city.api("transfer", "login-0", ["login"])
    deadline = time.monotonic() + MOVE_SECONDS
    seen: list[str] = []
    while True:
        now = api.get(f"/transfers/{story.applicant_ref}")
        if not seen or seen[-1] != now["state"]:
            seen.append(now["state"])
            text = now["status_text"]
            stage.note(f"{text['zh']}({now['state']})",
                       f"{text['en']} ({now['state']})")
        if now["status"] in _DONE:
            break
        if now["refusal"] is not None or time.monotonic() > deadline:
            stage.check(False, "转移完成", "the move is done", seen=now, needed=True)
        time.sleep(POLL_SECONDS)
    stage.check(True, "档案已转入成都", "the dossier is Chengdu's")
    if now["subject_id"] != story.subject:
        raise CheckFailed(say("编号变了", "the subject's number changed"))


def arrival(story: Story) -> None:
    """Dossier and star stand in Chengdu, with Chongqing as recorder."""
    stage, city = story.stage, story.chengdu
    stage.step("档案和星级都在成都,记录单位仍是重庆",
               "dossier and star stand in Chengdu, with Chongqing as recorder")
    found = stage.eventually(lambda: reading.dossier(story, city),
                             "成都能查到她的档案", "Chengdu shows her dossier")
    here = reading.entries(story, city)
    stage.answer(f"{city.name} GET /dossier", fields(found or {}, "home", "epoch", "totals"))
    stage.check((found or {}).get("totals") == story.before["totals"],
                "合计与转移前一分不差", "the totals are exactly those before the move",
                seen=(found or {}).get("totals"))
    stage.check(_keys(here) == _keys(story.before["entries"]),
                f"{len(here)} 条记录,一条不少,一条不多",
                f"{len(here)} entries, none lost, none added",
                seen=len(here))
    services = [entry for entry in here if entry["kind"] == "service"]
    stage.check(all(entry["issuer"] == story.chongqing.node.code for entry in here)
                and all(entry["organisation_id"] == story.organisation for entry in services),
                "每条记录的记录地和记录单位都没有变",
                "issuer and recorder of every entry are unchanged")
    star = stage.eventually(lambda: _recognised(story, city), "成都认可她在重庆得到的二星",
                            "Chengdu recognises the two stars she got in Chongqing")
    stage.answer(f"{city.name} GET /standing", fields(
        star or {}, "policy_id", "level", "level_name", "eligible_minutes", "recognised"))
    old = reading.standing(story, story.chongqing)
    stage.check(old is None, "重庆不再计她的星级", "Chongqing no longer counts her stars", seen=old)


def _recognised(story: Story, city: City) -> dict[str, Any] | None:
    now = reading.standing(story, city)
    return now if now is not None and now["level"] == 2 and now["recognised"] else None


def _keys(entries: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return sorted((entry["issuer"], entry["entry_id"], entry["version"]) for entry in entries)


def late_hour(story: Story) -> None:
    """An hour recorded late in Chongqing arrives in Chengdu, once."""
    stage, old, new = story.stage, story.chongqing, story.chengdu
    stage.step("重庆补录一小时,送达成都,只算一次",
               "an hour logged late in Chongqing arrives in Chengdu, once")
    before = reading.credited(reading.dossier(story, new))
    day = story.today - timedelta(days=55)
    body = {
        "evidence_class": "leader_entry", "organisation_id": story.organisation,
        "activity_name": "社区图书漂流", "content": "整理漂流书架",
        "place": {"region_code": YUZHONG, "name": "解放碑街道"},
        "started_at": f"{day.isoformat()}T02:00:00Z",
        "ended_at": f"{day.isoformat()}T03:00:00Z"}
    key, path = f"late-{story.subject}", f"/dossiers/{story.subject}"
    told = story.recorder(old).post(f"{path}/services", body, key=key)
    shown = ("entry_id", "state", "minutes", "late", "held")
    stage.answer(f"{old.name} POST {path}/services", fields(told, *shown))
    again = story.recorder(old).post(f"{path}/services", body, key=key)
    stage.check(again["entry_id"] == told["entry_id"], "重发同一请求,还是同一条",
                "the same request again is the same entry", seen=again)
    story.late_entry = told["entry_id"]
    told = story.approver(old).post(
        f"{path}/entries/{old.node.code}/{story.late_entry}/approve")
    stage.answer(f"{old.name} POST …/approve", fields(told, *shown))
    stage.eventually(
        lambda: reading.credited(reading.dossier(story, new)) == before + LATE_MINUTES,
        f"成都计入 {before} + {LATE_MINUTES} 分钟", f"Chengdu credits {before} + {LATE_MINUTES}",
        seconds=MOVE_SECONDS)
    stage.flow.settle()
    found = [entry for entry in reading.entries(story, new)
             if entry["entry_id"] == story.late_entry]
    stage.check(len(found) == 1 and found[0]["state"] == "approved",
                "这一小时在成都只有一条,已审核",
                "the hour stands in Chengdu once, approved", seen=found)
    stage.check(reading.credited(reading.dossier(story, new)) == before + LATE_MINUTES,
                "没有算两次", "it is not counted twice")


def second_after(story: Story) -> None:
    """After the move, too, a second application is refused with its reason and remedy."""
    story.stage.step("转移之后在柜台再次申请", "a second application after the move")
    _second(story, story.chengdu, "already-registered-here",
            "同样被拒绝,并说明理由和办法", "is refused as well, with reason and remedy")
