"""The HTTP API of records on a real PostgreSQL: who may do and see what, and what is answered."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.records.edge.api import READERS
from shared import merkle
from shared.canonical import digest
from shared.messages import Grant
from shared.signing import signature_holds
from tests.domain.records import story as w
from tests.edge.records.conftest import ENTRY_KEY, HEAD_KEY, Api
from tests.support.api import assert_routes_obey_roles

RECORDER = Grant("recorder", w.TEAM)
APPROVER = Grant("approver", w.TEAM)
SERVICE = {
    "organisation_id": w.TEAM,
    "evidence_class": "leader_entry",
    "activity_name": "社区清洁",
    "field_code": "community_affairs",
    "place": {"region_code": "500106"},
    "started_at": "2026-09-19T01:00:00Z",
    "ended_at": "2026-09-19T03:00:00Z",
}


async def post(api: Api, path: str, body: Any, *grants: Grant, actor: str = "s", **more: Any):
    api.clock.advance(timedelta(seconds=1))
    async with api.client(*grants, actor_id=actor, **more) as client:
        return await client.post(path, json=body, headers={"idempotency-key": str(uuid4())})


async def get(api: Api, path: str, *grants: Any, **more: Any):
    async with api.client(*grants, **more) as client:
        return await client.get(path)


async def record(api: Api, **changes: Any) -> dict[str, Any]:
    path = f"/dossiers/{w.LI_HUA}/services"
    answer = await post(api, path, {**SERVICE, **changes}, RECORDER, actor="staff-07")
    assert answer.status_code == 201, answer.text
    return answer.json()


async def approve(api: Api, entry: dict[str, Any], by: Grant = APPROVER) -> dict[str, Any]:
    answer = await post(api, f"{path_of(entry)}/approve", {}, by, actor="staff-12")
    assert answer.status_code == 201, answer.text
    return answer.json()


async def pages_of(api: Api, path: str) -> list[list[dict[str, Any]]]:
    """The items of each page as an auditor reads them, to the last."""
    pages, after = [], ""
    while after is not None:
        page = (await get(api, f"{path}{after}", "auditor")).json()
        pages.append(page["items"])
        after = f"&after={page['next']}" if page["next"] else None
    return pages


def path_of(entry: dict[str, Any]) -> str:
    return f"/dossiers/{w.LI_HUA}/entries/amber/{entry['entry_id']}"


async def test_recorded_approved_and_seen_in_ones_own_dossier(api: Api) -> None:
    entry = await record(api)
    assert (entry["state"], entry["minutes"], entry["counted_minutes"]) == ("pending", 120, 0)
    assert (entry["due_on"], entry["late"], entry["held"]) == ("2026-10-09", False, False)
    approved = await approve(api, entry)
    assert (approved["version"], approved["counted_minutes"]) == (2, 120)
    mine = (await get(api, "/dossier", "volunteer", subject_id=w.LI_HUA)).json()
    assert mine["totals"]["credited_minutes"] == 120
    assert mine["sums"] == [
        {
            "kind": "service",
            "state": "approved",
            "entries": 1,
            "minutes": 120,
            "counted_minutes": 120,
            "shared_minutes": 0,
            "credited_minutes": 120,
        }
    ]
    assert (mine["status"], mine["home"], mine["leaves"]) == ("home", "amber", 2)


async def test_shared_minutes_are_shown_and_with_which(api: Api) -> None:
    first = await record(api, activity_name="甲")
    second = await record(
        api,
        activity_name="乙",
        started_at="2026-09-19T02:00:00Z",
        ended_at="2026-09-19T04:00:00Z",
    )
    for entry in (second, first):
        await approve(api, entry)
    listed = (await get(api, f"/dossiers/{w.LI_HUA}/entries", "auditor")).json()["items"]
    shared = {each["entry_id"]: each["shared_minutes"] for each in listed}
    assert shared == {first["entry_id"]: 0, second["entry_id"]: 60}
    history = (await get(api, path_of(second), "auditor")).json()
    assert history["minutes"] == {
        "counted_minutes": 120,
        "shared_minutes": 60,
        "credited_minutes": 60,
        "shared_with": [{"issuer": "amber", "entry_id": first["entry_id"]}],
    }


async def test_a_receipt_verifies_by_itself(api: Api) -> None:
    entry = await record(api)
    await approve(api, entry)
    await record(api, activity_name="乙")
    for version, index in ((1, 0), (2, 1)):
        answer = await get(
            api, f"{path_of(entry)}/{version}/receipt", "volunteer", subject_id=w.LI_HUA
        )
        receipt = answer.json()
        head = receipt["head"]
        assert receipt["index"] == index
        assert head["body"]["state_digest"] is None
        assert head["body"]["count"] == 3
        assert signature_holds(HEAD_KEY.public_key(), "jiexu-head-v1", head["body"], head["sig"])
        assert merkle.inclusion_holds(
            bytes.fromhex(receipt["entry_digest"]),
            index,
            3,
            [bytes.fromhex(each) for each in receipt["inclusion_path"]],
            bytes.fromhex(head["body"]["root"]),
        )
        history = (await get(api, path_of(entry), "auditor")).json()["versions"][version - 1]
        signed = history["signed"]
        assert digest(signed["body"]) == receipt["entry_digest"]
        assert signature_holds(
            ENTRY_KEY.public_key(), "jiexu-entry-v1", signed["body"], signed["sig"]
        )


async def test_a_repeat_is_answered_as_before_and_the_same_fact_is_named(api: Api) -> None:
    path = f"/dossiers/{w.LI_HUA}/services"
    async with api.client(RECORDER, actor_id="staff-07") as client:
        key = {"idempotency-key": "one"}
        first = await client.post(path, json=SERVICE, headers=key)
        again = await client.post(path, json=SERVICE, headers=key)
        other = await client.post(path, json={**SERVICE, "content": "x"}, headers=key)
        fact = await client.post(path, json=SERVICE, headers={"idempotency-key": "two"})
        conflict = await client.post(
            path, json={**SERVICE, "content": "x"}, headers={"idempotency-key": "three"}
        )
        keyless = await client.post(path, json=SERVICE)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert other.json()["type"] == "urn:jiexu:problem:command-id-reused"
    assert (fact.status_code, fact.json()) == (
        200,
        {"entry_id": first.json()["entry_id"], "repeat": True},
    )
    assert conflict.status_code == 409
    assert conflict.json()["type"] == "urn:jiexu:problem:same-fact-exists"
    assert conflict.json()["entry_id"] == first.json()["entry_id"]
    assert keyless.status_code == 400


@pytest.mark.parametrize(
    ("changes", "status", "slug"),
    [
        ({"category": "duty_work"}, 409, "not-volunteer-service"),
        ({"minutes": 10}, 409, "minutes-disagree"),
        ({"content": "13812345678"}, 422, "text-holds-personal-data"),
        ({"place": {"region_code": "x"}}, 422, "body-is-wrong"),
        ({"field_code": "Not A Label"}, 422, "field-is-wrong"),
        ({"unheard_of": 1}, 422, "body-is-wrong"),
        ({"organisation_id": w.OTHER}, 403, "actor-may-not"),
    ],
)
async def test_a_no_is_a_problem_document_that_echoes_nothing(api, changes, status, slug) -> None:
    answer = await post(api, f"/dossiers/{w.LI_HUA}/services", {**SERVICE, **changes}, RECORDER)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    if slug != "body-is-wrong":
        assert problem["type"] == f"urn:jiexu:problem:{slug}"
    assert "13812345678" not in answer.text


async def test_hours_of_somebody_not_heard_of_yet_are_asked_for_again(api: Api) -> None:  # S1
    answer = await post(api, f"/dossiers/{w.WANG}/services", SERVICE, RECORDER)
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "2")


async def test_what_is_held_is_answered_202(api: Api) -> None:  # R30
    story = api.records.story
    await api.records.does(story.freeze())
    answer = await post(api, f"/dossiers/{w.LI_HUA}/services", SERVICE, RECORDER, actor="s7")
    assert (answer.status_code, answer.json()["held"]) == (202, True)
    mine = (await get(api, "/dossier", "volunteer", subject_id=w.LI_HUA)).json()
    assert (mine["status"], mine["held"]) == ("frozen", 1)
    assert mine["held_first"][0]["entry_id"] == answer.json()["entry_id"]
    assert mine["totals"]["pending_minutes"] == 0


async def test_correction_and_revocation_by_http(api: Api) -> None:
    entry = await record(api)
    await approve(api, entry)
    body = {
        "from_version": 2,
        "changes": {"ended_at": "2026-09-19T03:20:00Z"},
        "reason": "wrong_end: 签退时间记错",
        "evidence_id": "evd-1",
    }
    corrected = await post(api, f"{path_of(entry)}/correct", body, RECORDER, actor="staff-07")
    assert (corrected.json()["state"], corrected.json()["counted_minutes"]) == ("pending", 120)
    stale = await post(api, f"{path_of(entry)}/correct", body, RECORDER, actor="staff-07")
    assert stale.json()["type"] == "urn:jiexu:problem:version-is-stale"
    rejected = await post(api, f"{path_of(entry)}/reject", {}, APPROVER, actor="staff-12")
    assert (rejected.json()["version"], rejected.json()["state"]) == (4, "approved")
    revoked = await post(api, f"{path_of(entry)}/revoke", {"reason": "duplicate"}, RECORDER)
    assert revoked.json()["state"] == "revoked"
    history = (await get(api, path_of(entry), RECORDER)).json()["versions"]
    assert [each["signed"]["body"]["state"] for each in history] == [
        "pending",
        "approved",
        "pending",
        "approved",
        "revoked",
    ]


# -- who sees what ------------------------------------------------------------------------------


async def test_somebody_elses_dossier_is_as_one_that_does_not_exist(api: Api) -> None:
    entry = await record(api)
    nobody = "0" * 32
    for actor in (
        {"grants": ("volunteer",), "subject_id": w.WANG},
        {"grants": (Grant("recorder", w.OTHER),), "subject_id": None},
        {"grants": (Grant("city_reviewer", region="510100"),), "subject_id": None},
    ):
        for path in ("", "/entries", f"/entries/amber/{entry['entry_id']}"):
            seen = await get(
                api,
                f"/dossiers/{w.LI_HUA}{path}",
                *actor["grants"],
                subject_id=actor["subject_id"],
            )
            absent = await get(
                api,
                f"/dossiers/{nobody}{path}",
                *actor["grants"],
                subject_id=actor["subject_id"],
            )
            assert seen.status_code == absent.status_code == 404
            one, other = seen.json(), absent.json()
            one.pop("instance"), other.pop("instance")
            assert one == other
    receipt = await get(api, f"{path_of(entry)}/1/receipt", "volunteer", subject_id=w.WANG)
    assert receipt.status_code == 404


async def test_an_entry_is_found_under_its_own_subject_alone(api: Api) -> None:
    entry = await record(api)
    path = f"/dossiers/{w.WANG}/entries/amber/{entry['entry_id']}"
    assert (await get(api, path, "auditor")).status_code == 404
    answer = await post(api, f"{path}/approve", {}, APPROVER)
    assert answer.status_code == 404


async def test_a_body_sees_what_it_recorded_and_no_more(api: Api) -> None:
    entry = await record(api)
    for grant in (RECORDER, Grant("approver", w.PARENT), Grant("county_reviewer", region="500106")):
        answer = await get(api, f"/dossiers/{w.LI_HUA}/entries", grant)
        assert [each["entry_id"] for each in answer.json()["items"]] == [entry["entry_id"]]
        assert (await get(api, path_of(entry), grant)).status_code == 200
        assert (await get(api, f"/dossiers/{w.LI_HUA}", grant)).status_code == 404


async def test_what_waits_for_me_with_the_tier_as_it_is_now(api: Api) -> None:  # R4, S8
    day = {"started_at": "2026-09-19T00:00:00Z", "ended_at": "2026-09-19T05:00:00Z"}
    first = await record(api, activity_name="甲", **day)
    second = await record(api, activity_name="乙", **day)
    await approve(api, first)
    answer = await get(api, "/entries/awaiting", APPROVER, actor_id="staff-12")
    (item,) = answer.json()["items"]
    assert (item["entry_id"], item["tier"], item["yours"]) == (
        second["entry_id"],
        "parent_organisation",
        False,
    )
    answer = await get(api, "/entries/awaiting", Grant("approver", w.PARENT))
    assert answer.json()["items"][0]["yours"] is True
    assert (await get(api, "/entries/awaiting?tier=recorder", APPROVER)).json()["items"] == []
    assert (await get(api, "/entries/awaiting", Grant("approver", w.OTHER))).json()["items"] == []


async def test_a_tier_is_asked_for_in_full_pages(api: Api) -> None:  # R4
    # Every other entry has a day of its own; the rest share one, too long for the recorder alone.
    alone, shared = [], []
    for n in range(8):
        day = f"2026-09-{10 + n:02d}" if n % 2 else "2026-09-19"
        hours = {"started_at": f"{day}T00:00:00Z", "ended_at": f"{day}T05:00:00Z"}
        entry = await record(api, activity_name=f"活动{n}", **hours)
        (alone if n % 2 else shared).append(entry["entry_id"])
    await approve(api, {"entry_id": shared[0]})
    await approve(api, {"entry_id": shared[1]}, Grant("approver", w.PARENT))
    for tier, wanted in (
        ("recorder", alone),
        ("parent_organisation", []),
        ("higher_authority", shared[2:]),
    ):
        pages = await pages_of(api, f"/entries/awaiting?tier={tier}&limit=1")
        found = [[each["entry_id"] for each in page] for page in pages]
        assert found == ([[each] for each in wanted] or [[]])
        assert all(each["tier"] == tier for page in pages for each in page)


async def test_lists_are_filtered_and_paged(api: Api) -> None:
    ids = [(await record(api, activity_name=f"活动{n}"))["entry_id"] for n in range(5)]
    await approve(api, {"entry_id": ids[0]})
    path = f"/dossiers/{w.LI_HUA}/entries"
    pages = await pages_of(api, f"{path}?limit=2")
    found = [each["entry_id"] for page in pages for each in page]
    assert found == sorted(ids, key=lambda each: each[-26:], reverse=True)
    approved = (await get(api, f"{path}?state=approved&kind=service&year=2026", "auditor")).json()
    assert [each["entry_id"] for each in approved["items"]] == [ids[0]]
    assert (await get(api, f"{path}?year=2025", "auditor")).json()["items"] == []
    assert (await get(api, f"{path}?kind=none", "auditor")).status_code == 422


@pytest.mark.parametrize("position", [["x"], [1, 2], ["a", "b", "c"], ["a", 1]])
async def test_a_cursor_of_another_list_is_a_wrong_field(api: Api, position: list[Any]) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(position).encode()).rstrip(b"=").decode()
    await record(api)
    for path in (f"/dossiers/{w.LI_HUA}/entries", "/entries/awaiting"):
        answer = await get(api, f"{path}?after={cursor}", "auditor")
        assert (answer.status_code, answer.json()["field"]) == (422, "after")


async def test_every_route_lets_in_its_roles_alone(api: Api) -> None:
    roles = (*READERS, "login", "guardian", "station_worker", "node_operator")
    assert await assert_routes_obey_roles(api.app, api.surroundings, roles) > 100


async def test_the_document_has_an_example_for_every_body(api: Api) -> None:
    document = api.app.openapi()
    schemas = document["components"]["schemas"]
    for name in ("ServiceIn", "TrainingIn", "CorrectionIn", "RevocationIn", "RejectionIn"):
        assert any("examples" in each for each in schemas[name]["properties"].values()), name
