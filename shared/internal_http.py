"""How does one service of a node ask another, and know who asks?

Bearer JWT, 60 s, ``iss=service:transfer``, ``aud=records``, a key file per service; the public
halves are in settings (architecture.md 6).
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from joserfc.jwk import OKPKey

from shared.auth import TokenIsWrong, sign_claims, verified_claims
from shared.canonical import load
from shared.clock import Clock
from shared.messages import Unavailable, Unreadable
from shared.problems import actor_may_not, token_is_missing, token_is_wrong
from shared.signing import kid, load_public_key

LIFETIME: Final = timedelta(seconds=60)
# The answer to a page of 500 leaves with bodies of 8 KiB stays below.
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
TIMEOUT: Final = httpx.Timeout(10.0, connect=2.0)
LIMITS: Final = httpx.Limits(max_connections=32, max_keepalive_connections=8)
# First try and two more; a job or a reader tries again later by itself.
DELAYS_SECONDS: Final = (0.1, 0.4)
_AWAY: Final = frozenset({429, 502, 503, 504})


class Refused(Exception):
    """The neighbour said no: its status and problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('type', '')}")
        self.status = status
        self.problem = problem

    @property
    def slug(self) -> str:
        """``already-registered-here``; empty where the answer was no problem document."""
        return str(self.problem.get("type", "")).removeprefix("urn:jiexu:problem:")


class InternalVerifier:
    """Knows the node's services by their public keys (``service-<name>.pub`` in a directory)."""

    def __init__(self, service: str, publics: Mapping[str, Ed25519PublicKey], clock: Clock) -> None:
        self._service = service
        self._keys = {
            name: {kid(f"service:{name}", key.public_bytes_raw()): OKPKey.import_key(key)}
            for name, key in publics.items()
        }
        self._clock = clock

    @classmethod
    def from_directory(cls, service: str, directory: Path, clock: Clock) -> InternalVerifier:
        found = sorted(directory.glob("service-*.pub"))
        publics = {path.stem.removeprefix("service-"): load_public_key(path) for path in found}
        return cls(service, publics, clock)

    @property
    def known(self) -> frozenset[str]:
        """The services whose public keys are here."""
        return frozenset(self._keys)

    def caller(self, token: str, allowed: frozenset[str]) -> str:
        """The name of the service that asks; raises ``TokenIsWrong``."""
        for name in allowed & self._keys.keys():
            try:
                claims = verified_claims(
                    token,
                    self._keys[name],
                    issuer=f"service:{name}",
                    audience=self._service,
                    now_seconds=self._clock.now().timestamp(),
                )
            except TokenIsWrong:
                continue
            if claims["exp"] - claims.get("iat", 0) > LIFETIME.total_seconds():
                raise TokenIsWrong("exp")
            return name
        raise TokenIsWrong("iss")


