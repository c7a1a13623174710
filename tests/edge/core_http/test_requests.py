"""How does an HTTP request become a command, and an outcome an answer?

A real application on a transport without a socket, a real ledger on a real PostgreSQL.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from shared.auth import any_token, public, require, routes_of, routes_without_guard
from shared.ledger import Answer, Decided, Ledger
from shared.messages import Actor, Grant, Unavailable
from shared.problems import Problem, not_found
from shared.requests import CommandContext, Page, command, new_app, page, page_of, submit
from tests.support.api import TestSurroundings, assert_routes_obey_roles, client_of
from tests.support.counter import Add, counter_service

ITEMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "OK",
        "content": {"application/json": {"example": {"items": [{"n": 7}], "next": None}}},
    }
}
KEY = {"idempotency-key": "k1"}


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    amount: Annotated[int, Field(ge=0)]
    secret: bool = False


def api(surroundings: TestSurroundings, ledger: Ledger | None = None) -> FastAPI:
    app = new_app(surroundings, title="toy", description="d", max_body_bytes=10_000)
    router = APIRouter()

    @router.post("/counters/{counter}")
    async def add(
        counter: str, body: Body, context: Annotated[CommandContext, Depends(command("adder"))]
    ) -> Response:
        assert ledger is not None
        wish = Add(**context.meta(), counter=counter, amount=body.amount)
        return await submit(ledger, wish, context, _answer, secret=body.secret)

    @router.get("/items", responses=ITEMS)
    async def items(
        asked: Annotated[Page, Depends(page)], actor: Annotated[Actor, Depends(require("reader"))]
    ) -> Any:
        begin = 0 if asked.after is None else int(asked.after[0])
        rows = list(range(begin + 1, 8))[: asked.fetch]
        return page_of(rows, asked, lambda n: {"n": n}, lambda n: (n,))

    @router.get("/strong")
    async def strong(actor: Annotated[Actor, Depends(any_token(strong=True))]) -> Any:
        return {"actor": actor.actor_id}

    @router.get("/open", dependencies=[Depends(public())])
    async def everybody() -> Any:
        return {}

    @router.get("/fails/{how}")
    async def fails(how: str, actor: Annotated[Actor, Depends(any_token())]) -> Any:
        match how:
            case "away":
                raise Unavailable("the database is away", 7)
            case "absent":
                raise not_found()
        raise ValueError("李华 13800138000")

    app.include_router(router, prefix="/v1")
    return app


def _answer(decided: Decided) -> Answer:
    state = next(iter(decided.states.values()))
    return Answer(201, {"id": state.id, "total": state.total})


@pytest.fixture
def surroundings() -> TestSurroundings:
    return TestSurroundings()


@pytest.fixture
async def client(surroundings: TestSurroundings, database: str) -> AsyncIterator[httpx.AsyncClient]:
    async with counter_service(database) as (_, ledger):
        app = api(surroundings, ledger)
        async with client_of(app, surroundings.token("adder", "reader")) as made:
            yield made


@pytest.fixture
async def plain(surroundings: TestSurroundings) -> AsyncIterator[httpx.AsyncClient]:
    """Without a ledger: for what never reaches it."""
    async with client_of(api(surroundings), surroundings.token("adder", "reader")) as made:
        yield made


def slug(answer: httpx.Response) -> str:
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "instance"} <= problem.keys()
    assert problem["status"] == answer.status_code
    found: str = problem["type"]
    return found.removeprefix("urn:jiexu:problem:")


async def test_the_same_request_twice_is_answered_the_same(client: httpx.AsyncClient) -> None:
    first = await client.post("/v1/counters/c", json={"amount": 5}, headers=KEY)
    await client.post("/v1/counters/c", json={"amount": 1}, headers={"idempotency-key": "k2"})
    again = await client.post("/v1/counters/c", json={"amount": 5}, headers=KEY)
    assert (first.status_code, first.json()) == (201, {"id": "c", "total": 5})
    assert (again.status_code, again.json()) == (201, {"id": "c", "total": 5})
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    ("path", "amount"), [("/v1/counters/c?x=1", 5), ("/v1/counters/d", 5), ("/v1/counters/c", 6)]
)
async def test_the_same_key_for_another_request_is_refused(
    client: httpx.AsyncClient, path: str, amount: int
) -> None:
    await client.post("/v1/counters/c", json={"amount": 5}, headers=KEY)
    other = await client.post(path, json={"amount": amount}, headers=KEY)
    assert (other.status_code, slug(other)) == (409, "command-id-reused")


async def test_keys_of_two_callers_never_meet(
    client: httpx.AsyncClient, surroundings: TestSurroundings
) -> None:
    await client.post("/v1/counters/c", json={"amount": 5}, headers=KEY)
    another = surroundings.token("adder", actor_id="actor-2")
    headers = KEY | {"authorization": f"Bearer {another}"}
    second = await client.post("/v1/counters/c", json={"amount": 6}, headers=headers)
    assert (second.status_code, second.json()["total"]) == (201, 11)


async def test_a_rejection_is_a_problem_with_its_fields_in_the_language_asked_for(
    client: httpx.AsyncClient,
) -> None:
    refused = await client.post("/v1/counters/c", json={"amount": 601}, headers=KEY)
    assert (refused.status_code, slug(refused)) == (409, "day-is-full")
    assert refused.json()["day"] == 1
    chinese = await client.post(
        "/v1/counters/c", json={"amount": 601}, headers=KEY | {"accept-language": "zh-CN,en;q=0.5"}
    )
    assert chinese.json()["detail"] != refused.json()["detail"]
    assert chinese.headers["content-language"] == "zh"


@pytest.mark.parametrize(
    ("headers", "status", "what"),
    [
        ({}, 400, "idempotency-key-is-missing"),
        ({"idempotency-key": ""}, 422, "field-is-wrong"),
        ({"idempotency-key": "a b"}, 422, "field-is-wrong"),
        ({"idempotency-key": "x" * 129}, 422, "field-is-wrong"),
    ],
    ids=str,
)
async def test_every_command_needs_a_key(
    plain: httpx.AsyncClient, headers: dict[str, str], status: int, what: str
) -> None:
    refused = await plain.post("/v1/counters/c", json={"amount": 1}, headers=headers)
    assert (refused.status_code, slug(refused)) == (status, what)


@pytest.mark.parametrize(
    ("raw", "status", "what"),
    [
        (b'{"amount":1,"amount":1}', 422, "body-is-unreadable"),
        (b'{"amount":NaN}', 422, "body-is-unreadable"),
        (b"\xff", 422, "body-is-unreadable"),
        (b"{", 422, "body-is-unreadable"),
        (b"[" * 17 + b"]" * 17, 422, "body-is-unreadable"),
        (b'{"amount":"\\u0000"}', 422, "body-is-unreadable"),
        (b'{"amount":' + b" " * 10_000 + b"1}", 413, "too-large"),
        (b"", 422, "field-is-wrong"),
        (b"[]", 422, "field-is-wrong"),
    ],
    ids=lambda v: str(v)[:30],
)
async def test_a_body_that_cannot_be_read_is_told_why(
    plain: httpx.AsyncClient, raw: bytes, status: int, what: str
) -> None:
    headers = KEY | {"content-type": "application/json"}
    refused = await plain.post("/v1/counters/c", content=raw, headers=headers)
    assert (refused.status_code, slug(refused)) == (status, what)


async def test_wrong_fields_are_named_and_nothing_that_was_sent_is_echoed(  # INV-15, P1-9
    plain: httpx.AsyncClient,
) -> None:
    body = {"amount": "13800138000 李华", "李华": 1, "secret": "北京"}
    refused = await plain.post("/v1/counters/c", json=body, headers=KEY)
    assert (refused.status_code, slug(refused)) == (422, "field-is-wrong")
    problem = refused.json()
    assert problem["field"] == "amount"
    assert problem["detail"] == "The field amount is wrong. Correct it and try again."
    plain.headers["accept-language"] = "zh"
    chinese = (await plain.post("/v1/counters/c", json=body, headers=KEY)).json()
    assert chinese["detail"] == "字段 amount 有误。请改正后重试。"
    assert {"field": "secret", "reason": "bool_parsing"} in problem["errors"]
    assert {"field": "body", "reason": "extra_forbidden"} in problem["errors"]
    assert not any(word in refused.text for word in ("李华", "138", "北京"))


async def test_a_list_is_read_page_by_page_to_its_end(plain: httpx.AsyncClient) -> None:
    seen: list[int] = []
    after: str | None = None
    for _ in range(10):
        params: dict[str, Any] = {"limit": 3} | ({"after": after} if after else {})
        found = (await plain.get("/v1/items", params=params)).json()
        seen += [item["n"] for item in found["items"]]
        after = found["next"]
        if after is None:
            break
    assert seen == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "after=x",
        "after=W10",
        "after=e30",
        "after=WzEuNV0",
        "after=WyJcdTAwMDAiXQ",
        "after=" + "A" * 1025,
    ],
)
async def test_a_page_that_cannot_be_asked_for_is_a_wrong_field(
    plain: httpx.AsyncClient, query: str
) -> None:
    refused = await plain.get(f"/v1/items?{query}")
    assert (refused.status_code, slug(refused)) == (422, "field-is-wrong")
    assert refused.json()["field"] in ("limit", "after")


async def test_a_weak_login_is_asked_for_a_stronger_one(
    plain: httpx.AsyncClient, surroundings: TestSurroundings
) -> None:
    weak = await plain.get("/v1/strong")
    assert (weak.status_code, slug(weak)) == (403, "strong-login-is-needed")
    token = surroundings.token("reader", acr="strong")
    strong = await plain.get("/v1/strong", headers={"authorization": f"Bearer {token}"})
    assert strong.json() == {"actor": "actor-1"}


@pytest.mark.parametrize(
    ("path", "status", "what"),
    [
        ("/v1/nothing", 404, "not-found"),
        ("/v1/fails/absent", 404, "not-found"),
        ("/v1/fails/away", 503, "unavailable"),
    ],
)
async def test_other_outcomes_are_problems_too(
    plain: httpx.AsyncClient, path: str, status: int, what: str
) -> None:
    found = await plain.get(path)
    assert (found.status_code, slug(found)) == (status, what)
    if status == 503:
        assert found.headers["retry-after"] == "7"


async def test_a_method_that_is_not_allowed_is_a_problem(plain: httpx.AsyncClient) -> None:
    found = await plain.put("/v1/items")
    assert (found.status_code, slug(found)) == (405, "method-not-allowed")
    assert found.headers["allow"] == "GET"


async def test_a_defect_is_told_by_its_number_alone(  # INV-15
    plain: httpx.AsyncClient, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        found = await plain.get("/v1/fails/defect")
    assert (found.status_code, slug(found)) == (500, "internal")
    told = capsys.readouterr()
    written = told.out + told.err + caplog.text
    assert found.json()["instance"] in written
    assert "ValueError" in written
    assert not any(word in found.text + written for word in ("李华", "13800138000"))


async def test_every_route_obeys_its_roles(surroundings: TestSurroundings) -> None:
    app = api(surroundings)
    roles = ["adder", "reader", "stranger"]
    tried = await assert_routes_obey_roles(
        app, surroundings, roles, public=frozenset({"GET /v1/open"})
    )
    assert tried == 4 * 7
    with pytest.raises(AssertionError, match="GET /v1/open lets everybody in"):
        await assert_routes_obey_roles(app, surroundings, roles)


async def test_a_route_without_a_guard_is_found_in_routers_and_mounts(
    surroundings: TestSurroundings,
) -> None:
    app = api(surroundings)
    assert routes_without_guard(app) == ()
    inner = APIRouter()

    @inner.get("/bare/{x}")
    async def bare(x: str) -> Any:
        return {}

    app.include_router(inner, prefix="/v2")
    mounted = FastAPI(openapi_url=None)
    mounted.include_router(inner)
    app.mount("/m", mounted)
    assert routes_without_guard(app) == ("GET /v2/bare/{x}", "GET /m/bare/{x}")
    with pytest.raises(AssertionError, match="has no guard"):
        await assert_routes_obey_roles(app, surroundings, [], public=frozenset({"GET /v1/open"}))


def test_roles_are_named_where_routes_are(surroundings: TestSurroundings) -> None:
    found = {f"{method} {path}": guard for method, path, guard in routes_of(api(surroundings))}
    add = found["POST /v1/counters/{counter}"]
    assert add is not None
    assert add.roles == {"adder"}
    with pytest.raises(ValueError, match="needs the names"):
        require()
    with pytest.raises(ValueError, match="lower-case"):
        require("Adder")


async def test_the_documents_need_nothing_from_elsewhere(plain: httpx.AsyncClient) -> None:
    plain.headers.pop("authorization")
    docs = await plain.get("/docs")
    assert "http://" not in docs.text
    assert "https://" not in docs.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"docs/{asset}" in docs.text
        assert (await plain.get(f"/docs/{asset}")).status_code == 200
    assert (await plain.get("/docs/..%2f__init__.py")).status_code == 404
    described = (await plain.get("/openapi.json")).json()
    operation = described["paths"]["/v1/counters/{counter}"]["post"]
    assert operation["security"] == [{"node-token": []}]
    required = {p["name"]: p["required"] for p in operation["parameters"]}
    assert required == {"counter": True, "Idempotency-Key": True}
    problem = operation["responses"]["default"]["content"]["application/problem+json"]
    assert "instance" in problem["schema"]["properties"]
    shown = described["paths"]["/v1/items"]["get"]["responses"]["200"]["content"]
    assert shown["application/json"]["example"] == {"items": [{"n": 7}], "next": None}


async def test_metrics_know_routes_and_no_ids(
    plain: httpx.AsyncClient, surroundings: TestSurroundings
) -> None:
    await plain.get("/v1/fails/absent")
    await plain.get("/v1/secret-id-of-nobody")
    await plain.request("BREW", "/v1/items")
    text = surroundings.metrics.render()[0].decode()
    assert 'route="/v1/fails/{how}",status="404"' in text
    assert "secret-id" not in text
    assert 'method="OTHER"' in text


async def test_grants_at_an_organisation_let_in_too(
    surroundings: TestSurroundings,
) -> None:
    token = surroundings.token(Grant("reader", organisation_id="o1"))
    async with client_of(api(surroundings), token) as client:
        assert (await client.get("/v1/items")).status_code == 200


def test_a_problem_passes_through_context_managers() -> None:
    # Frozen exceptions cannot: contextlib sets their traceback.
    import contextlib

    @contextlib.contextmanager
    def around() -> Any:
        yield

    with pytest.raises(Problem), around():
        raise not_found()


def test_a_title_is_the_first_sentence() -> None:
    from shared.problems import response

    told = json.loads(bytes(response(not_found(), "zh").body))
    assert told["title"] == "没有这一资源，或您无权查看"
