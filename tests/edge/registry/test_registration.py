"""People on a real PostgreSQL through the real API: registered once, claimed, verified."""

from __future__ import annotations

import asyncio
import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.messages import Grant
from tests.edge.registry.conftest import (
    CITY,
    GUARDIAN,
    OFFICER,
    Registry,
    id_number,
    minor,
    person,
    slug,
)

ROSTER_NAME = "李华"


def write_roster(path: Path, *rows: tuple[str, str, str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("type", "number", "name"))
        writer.writerows(rows)


def away(path: Path) -> None:
    path.rename(path.with_suffix(".away"))


def back(path: Path) -> None:
    path.with_suffix(".away").rename(path)


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    write_roster(path, ("resident_id", id_number(), ROSTER_NAME))
    return path


@pytest.fixture
def more_settings(roster: Path) -> dict[str, Any]:
    return {"roster": roster}


async def test_she_registers_once_and_nothing_personal_leaves(registry: Registry) -> None:  # S1
    async with registry.client("login", actor_id="li-hua") as li_hua:
        answer = await registry.post(li_hua, "/volunteers", person())
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["verification"] == "verified_online"
    assert (body["claimed"], body["first_registered_on"]) == (True, "2027-03-01")
    events = await registry.events("volunteer-registered", "consent-given", "verification-recorded")
    assert [each["type"].split(".")[1] for each in events] == [
        "volunteer-registered",
        "consent-given",
        "verification-recorded",
    ]
    assert {each["topic"] for each in events} == {"registry.volunteers.v1"}
    assert [each["sequence"] for each in events] == [1, 2, 3]
    assert json.loads(events[0]["data"]) == {
        "subject_id": body["subject_id"],
        "first_registered_on": "2027-03-01",
        "residence_region": "500103",
        "age_band": "adult",
        "verification": "verified_online",
        "registered_via": "self",
        "organisation_id": None,
        "claimed": True,
    }


async def test_the_number_in_full_width_digits_is_the_same_number(registry: Registry) -> None:  # S1
    async with registry.client("login", actor_id="li-hua") as li_hua:
        first = await registry.post(li_hua, "/volunteers", person())
    wide = id_number().translate({ord("0") + n: chr(ord("０") + n) for n in range(10)})
    again = person(documents=[{"type": "resident_id", "number": wide}])
    async with registry.client("login", actor_id="someone-else") as other:
        answer = await registry.post(other, "/volunteers", again)
    assert (answer.status_code, slug(answer)) == (409, "already-registered-here")
    assert first.json()["subject_id"] not in answer.text
    assert answer.json()["claim_ref"]


async def test_fifty_at_once_make_one_volunteer_and_49_named_answers(  # S1, R21, INV
    registry: Registry,
) -> None:
    clients = [registry.client("login", actor_id=f"login-{n}") for n in range(50)]
    try:
        answers = await asyncio.gather(
            *(registry.post(client, "/volunteers", person()) for client in clients)
        )
    finally:
        for client in clients:
            await client.aclose()
    taken = [answer for answer in answers if answer.status_code == 201]
    refused = [slug(answer) for answer in answers if answer.status_code == 409]
    assert (len(taken), refused) == (1, ["already-registered-here"] * 49)
    assert len(await registry.events("volunteer-registered")) == 1
    assert len(await registry.rows("SELECT 1 FROM person")) == 1
    assert len(await registry.rows("SELECT 1 FROM vault")) == 1


async def test_the_same_request_again_gets_the_first_answer(registry: Registry) -> None:
    async with registry.client("login", actor_id="li-hua") as li_hua:
        first = await registry.post(li_hua, "/volunteers", person(), key="once")
        again = await registry.post(li_hua, "/volunteers", person(), key="once")
        other = await registry.post(li_hua, "/volunteers", person(124), key="once")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, slug(other)) == (409, "command-id-reused")


async def test_a_post_without_a_key_is_refused(registry: Registry) -> None:
    async with registry.client("login") as somebody:
        answer = await somebody.post("/volunteers", json=person())
    assert (answer.status_code, slug(answer)) == (400, "idempotency-key-is-missing")


