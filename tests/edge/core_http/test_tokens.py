"""Whose token is taken, and whose is not? architecture.md 6."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.auth import (
    TokenIsWrong,
    TokenVerifier,
    issue_token,
    sign_claims,
)
from shared.clock import FixedClock
from shared.messages import Actor, Grant
from shared.signing import kid

NOW = datetime(2027, 3, 1, 2, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
KID = kid("500000", KEY.public_key().public_bytes_raw())
RECORDER = Grant("recorder", organisation_id="o1", region="500103")


def verifier(at: datetime = NOW, node: str = "500000") -> TokenVerifier:
    return TokenVerifier(node, [KEY.public_key()], FixedClock(at), strong_acr=("strong", "face"))


def claims(**changes: Any) -> dict[str, Any]:
    at = int(NOW.timestamp())
    whole: dict[str, Any] = {
        "iss": "500000",
        "sub": "u1",
        "aud": "jiexu",
        "iat": at,
        "nbf": at,
        "exp": at + 900,
        "roles": [{"role": "volunteer"}],
    }
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def token(key: Ed25519PrivateKey = KEY, key_id: str = KID, **changes: Any) -> str:
    return sign_claims(key, key_id, claims(**changes))


def test_an_issued_token_gives_its_actor() -> None:
    made = issue_token(
        KEY, "500000", "u1", [RECORDER, {"role": "volunteer"}], "s1", "face", clock=FixedClock(NOW)
    )
    caller = verifier().verify(made)
    assert caller.actor == Actor("u1", (RECORDER, Grant("volunteer")), "s1")
    assert (caller.strong, caller.acr) == (True, "face")


def test_a_login_without_a_strong_acr_is_not_strong() -> None:
    for acr in (None, "password"):
        made = issue_token(KEY, "500000", "u1", [], acr=acr, clock=FixedClock(NOW))
        assert not verifier().verify(made).strong


def test_a_token_lives_fifteen_minutes_give_or_take_the_leeway() -> None:
    made = issue_token(KEY, "500000", "u1", [], clock=FixedClock(NOW))
    assert verifier(NOW + timedelta(minutes=15, seconds=29)).verify(made).actor.actor_id == "u1"
    assert verifier(NOW - timedelta(seconds=30)).verify(made).actor.actor_id == "u1"
    for at in (NOW + timedelta(minutes=15, seconds=30), NOW - timedelta(seconds=31)):
        with pytest.raises(TokenIsWrong):
            verifier(at).verify(made)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "510100"}, "iss"),
        ({"iss": ...}, "iss"),
        ({"aud": "records"}, "aud"),
        ({"aud": ["jiexu"]}, "aud"),
        ({"aud": ...}, "aud"),
        ({"exp": ...}, "exp"),
        ({"exp": "9999999999"}, "exp"),
        ({"exp": True}, "exp"),
        ({"nbf": int(NOW.timestamp()) + 60}, "nbf"),
        ({"iat": int(NOW.timestamp()) + 60}, "iat"),
        ({"sub": ...}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 17}, "sub"),
        ({"sub": "x" * 257}, "sub"),
        ({"sub": "system:records"}, "sub"),
        ({"roles": ...}, "roles"),
        ({"roles": {"role": "volunteer"}}, "roles"),
        ({"roles": ["volunteer"]}, "roles"),
        ({"roles": [{"role": "system"}]}, "roles"),
        ({"roles": [{"role": "Volunteer"}]}, "roles"),
        ({"roles": [{"role": "volunteer", "region": 5}]}, "region"),
        ({"roles": [{"role": "volunteer"}] * 65}, "roles"),
        ({"subject_id": ["s1"]}, "subject_id"),
        ({"acr": 1}, "acr"),
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_not_taken(changes: dict[str, Any], reason: str) -> None:
    assert verifier().verify(token()).actor.actor_id == "u1"
    with pytest.raises(TokenIsWrong, match=reason):
        verifier().verify(token(**changes))


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned() -> str:
    return f"{part({'alg': 'none', 'kid': KID})}.{part(claims())}."


def confused() -> str:
    """HS256 with the public key as the secret."""
    head = f"{part({'alg': 'HS256', 'kid': KID})}.{part(claims())}"
    secret = KEY.public_key().public_bytes_raw()
    return f"{head}.{part(hmac.digest(secret, head.encode(), sha256))}"


def forged() -> str:
    return token(Ed25519PrivateKey.generate())


def of_an_unknown_key() -> str:
    other = Ed25519PrivateKey.generate()
    return token(other, kid("500000", other.public_key().public_bytes_raw()))


def altered() -> str:
    head, _, sig = token().split(".")
    return f"{head}.{part(claims(roles=[{'role': 'city_reviewer'}]))}.{sig}"


def with_its_own_key() -> str:
    """A header that brings the key it was signed with."""
    other = Ed25519PrivateKey.generate()
    x = part(other.public_key().public_bytes_raw())
    head = {"alg": "EdDSA", "kid": KID, "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}
    text = f"{part(head)}.{part(claims())}"
    return f"{text}.{part(other.sign(text.encode()))}"


@pytest.mark.parametrize(
    "make", [unsigned, confused, forged, of_an_unknown_key, altered, with_its_own_key]
)
def test_a_forged_token_is_not_taken(make: Callable[[], str]) -> None:
    with pytest.raises(TokenIsWrong):
        verifier().verify(make())


@pytest.mark.parametrize("text", ["", "a", "a.b.c", "..", "é.é.é", "a." * 5000, part({}) + ".a.b"])
def test_what_is_no_token_is_not_taken(text: str) -> None:
    with pytest.raises(TokenIsWrong):
        verifier().verify(text)


def test_another_nodes_token_is_not_taken_though_its_key_is_the_same() -> None:
    with pytest.raises(TokenIsWrong):
        verifier(node="510100").verify(token())