@dataclass(frozen=True)
class CallsFrom:
    """A dependency for routes under /internal/v1: lets these services in, gives their name."""

    services: frozenset[str]

    async def __call__(self, request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise token_is_missing()
        verifier: InternalVerifier = request.app.state.internal_verifier
        try:
            return verifier.caller(token.strip(), self.services)
        except TokenIsWrong:
            pass
        try:
            verifier.caller(token.strip(), verifier.known)
        except TokenIsWrong:
            raise token_is_wrong() from None
        raise actor_may_not()


def calls_from(*services: str) -> CallsFrom:
    """``Depends(calls_from("transfer"))``; a service that is not named gets 403."""
    if not services:
        raise ValueError("an internal route needs the names of its callers")
    return CallsFrom(frozenset(services))


def routes_without_caller(app: FastAPI) -> tuple[str, ...]:
    """``GET /path`` of each route that names no callers. A process with any refuses to start."""
    return tuple(
        f"{'/'.join(sorted(found.methods or ()))} {found.path}"
        for found in iter_route_contexts(app.routes)
        if isinstance(dependant := getattr(found, "dependant", None), Dependant)
        and not _has_callers(dependant)
    )


def _has_callers(dependant: Dependant) -> bool:
    return isinstance(dependant.call, CallsFrom) or any(map(_has_callers, dependant.dependencies))


class InternalClient:
    """Asks one neighbour. Safe to share between tasks; close the ``httpx`` client it was given.

    GETs are tried three times. A POST is sent again only where it was surely not taken: no
    connection, or an answer that says so.
    """

    def __init__(
        self,
        *,
        service: str,
        neighbour: str,
        base_url: str,
        key: Ed25519PrivateKey,
        clock: Clock,
        client: httpx.AsyncClient,
    ) -> None:
        self._issuer = f"service:{service}"
        self._neighbour = neighbour
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._kid = kid(self._issuer, key.public_key().public_bytes_raw())
        self._clock = clock
        self._client = client

    async def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """The JSON of ``GET path``; raises ``Refused`` or ``Unavailable``."""
        return self._json(await self._ask("GET", path, params=params))

    async def get_bytes(self, path: str) -> bytes:
        """The bytes of ``GET path``, at most ``MAX_ANSWER_BYTES``."""
        return await self._ask("GET", path)

    async def post(self, path: str, body: Any) -> Any:
        """The JSON that ``POST path`` answers; raises ``Refused`` or ``Unavailable``."""
        return self._json(await self._ask("POST", path, json=body))

    async def _ask(self, method: str, path: str, **content: Any) -> bytes:
        again = iter(DELAYS_SECONDS)
        while True:
            try:
                return await self._once(method, path, **content)
            except Unavailable as away:
                delay = next(again, None)
                if delay is None or not (method == "GET" or getattr(away, "untaken", False)):
                    raise
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))

    async def _once(self, method: str, path: str, **content: Any) -> bytes:
        headers = {"authorization": f"Bearer {self._token()}", "accept-language": "en"}
        try:
            async with self._client.stream(
                method,
                self._base_url + path,
                headers=headers,
                timeout=TIMEOUT,
                follow_redirects=False,
                **content,
            ) as answer:
                raw = await self._bounded(answer)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise _Untaken(f"{self._neighbour} does not answer") from None
        except httpx.HTTPError:
            raise Unavailable(f"{self._neighbour} broke off") from None
        if answer.status_code in _AWAY:
            raise _Untaken(f"{self._neighbour} is away", _retry_after(answer))
        if answer.status_code >= 500:
            raise Unavailable(f"{self._neighbour} failed")
        if not answer.is_success:
            raise Refused(answer.status_code, _problem(raw))
        return raw

    async def _bounded(self, answer: httpx.Response) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in answer.aiter_bytes():
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                raise Unavailable(f"{self._neighbour} answers too much")
            pieces.append(piece)
        return b"".join(pieces)

    def _token(self) -> str:
        now = int(self._clock.now().timestamp())
        return sign_claims(
            self._key,
            self._kid,
            {
                "iss": self._issuer,
                "sub": self._issuer,
                "aud": self._neighbour,
                "iat": now,
                "nbf": now,
                "exp": now + int(LIFETIME.total_seconds()),
            },
        )

    def _json(self, raw: bytes) -> Any:
        try:
            return load(raw, max_depth=32)
        except Unreadable:
            raise Unavailable(f"{self._neighbour} answers what is no JSON") from None


def new_client(tls: ssl.SSLContext | None = None) -> httpx.AsyncClient:
    """A client with the limits above; the node's own proxies and environment are not asked.

    ``tls``: whom it takes and what it shows where a URL is https; None: the system's authorities.
    """
    return httpx.AsyncClient(
        limits=LIMITS, timeout=TIMEOUT, trust_env=False, verify=True if tls is None else tls
    )


class _Untaken(Unavailable):
    untaken = True


def _retry_after(answer: httpx.Response) -> int:
    text = answer.headers.get("retry-after", "1")
    return min(int(text), 60) if text.isdigit() else 1


def _problem(raw: bytes) -> Mapping[str, Any]:
    try:
        problem = load(raw)
    except Unreadable:
        return {}
    return problem if isinstance(problem, dict) else {}
