"""Codes, proofs, checks and links: what registry does for transfer, at both ends of a move."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from services.registry.domain import identity
from shared.internal_http import InternalClient, Refused
from shared.messages import Grant
from tests.edge.registry.conftest import (
    CITY,
    GUARDIAN,
    NODE,
    OFFICER,
    Registry,
    id_number,
    minor,
    person,
    slug,
)

PACKS = Path(__file__).parents[3] / "services" / "registry" / "policies"
T1, T2, T3 = ("1" * 64, "2" * 64, "3" * 64)
CHENGDU = "510100"


async def a_volunteer(registry: Registry, n: int = 123, **changes: Any) -> str:
    async with registry.client("login", actor_id=f"login-{n}") as login:
        made = await registry.post(login, "/volunteers", person(n, **changes))
    assert made.status_code == 201, made.text
    return made.json()["subject_id"]


async def a_code(registry: Registry, subject: str, **body: Any) -> httpx.Response:
    who = {"actor_id": "login-123", "subject_id": subject, "strong": True}
    async with registry.client("volunteer", **who) as volunteer:
        return await registry.post(volunteer, "/transfer-codes", {"purpose": "move", **body})


def requested(
    code_text: str, transfer_id: str = T1, number: str | None = None, **changes: Any
) -> dict[str, Any]:
    """What transfer publishes when Chengdu asks with this code and this identity."""
    code = identity.read_code(code_text)
    assert code is not None
    shown = identity.identity_bytes("李华", "RIC", number or id_number())
    return {
        "transfer_id": transfer_id,
        "role": "origin",
        "origin": NODE,
        "destination": CHENGDU,
        "subject_id": None,
        "purpose": "move",
        "code_id": identity.code_id(code),
        "proof": identity.proof(identity.code_key(code), transfer_id, NODE, CHENGDU, shown),
        "assisted": False,
        "review_due": "2027-03-15",
    } | changes


def of_origin(transfer_id: str = T1, **more: Any) -> dict[str, Any]:
    return {
        "transfer_id": transfer_id,
        "role": "origin",
        "origin": NODE,
        "destination": CHENGDU,
        "subject_id": None,
        **more,
    }


async def answers(registry: Registry) -> list[tuple[str, dict[str, Any]]]:
    """What stands on registry.checks.v1."""
    rows = await registry.events("identity-confirmed", "identity-denied")
    assert all(row["topic"] == "registry.checks.v1" for row in rows)
    return [(row["type"].split(".")[1], json.loads(row["data"])) for row in rows]


async def denials(registry: Registry) -> list[str]:
    return [data["code"] for kind, data in await answers(registry) if kind == "identity-denied"]


async def test_a_code_is_shown_once_and_kept_nowhere(registry: Registry) -> None:  # P0-4
    subject = await a_volunteer(registry)
    who = {"actor_id": "login-123", "subject_id": subject, "strong": True}
    async with registry.client("volunteer", **who) as volunteer:
        first = await registry.post(volunteer, "/transfer-codes", {"receiver": CHENGDU}, "k")
        again = await registry.post(volunteer, "/transfer-codes", {"receiver": CHENGDU}, "k")
    code = first.json()["code_text"]
    assert len(code.replace("-", "")) == 26
    assert first.json()["expires_at"] == "2027-03-08T02:00:00Z"
    assert again.json() == {"id": first.json()["id"], "shown_once": True}
    raw = identity.read_code(code)
    assert raw is not None
    kept = await everything(registry)
    for secret in (code, code.replace("-", ""), raw.hex(), identity.code_key(raw).hex()):
        assert secret not in kept


async def everything(registry: Registry) -> str:
    """Every row of every table as text (bytea in hex)."""
    names = await registry.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' "
        "AND relnamespace = 'registry'::regnamespace"
    )
    found = []
    for name in names:
        rows = await registry.rows(f'SELECT to_jsonb(t)::text AS row FROM "{name["relname"]}" AS t')
        found += [row["row"] for row in rows]
    return "\n".join(found)


async def my_codes(registry: Registry, subject: str, query: str = "") -> dict[str, Any]:
    async with registry.client("volunteer", actor_id="login-123", subject_id=subject) as she:
        answer = await she.get(f"/volunteers/me/transfer-codes{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def outcomes(code: dict[str, Any]) -> list[str]:
    return [one["outcome"] for one in code["tries"]]


async def test_she_alone_is_told_of_every_request_with_a_code_and_its_true_cause(
    registry: Registry,
) -> None:  # TR-102, P0-4
    subject = await a_volunteer(registry)
    other = await a_volunteer(registry, 125)
    for_another = (await a_code(registry, subject, receiver="330100")).json()["code_text"]
    await registry.hears("transfer-requested", requested(for_another, "a" * 64))
    code = (await a_code(registry, subject)).json()
    text = code["code_text"]
    await registry.hears("transfer-requested", requested(for_another, "b" * 64))
    wrong = requested(text, "c" * 64, number=id_number(127))
    await registry.hears("transfer-requested", wrong)
    await registry.hears("transfer-requested", requested(text, T1))
    await registry.hears("transfer-requested", requested(text, T2))
    newest, first = (await my_codes(registry, subject))["items"]
    assert (newest["code_id"], newest["state"], first["state"]) == (code["id"], "bound", "replaced")
    assert sorted(outcomes(newest)) == ["identity_differs", "matched", "under_way"]
    assert (newest["requests"], newest["wrong_tries"]) == (3, 1)
    assert sorted(outcomes(first)) == ["other_city", "replaced"]
    assert {one["city"] for one in newest["tries"]} == {CHENGDU}
    assert all(one["zh"] and one["en"] and one["at"] for one in newest["tries"])
    # Neither secret nor identity is shown; the list is hers alone.
    raw = identity.read_code(text)
    assert raw is not None
    shown = json.dumps(newest)
    assert text not in shown and identity.code_key(raw).hex() not in shown
    assert (await my_codes(registry, other))["items"] == []
    # Nor is any cause on a topic.
    topics = await registry.rows("SELECT data FROM event WHERE topic IS NOT NULL")
    assert not any("identity_differs" in str(row["data"]) for row in topics)
    # Withdrawn: the code is over, and says so also to who shows it again.
    await registry.hears("transfer-ended", of_origin(T1, code="TR-501"))
    await registry.jobs_are_done()
    await registry.hears("transfer-requested", requested(text, T3))
    newest = (await my_codes(registry, subject))["items"][0]
    assert newest["state"] == "withdrawn" and "withdrawn" in outcomes(newest)


async def test_her_codes_say_when_they_are_burnt_or_expired_and_come_in_pages(
    registry: Registry,
) -> None:
    subject = await a_volunteer(registry)
    text = (await a_code(registry, subject)).json()["code_text"]
    for n in range(6):
        wrong = requested(text, f"{n}" * 64, number=id_number(125))
        await registry.hears("transfer-requested", wrong, at=registry.clock.now())
        registry.clock.advance(timedelta(seconds=1))
    last = (await a_code(registry, subject)).json()["code_text"]
    registry.clock.advance(timedelta(days=7))
    await registry.hears("transfer-requested", requested(last, "f" * 64), at=registry.clock.now())
    page = await my_codes(registry, subject, "?limit=1")
    (newest,) = page["items"]
    assert (newest["state"], outcomes(newest), newest["wrong_tries"]) == (
        "expired",
        ["expired"],
        0,
    )
    rest = await my_codes(registry, subject, f"?limit=1&after={page['next']}")
    (first,) = rest["items"]
    assert (first["state"], rest["next"]) == ("burnt", None)
    assert outcomes(first) == ["burnt", *["identity_differs"] * 5]
    async with registry.client("volunteer", actor_id="login-123", subject_id=subject) as she:
        odd = await she.get("/volunteers/me/transfer-codes?after=WyJ4Il0")
    assert slug(odd) == "field-is-wrong"


async def test_a_code_for_this_very_city_is_refused_and_costs_none(registry: Registry) -> None:
    subject = await a_volunteer(registry)
    for _ in range(3):
        refused = await a_code(registry, subject, receiver=NODE)
        assert (refused.status_code, slug(refused)) == (422, "field-is-wrong")
        assert (refused.json()["field"], refused.json()["reason"]) == ("receiver", "this_city")
    assert (await a_code(registry, subject, receiver=CHENGDU)).status_code == 201


async def test_a_code_needs_a_strong_login(registry: Registry) -> None:
    subject = await a_volunteer(registry)
    async with registry.client("volunteer", subject_id=subject) as volunteer:
        answer = await registry.post(volunteer, "/transfer-codes", {})
    assert (answer.status_code, slug(answer)) == (403, "strong-login-is-needed")


async def test_three_codes_a_day(registry: Registry) -> None:  # P1-3
    subject = await a_volunteer(registry)
    for _ in range(3):
        assert (await a_code(registry, subject)).status_code == 201
    assert slug(await a_code(registry, subject)) == "too-many-codes"
    registry.clock.advance(timedelta(hours=22))
    assert (await a_code(registry, subject)).status_code == 201


async def test_a_minor_needs_her_guardian_for_a_code(registry: Registry) -> None:  # R24
    async with registry.client("login", actor_id="login-123") as login:
        made = await registry.post(login, "/volunteers", minor(born="20120101"))
    subject = made.json()["subject_id"]
    assert slug(await a_code(registry, subject)) == "guardian-consent-is-missing"
    assert (await a_code(registry, subject, guardian_consented=True)).status_code == 201


async def test_code_and_identity_that_match_are_confirmed_and_the_code_is_bound(
    registry: Registry,
) -> None:
    subject = await a_volunteer(registry)
    code = (await a_code(registry, subject)).json()["code_text"]
    await registry.hears("transfer-requested", requested(code))
    await registry.hears("transfer-requested", requested(code, T2))
    await registry.hears("transfer-requested", requested(code, T3, number=id_number(125)))
    assert await answers(registry) == [
        ("identity-confirmed", {"transfer_id": T1, "subject_id": subject, "holds": []}),
        ("identity-denied", {"transfer_id": T2, "code": "TR-301"}),
        ("identity-denied", {"transfer_id": T3, "code": "TR-102"}),
    ]


async def test_whatever_does_not_match_is_the_same_no(registry: Registry) -> None:  # P0-4
    subject = await a_volunteer(registry)
    for_us = (await a_code(registry, subject, receiver="330100")).json()["code_text"]
    await registry.hears("transfer-requested", requested(for_us, "a" * 64))
    code = (await a_code(registry, subject)).json()["code_text"]
    await registry.hears("transfer-requested", requested(for_us, "b" * 64))
    other = requested(code, "c" * 64, number=id_number(125))
    await registry.hears("transfer-requested", other)
    await registry.hears("transfer-requested", requested(code, "d" * 64, code_id="0" * 32))
    await registry.hears("transfer-requested", requested(code, "e" * 64, proof="0" * 64))
    await registry.hears("transfer-requested", requested(code, "f" * 64, assisted=True))
    late = registry.clock.now() + timedelta(days=7)
    await registry.hears("transfer-requested", requested(code, "9" * 64), at=late)
    assert await denials(registry) == ["TR-102"] * 7


async def test_a_code_is_burnt_at_the_fifth_wrong_try(registry: Registry) -> None:
    subject = await a_volunteer(registry)
    code = (await a_code(registry, subject)).json()["code_text"]
    for n in range(5):
        wrong = requested(code, f"{n}" * 64, number=id_number(125))
        await registry.hears("transfer-requested", wrong)
    await registry.hears("transfer-requested", requested(code, "a" * 64))
    assert await denials(registry) == ["TR-102"] * 6
    assert await registry.rows("SELECT 1 FROM transfer_code") == []


async def test_an_ended_transfer_frees_the_code_and_a_withdrawal_burns_it(
    registry: Registry,
) -> None:
    subject = await a_volunteer(registry)
    code = (await a_code(registry, subject)).json()["code_text"]
    await registry.hears("transfer-requested", requested(code, T1))
    await registry.hears("transfer-ended", of_origin(T1, code="TR-502"))
    await registry.jobs_are_done()
    await registry.hears("transfer-requested", requested(code, T2))
    await registry.hears("transfer-ended", of_origin(T2, code="TR-501"))
    await registry.jobs_are_done()
    await registry.hears("transfer-requested", requested(code, T3))
    kinds = [kind for kind, _ in await answers(registry)]
    assert kinds == ["identity-confirmed", "identity-confirmed", "identity-denied"]


async def test_a_newer_code_takes_the_place_of_the_last(registry: Registry) -> None:
    subject = await a_volunteer(registry)
    old = (await a_code(registry, subject)).json()["code_text"]
    new = (await a_code(registry, subject)).json()["code_text"]
    await registry.hears("transfer-requested", requested(old, T1))
    await registry.hears("transfer-requested", requested(new, T2))
    assert [kind for kind, _ in await answers(registry)] == [
        "identity-denied",
        "identity-confirmed",
    ]


async def test_an_end_heard_before_its_request_is_remembered(registry: Registry) -> None:
    subject = await a_volunteer(registry)
    code = (await a_code(registry, subject)).json()["code_text"]
    await registry.hears("transfer-ended", of_origin(T1, code="TR-504"))
    await registry.hears("transfer-requested", requested(code, T1))
    assert await answers(registry) == []
    await registry.hears("transfer-requested", requested(code, T2))
    assert [kind for kind, _ in await answers(registry)] == ["identity-confirmed"]


async def test_a_lawful_hold_is_told_with_the_identity(registry: Registry) -> None:  # TR-305
    subject = await a_volunteer(registry)
    code = (await a_code(registry, subject)).json()["code_text"]
    hold = {"authority": "渝中区人民法院", "until": "2027-06-30", "decision_id": "2027-17"}
    path = f"/volunteers/{subject}/holds"
    async with registry.client(CITY, actor_id="city") as city:
        missing = await registry.post(city, path, hold | {"decision_id": " "})
        taken = await registry.post(city, path, hold)
        again = await registry.post(city, path, hold)
    assert slug(missing) == "decision-is-missing"
    assert (taken.status_code, again.status_code) == (201, 201)
    assert len(await registry.events("hold-placed")) == 1
    await registry.hears("transfer-requested", requested(code))
    ((_, data),) = await answers(registry)
    assert data["holds"] == [{"authority": "渝中区人民法院", "until": "2027-06-30"}]


async def test_the_released_is_a_pointer_and_may_come_back(registry: Registry) -> None:  # R38
    subject = await a_volunteer(registry)
    code = (await a_code(registry, subject)).json()["code_text"]
    await registry.hears("transfer-requested", requested(code))
    released = of_origin(T1, subject_id=subject, epoch=1, new_epoch=2, home=CHENGDU, certificate={})
    await registry.hears("dossier-released", released)
    await registry.hears("dossier-released", released)
    await registry.jobs_are_done()
    (departed,) = await registry.events("subject-departed")
    assert json.loads(departed["data"]) == {
        "subject_id": subject,
        "transfer_id": T1,
        "home": CHENGDU,
        "new_epoch": 2,
    }
    async with registry.client("volunteer", subject_id=subject) as volunteer:
        mine = (await volunteer.get("/volunteers/me")).json()
        seen = (await volunteer.get("/volunteers/me/transfers")).json()["items"]
    assert (mine["status"], mine["home"]) == ("departed", CHENGDU)
    assert [(each["status"], each["en"]) for each in seen] == [("moving", "Moving")]
    # The code is spent, and a fresh one is given after the departure too: TR-306 is transfer's.
    await registry.hears("transfer-requested", requested(code, T2))
    assert await denials(registry) == ["TR-102"]
    assert (await a_code(registry, subject)).status_code == 201
    # Registering anew is refused with the pointer; applying to come back is not.
    async with registry.client("login", actor_id="another") as login:
        anew = await registry.post(login, "/volunteers", person())
        applied = await registry.post(login, "/applicants", person())
    assert (slug(anew), anew.json()["city"]) == ("already-registered-elsewhere", CHENGDU)
    assert applied.status_code == 201, applied.text


# -- at the destination --------------------------------------------------------------------------


async def an_applicant(
    registry: Registry, n: int = 123, *, verified: bool = True, **changes: Any
) -> str:
    async with registry.client("login", actor_id=f"login-{n}") as login:
        made = await registry.post(login, "/applicants", person(n, **changes))
    assert made.status_code == 201, made.text
    ref = made.json()["applicant_ref"]
    if verified:
        seen = {
            "method": "document",
            "result": "matched",
            "checked_at": registry.clock.now().isoformat(),
        }
        async with registry.client(OFFICER, actor_id="officer") as officer:
            answer = await registry.post(officer, f"/applicants/{ref}/verifications", seen)
        assert answer.status_code == 201, answer.text
    return ref


def inside(registry: Registry, service: str = "transfer") -> InternalClient:
    return InternalClient(
        service=service,
        neighbour="registry",
        base_url="http://internal",
        key=registry.keys.services[service],
        clock=registry.clock,
        client=httpx.AsyncClient(transport=httpx.ASGITransport(app=registry.internal)),
    )


def asking(ref: str, code: str | None, transfer_id: str = T1, **more: Any) -> dict[str, Any]:
    return {
        "applicant_ref": ref,
        "code": code,
        "transfer_id": transfer_id,
        "suite": "intl-1",
        "origin": CHENGDU,
        "destination": NODE,
        **more,
    }


CODE = "621P2-DKNTV-1XNPM-C3YXK-2FQ4DV"


async def refusal(client: InternalClient, body: dict[str, Any]) -> str:
    with pytest.raises(Refused) as no:
        await client.post("/internal/v1/proofs", body)
    return no.value.slug


async def test_a_proof_is_made_of_code_and_vault_and_again_without_the_code(
    registry: Registry,
) -> None:
    ref = await an_applicant(registry)
    client = inside(registry)
    first = await client.post("/internal/v1/proofs", asking(ref, CODE.lower()))
    code = identity.read_code(CODE)
    assert code is not None
    bytes_ = identity.identity_bytes("李华", "RIC", id_number())
    assert first == {
        "code_id": identity.code_id(code),
        "proof": identity.proof(identity.code_key(code), T1, CHENGDU, NODE, bytes_),
    }
    assert await client.post("/internal/v1/proofs", asking(ref, CODE)) == first
    second = await client.post("/internal/v1/proofs", asking(ref, None, T2))
    assert second["code_id"] == first["code_id"] and second["proof"] != first["proof"]
    registry.clock.advance(timedelta(days=7))
    await registry.jobs_are_done()
    assert await registry.rows("SELECT 1 FROM application_code") == []
    assert await refusal(inside(registry), asking(ref, None, T3)) == "field-is-wrong"


async def test_registry_is_the_judge_of_the_person(registry: Registry) -> None:
    client = inside(registry)
    unverified = await an_applicant(registry, 125, name="王芳", verified=False)
    assert await refusal(client, asking(unverified, CODE)) == "identity-is-not-verified"
    assert await refusal(client, asking("0" * 32, CODE)) == "not-found"
    ref = await an_applicant(registry)
    assert await refusal(client, asking(ref, "nonsense")) == "field-is-wrong"
    assert await refusal(client, asking(ref, None)) == "field-is-wrong"
    assert await refusal(client, asking(ref, CODE, actor_id="someone-else")) == "not-found"
    assert await client.post("/internal/v1/proofs", asking(ref, CODE, actor_id="login-123"))
    async with registry.client("login", actor_id="counter") as other:
        second = await registry.post(other, "/applicants", person())
    assert (second.status_code, slug(second)) == (409, "transfer-is-open")
    assert second.json()["applicant_ref"] is None
    async with registry.client("login", actor_id="login-123") as herself:
        own = await registry.post(herself, "/applicants", person())
        as_volunteer = await registry.post(herself, "/volunteers", person())
    assert own.json()["applicant_ref"] == ref
    assert slug(as_volunteer) == "transfer-is-open"


def to_move(registry: Registry, **changes: Any) -> dict[str, Any]:
    """Of a consent to a move what registry judges: the text that its pack publishes, in Chinese."""
    pack = yaml.safe_load((PACKS / "CN" / "consent-transfer.yaml").read_text("utf-8"))
    return {
        "text_id": "consent-transfer",
        "text_digest": hashlib.sha256(pack["texts"]["zh"].encode()).hexdigest(),
        "given_at": registry.clock.now().isoformat(),
        "guardian": False,
    } | changes


async def test_a_move_rests_on_the_text_in_force(registry: Registry) -> None:  # R40
    ref = await an_applicant(registry)
    client = inside(registry)
    for wrong in ({"text_id": "nonsense"}, {"text_digest": "0" * 64}):
        asked = asking(ref, CODE, consent=to_move(registry, **wrong))
        assert await refusal(client, asked) == "consent-text-is-stale"
    assert await client.post("/internal/v1/proofs", asking(ref, CODE, consent=to_move(registry)))


async def test_a_minor_moves_with_a_guardian_alone(registry: Registry) -> None:  # R24
    async with registry.client("login", actor_id="login-77") as login:
        made = await registry.post(login, "/applicants", minor(77) | {"guardian_consent": GUARDIAN})
    ref = made.json()["applicant_ref"]
    seen = {
        "method": "document",
        "result": "matched",
        "checked_at": registry.clock.now().isoformat(),
    }
    async with registry.client(OFFICER, actor_id="officer") as officer:
        await registry.post(officer, f"/applicants/{ref}/verifications", seen)
    client = inside(registry)
    alone = asking(ref, CODE, consent=to_move(registry))
    assert await refusal(client, alone) == "guardian-consent-is-missing"
    together = asking(ref, CODE, consent=to_move(registry, guardian=True))
    assert await client.post("/internal/v1/proofs", together)


async def test_whoever_is_registered_here_is_told_to_merge(registry: Registry) -> None:  # S30, R39
    await a_volunteer(registry)
    async with registry.client("login", actor_id="again") as login:
        answer = await registry.post(login, "/applicants", person())
    assert slug(answer) == "already-registered-here"
    assert answer.json()["claim_ref"]


async def test_only_the_services_of_the_node_ask_inside(registry: Registry) -> None:
    ref = await an_applicant(registry)
    assert await refusal(inside(registry, "rewards"), asking(ref, CODE)) == "actor-may-not"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=registry.internal), base_url="http://internal"
    ) as nobody:
        answer = await nobody.post("/internal/v1/proofs", json=asking(ref, CODE))
    assert answer.status_code == 401


def of_destination(ref: str, transfer_id: str = T1, **more: Any) -> dict[str, Any]:
    return {
        "transfer_id": transfer_id,
        "role": "destination",
        "origin": CHENGDU,
        "destination": NODE,
        "subject_id": None,
        "applicant_ref": ref,
        **more,
    }


async def test_the_activated_dossier_makes_a_subject_of_the_applicant(registry: Registry) -> None:
    ref = await an_applicant(registry)
    subject = "a" * 32
    await registry.hears("transfer-applied", of_destination(ref, due="2027-03-15"))
    activated = of_destination(ref, subject_id=subject, new_epoch=2, totals={})
    await registry.hears("dossier-activated", activated)
    await registry.hears("dossier-activated", activated)
    await registry.jobs_are_done()
    (linked,) = await registry.events("subject-linked")
    assert linked["key"] == subject
    assert json.loads(linked["data"]) == {
        "applicant_ref": ref,
        "subject_id": subject,
        "residence_region": "500103",
        "age_band": "adult",
        "transfer_id": T1,
        "claimed": True,
    }
    assert len(await registry.events("consent-given")) == 1
    assert await registry.events("volunteer-registered") == []
    async with registry.client("volunteer", subject_id=subject) as volunteer:
        mine = (await volunteer.get("/volunteers/me")).json()
        seen = (await volunteer.get("/volunteers/me/transfers")).json()["items"]
    assert (mine["verification"], mine["profile"]["name"]) == ("document_seen", "李华")
    assert [each["status"] for each in seen] == ["moved"]
    registry.clock.advance(timedelta(hours=24))
    async with registry.client("volunteer", subject_id=subject) as volunteer:
        seen = (await volunteer.get("/volunteers/me/transfers")).json()["items"]
    assert [each["status"] for each in seen] == ["settling"]
    # Documents and login have followed.
    async with registry.client("login", actor_id="again") as login:
        anew = await registry.post(login, "/applicants", person())
    assert slug(anew) == "already-registered-here"
    assert await refusal(inside(registry), asking(ref, CODE)) == "already-registered-here"
    owner = await registry.rows(
        "SELECT state #>> '{owner,ref}' AS ref FROM aggregate "
        "WHERE kind = 'login' AND id = 'login-123'"
    )
    assert owner == [{"ref": subject}]


async def test_who_comes_back_is_the_same_subject_and_an_old_release_moves_nobody(  # R38, S29
    registry: Registry,
) -> None:
    subject = await a_volunteer(registry)
    released = of_origin(T1, subject_id=subject, epoch=1, new_epoch=2, home=CHENGDU, certificate={})
    await registry.hears("dossier-released", released)
    await registry.jobs_are_done()
    async with registry.client("volunteer", actor_id="login-123", subject_id=subject) as back:
        made = await registry.post(back, "/applicants", person(residence_region="500105"))
    ref = made.json()["applicant_ref"]
    vaults = await registry.rows("SELECT vault_id FROM vault")
    await registry.hears(
        "dossier-activated",
        of_destination(ref, T2, subject_id=subject, new_epoch=3, totals={}),
    )
    await registry.jobs_are_done()
    await registry.hears("dossier-released", released)
    async with registry.client("volunteer", actor_id="login-123", subject_id=subject) as back:
        mine = (await back.get("/volunteers/me")).json()
    assert (mine["status"], mine["residence_region"]) == ("registered", "500105")
    assert mine["first_registered_on"] == "2027-03-01"
    # The key of what was held before is destroyed.
    assert (len(vaults), len(await registry.rows("SELECT 1 FROM vault"))) == (2, 1)
    assert len(await registry.events("subject-departed")) == 1


async def test_the_highest_stage_heard_stays(registry: Registry) -> None:  # protocol.md 12
    ref = await an_applicant(registry)

    async def shown() -> dict[str, Any]:
        async with registry.client("login", actor_id="login-123") as login:
            (seen,) = (await login.get(f"/applicants/{ref}")).json()["transfers"]
        return seen

    await registry.hears("transfer-applied", of_destination(ref, due="2027-03-15"))
    assert (await shown())["status"] == "applied"
    await registry.hears("dossier-accepted", of_destination(ref))
    assert (await shown())["status"] == "verifying"
    await registry.hears("transfer-receiving", of_destination(ref))
    assert (await shown())["status"] == "verifying"
    assert (await shown())["due"] == "2027-03-15"
    refused = {"class": "F", "retry_after": None}
    await registry.hears("transfer-refused", of_destination(ref, **refused))
    await registry.hears("transfer-ended", of_destination(ref, code="TR-402"))
    seen = await shown()
    assert (seen["status"], seen["class"], seen["code"]) == ("refused", "F", "TR-402")


async def test_a_withdrawn_move_says_so(registry: Registry) -> None:
    ref = await an_applicant(registry)
    await registry.hears("transfer-ended", of_destination(ref, code="TR-501"))
    refused = {"class": "F", "retry_after": None}
    await registry.hears("transfer-refused", of_destination(ref, **refused))
    async with registry.client("login", actor_id="login-123") as login:
        (seen,) = (await login.get(f"/applicants/{ref}")).json()["transfers"]
    assert seen["status"] == "withdrawn"


async def test_an_application_that_led_to_nothing_is_forgotten_after_thirty_days(
    registry: Registry,
) -> None:
    ref = await an_applicant(registry)
    refused = {"class": "R", "retry_after": None}
    await registry.hears("transfer-refused", of_destination(ref, **refused))
    await registry.jobs_are_done()
    # Its documents are free: she may apply anew, or take this one up again.
    registry.clock.advance(timedelta(days=29))
    client = inside(registry)
    assert await client.post("/internal/v1/proofs", asking(ref, CODE, T2))
    await registry.hears("transfer-refused", of_destination(ref, T2, **refused))
    await registry.jobs_are_done()
    registry.clock.advance(timedelta(days=29))
    await registry.jobs_are_done()
    assert len(await registry.rows("SELECT 1 FROM person")) == 1
    registry.clock.advance(timedelta(days=1))
    await registry.jobs_are_done()
    for table in ("person", "vault", "registration", "application_code"):
        assert await registry.rows(f"SELECT 1 FROM {table}") == [], table
    async with registry.client("login", actor_id="login-123") as login:
        gone = (await login.get("/applicants")).json()["items"]
    assert [each["status"] for each in gone] == ["forgotten"]


async def test_what_is_tried_again_ends_nothing_for_four_days(registry: Registry) -> None:
    ref = await an_applicant(registry)
    again = {"class": "T", "retry_after": 3600}
    await registry.hears("transfer-refused", of_destination(ref, **again))
    registry.clock.advance(timedelta(days=3))
    await registry.jobs_are_done()
    assert await registry.events("application-ended") == []
    registry.clock.advance(timedelta(days=1))
    await registry.jobs_are_done()
    assert len(await registry.events("application-ended")) == 1


async def test_applications_are_shown_to_their_login_and_the_offices_of_the_region(
    registry: Registry,
) -> None:
    ref = await an_applicant(registry)
    unknown = "0" * 32
    async with registry.client("login", actor_id="stranger") as stranger:
        foreign = await stranger.get(f"/applicants/{ref}")
        none = await stranger.get(f"/applicants/{unknown}")
        empty = (await stranger.get("/applicants")).json()
    async with registry.client(Grant("county_reviewer", region="500105")) as other:
        far = await other.get(f"/applicants/{ref}")
    async with registry.client(OFFICER) as officer:
        near = await officer.get(f"/applicants/{ref}")
    assert empty == {"items": [], "next": None}
    assert [each.status_code for each in (foreign, none, far, near)] == [404, 404, 404, 200]
    same = [{k: v for k, v in a.json().items() if k != "instance"} for a in (foreign, none)]
    assert same[0] == same[1]


# -- persons of an import ------------------------------------------------------------------------


async def test_persons_are_resolved_by_number_and_name(registry: Registry) -> None:
    subject = await a_volunteer(registry)
    fifteen = id_number()[:6] + id_number()[8:17]
    sought = [
        {"type": "resident_id", "number": id_number(), "name": "李华", "started_on": "2026-05-01"},
        {"type": "resident_id", "number": fifteen, "name": " 李华 ", "started_on": "2026-05-01"},
        {"type": "resident_id", "number": id_number(), "name": None, "started_on": "2026-05-01"},
        {"type": "resident_id", "number": id_number(), "name": "王华", "started_on": "2026-05-01"},
        {"type": "resident_id", "number": id_number(), "name": "李华", "started_on": "1989-12-31"},
        {
            "type": "resident_id",
            "number": id_number(125),
            "name": "李华",
            "started_on": "2026-05-01",
        },
        {"type": "resident_id", "number": "1", "name": "李华", "started_on": "2026-05-01"},
        {"type": "library card", "number": "", "name": "", "started_on": "2026-05-01"},
    ]
    client = inside(registry, "records")
    found = await client.post("/internal/v1/persons/resolve", {"persons": sought})
    assert found["results"] == [
        {"subject_id": subject},
        {"subject_id": subject},
        {"subject_id": subject},
        {"reason": "name_differs"},
        {"reason": "before_birth"},
        {"reason": "unknown"},
        {"reason": "unknown"},
        {"reason": "unknown"},
    ]


async def test_a_page_of_persons_is_at_most_500(registry: Registry) -> None:
    one = {"type": "resident_id", "number": id_number(), "name": "李华", "started_on": "2026-05-01"}
    client = inside(registry, "records")
    full = await client.post("/internal/v1/persons/resolve", {"persons": [one] * 500})
    assert len(full["results"]) == 500
    with pytest.raises(Refused) as no:
        await client.post("/internal/v1/persons/resolve", {"persons": [one] * 501})
    assert no.value.status == 422


async def test_an_applicant_is_nobody_to_an_import(registry: Registry) -> None:
    await an_applicant(registry)
    one = {"type": "resident_id", "number": id_number(), "name": "李华", "started_on": "2026-05-01"}
    found = await inside(registry, "records").post(
        "/internal/v1/persons/resolve", {"persons": [one]}
    )
    assert found["results"] == [{"reason": "unknown"}]