async def test_what_cannot_be_taken_is_named(registry: Registry) -> None:
    stale = {"text_id": "consent-registration", "text_version": 2}
    invalid = [{"type": "resident_id", "number": "500103199001011230"}]
    cases: list[tuple[dict[str, Any], int, str, str | None]] = [
        ({"name": " "}, 422, "field-is-wrong", "name"),
        ({"contact": {"phone": "12345"}}, 422, "field-is-wrong", "contact.phone"),
        (
            {"service_skills": ["call 13800138000"]},
            422,
            "text-holds-personal-data",
            "service_skills",
        ),
        ({"documents": invalid}, 422, "document-number-is-invalid", "documents.0.number"),
        ({"documents": person()["documents"] * 2}, 422, "field-is-wrong", "documents"),
        ({"unknown": 1}, 422, "field-is-wrong", None),
        ({"subject_id": "0" * 32}, 422, "field-is-wrong", None),
        ({"consent": None}, 409, "consent-is-missing", None),
        ({"consent": stale}, 409, "consent-text-is-stale", None),
        ({"registered_elsewhere": "510100"}, 409, "already-registered-elsewhere", None),
    ]
    async with registry.client("login") as somebody:
        for changes, status, expected, place in cases:
            answer = await registry.post(somebody, "/volunteers", person(**changes))
            assert (answer.status_code, slug(answer)) == (status, expected)
            if place is not None:
                assert answer.json()["field"] == place
    assert await registry.rows("SELECT 1 FROM event WHERE type LIKE '%volunteer%'") == []


async def test_a_stale_text_names_the_one_in_force(registry: Registry) -> None:
    stale = person(consent={"text_id": "consent-transfer", "text_version": 1})
    async with registry.client("login", language="zh") as somebody:
        answer = await registry.post(somebody, "/volunteers", stale)
    problem = answer.json()
    assert (problem["text_id"], problem["version"]) == ("consent-registration", 1)
    assert "现行版本" in problem["detail"]


async def test_a_child_needs_a_guardian(registry: Registry) -> None:  # R24, PIPL 31
    async with registry.client("login", actor_id="mother") as somebody:
        refused = await registry.post(somebody, "/volunteers", minor())
        taken = await registry.post(somebody, "/volunteers", minor(guardian_consent=GUARDIAN))
    assert (refused.status_code, slug(refused)) == (409, "guardian-consent-is-missing")
    assert taken.json()["age_band"] == "age_8_13"
    given = await registry.events("consent-given")
    assert [json.loads(each["data"])["given_by"] for each in given] == ["subject", "guardian"]


async def test_from_fourteen_the_place_decides_about_the_guardian(registry: Registry) -> None:
    # Chongqing takes accompaniment instead (CQ Art 9); elsewhere the nationwide rule asks consent.
    async with registry.client("login", actor_id="one") as one:
        here = await registry.post(one, "/volunteers", minor(born="20120101"))
    async with registry.client("login", actor_id="two") as two:
        elsewhere = await registry.post(
            two, "/volunteers", minor(125, born="20120101", residence_region="510104")
        )
    assert here.status_code == 201, here.text
    assert slug(elsewhere) == "guardian-consent-is-missing"


async def test_an_organisation_registers_and_she_claims(
    registry: Registry, roster: Path
) -> None:  # S2
    organisation = await an_organisation(registry)
    admin = Grant("org_admin", organisation_id=organisation)
    async with registry.client(admin, actor_id="admin") as office:
        made = await registry.post(office, "/volunteers", person(organisation_id=organisation))
        foreign = await registry.post(office, "/volunteers", person(125, organisation_id="another"))
    assert (made.json()["claimed"], made.json()["registered_via"]) == (False, "organisation")
    assert slug(foreign) == "actor-may-not"
    async with registry.client("login", actor_id="wang") as wang:
        met = await registry.post(wang, "/volunteers", person())
        reference = met.json()["claim_ref"]
        document = {"type": "resident_id", "number": id_number()}
        wrong = await registry.post(
            wang,
            "/volunteers/claims",
            {"claim_ref": reference, "name": "王强", "document": document},
        )
        claim = {"claim_ref": reference, "name": ROSTER_NAME, "document": document}
        claimed = await registry.post(wang, "/volunteers/claims", claim, key="claim")
        again = await registry.post(wang, "/volunteers/claims", claim)
    assert (wrong.status_code, slug(wrong)) == (409, "identity-does-not-match")
    assert claimed.status_code == 200, claimed.text
    assert claimed.json()["claimed"] is True
    assert claimed.json()["subject_id"] == made.json()["subject_id"]
    assert again.status_code == 200
    assert len(await registry.events("registration-claimed")) == 1


