"""Is this token one of a login service that the settings name? (``POST /tokens`` exchanges it.)

Any OIDC issuer: its keys are fetched from its JWKS, kept for a while and bounded; algorithms are
pinned per issuer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.auth.tokens import MAX_TOKEN_CHARACTERS, PinnedAlgorithms, TokenIsWrong, check_times
from shared.canonical import load
from shared.clock import Clock
from shared.messages import Unavailable, Unreadable

# Issuers rotate keys within days; a withdrawn key is forgotten after this.
KEYS_LIVE_SECONDS: Final = 600
# An unknown kid asks the issuer again, but not for every forged token.
REFETCH_AFTER_SECONDS: Final = 30
FETCH_TIMEOUT_SECONDS: Final = 5.0
MAX_DOCUMENT_BYTES: Final = 262_144
MAX_KEYS: Final = 64
MAX_SUBJECT_CHARACTERS: Final = 255

Algorithm = Literal["RS256", "EdDSA"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcIssuer:
    """A login service as settings name it. Without ``jwks_url`` its discovery document is asked."""

    issuer: str
    audience: str
    algorithms: tuple[Algorithm, ...]
    jwks_url: str | None = None


@dataclass(slots=True)
class _Keys:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: KeySet | None = None
    fetched_at: float = 0.0


class OidcVerifier:
    """Verifies tokens of the listed issuers, and of no others."""

    def __init__(
        self, issuers: Iterable[OidcIssuer], client: httpx.AsyncClient, clock: Clock
    ) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {name: _Keys() for name in self._issuers}
        self._client = client
        self._clock = clock

    async def verify(self, token: str) -> Mapping[str, Any]:
        """The claims (iss, sub, acr, …). Raises ``TokenIsWrong``, or ``Unavailable`` where the
        issuer's keys cannot be had."""
        header, unverified = _peek(token)
        issuer = self._issuers.get(str(unverified.get("iss")))
        if issuer is None:
            raise TokenIsWrong("iss")
        if header.get("alg") not in issuer.algorithms:
            raise TokenIsWrong("alg")
        keys = await self._keys_for(issuer, header.get("kid"))
        try:
            claims = jwt.decode(token, keys, registry=PinnedAlgorithms(issuer.algorithms)).claims
        except (JoseError, ValueError, TypeError, KeyError):
            raise TokenIsWrong("signature or form") from None
        _check(claims, issuer)
        check_times(claims, self._clock.now().timestamp())
        return claims

    async def _keys_for(self, issuer: OidcIssuer, kid: Any) -> KeySet:
        known = self._keys[issuer.issuer]
        async with known.lock:
            age = time.monotonic() - known.fetched_at
            stale = known.keys is None or age > KEYS_LIVE_SECONDS
            missing = known.keys is not None and not _has(known.keys, kid)
            if stale or (missing and age > REFETCH_AFTER_SECONDS):
                known.keys = await self._fetch(issuer)
                known.fetched_at = time.monotonic()
            assert known.keys is not None
            if not _has(known.keys, kid):
                raise TokenIsWrong("kid")
            return known.keys

    async def _fetch(self, issuer: OidcIssuer) -> KeySet:
        url = issuer.jwks_url
        if url is None:
            found = await self._document(f"{issuer.issuer}/.well-known/openid-configuration")
            url = found.get("jwks_uri")
            if found.get("issuer") != issuer.issuer or not isinstance(url, str):
                raise Unavailable("the login service describes itself wrongly", 60)
        listed = (await self._document(url)).get("keys")
        if not isinstance(listed, list) or len(listed) > MAX_KEYS:
            raise Unavailable("the login service's keys are unreadable", 60)
        # Keys of other kinds (for encryption, or elliptic curves) may stand beside ours.
        usable = [key for key in listed if isinstance(key, dict) and key.get("kty") in _KTY]
        try:
            return KeySet.import_key_set({"keys": usable})
        except (JoseError, ValueError, TypeError, KeyError):
            raise Unavailable("the login service's keys are unreadable", 60) from None

    async def _document(self, url: str) -> Mapping[str, Any]:
        try:
            async with self._client.stream(
                "GET", url, timeout=FETCH_TIMEOUT_SECONDS, follow_redirects=False
            ) as answer:
                answer.raise_for_status()
                raw = b""
                async for piece in answer.aiter_bytes():
                    raw += piece
                    if len(raw) > MAX_DOCUMENT_BYTES:
                        raise Unavailable("the login service's document is too long", 60)
            document = load(raw)
        except (httpx.HTTPError, Unreadable):
            raise Unavailable("the login service does not answer", 5) from None
        if not isinstance(document, dict):
            raise Unavailable("the login service's document is unreadable", 60)
        return document


_KTY: Final = frozenset({"RSA", "OKP"})


def _has(keys: KeySet, kid: Any) -> bool:
    return any(key.kid == kid for key in keys.keys) if kid is not None else len(keys.keys) == 1


def _peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims before anything is verified: they only choose the issuer."""
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii() or token.count(".") != 2:
        raise TokenIsWrong("form")
    parts = []
    for part in token.split(".")[:2]:
        try:
            value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except (ValueError, RecursionError):
            raise TokenIsWrong("form") from None
        if not isinstance(value, dict):
            raise TokenIsWrong("form")
        parts.append(value)
    return parts[0], parts[1]


def _check(claims: Mapping[str, Any], issuer: OidcIssuer) -> None:
    if claims.get("iss") != issuer.issuer:
        raise TokenIsWrong("iss")
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if issuer.audience not in listed:
        raise TokenIsWrong("aud")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT_CHARACTERS:
        raise TokenIsWrong("sub")
