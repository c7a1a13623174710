"""Organisations through the real API: one body a code or filing, sanctions, lists."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from shared.messages import Grant
from tests.edge.registry.conftest import CITY, OFFICER, Registry, person, slug

BODY: dict[str, Any] = {
    "name": "渝中区邻里志愿服务队",
    "kind": "social_group",
    "uscc": "51500199MJX000018W",
    "seat_region": "500103",
    "scope": "社区服务",
    "established_on": "2019-03-05",
    "charity": True,
    "direct_category": "charity",
    "responsible_person": {"name": "赵敏", "contact": {"phone": "13700137000"}},
}
FILED: dict[str, Any] = {
    "name": "解放碑社区志愿服务队",
    "kind": "grassroots_team",
    "filing_office": "渝中区解放碑街道办事处",
    "filing_number": "渝中备〔2026〕015号",
    "seat_region": "500103",
    "scope": "社区服务",
    "established_on": "2026-05-04",
    "supervising_body_id": "0f6a2d6c4b7e4e0f8a3f5c1d2e9b7a60",
}
SANCTION: dict[str, Any] = {
    "kind": "stop_and_rectify",
    "from": "2027-03-01",
    "until": "2027-08-01",
    "law_article": "志愿服务条例 第三十七条",
    "decision_id": "渝民罚〔2027〕42号",
    "public": True,
}


async def registered(registry: Registry, **changes: Any) -> str:
    async with registry.client(OFFICER) as officer:
        answer = await registry.post(officer, "/organisations", BODY | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()["organisation_id"]


async def test_a_body_is_registered_under_its_code(registry: Registry) -> None:
    organisation = await registered(registry, uscc="51500199-mjx000018-w")
    (event,) = await registry.events("organisation-registered")
    assert (event["topic"], event["key"]) == ("registry.organisations.v1", organisation)
    assert json.loads(event["data"]) == {
        "organisation_id": organisation,
        "name": BODY["name"],
        "kind": "social_group",
        "uscc": "51500199MJX000018W",
        "filing": None,
        "seat_region": "500103",
        "scope": "社区服务",
        "established_on": "2019-03-05",
        "charity": True,
        "supervising_body_id": None,
        "status": "active",
    }
    async with registry.client() as anybody:
        shown = await anybody.get(f"/organisations/{organisation}")
    assert shown.json()["uscc"] == "51500199MJX000018W"
    assert "赵敏" not in shown.text


async def test_twenty_at_once_with_one_code_make_one_body(registry: Registry) -> None:
    async with registry.client(OFFICER) as officer:
        answers = await asyncio.gather(
            *(registry.post(officer, "/organisations", BODY) for _ in range(20))
        )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    assert {slug(answer) for answer in answers if answer.status_code == 409} == {"uscc-is-taken"}


async def test_what_is_wrong_with_a_body_is_named(registry: Registry) -> None:
    async with registry.client(OFFICER) as officer:
        for changes, status, expected in (
            ({"uscc": "51500199MJX000018X"}, 422, "uscc-is-invalid"),
            ({"direct_category": None}, 409, "kind-needs-supervisor"),
            ({"seat_region": "500105"}, 403, "actor-may-not"),
            ({"scope": "call 13800138000"}, 422, "text-holds-personal-data"),
        ):
            answer = await registry.post(officer, "/organisations", BODY | changes)
            assert (answer.status_code, slug(answer)) == (status, expected)
    assert await registry.events("organisation-registered") == []


async def test_an_inner_check_that_differs_is_a_warning(registry: Registry) -> None:
    async with registry.client(OFFICER) as officer:
        answer = await registry.post(
            officer, "/organisations", BODY | {"uscc": "51500199MJX0000104"}
        )
    assert (answer.status_code, answer.json()["warning"]) == (
        201,
        "ok_subject_code_check_differs",
    )


async def test_a_body_without_a_code_is_filed_once(registry: Registry) -> None:
    async with registry.client(OFFICER) as officer:
        first = await registry.post(officer, "/filings", FILED)
        again = await registry.post(officer, "/filings", FILED)
    assert (first.status_code, first.json()["registration"]) == (201, "filed")
    assert slug(again) == "filing-is-taken"
    assert again.json()["organisation_id"] == first.json()["organisation_id"]
    (event,) = await registry.events("organisation-filed")
    data = json.loads(event["data"])
    assert (data["uscc"], data["filing"]["number"]) == (None, "渝中备〔2026〕015号")


async def test_a_stopped_body_registers_nobody(registry: Registry) -> None:  # R18
    organisation = await registered(registry)
    path = f"/organisations/{organisation}/sanctions"
    async with registry.client(CITY) as city:
        missing = await registry.post(city, path, SANCTION | {"decision_id": " "})
        warned = await registry.post(
            city, path, SANCTION | {"kind": "warning", "decision_id": "1", "until": None}
        )
        stopped = await registry.post(city, path, SANCTION)
        again = await registry.post(city, path, SANCTION)
        unknown = await registry.post(city, "/organisations/nobody/sanctions", SANCTION)
    assert slug(missing) == "decision-is-missing"
    assert (warned.json()["status"], stopped.json()["status"]) == ("active", "stopped")
    assert again.status_code == 201
    assert slug(unknown) == "not-found"
    events = await registry.events("organisation-sanctioned")
    assert [json.loads(each["data"])["status"] for each in events] == ["active", "stopped"]
    assert json.loads(events[1]["data"])["from"] == "2027-03-01"
    admin = Grant("org_admin", organisation_id=organisation)
    async with registry.client(admin) as office:
        refused = await registry.post(office, "/volunteers", person(organisation_id=organisation))
    assert slug(refused) == "organisation-may-not-act"


async def test_a_body_unknown_here_may_come_yet(registry: Registry) -> None:
    admin = Grant("org_admin", organisation_id="not-yet")
    async with registry.client(admin) as office:
        refused = await registry.post(office, "/volunteers", person(organisation_id="not-yet"))
    assert (refused.status_code, slug(refused)) == (409, "organisation-is-unknown")
    assert refused.headers["retry-after"]


async def test_organisations_are_found_by_name_seat_and_dates_a_page_at_a_time(
    registry: Registry,
) -> None:
    await registered(registry)
    await registered(registry, name="爱心_助老队", uscc="52500199MJX000026L")
    async with registry.client(OFFICER) as officer:
        await registry.post(officer, "/filings", FILED)
    async with registry.client() as anybody:

        async def found(query: str) -> list[str]:
            answer = await anybody.get(f"/organisations?{query}")
            assert answer.status_code == 200, answer.text
            return [each["name"] for each in answer.json()["items"]]

        assert set(await found("name=志愿")) == {FILED["name"], BODY["name"]}
        assert await found("name=心_助") == ["爱心_助老队"]
        assert await found("name=%25") == []
        assert len(await found("seat=500000")) == 3
        assert await found("seat=510000") == []
        assert await found("established_from=2026-01-01") == [FILED["name"]]
        assert len(await found("established_until=2019-12-31")) == 2
        first = (await anybody.get("/organisations?limit=2")).json()
        rest = (await anybody.get(f"/organisations?limit=2&after={first['next']}")).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