async def test_a_claim_fails_five_times_an_hour_at_most(registry: Registry) -> None:
    reference = await an_unclaimed_person(registry)
    wrong = {
        "claim_ref": reference,
        "name": "王强",
        "document": {"type": "resident_id", "number": id_number()},
    }
    async with registry.client("login", actor_id="guesser") as guesser:
        answers = [await registry.post(guesser, "/volunteers/claims", wrong) for _ in range(6)]
    assert [slug(answer) for answer in answers] == [
        *["identity-does-not-match"] * 5,
        "too-many-attempts",
    ]
    registry.clock.advance(timedelta(minutes=59))
    reference = await an_unclaimed_person(registry)
    registry.clock.advance(timedelta(minutes=2))
    async with registry.client("login", actor_id="guesser") as guesser:
        later = await registry.post(guesser, "/volunteers/claims", wrong | {"claim_ref": reference})
    assert slug(later) == "identity-does-not-match"


async def test_a_claim_reference_lives_an_hour_and_is_ours(registry: Registry) -> None:
    reference = await an_unclaimed_person(registry)
    document = {"type": "resident_id", "number": id_number()}
    claim = {"claim_ref": reference, "name": ROSTER_NAME, "document": document}
    registry.clock.advance(timedelta(hours=1))
    async with registry.client("login", actor_id="wang") as wang:
        late = await registry.post(wang, "/volunteers/claims", claim)
        forged = await registry.post(wang, "/volunteers/claims", claim | {"claim_ref": "00" * 60})
    assert slug(late) == slug(forged) == "claim-has-expired"


async def an_organisation(registry: Registry) -> str:
    body = {
        "name": "渝中区邻里志愿服务队",
        "kind": "social_group",
        "uscc": "51500199MJX000018W",
        "seat_region": "500103",
        "scope": "社区服务",
        "established_on": "2019-03-05",
        "direct_category": "charity",
    }
    async with registry.client(OFFICER, actor_id="officer") as officer:
        answer = await registry.post(officer, "/organisations", body)
        if answer.status_code == 409:
            return answer.json()["organisation_id"]
    return answer.json()["organisation_id"]


async def an_unclaimed_person(registry: Registry) -> str:
    """Registered by an organisation; gives a claim reference for her."""
    organisation = await an_organisation(registry)
    admin = Grant("org_admin", organisation_id=organisation)
    async with registry.client(admin, actor_id="admin") as office:
        await registry.post(office, "/volunteers", person(organisation_id=organisation))
        met = await registry.post(office, "/volunteers", person(organisation_id=organisation))
    return met.json()["claim_ref"]


async def test_an_unavailable_check_blocks_nothing_and_is_tried_daily(  # S3
    registry: Registry, roster: Path
) -> None:
    away(roster)
    async with registry.client("login", actor_id="zhao") as zhao:
        answer = await registry.post(zhao, "/volunteers", person())
    subject = answer.json()["subject_id"]
    assert (answer.status_code, answer.json()["verification"]) == (201, "claimed")
    await registry.jobs_are_done()
    assert [json.loads(e["data"])["result"] for e in await registry.events(*VERIFIED)] == [
        "unavailable"
    ]
    registry.clock.advance(timedelta(days=1))
    await registry.jobs_are_done()
    back(roster)
    registry.clock.advance(timedelta(days=1))
    await registry.jobs_are_done()
    assert [json.loads(e["data"])["result"] for e in await registry.events(*VERIFIED)] == [
        "unavailable",
        "unavailable",
        "matched",
    ]
    async with registry.client("volunteer", actor_id="zhao", subject_id=subject) as zhao:
        mine = await zhao.get("/volunteers/me")
    assert mine.json()["verification"] == "verified_online"
    waiting = await registry.rows("SELECT 1 FROM job WHERE state = 'waiting'")
    assert waiting == []


VERIFIED = ("verification-recorded",)


