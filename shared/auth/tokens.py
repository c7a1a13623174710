"""Whose token is this? JWTs signed with Ed25519; algorithm, issuer, audience and key are pinned.

A node token is issued by the node's registry and lives 15 minutes (architecture.md 6).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import OKPKey
from joserfc.jws import JWSAlgModel, JWSRegistry

from shared.clock import Clock
from shared.messages import Actor, Grant
from shared.signing import kid

AUDIENCE: Final = "jiexu"
ALGORITHM: Final = "EdDSA"
LIFETIME: Final = timedelta(minutes=15)
# Clocks of one node's machines differ by less.
LEEWAY_SECONDS: Final = 30
# Claims of one person; a token is a header of every request.
MAX_TOKEN_CHARACTERS: Final = 8_192
MAXROLES: Final = 64

ROLE = re.compile(r"[a-z][a-z_]{0,39}")
_TEXT_CLAIM_CHARACTERS: Final = 256


class TokenIsWrong(Exception):
    """A token that is not taken; the reason is for tests and logs, never for the caller."""


class PinnedAlgorithms(JWSRegistry):
    """Exactly these algorithms.

    joserfc warns at each use of the name EdDSA, which RFC 9864 gives up for Ed25519; every issuer
    still says EdDSA, and the key pins the curve.
    """

    def __init__(self, algorithms: Collection[str]) -> None:
        super().__init__(algorithms=algorithms)
        self._pinned = frozenset(algorithms)

    def get_alg(self, name: str) -> JWSAlgModel:
        if name not in self._pinned:
            raise UnsupportedAlgorithmError("the algorithm is not pinned")
        return self.algorithms[name]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who presented a valid token. ``strong``: logged in by a means that settings call strong."""

    actor: Actor
    strong: bool
    acr: str | None = None


def issue_token(
    private_key: Ed25519PrivateKey,
    node: str,
    actor_id: str,
    roles: Sequence[Grant | Mapping[str, Any]],
    subject_id: str | None = None,
    acr: str | None = None,
    ttl: timedelta = LIFETIME,
    *,
    clock: Clock,
) -> str:
    """A node token for ``actor_id``; ``roles`` as grants or as their members."""
    now = int(clock.now().timestamp())
    grants = [role if isinstance(role, Grant) else Grant(**role) for role in roles]
    claims: dict[str, Any] = {
        "iss": node,
        "sub": actor_id,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + int(ttl.total_seconds()),
        "roles": [_grant_claim(grant) for grant in grants],
    }
    if subject_id is not None:
        claims["subject_id"] = subject_id
    if acr is not None:
        claims["acr"] = acr
    return sign_claims(private_key, kid(node, private_key.public_key().public_bytes_raw()), claims)


def sign_claims(private_key: Ed25519PrivateKey, key_id: str, claims: Mapping[str, Any]) -> str:
    """A JWT with the one algorithm that we sign with."""
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": key_id}
    registry = PinnedAlgorithms([ALGORITHM])
    return jwt.encode(header, dict(claims), OKPKey.import_key(private_key), registry=registry)


def verified_claims(
    token: str,
    keys: Mapping[str, OKPKey],
    *,
    issuer: str,
    audience: str,
    now_seconds: float,
) -> dict[str, Any]:
    """The claims of a token signed by one of ``keys`` (by kid); raises ``TokenIsWrong``.

    Checked: length, algorithm, kid, signature, iss, aud, exp, nbf, iat and a sub.
    """
    if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
        raise TokenIsWrong("length")
    try:
        decoded = jwt.decode(
            token,
            lambda guest: _key(guest.headers(), keys),
            registry=PinnedAlgorithms([ALGORITHM]),
        )
    except (JoseError, ValueError, TypeError, KeyError):
        raise TokenIsWrong("signature, algorithm or form") from None
    claims = decoded.claims
    for name, expected in (("iss", issuer), ("aud", audience)):
        if claims.get(name) != expected:
            raise TokenIsWrong(name)
    check_times(claims, now_seconds)
    return claims


def check_times(claims: Mapping[str, Any], now_seconds: float) -> None:
    """exp must be ahead; nbf and iat, where present, behind; ``LEEWAY_SECONDS`` apart at most."""
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name)
        if value is None and name != "exp":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TokenIsWrong(name)
        late = now_seconds >= value + LEEWAY_SECONDS
        early = now_seconds < value - LEEWAY_SECONDS
        if late if name == "exp" else early:
            raise TokenIsWrong(name)


class TokenVerifier:
    """Turns a bearer token into its caller, for one node and the keys of its registry."""

    def __init__(
        self,
        node: str,
        publics: Iterable[Ed25519PublicKey],
        clock: Clock,
        strong_acr: Iterable[str] = ("strong",),
    ) -> None:
        self._node = node
        self._keys = {kid(node, p.public_bytes_raw()): OKPKey.import_key(p) for p in publics}
        self._clock = clock
        self._strong = frozenset(strong_acr)

    def verify(self, token: str) -> Caller:
        """Raises ``TokenIsWrong`` for whatever is not exactly a token of this node."""
        claims = verified_claims(
            token,
            self._keys,
            issuer=self._node,
            audience=AUDIENCE,
            now_seconds=self._clock.now().timestamp(),
        )
        acr = _text(claims, "acr")
        actor_id = _text(claims, "sub")
        if actor_id is None or actor_id.startswith("system:"):
            raise TokenIsWrong("sub")
        actor = Actor(actor_id, _grants(claims.get("roles")), _text(claims, "subject_id"))
        return Caller(actor, acr in self._strong, acr)


def _key(header: Mapping[str, Any], keys: Mapping[str, OKPKey]) -> OKPKey:
    key = keys.get(str(header.get("kid")))
    if key is None:
        raise TokenIsWrong("kid")
    return key


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= _TEXT_CLAIM_CHARACTERS:
        raise TokenIsWrong(name)
    return value


def _grants(roles: Any) -> tuple[Grant, ...]:
    if not isinstance(roles, list) or len(roles) > MAXROLES:
        raise TokenIsWrong("roles")
    return tuple(_grant(item) for item in roles)


def _grant(item: Any) -> Grant:
    if not isinstance(item, dict):
        raise TokenIsWrong("roles")
    role = _text(item, "role")
    # ``system`` is a job or a policy of a service, never somebody with a token.
    if role is None or role == "system" or not ROLE.fullmatch(role):
        raise TokenIsWrong("roles")
    return Grant(role, _text(item, "organisation_id"), _text(item, "region"))


def _grant_claim(grant: Grant) -> dict[str, str]:
    members = {
        "role": grant.role,
        "organisation_id": grant.organisation_id,
        "region": grant.region,
    }
    return {name: value for name, value in members.items() if value is not None}


NOBODY: Final = Caller(Actor(actor_id=""), strong=False)
