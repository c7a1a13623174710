"""What may the volunteer, an officer and a stranger ask of transfer, and what are they told?"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.transfer.domain.verify import verify_export
from services.transfer.edge import api
from services.transfer.edge.applying import Desk
from services.transfer.edge.exporting import Exports
from services.transfer.edge.queries import Queries
from services.transfer.edge.signatures import verify_signature
from tests.edge.transfer.test_a_move import moved
from tests.support.api import TestSurroundings, assert_routes_obey_roles
from tests.support.cities import City, application, apply, client, code_id_of
from tests.support.infrastructure import eventually


def ask(city: City, applicant_ref: str, **changed: Any) -> dict[str, Any]:
    body = application("amber", "birch", applicant_ref, city.clock.now())
    body["consent"] |= changed.pop("consent", {})
    return body | changed


async def post(
    city: City, path: str, body: Any = None, key: str | None = None, **token: Any
) -> httpx.Response:
    token = {"roles": ("login",), "actor_id": "li-hua"} | token
    async with client(city, city.token(*token.pop("roles"), **token)) as person:
        headers = {"Idempotency-Key": key or secrets.token_hex(8)}
        return await person.post(path, json=body, headers=headers)


async def get(city: City, path: str, **token: Any) -> httpx.Response:
    token = {"roles": ("login",), "actor_id": "li-hua"} | token
    async with client(city, city.token(*token.pop("roles"), **token)) as person:
        return await person.get(path)


async def test_the_same_application_again_is_the_same_transfer(  # P1-6
    cities: tuple[City, City],
) -> None:
    _, birch = cities
    ref, key = secrets.token_hex(16), "one-application"
    body = ask(birch, ref)
    first = await post(birch, "/transfers", body, key)
    again = await post(birch, "/transfers", body, key)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await post(birch, "/transfers", body | {"origin": "amber", "code": "0" * 26}, key)
    assert other.status_code == 409
    assert other.json()["type"] == "urn:jiexu:problem:command-id-reused"
    rows = await birch.rows("SELECT count(*) AS n FROM transfer WHERE applicant_ref = $1", ref)
    assert rows[0]["n"] == 1


async def test_an_application_is_refused_with_its_reason(cities: tuple[City, City]) -> None:
    _, birch = cities
    father = {"relation": "father", "verified": False}
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"origin": "nowhere"}, 422, "origin-is-unknown"),
        ({"origin": "birch"}, 422, "origin-is-unknown"),
        ({"consent": {"receiver": "cedar"}}, 409, "consent-is-missing"),
        ({"consent": {"provider": "cedar"}}, 409, "consent-is-missing"),
        ({"consent": {"expires_at": "2026-01-01T00:00:00Z"}}, 409, "consent-is-missing"),
        ({"consent": {"guardian": father}}, 409, "guardian-consent-is-missing"),
        ({"consent": {"kinds": []}}, 422, "field-is-wrong"),
        # The dossier moves whole: a consent to a part of it is a consent to something else.
        ({"consent": {"kinds": ["service", "star"]}}, 409, "consent-is-missing"),
        ({"consent": {"kinds": ["service"]}}, 409, "consent-is-missing"),
        ({"epoch": 2}, 422, "field-is-wrong"),
    ]
    for changed, status, slug in cases:
        answer = await post(birch, "/transfers", ask(birch, secrets.token_hex(16), **changed))
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (status, f"urn:jiexu:problem:{slug}")
        assert problem["detail"]
    assert await birch.rows("SELECT * FROM transfer") == []


async def test_an_application_has_one_open_attempt(cities: tuple[City, City]) -> None:  # R29
    amber, birch = cities
    ref, subject = secrets.token_hex(16), secrets.token_hex(16)
    amber.open_dossier(subject, 3)
    answers = await asyncio.gather(
        *(post(birch, "/transfers", ask(birch, ref), key=secrets.token_hex(8)) for _ in range(6))
    )
    refused = [each.json()["type"] for each in answers if each.status_code == 409]
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409, 409]
    assert set(refused) == {"urn:jiexu:problem:transfer-is-open"}
    rows = await birch.rows("SELECT 1 FROM transfer WHERE applicant_ref = $1", ref)
    assert len(rows) == 1


async def test_nobody_exports_the_dossier_of_another(cities: tuple[City, City]) -> None:
    amber, _ = cities
    subject = secrets.token_hex(16)
    amber.open_dossier(subject, 2)
    for role in ("county_reviewer", "station_worker", "node_operator", "auditor", "volunteer"):
        answer = await get(amber, f"/exports/{subject}", roles=(role,), actor_id="someone")
        assert answer.status_code in (403, 404), role


async def test_registry_is_the_judge_of_the_person(cities: tuple[City, City]) -> None:  # S30
    _, birch = cities
    for status, slug, told in (
        (409, "already-registered-here", "already-registered-here"),
        (409, "transfer-is-open", "transfer-is-open"),
        (409, "identity-is-not-verified", "identity-is-not-verified"),
        (409, "code-has-changed", "application-is-refused"),
        (404, "not-found", "not-found"),
        (422, "field-is-wrong", "field-is-wrong"),
    ):
        birch.unproved = (status, slug)
        answer = await post(birch, "/transfers", ask(birch, secrets.token_hex(16)))
        assert answer.status_code == status
        assert answer.json()["type"] == f"urn:jiexu:problem:{told}"
    assert await birch.rows("SELECT * FROM transfer") == []


async def test_a_refused_application_shows_its_reason_and_its_remedy_in_both_languages(
    cities: tuple[City, City],
) -> None:  # TR-102, PIPL Art 50
    amber, birch = cities
    ref = secrets.token_hex(16)
    transfer_id = (await post(birch, "/transfers", ask(birch, ref))).json()["transfer_id"]
    await birch.reaches(transfer_id, "Refused")
    shown = (await get(birch, f"/transfers/{ref}")).json()
    assert (shown["status"], shown["refusal"]["code"]) == ("refused", "TR-102")
    assert shown["status_text"] == {
        "zh": "不予转移",
        "en": "Refused, or ended by a deadline: record unchanged",
    }
    assert shown["refusal"]["reason"] == {
        "zh": "转移码或身份不符",
        "en": "code or identity does not match",
    }
    assert shown["refusal"]["remedy"]["zh"].startswith("请在转出城市重新取得转移码")
    assert shown["refusal"]["appeal_until"] is not None
    (ended,) = await amber.rows("SELECT data FROM event WHERE type LIKE '%transfer-ended%'")
    assert json.loads(ended["data"])["code"] == "TR-102"
    # What subscribers read names the class alone.
    (public,) = await amber.rows("SELECT data FROM event WHERE type LIKE '%transfer-refused%'")
    assert "TR-102" not in public["data"]


async def test_a_stranger_sees_nothing_and_an_officer_all(cities: tuple[City, City]) -> None:
    amber, birch = cities
    transfer_id, subject, ref = await moved(amber, birch)
    unknown = secrets.token_hex(16)
    own = {"roles": ("login",), "actor_id": f"login-{ref}"}
    assert (await get(birch, f"/transfers/{ref}", **own)).status_code == 200
    stranger = await get(birch, f"/transfers/{ref}")
    nothing = await get(birch, f"/transfers/{unknown}")
    for each in (stranger, nothing):
        assert each.status_code == 404
    bodies = [each.json() for each in (stranger, nothing)]
    for body in bodies:
        body.pop("instance")
    assert bodies[0] == bodies[1]
    assert (await post(birch, f"/transfers/{ref}/withdraw")).status_code == 404
    assert (await get(birch, "/transfers")).json()["items"] == []
    volunteer = {"roles": ("volunteer",), "actor_id": "x", "subject_id": subject}
    for city in (amber, birch):
        # At the origin she is known by her subject, not by her login there.
        assert (await get(city, f"/transfers/{ref}", **volunteer)).status_code == 200
        items = (await get(city, "/transfers", **volunteer)).json()["items"]
        assert [item["transfer_id"] for item in items] == [transfer_id]
        officer = {"roles": ("city_reviewer",), "actor_id": "officer"}
        assert len((await get(city, "/transfers", **officer)).json()["items"]) == 1
        assert (await get(city, "/alarms", **officer)).status_code == 200
        assert (await get(city, "/notices", **officer)).status_code == 200
        assert (await get(city, "/alarms", **volunteer)).status_code == 403
    moved_on = (await get(birch, f"/transfers/{ref}", **own)).json()
    assert (moved_on["status"], moved_on["entries"]) == ("moved", 3)
    assert moved_on["totals"]["credited_minutes"] == 180


async def test_withdrawn_before_the_vote_leaves_the_origin_whole(  # R37, R40, S28
    cities: tuple[City, City],
) -> None:
    amber, birch = cities
    subject, ref = secrets.token_hex(16), secrets.token_hex(16)
    amber.open_dossier(subject)
    amber.persons[code_id_of(ref)] = subject
    birch.silent.add("transfer.dossier-verified.v1")  # records there stages nothing yet
    transfer_id = (await apply(birch, amber, ref))["transfer_id"]
    await birch.reaches(transfer_id, "Staging")
    answer = await post(birch, f"/transfers/{ref}/withdraw", actor_id=f"login-{ref}")
    assert (answer.status_code, answer.json()["outcome"]) == (200, "withdrawn")
    await amber.reaches(transfer_id, "Aborted")
    shown = (await get(birch, f"/transfers/{ref}", actor_id=f"login-{ref}")).json()
    assert shown["status"] == "withdrawn"
    again = await post(birch, f"/transfers/{ref}/withdraw", actor_id=f"login-{ref}")
    assert (again.status_code, again.json()["type"]) == (
        409,
        "urn:jiexu:problem:transfer-has-ended",
    )
    # The key is destroyed on both sides: what was sealed cannot be read any more.
    for city in (amber, birch):
        for table in ("seal_key", "bundle", "bundle_list"):
            assert await city.rows(f"SELECT * FROM {table}") == []
    # A new application goes through.
    birch.silent.clear()
    second = secrets.token_hex(16)
    amber.persons[code_id_of(second)] = subject
    transfer_id = (await apply(birch, amber, second))["transfer_id"]
    await birch.reaches(transfer_id, "Active")


async def test_a_cursor_of_another_list_is_a_wrong_field(cities: tuple[City, City]) -> None:
    _, birch = cities
    officer = {"roles": ("city_reviewer",), "actor_id": "officer"}
    foreign: list[list[Any]] = [
        ["x"],
        [1],
        ["x", "", ""],
        ["2026-11-24", "", ""],
        ["9999-12-31T23:59:59-23:59", 1, 2],
    ]
    for position in foreign:
        raw = json.dumps(position).encode()
        after = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        for path in ("/transfers", "/alarms", "/notices"):
            if path != "/transfers" and position == [1]:
                continue
            answer = await get(birch, f"{path}?after={after}", **officer)
            assert answer.status_code == 422, (path, position)
            assert answer.json()["field"] == "after"


async def test_after_the_release_the_answer_is_that_custody_has_moved(  # R40, S28
    cities: tuple[City, City],
) -> None:
    amber, birch = cities
    _, subject, ref = await moved(amber, birch)
    for city, who in (
        (birch, {"actor_id": f"login-{ref}"}),
        (amber, {"roles": ("volunteer",), "actor_id": "x", "subject_id": subject}),
    ):
        answer = await post(city, f"/transfers/{ref}/withdraw", **who)
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:jiexu:problem:custody-has-moved"
        assert answer.json()["home"] == "birch"


async def test_a_temporary_refusal_is_tried_again_by_itself(  # TR-301, class T, decision 11
    cities: tuple[City, City],
) -> None:
    amber, birch = cities
    subject, first, second = (secrets.token_hex(16) for _ in range(3))
    amber.open_dossier(subject)
    for ref in (first, second):
        amber.persons[code_id_of(ref)] = subject
    amber.silent.add("transfer.transfer-admitted.v1")
    open_one = (await apply(birch, amber, first))["transfer_id"]
    await amber.reaches(open_one, "Admitted")
    refused = (await apply(birch, amber, second))["transfer_id"]
    await birch.reaches(refused, "Refused")
    await post(birch, f"/transfers/{first}/withdraw", actor_id=f"login-{first}")
    await amber.reaches(open_one, "Aborted")
    amber.silent.clear()

    birch.clock.jump(timedelta(hours=1, minutes=1))

    async def attempts() -> list[dict[str, Any]]:
        shown = await get(birch, f"/transfers/{second}", actor_id=f"login-{second}")
        found: list[dict[str, Any]] = shown.json()["attempts"]
        return found if len(found) == 2 and found[0]["state"] == "Active" else []

    new, old = await eventually(attempts, "the second attempt has moved the dossier")
    assert (old["transfer_id"], old["refusal"]["code"]) == (refused, "TR-301")
    assert new["transfer_id"] != refused


async def test_an_export_is_verified_by_anybody(cities: tuple[City, City]) -> None:  # INV-20
    amber, birch = cities
    subject = secrets.token_hex(16)
    amber.open_dossier(subject, 5)
    own = {"roles": ("volunteer",), "actor_id": "x", "subject_id": subject}
    for _ in range(2):  # the genesis certificate is signed once
        export = (await get(amber, f"/exports/{subject}", **own)).json()
        assert [link["body"]["kind"] for link in export["custody_chain"]] == ["genesis"]
    verdict = verify_export(
        export["entries"],
        head=export["head"],
        custody_chain=export["custody_chain"],
        directory=amber.house.directory.current(),
        verify=verify_signature,
    )
    assert (verdict.flaw, verdict.count) == (None, 5)

    _, moved_subject, _ = await moved(amber, birch)
    own = {"roles": ("volunteer",), "actor_id": "x", "subject_id": moved_subject}
    export = (await get(birch, f"/exports/{moved_subject}", **own)).json()
    homes = [link["body"]["home"] for link in export["custody_chain"]]
    assert homes == ["amber", "birch"]
    verdict = verify_export(
        export["entries"],
        head=export["head"],
        custody_chain=export["custody_chain"],
        directory=birch.house.directory.current(),
        verify=verify_signature,
    )
    assert verdict.flaw is None
    assert (await get(birch, f"/exports/{moved_subject}")).status_code == 404


async def test_a_frozen_dossier_is_exported_as_it_stands(cities: tuple[City, City]) -> None:
    amber, birch = cities
    birch.silent.add("transfer.dossier-verified.v1")  # its records stages nothing: no vote
    subject, ref = secrets.token_hex(16), secrets.token_hex(16)
    amber.open_dossier(subject, 3)
    amber.persons[code_id_of(ref)] = subject
    transfer_id = (await apply(birch, amber, ref))["transfer_id"]
    await amber.reaches(transfer_id, "Offered")
    own = {"roles": ("volunteer",), "actor_id": "x", "subject_id": subject}
    answer = await get(amber, f"/exports/{subject}", **own)
    assert answer.status_code == 200, answer.text
    export = answer.json()
    verdict = verify_export(
        export["entries"],
        head=export["head"],
        custody_chain=export["custody_chain"],
        directory=amber.house.directory.current(),
        verify=verify_signature,
    )
    assert (verdict.flaw, verdict.count) == (None, 3)


async def test_a_released_dossier_is_exported_by_its_new_city_alone(
    cities: tuple[City, City],
) -> None:
    amber, birch = cities
    _, subject, _ = await moved(amber, birch)
    own = {"roles": ("volunteer",), "actor_id": "x", "subject_id": subject}
    token = amber.token("volunteer", actor_id="x", subject_id=subject)

    async def told(language: str) -> httpx.Response:
        async with client(amber, token, language=language) as person:
            return await person.get(f"/exports/{subject}")

    # Whether records has heard of the release yet or not: it says "elsewhere", or still signs.
    for home in ("birch", "amber"):
        amber.dossiers[subject].home = home
        for language, words in (("zh", "请向该城市申请导出"), ("en", "Ask that city")):
            answer = await told(language)
            assert answer.status_code == 409, answer.text
            problem = answer.json()
            assert problem["type"] == "urn:jiexu:problem:dossier-is-not-here"
            assert (problem["home"], words in problem["detail"]) == ("birch", True)
    assert (await get(birch, f"/exports/{subject}", **own)).status_code == 200
    # She is coming back: the chain ends here, and records has not taken the dossier up yet.
    birch.dossiers[subject].home = "amber"
    answer = await get(birch, f"/exports/{subject}", **own)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_a_city_whose_records_alone_knows_of_a_departure_names_the_home(
    cities: tuple[City, City],
) -> None:
    amber, _ = cities
    subject = secrets.token_hex(16)
    amber.open_dossier(subject, 1)
    amber.dossiers[subject].home = "birch"
    own = {"roles": ("volunteer",), "actor_id": "x", "subject_id": subject}
    answer = await get(amber, f"/exports/{subject}", **own)
    assert (answer.status_code, answer.json()["home"]) == (409, "birch")
    stranger = secrets.token_hex(16)
    own |= {"subject_id": stranger}
    assert (await get(amber, f"/exports/{stranger}", **own)).status_code == 404


async def test_no_identity_is_refused_sooner_than_another(cities: tuple[City, City]) -> None:
    """TR-102 leaves no sooner than 200 ms after its request came."""
    amber, birch = cities
    applied = (await post(birch, "/transfers", ask(birch, secrets.token_hex(16)))).json()
    transfer_id = applied["transfer_id"]
    await birch.reaches(transfer_id, "Refused")
    (asked,) = await amber.rows("SELECT received_at FROM inbox WHERE type = 'transfer-request'")

    async def receipt() -> Any:
        (sent,) = await amber.rows("SELECT * FROM peer_outbox WHERE type = 'refused'")
        return sent if sent["delivered_at"] else None

    # birch has it before its receipt has come back.
    sent = await eventually(receipt, "the refusal is delivered")
    assert sent["due_at"] - asked["received_at"] >= timedelta(milliseconds=200)
    assert sent["delivered_at"] >= sent["due_at"]


ROLES = (
    *("login", "volunteer", "guardian", "recorder", "approver", "org_admin", "station_worker"),
    *("social_worker", "county_reviewer", "city_reviewer", "province_reviewer", "node_operator"),
    "auditor",
)


async def test_every_route_asks_who_is_there(cities: tuple[City, City]) -> None:  # P0-1
    _, birch = cities
    house = birch.house
    assert birch.parts is not None
    surroundings = TestSurroundings(node="birch", clock=birch.clock)
    app = api.build(
        surroundings,
        lambda: birch.parts.ledger,  # type: ignore[union-attr]
        Desk(
            city="birch",
            database=birch.parts.database,
            directory=house.directory,
            registry=house.registry,
            wrapping=house.wrapping,
        ),
        Queries(birch.parts.database, birch.clock),
        Exports(
            "birch",
            lambda: birch.parts.ledger,  # type: ignore[union-attr]
            house.moves,
            house.records,
            birch.clock,
        ),
    )
    public = frozenset({"GET /"})
    assert await assert_routes_obey_roles(app, surroundings, ROLES, public=public) > 100
    assert {"/transfers", "/exports/{subject_id}"} <= set(app.openapi()["paths"])


async def test_only_records_reads_what_is_in_transit(cities: tuple[City, City]) -> None:  # F37
    _, birch = cities
    url = f"http://127.0.0.1:{birch.ports['internal']}/internal/v1/objects/{'0' * 64}"
    async with httpx.AsyncClient() as someone:
        assert (await someone.get(url)).status_code == 401
    registry = birch.asking()
    registry._issuer = "service:registry"
    registry._key = birch.service_keys["registry"]
    with pytest.raises(Exception) as refused:
        await registry.get_bytes(f"/internal/v1/objects/{'0' * 64}")
    assert getattr(refused.value, "status", None) in (401, 403)
