"""POST /tokens against a real OIDC issuer that the test starts as an HTTP server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from shared.auth import Caller
from tests.edge.registry.conftest import NOW, Registry, person, slug
from tests.support.listening import listening

AUDIENCE = "jiexu-500000"


@dataclass
class Issuer:
    """A login service: discovery, keys, and the tokens it signs."""

    url: str
    rsa: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "rsa-1"}))
    okp: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519", {"kid": "ed-1"}))
    asked: int = 0

    def token(self, sub: str = "wang", alg: str = "RS256", **claims: Any) -> str:
        key = self.rsa if alg == "RS256" else self.okp
        now = int(NOW.timestamp())
        body = {
            "iss": self.url,
            "sub": sub,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        } | claims
        header = {"alg": alg, "kid": key.kid}
        registry = JWSRegistry(algorithms=["RS256"]) if alg == "RS256" else Pinned()
        return jwt.encode(header, body, key, registry=registry)


class Pinned(JWSRegistry):
    """EdDSA, which joserfc would warn of by its older name."""

    def __init__(self) -> None:
        super().__init__(algorithms=["EdDSA"])

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    app = FastAPI()
    made = Issuer("")

    @app.get("/.well-known/openid-configuration")
    def discovery() -> dict[str, str]:
        return {"issuer": made.url, "jwks_uri": f"{made.url}/keys"}

    @app.get("/keys")
    def keys() -> JSONResponse:
        made.asked += 1
        public = [made.rsa.as_dict(private=False), made.okp.as_dict(private=False)]
        return JSONResponse({"keys": public})

    async with listening(app) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


@pytest.fixture
def more_settings(issuer: Issuer, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "issuers.json"
    path.write_text(
        json.dumps(
            [
                {
                    "issuer": issuer.url,
                    "audience": AUDIENCE,
                    "algorithms": ["RS256", "EdDSA"],
                    "may_grant": ["county_reviewer", "recorder"],
                }
            ]
        )
    )
    return {"oidc_issuers": path}


async def exchange(registry: Registry, token: str, key: str | None = None) -> Any:
    async with registry.client() as anybody:
        return await registry.post(anybody, "/tokens", {"token": token}, key)


def caller(registry: Registry, answer: Any) -> Caller:
    assert answer.status_code == 201, answer.text
    return registry.parts.verifier.verify(answer.json()["access_token"])


@pytest.mark.parametrize("alg", ["RS256", "EdDSA"])
async def test_a_login_that_is_bound_to_nobody_may_register(
    registry: Registry, issuer: Issuer, alg: str
) -> None:
    who = caller(registry, await exchange(registry, issuer.token(alg=alg)))
    assert [grant.role for grant in who.actor.grants] == ["login"]
    assert who.actor.subject_id is None
    assert "wang" not in who.actor.actor_id


async def test_the_login_is_bound_by_registering(registry: Registry, issuer: Issuer) -> None:
    first = await exchange(registry, issuer.token())
    headers = {
        "authorization": f"Bearer {first.json()['access_token']}",
        "idempotency-key": "k",
    }
    async with registry.client() as anybody:
        made = await anybody.post("/volunteers", json=person(), headers=headers)
    assert made.status_code == 201, made.text
    second = await exchange(registry, issuer.token(acr="strong"))
    who = caller(registry, second)
    assert [grant.role for grant in who.actor.grants] == ["volunteer"]
    assert who.actor.subject_id == made.json()["subject_id"] == second.json()["subject_id"]
    assert who.strong
    assert not caller(registry, await exchange(registry, issuer.token(acr="weak"))).strong


async def test_an_application_binds_the_login_to_itself(registry: Registry, issuer: Issuer) -> None:
    first = await exchange(registry, issuer.token())
    headers = {
        "authorization": f"Bearer {first.json()['access_token']}",
        "idempotency-key": "k",
    }
    async with registry.client() as anybody:
        made = await anybody.post("/applicants", json=person(), headers=headers)
    second = await exchange(registry, issuer.token())
    assert second.json()["applicant_ref"] == made.json()["applicant_ref"]
    assert [each["role"] for each in second.json()["roles"]] == ["login"]


async def test_staff_get_what_their_issuer_may_grant_and_no_more(
    registry: Registry, issuer: Issuer
) -> None:
    listed = [
        "county_reviewer@500103",
        "recorder:0f6a2d6c4b7e4e0f8a3f5c1d2e9b7a60",
        {"role": "county_reviewer", "region": "500105"},
        "city_reviewer@500000",
        "system",
        "volunteer",
        "county_reviewer@999999999",
        {"role": "recorder", "organisation_id": "a b"},
        7,
    ]
    answer = await exchange(registry, issuer.token("officer", jiexu_roles=listed))
    assert answer.json()["roles"] == [
        {"role": "login", "organisation_id": None, "region": None},
        {"role": "county_reviewer", "organisation_id": None, "region": "500103"},
        {
            "role": "recorder",
            "organisation_id": "0f6a2d6c4b7e4e0f8a3f5c1d2e9b7a60",
            "region": None,
        },
        {"role": "county_reviewer", "organisation_id": None, "region": "500105"},
    ]


async def test_a_token_is_shown_once(registry: Registry, issuer: Issuer) -> None:
    token = issuer.token()
    first = await exchange(registry, token, "k")
    again = await exchange(registry, token, "k")
    other = await exchange(registry, issuer.token("someone-else"), "k")
    assert again.json() == {"id": first.json()["id"], "shown_once": True}
    assert "access_token" in other.json()
    kept = await registry.rows("SELECT body FROM answer")
    assert all(first.json()["access_token"] not in row["body"] for row in kept)
    assert issuer.asked == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://127.0.0.1:1"},
        {"aud": "another"},
        {"exp": int(NOW.timestamp()) - 60},
        {"nbf": int(NOW.timestamp()) + 600},
        {"sub": ""},
    ],
    ids=lambda claims: next(iter(claims)),
)
async def test_a_wrong_token_gets_nothing(
    registry: Registry, issuer: Issuer, claims: dict[str, Any]
) -> None:
    answer = await exchange(registry, issuer.token(**claims))
    assert (answer.status_code, slug(answer)) == (401, "token-is-wrong")


async def test_a_forged_token_gets_nothing(registry: Registry, issuer: Issuer) -> None:  # P0-2
    other = Issuer(issuer.url)
    head, body, signature = issuer.token().split(".")
    forged = [
        other.token(),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        "eyJhbGciOiJub25lIn0." + body + ".",
        "nonsense",
    ]
    for token in forged:
        answer = await exchange(registry, token)
        assert (answer.status_code, slug(answer)) == (401, "token-is-wrong"), token[:20]


async def test_a_login_service_that_is_away_is_503(registry: Registry, issuer: Issuer) -> None:
    url, issuer.url = issuer.url, "http://127.0.0.1:9"
    token = issuer.token(iss=url)
    answer = await exchange(registry, token)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