async def test_a_profile_that_contradicts_the_number_is_mismatched(registry: Registry) -> None:
    async with registry.client("login") as somebody:
        answer = await registry.post(somebody, "/volunteers", person(birth_date="1991-01-01"))
    assert answer.json()["verification"] == "claimed"
    (event,) = await registry.events(*VERIFIED)
    assert json.loads(event["data"])["result"] == "mismatched"


async def test_an_officer_of_the_region_records_what_she_saw(registry: Registry) -> None:
    async with registry.client("login", actor_id="chen") as chen:
        made = await registry.post(chen, "/volunteers", person(125, name="陈明"))
    subject = made.json()["subject_id"]
    seen = {"method": "document", "result": "matched", "checked_at": "2027-03-01T02:00:00Z"}
    path = f"/volunteers/{subject}/verifications"
    foreign = Grant("county_reviewer", region="500105")
    async with registry.client(foreign, actor_id="foreign") as other:
        hidden = await registry.post(other, path, seen)
    async with registry.client(OFFICER, actor_id="officer") as officer:
        needs = (await officer.get("/volunteers/to-verify")).json()["items"]
        taken = await registry.post(officer, path, seen)
        older = await registry.post(officer, path, seen | {"checked_at": "2027-02-28T02:00:00Z"})
        wrong = await registry.post(officer, path, seen | {"level": "verified_online"})
        empty = (await officer.get("/volunteers/to-verify")).json()["items"]
    assert (hidden.status_code, slug(hidden)) == (404, "not-found")
    assert [each["ref"] for each in needs] == [subject]
    assert taken.json()["verification"] == "document_seen"
    assert (older.status_code, slug(older)) == (409, "verification-is-older")
    assert (wrong.status_code, slug(wrong)) == (422, "field-is-wrong")
    assert empty == []


async def test_lists_come_in_pages(registry: Registry) -> None:
    for n in (201, 203, 205):
        async with registry.client("login", actor_id=f"login-{n}") as login:
            await registry.post(login, "/volunteers", person(n, name="陈明"))
    async with registry.client(CITY, actor_id="city") as city:
        first = (await city.get("/volunteers/to-verify?limit=2")).json()
        second = (await city.get(f"/volunteers/to-verify?limit=2&after={first['next']}")).json()
        bad = await city.get("/volunteers/to-verify?after=nonsense")
    assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)
    assert slug(bad) == "field-is-wrong"


async def test_she_sees_her_own_with_masks_and_nobody_elses(registry: Registry) -> None:
    async with registry.client("login", actor_id="li-hua") as li_hua:
        made = await registry.post(li_hua, "/volunteers", person())
    subject = made.json()["subject_id"]
    async with registry.client("volunteer", actor_id="li-hua", subject_id=subject) as li_hua:
        mine = (await li_hua.get("/volunteers/me")).json()
        one = await li_hua.get(f"/volunteers/{subject}")
        unknown = await li_hua.get(f"/volunteers/{'0' * 32}")
    async with registry.client("volunteer", actor_id="x", subject_id="f" * 32) as other:
        foreign = await other.get(f"/volunteers/{subject}")
        none = await other.get("/volunteers/me")
    assert mine["profile"]["name"] == "李华"
    assert mine["profile"]["documents"] == [
        {"type": "resident_id", "number": f"5{'*' * 16}{id_number()[-1]}"}
    ]
    assert one.status_code == 200
    assert (foreign.status_code, none.status_code) == (404, 404)
    same = [{k: v for k, v in a.json().items() if k != "instance"} for a in (foreign, unknown)]
    assert same[0] == same[1]
    reads = await registry.rows("SELECT actor_id, purpose FROM vault_access")
    assert {"actor_id": "li-hua", "purpose": "own profile"} in reads


async def test_a_login_belongs_to_one_person(registry: Registry) -> None:
    async with registry.client("login", actor_id="li-hua") as li_hua:
        await registry.post(li_hua, "/volunteers", person())
        answer = await registry.post(li_hua, "/volunteers", person(124, name="王芳"))
    assert slug(answer) == "login-is-bound"


async def test_a_guardian_registers_a_child_whose_login_is_not_hers(registry: Registry) -> None:
    async with registry.client("guardian", actor_id="mother") as mother:
        made = await registry.post(mother, "/volunteers", minor(guardian_consent=GUARDIAN))
    assert (made.status_code, made.json()["claimed"]) == (201, False)
