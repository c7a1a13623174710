"""How do tests speak to an API without a socket? Keys, tokens, and a client for an application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from shared.auth import TokenVerifier, issue_token, routes_of
from shared.clock import Clock, SystemClock
from shared.messages import Grant
from shared.telemetry import Metrics


@dataclass
class TestSurroundings:
    """What ``shared.requests.new_app`` needs, with a token key of the test's own."""

    __test__ = False

    node: str = "500000"
    clock: Clock = field(default_factory=SystemClock)
    token_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    digest_key: bytes = b"d" * 32

    def __post_init__(self) -> None:
        self.verifier = TokenVerifier(self.node, [self.token_key.public_key()], self.clock)
        self.metrics = Metrics("test", self.node)

    def token(
        self,
        *roles: str | Grant | Mapping[str, Any],
        actor_id: str = "actor-1",
        subject_id: str | None = None,
        acr: str | None = None,
        ttl: timedelta = timedelta(minutes=15),
    ) -> str:
        """A valid token; a role may be its name alone."""
        grants = [Grant(role) if isinstance(role, str) else role for role in roles]
        return issue_token(
            self.token_key, self.node, actor_id, grants, subject_id, acr, ttl, clock=self.clock
        )


def client_of(app: FastAPI, token: str | None = None, language: str = "en") -> httpx.AsyncClient:
    """A client whose requests go straight to the application."""
    headers = {"accept-language": language}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://test", headers=headers
    )


async def assert_routes_obey_roles(
    app: FastAPI,
    surroundings: TestSurroundings,
    every_role: Sequence[str],
    *,
    public: frozenset[str] = frozenset(),
) -> int:
    """Walks every route with every role and returns how many pairs were tried.

    Each route must have a guard; without a token, with a foreign or expired one, or with a role
    that it does not name, it must answer 401 or 403; with one that it names, anything else.
    ``public``: the ``GET /path`` that may let everybody in, beside the API's own documents.
    """
    documents = {"GET /docs", "GET /docs/{asset}", "GET /openapi.json"}
    strangers = TestSurroundings(node=surroundings.node, clock=surroundings.clock)
    tried = 0
    for method, path, guard in routes_of(app):
        name = f"{method} {path}"
        assert guard is not None, f"{name} has no guard"
        if guard.public:
            assert name in documents | public, f"{name} lets everybody in"
            continue
        url = path.replace("{", "").replace("}", "")
        for token, expected in (
            (None, 401),
            ("no.token.atall", 401),
            (strangers.token(*every_role, acr="strong"), 401),
            (surroundings.token(*every_role, acr="strong", ttl=timedelta(minutes=-5)), 401),
        ):
            async with client_of(app, token) as client:
                answer = await client.request(method, url, headers=_KEY, json={})
            assert answer.status_code == expected, f"{name} with a bad token: {answer.status_code}"
            tried += 1
        for role in every_role:
            async with client_of(app, surroundings.token(role, acr="strong")) as client:
                answer = await client.request(method, url, headers=_KEY, json={})
            slug = answer.json().get("type") if answer.status_code == 403 else None
            allowed = guard.roles is None or role in guard.roles
            # A decider may say ActorMayNot too: only the guard's own no is judged for others.
            if allowed:
                assert answer.status_code != 401, f"{name} knows no {role}"
            else:
                assert slug == "urn:jiexu:problem:actor-may-not", (
                    f"{name} let in {role}: {answer.status_code}"
                )
            tried += 1
    assert tried, "the application has no guarded route"
    return tried


_KEY = {"idempotency-key": "route-by-role"}
