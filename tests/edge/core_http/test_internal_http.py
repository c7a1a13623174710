"""How does one service of a node ask another, and know who asks? architecture.md 6."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Depends, FastAPI

from shared import internal_http, problems
from shared.auth import TokenIsWrong, issue_token, sign_claims
from shared.clock import FixedClock
from shared.internal_http import (
    InternalClient,
    InternalVerifier,
    Refused,
    calls_from,
    routes_without_caller,
)
from shared.messages import Grant, Unavailable
from shared.signing import kid, write_public_key

NOW = datetime(2027, 3, 1, 2, 0, tzinfo=UTC)
KEYS = {name: Ed25519PrivateKey.generate() for name in ("transfer", "rewards")}
PUBLICS = {name: key.public_key() for name, key in KEYS.items()}


def claims(**changes: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    whole = {"iss": "service:transfer", "aud": "records", "iat": at, "nbf": at, "exp": at + 60}
    return whole | changes


def token(key: Ed25519PrivateKey = KEYS["transfer"], name: str = "transfer", **changes: Any) -> str:
    key_id = kid(f"service:{name}", key.public_key().public_bytes_raw())
    return sign_claims(key, key_id, claims(**changes))


def verifier(at: datetime = NOW) -> InternalVerifier:
    return InternalVerifier("records", PUBLICS, FixedClock(at))


TRANSFER = frozenset({"transfer"})


def test_a_service_is_known_by_its_key() -> None:
    assert verifier().caller(token(), TRANSFER) == "transfer"
    assert verifier().caller(token(), frozenset({"rewards", "transfer"})) == "transfer"


@pytest.mark.parametrize(
    "made",
    [
        lambda: token(iss="service:rewards"),
        lambda: token(aud="registry"),
        lambda: token(aud="jiexu"),
        lambda: token(exp=int(NOW.timestamp()) + 61),
        lambda: token(exp=int(NOW.timestamp()) - 30),
        lambda: token(Ed25519PrivateKey.generate()),
        lambda: token(KEYS["rewards"], "rewards"),
        lambda: token(KEYS["rewards"], "transfer"),
        lambda: token(KEYS["rewards"], "rewards", iss="service:rewards"),
        lambda: "no.token.atall",
        lambda: issue_token(
            KEYS["transfer"], "service:transfer", "x", [Grant("system2")], clock=FixedClock(NOW)
        ),
    ],
    ids=range(11),
)
def test_whoever_else_asks_is_not_let_in(made: Callable[[], str]) -> None:
    with pytest.raises(TokenIsWrong):
        verifier().caller(made(), TRANSFER)


def test_a_token_is_good_for_a_minute() -> None:
    made = token()
    assert verifier(NOW + timedelta(seconds=89)).caller(made, TRANSFER)
    with pytest.raises(TokenIsWrong):
        verifier(NOW + timedelta(seconds=90)).caller(made, TRANSFER)


def test_the_public_halves_are_read_from_a_directory(tmp_path: Path) -> None:
    for name, public in PUBLICS.items():
        write_public_key(tmp_path / f"service-{name}.pub", public)
    write_public_key(tmp_path / "token.pub", PUBLICS["transfer"])
    found = InternalVerifier.from_directory("records", tmp_path, FixedClock(NOW))
    assert found.known == {"transfer", "rewards"}
    assert found.caller(token(), TRANSFER) == "transfer"


def app() -> FastAPI:
    made = FastAPI(openapi_url=None)
    made.state.internal_verifier = verifier()
    problems.install(made)
    router = APIRouter()

    @router.get("/things")
    async def things(caller: Annotated[str, Depends(calls_from("transfer"))]) -> Any:
        return {"caller": caller}

    made.include_router(router, prefix="/internal/v1")
    return made


@pytest.mark.parametrize(
    ("authorization", "status", "slug"),
    [
        (None, 401, "token-is-missing"),
        ("Basic abc", 401, "token-is-missing"),
        ("Bearer x", 401, "token-is-wrong"),
        (
            f"Bearer {token(KEYS['rewards'], 'rewards', iss='service:rewards')}",
            403,
            "actor-may-not",
        ),
        (f"Bearer {token()}", 200, ""),
    ],
    ids=["none", "basic", "wrong", "unnamed", "named"],
)
async def test_a_route_lets_in_the_services_that_it_names(
    authorization: str | None, status: int, slug: str
) -> None:
    headers = {"authorization": authorization} if authorization else {}
    transport = httpx.ASGITransport(app=app())
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/internal/v1/things", headers=headers)
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"caller": "transfer"}
    else:
        assert answer.json()["type"] == f"urn:jiexu:problem:{slug}"


def test_a_route_that_names_nobody_is_found() -> None:
    made = app()
    assert routes_without_caller(made) == ()

    @made.get("/bare")
    async def bare() -> Any:
        return {}

    assert routes_without_caller(made) == ("GET /bare",)
    with pytest.raises(ValueError, match="names of its callers"):
        calls_from()


@dataclass
class Neighbour:
    """A server that answers what the test says, one answer a request; None breaks off."""

    answers: list[bytes | None]
    requests: list[str] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await reader.readline()).decode()
            if not line:
                return
            self.requests.append(line.split(" H")[0])
            answer = self.answers.pop(0)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        except ConnectionError:
            # The client had enough: that is what some tests are about.
            pass
        finally:
            writer.close()


def http(status: int, body: bytes = b"{}", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


@pytest.fixture
async def neighbour(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Neighbour]:
    monkeypatch.setattr(internal_http, "DELAYS_SECONDS", (0.001, 0.001))
    made = Neighbour([])
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield made


@pytest.fixture
async def asking(neighbour: Neighbour) -> AsyncIterator[InternalClient]:
    async with internal_http.new_client() as client:
        yield InternalClient(
            service="transfer",
            neighbour="records",
            base_url=neighbour.url,
            key=KEYS["transfer"],
            clock=FixedClock(NOW),
            client=client,
        )


async def test_a_get_is_tried_three_times(neighbour: Neighbour, asking: InternalClient) -> None:
    neighbour.answers = [None, http(503), http(200, b'{"a":1}')]
    assert await asking.get("/x", {"limit": 5}) == {"a": 1}
    assert neighbour.requests == ["GET /x?limit=5"] * 3
    neighbour.answers = [None] * 4
    with pytest.raises(Unavailable):
        await asking.get("/x")
    assert len(neighbour.answers) == 1


async def test_a_post_is_sent_again_only_where_it_was_surely_not_taken(
    neighbour: Neighbour, asking: InternalClient
) -> None:
    neighbour.answers = [http(503), http(429), http(200, b'{"a":1}')]
    assert await asking.post("/x", {"b": 2}) == {"a": 1}
    neighbour.answers = [None, http(200)]
    with pytest.raises(Unavailable):
        await asking.post("/x", {"b": 2})
    assert len(neighbour.answers) == 1
    neighbour.answers = [http(500), http(200)]
    with pytest.raises(Unavailable):
        await asking.post("/x", {"b": 2})
    assert len(neighbour.answers) == 1


async def test_a_no_is_a_refusal_with_its_problem(
    neighbour: Neighbour, asking: InternalClient
) -> None:
    problem = b'{"type":"urn:jiexu:problem:transfer-is-open","status":409}'
    neighbour.answers = [http(409, problem), http(404, b"not json")]
    with pytest.raises(Refused) as refused:
        await asking.post("/x", {})
    assert (refused.value.status, refused.value.slug) == (409, "transfer-is-open")
    with pytest.raises(Refused) as bare:
        await asking.get("/x")
    assert (bare.value.status, bare.value.slug) == (404, "")


async def test_retry_after_is_passed_on_and_bounded(
    neighbour: Neighbour, asking: InternalClient
) -> None:
    neighbour.answers = [http(503, more="retry-after: 999999\r\n")] * 3
    with pytest.raises(Unavailable) as away:
        await asking.get("/x")
    assert away.value.retry_after_seconds == 60


async def test_an_answer_without_end_is_cut_off(
    neighbour: Neighbour, asking: InternalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(internal_http, "MAX_ANSWER_BYTES", 1000)
    neighbour.answers = [http(200, b"x" * 2000)] * 3
    with pytest.raises(Unavailable, match="answers too much"):
        await asking.get_bytes("/x")
    neighbour.answers = [http(200, b"x" * 1000)]
    assert await asking.get_bytes("/x") == b"x" * 1000


async def test_an_answer_that_is_no_json_and_a_redirect_are_not_taken(
    neighbour: Neighbour, asking: InternalClient
) -> None:
    neighbour.answers = [http(200, b"<html>")]
    with pytest.raises(Unavailable, match="no JSON"):
        await asking.get("/x")
    neighbour.answers = [http(302, more="location: /y\r\n")]
    with pytest.raises(Refused):
        await asking.get("/x")
    assert neighbour.requests == ["GET /x", "GET /x"]
