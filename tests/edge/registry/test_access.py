"""Who may use which route; what the documents promise; and that nothing personal gets out."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.auth import issue_token, routes_of
from shared.messages import Grant
from shared.telemetry import configure_logging
from tests.edge.registry.conftest import (
    CITY,
    GUARDIAN,
    NODE,
    OFFICER,
    Registry,
    id_number,
    minor,
    person,
)
from tests.edge.registry.test_organisations import BODY as ORGANISATION
from tests.edge.registry.test_transfer import CODE, asking, inside

REVIEWERS = {"county_reviewer", "city_reviewer", "province_reviewer"}
EVERYBODY = None
# Every route with the roles that it lets in; the rest of the world gets 403 or 401.
ALLOWED: dict[str, set[str] | None] = {
    "GET /": EVERYBODY,
    "GET /docs": EVERYBODY,
    "GET /docs/{asset}": EVERYBODY,
    "GET /openapi.json": EVERYBODY,
    "POST /tokens": EVERYBODY,
    "POST /volunteers": {"login", "guardian", "org_admin"},
    "POST /volunteers/claims": {"login", "volunteer"},
    "GET /volunteers/me": {"volunteer"},
    "GET /volunteers/me/consents": {"volunteer"},
    "GET /volunteers/me/transfers": {"volunteer"},
    "POST /volunteers/me/consents": {"volunteer"},
    "POST /volunteers/me/consents/{consent_id}/withdraw": {"volunteer"},
    "POST /transfer-codes": {"volunteer"},
    "GET /volunteers/me/transfer-codes": {"volunteer"},
    "GET /volunteers/to-verify": REVIEWERS,
    "GET /volunteers/{subject_id}": {"volunteer", *REVIEWERS},
    "POST /volunteers/{subject_id}/verifications": REVIEWERS,
    "POST /volunteers/{subject_id}/holds": {"city_reviewer", "province_reviewer"},
    "POST /applicants": {"login", "volunteer"},
    "GET /applicants": {"login", "volunteer"},
    "GET /applicants/{applicant_ref}": {"login", "volunteer", *REVIEWERS},
    "POST /applicants/{applicant_ref}/verifications": REVIEWERS,
    "POST /organisations": REVIEWERS,
    "POST /filings": REVIEWERS,
    "POST /organisations/{organisation_id}/sanctions": REVIEWERS,
    "GET /organisations": EVERYBODY,
    "GET /organisations/{organisation_id}": EVERYBODY,
    "POST /policies": {"city_reviewer", "province_reviewer"},
    "GET /policies": EVERYBODY,
    "GET /policies/{policy_id}/versions/{version}": EVERYBODY,
    "GET /policies/{policy_id}/proposals/{proposal_id}": {"city_reviewer", "province_reviewer"},
    "POST /policies/{policy_id}/proposals/{proposal_id}/confirm": {
        "city_reviewer",
        "province_reviewer",
    },
}
ROLES = [
    "login",
    "volunteer",
    "guardian",
    "near_relative",
    "recorder",
    "approver",
    "org_admin",
    "station_worker",
    "social_worker",
    "county_reviewer",
    "city_reviewer",
    "province_reviewer",
    "node_operator",
    "auditor",
]


def path_of(route: str) -> tuple[str, str]:
    method, path = route.split(" ", 1)
    filled = {"policy_id": "cn-default", "version": "1", "asset": "favicon.png"}
    return method, re.sub(r"\{(\w+)\}", lambda m: filled.get(m[1], "f" * 32), path)


async def ask(client: httpx.AsyncClient, route: str) -> httpx.Response:
    method, path = path_of(route)
    headers = {"idempotency-key": "k"} if method == "POST" else {}
    return await client.request(
        method, path, headers=headers, json={} if method == "POST" else None
    )


async def test_every_route_says_who_may_use_it(registry: Registry) -> None:  # P0-1
    found = {
        f"{method} {path}": None if guard is None or guard.public else set(guard.roles or ())
        for method, path, guard in routes_of(registry.app)
    }
    assert found == ALLOWED


async def test_route_by_role_nobody_else_gets_in(registry: Registry) -> None:  # P0-1
    for role in ROLES:
        grant = Grant(role, organisation_id="0" * 32, region="500103")
        async with registry.client(grant, actor_id=f"actor-{role}", strong=True) as client:
            for route, allowed in ALLOWED.items():
                answer = await ask(client, route)
                let_in = allowed is EVERYBODY or role in allowed
                assert (answer.status_code != 403) == let_in, (role, route, answer.text)
                assert answer.status_code < 500, (role, route, answer.text)


async def test_no_token_or_a_wrong_one_gets_nothing(registry: Registry) -> None:  # P0-2
    good = registry.token("volunteer", subject_id="f" * 32)
    head, body, signature = good.split(".")
    other_key = registry.keys.services["transfer"]
    wrong = {
        "forged": issue_token(other_key, NODE, "x", [Grant("volunteer")], clock=registry.clock),
        "of another node": issue_token(
            registry.keys.token, "510100", "x", [Grant("volunteer")], clock=registry.clock
        ),
        "without a signature": f"{head}.{body}.",
        "alg none": f"eyJhbGciOiJub25lIn0.{body}.",
        "changed": f"{head}.{body[:-2]}AA.{signature}",
    }
    guarded = [route for route, allowed in ALLOWED.items() if allowed is not EVERYBODY]
    async with registry.client() as nobody:
        for route in guarded:
            assert (await ask(nobody, route)).status_code == 401, route
        for what, token in wrong.items():
            nobody.headers["authorization"] = f"Bearer {token}"
            for route in guarded:
                assert (await ask(nobody, route)).status_code == 401, (what, route)
        registry.clock.advance(timedelta(minutes=16))
        nobody.headers["authorization"] = f"Bearer {good}"
        assert (await ask(nobody, "GET /volunteers/me")).status_code == 401


async def test_every_post_wants_a_key(registry: Registry) -> None:  # P1-6
    everyone = [Grant(role, region="500103") for role in ROLES]
    async with registry.client(*everyone, subject_id="f" * 32, strong=True) as client:
        for route in ALLOWED:
            method, path = path_of(route)
            if method == "POST":
                answer = await client.post(path, json={})
                assert answer.status_code in (400, 422), route
                answer = await client.post(path, json={}, headers={"idempotency-key": " "})
                assert answer.status_code == 422, route


async def test_the_documents_have_an_example_for_every_route(registry: Registry) -> None:
    async with registry.client() as anybody:
        document = (await anybody.get("/openapi.json")).json()
        assert (await anybody.get("/docs")).status_code == 200
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            success = [
                content["application/json"]
                for status, answer in operation["responses"].items()
                if status.startswith("2") and (content := answer.get("content"))
            ]
            assert any("example" in each or "examples" in each for each in success), path
            assert "application/problem+json" in json.dumps(operation["responses"]["default"])
            if "requestBody" in operation:
                body = operation["requestBody"]["content"]["application/json"]
                name = body["schema"].get("$ref", "").rsplit("/", 1)[-1]
                schema = document["components"]["schemas"].get(name, {})
                assert "examples" in body or "examples" in schema, (method, path)
            if method == "post":
                names = [each["name"].lower() for each in operation["parameters"]]
                assert "idempotency-key" in names, path


async def test_odd_questions_are_refused_and_never_a_defect(registry: Registry) -> None:
    def cursor(*parts: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).rstrip(b"=").decode()

    cursors = [cursor(1, 2), cursor("a"), cursor("a", 1), cursor("a", "b", "c"), "nonsense"]
    async with registry.client(OFFICER, "login", actor_id="odd") as client:
        for path in ("/organisations", "/applicants", "/volunteers/to-verify"):
            for after in cursors:
                answer = await client.get(path, params={"after": after})
                assert (answer.status_code, answer.json()["field"]) == (422, "after"), (path, after)
        for query in ("name=%00", "limit=0", "limit=201", "seat=5", "established_from=x"):
            answer = await client.get(f"/organisations?{query}")
            assert answer.status_code == 422, query
        for path in ("/policies?on=2027-02-30", "/policies/x/versions/0", "/volunteers/%00"):
            assert (await client.get(path)).status_code == 422, path


# -- the page at / -------------------------------------------------------------------------------


@pytest.fixture
def welcome(tmp_path: Path) -> Path:
    path = tmp_path / "welcome.json"
    path.write_text("{}")
    return path


@pytest.fixture
def more_settings(welcome: Path, tmp_path: Path) -> dict[str, Any]:
    roster = tmp_path / "roster.csv"
    roster.write_text(f"type,number,name\nresident_id,{id_number()},{CANARY_NAME}\n", "utf-8")
    return {"welcome": welcome, "roster": roster}


def fill(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data), "utf-8")


async def test_the_first_page_links_documents_and_people(registry: Registry, welcome: Path) -> None:
    async with registry.client() as anybody:
        bare = await anybody.get("/")
        data = {
            "city": {"zh": "重庆", "en": "Chongqing"},
            "services": [
                {"name": "records", "zh": "服务记录", "en": "records", "docs": "http://x:1/docs"},
                {"name": "evil", "zh": "", "en": "", "docs": "javascript:alert(1)"},
            ],
            "people": [
                {
                    "name": "<b>李华</b>",
                    "zh": "志愿者",
                    "en": "volunteer",
                    "tries": [{"zh": "查看", "en": "see", "command": "curl /volunteers/me"}],
                }
            ],
        }
        fill(welcome, data)
        page = (await anybody.get("/")).text
        fill(welcome, [])
        still = await anybody.get("/")
    assert bare.status_code == still.status_code == 200
    assert 'href="docs"' in bare.text
    for shown in ("重庆", "Chongqing", 'href="http://x:1/docs"', "curl /volunteers/me"):
        assert shown in page
    assert "<b>" not in page and "javascript:" not in page


# -- nothing personal ----------------------------------------------------------------------------

CANARY_NAME = "欧阳金丝雀"
CANARY_GUARDIAN = "司徒金丝雀"
CANARY_PHONE = "13912345678"
CANARY_EMAIL = "canary@example.org"
CANARY_ADDRESS = "金丝雀路一号"


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging("registry", NODE, "debug", stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)


async def test_no_planted_name_or_number_gets_out(  # INV-15, R55, P0-5, P1-9
    registry: Registry, logs: io.StringIO
) -> None:
    """Every kind of request with a person in it; then events, answers, jobs, tables and logs."""
    contact = {"phone": CANARY_PHONE, "email": CANARY_EMAIL, "address": CANARY_ADDRESS}
    guardian = GUARDIAN | {"guardian": {"name": CANARY_GUARDIAN, "relation": "father"}}
    numbers = [id_number(n) for n in (123, 125, 127, 129)]
    answers: list[str] = []

    async def post(client: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
        answer = await registry.post(client, path, body)
        answers.append(answer.text)
        return answer

    async with registry.client("login", actor_id="one") as one:
        made = await post(one, "/volunteers", person(name=CANARY_NAME, contact=contact))
        await post(one, "/volunteers", person(125, name=CANARY_NAME * 20, contact=contact))
        await post(one, "/volunteers", person(name=CANARY_NAME) | {CANARY_NAME: CANARY_PHONE})
        await post(one, "/volunteers", {"name": {"x": CANARY_NAME}, CANARY_NAME: numbers})
        await post(one, "/volunteers", person(127, name=CANARY_NAME, birth_date=CANARY_NAME))
    async with registry.client("login", actor_id="two") as two:
        met = await post(two, "/volunteers", person(name=CANARY_NAME, contact=contact))
        claim = {
            "claim_ref": met.json()["claim_ref"],
            "name": CANARY_GUARDIAN,
            "document": {"type": "resident_id", "number": numbers[0]},
        }
        await post(two, "/volunteers/claims", claim)
        applied = await post(two, "/applicants", person(129, name=CANARY_NAME, contact=contact))
    async with registry.client("login", actor_id="three") as three:
        child = minor(127, guardian_consent=guardian, name=CANARY_NAME, contact=contact)
        numbers.append(child["documents"][0]["number"])
        await post(three, "/volunteers", child)
    body = ORGANISATION | {
        "responsible_person": {"name": CANARY_GUARDIAN, "contact": {"phone": CANARY_PHONE}}
    }
    ref = applied.json()["applicant_ref"]
    async with registry.client(OFFICER, CITY) as officer:
        await post(officer, "/organisations", body)
        seen = {"method": "document", "result": "matched", "checked_at": "2027-03-01T02:00:00Z"}
        await post(officer, f"/applicants/{ref}/verifications", seen)
        answers.append((await officer.get("/volunteers/to-verify")).text)
    subject = made.json()["subject_id"]
    who = {"actor_id": "one", "subject_id": subject, "strong": True}
    async with registry.client("volunteer", **who) as volunteer:
        await post(volunteer, "/transfer-codes", {})
    sought = {"number": numbers[0], "name": CANARY_NAME, "started_on": "2026-05-01"}
    await inside(registry, "records").post("/internal/v1/persons/resolve", {"persons": [sought]})
    await inside(registry).post("/internal/v1/proofs", asking(ref, CODE))
    await registry.jobs_are_done()

    tables = await registry.rows(
        "SELECT relname FROM pg_class WHERE relkind = 'r' "
        "AND relnamespace = 'registry'::regnamespace"
    )
    dump = []
    for table in tables:
        rows = await registry.rows(f'SELECT to_jsonb(t)::text AS row FROM "{table["relname"]}" t')
        dump += [row["row"] for row in rows]
    haystacks = {
        "database": "\n".join(dump),
        "logs": logs.getvalue(),
        "answers": "\n".join(answers),
    }
    needles = [
        CANARY_NAME,
        CANARY_GUARDIAN,
        CANARY_PHONE,
        CANARY_EMAIL,
        CANARY_ADDRESS,
        *numbers,
    ]
    assert len(haystacks["database"]) > 10_000
    for where, text in haystacks.items():
        for needle in needles:
            forms = {needle, needle.encode().hex(), json.dumps(needle)[1:-1]}
            assert not any(form in text for form in forms), (where, needle[:2])
