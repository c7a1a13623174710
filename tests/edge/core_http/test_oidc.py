"""Which tokens of a login service are exchanged? Against a real issuer on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from shared.auth import OidcIssuer, OidcVerifier, TokenIsWrong
from shared.auth.tokens import PinnedAlgorithms
from shared.clock import FixedClock
from shared.messages import Unavailable

NOW = datetime(2027, 3, 1, 2, 0, tzinfo=UTC)
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed-1"})


@dataclass
class Issuer:
    """An OIDC issuer that serves its discovery document and keys, and counts who asks."""

    keys: list[dict[str, Any]]
    url: str = ""
    asked: list[str] = field(default_factory=list)
    documents: dict[str, bytes] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readline()).split()[1].decode()
        while (await reader.readline()).strip():
            pass
        self.asked.append(path)
        body = self.documents.get(path) or json.dumps(self.document(path)).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n" % len(body)
        )
        writer.write(body)
        await writer.drain()
        writer.close()

    def document(self, path: str) -> dict[str, Any]:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return {"keys": self.keys}

    def token(self, key: RSAKey | OKPKey = RSA, **changes: Any) -> str:
        at = int(NOW.timestamp())
        claims = {"iss": self.url, "sub": "p1", "aud": "node", "exp": at + 60, "iat": at} | changes
        algorithm = "RS256" if isinstance(key, RSAKey) else "EdDSA"
        header = {"alg": algorithm, "kid": key.kid}
        kept = {name: value for name, value in claims.items() if value is not ...}
        return jwt.encode(header, kept, key, registry=PinnedAlgorithms([algorithm]))


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    made = Issuer([RSA.as_dict(private=False), {"kty": "EC", "kid": "other"}])
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with server:
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield made


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as made:
        yield made


def verifier(issuer: Issuer, client: httpx.AsyncClient, **changes: Any) -> OidcVerifier:
    settings: dict[str, Any] = {
        "issuer": issuer.url,
        "audience": "node",
        "algorithms": ("RS256", "EdDSA"),
    }
    return OidcVerifier([OidcIssuer(**(settings | changes))], client, FixedClock(NOW))


async def test_a_token_of_the_issuer_gives_its_claims(
    issuer: Issuer, client: httpx.AsyncClient
) -> None:
    claims = await verifier(issuer, client).verify(issuer.token(acr="face", aud=["x", "node"]))
    assert (claims["iss"], claims["sub"], claims["acr"]) == (issuer.url, "p1", "face")


async def test_keys_are_asked_for_once_and_again_when_an_unknown_one_signs(
    issuer: Issuer, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    checking = verifier(issuer, client, jwks_url=f"{issuer.url}/keys")
    for _ in range(3):
        await checking.verify(issuer.token())
    assert issuer.asked == ["/keys"]
    issuer.keys.append(ED.as_dict(private=False))
    # Within half a minute a new key is not believed: else every forged kid would ask the issuer.
    with pytest.raises(TokenIsWrong, match="kid"):
        await checking.verify(issuer.token(ED))
    assert issuer.asked == ["/keys"]
    monkeypatch.setattr("shared.auth.oidc.REFETCH_AFTER_SECONDS", 0)
    assert (await checking.verify(issuer.token(ED)))["sub"] == "p1"
    assert issuer.asked == ["/keys", "/keys"]


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://other.example"},
        {"aud": "another"},
        {"aud": ...},
        {"sub": ""},
        {"sub": "x" * 256},
        {"exp": int(NOW.timestamp()) - 30},
        {"exp": ...},
        {"nbf": int(NOW.timestamp()) + 31},
    ],
    ids=str,
)
async def test_a_wrong_claim_is_not_taken(
    issuer: Issuer, client: httpx.AsyncClient, changes: dict[str, Any]
) -> None:
    checking = verifier(issuer, client)
    assert await checking.verify(issuer.token())
    with pytest.raises(TokenIsWrong):
        await checking.verify(issuer.token(**changes))


async def test_an_algorithm_that_is_not_pinned_is_not_taken(
    issuer: Issuer, client: httpx.AsyncClient
) -> None:
    with pytest.raises(TokenIsWrong, match="alg"):
        await verifier(issuer, client, algorithms=("EdDSA",)).verify(issuer.token())


async def test_a_token_signed_by_somebody_else_is_not_taken(
    issuer: Issuer, client: httpx.AsyncClient
) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "rsa-1"})
    with pytest.raises(TokenIsWrong, match="signature"):
        await verifier(issuer, client).verify(issuer.token(stranger))
    for text in ("", "a.b", "a.b.c", "e30.e30.", "x" * 9000):
        with pytest.raises(TokenIsWrong):
            await verifier(issuer, client).verify(text)


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/.well-known/openid-configuration", b'{"issuer":"http://x","jwks_uri":"http://x"}'),
        ("/.well-known/openid-configuration", b"[]"),
        ("/keys", b'{"keys":3}'),
        ("/keys", b'{"keys":[{"kty":"RSA","n":1}]}'),
        ("/keys", b"not json"),
        ("/keys", b'{"keys":[' + b",".join([b'{"kty":"RSA"}'] * 65) + b"]}"),
        ("/keys", b'{"a":"' + b"x" * 270_000 + b'"}'),
    ],
    ids=lambda v: str(v)[:40],
)
async def test_an_issuer_that_makes_no_sense_is_unavailable(
    issuer: Issuer, client: httpx.AsyncClient, path: str, document: bytes
) -> None:
    issuer.documents[path] = document
    with pytest.raises(Unavailable):
        await verifier(issuer, client).verify(issuer.token())


async def test_an_issuer_that_is_away_is_unavailable(client: httpx.AsyncClient) -> None:
    away = Issuer([], url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await verifier(away, client).verify(away.token())
