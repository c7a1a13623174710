"""Who signed these bytes? protocol.md 2.2 and keys.json."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from shared import signing
from shared.canonical import canonical
from shared.signing import KeyFileIsWrong, Signer, signature_holds

KEYS = json.loads((Path(__file__).parents[2] / "data/protocol/keys.json").read_text("utf-8"))
KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS["ed25519"][0]["seed"]))
BODY = {"v": "head/1", "count": 3, "home": "amber"}


@pytest.mark.parametrize("vector", KEYS["ed25519"], ids=lambda v: v["kid"])
def test_kid_and_public_half_of_each_signing_key_are_those_of_the_vectors(
    vector: dict[str, Any],
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["seed"]))
    public = signing.raw_public(key.public_key())
    assert public.hex() == vector["public"]
    assert (
        signing.kid(vector["city"], public) == vector["kid"] == Signer.of(vector["city"], key).kid
    )


@pytest.mark.parametrize("vector", KEYS["x25519"], ids=lambda v: v["kid"])
def test_kid_and_public_half_of_each_seal_key_are_those_of_the_vectors(
    vector: dict[str, Any],
) -> None:
    key = X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["seed"]))
    public = signing.raw_public(key.public_key())
    assert public.hex() == vector["public"]
    assert signing.kid(vector["city"], public) == vector["kid"]


def test_the_vectors_are_all_there() -> None:
    assert (len(KEYS["ed25519"]), len(KEYS["x25519"])) == (6, 2)


def test_a_signature_holds_for_its_body_domain_and_key_alone() -> None:
    signed = Signer.of("amber", KEY).sign("jiexu-head-v1", BODY)
    assert set(signed) == {"body", "kid", "sig"}
    public = KEY.public_key()
    sig = signed["sig"]
    assert signature_holds(public, "jiexu-head-v1", dict(reversed(BODY.items())), sig)
    assert not signature_holds(public, "jiexu-entry-v1", BODY, sig)
    assert not signature_holds(public, "jiexu-head-v1", BODY | {"count": 4}, sig)
    other = Ed25519PrivateKey.generate().public_key()
    assert not signature_holds(other, "jiexu-head-v1", BODY, sig)


@pytest.mark.parametrize("broken", ["", "zz", "00", "AA" * 64, "0" * 127, "é" * 128])
def test_what_is_no_signature_does_not_hold(broken: str) -> None:
    assert not signature_holds(KEY.public_key(), "jiexu-head-v1", BODY, broken)


def test_an_upper_case_or_spaced_signature_is_none() -> None:
    sig = Signer.of("amber", KEY).signature("jiexu-head-v1", BODY)
    assert not signature_holds(KEY.public_key(), "jiexu-head-v1", BODY, f"{sig[:64]} {sig[64:]}")
    assert not signature_holds(KEY.public_key(), "jiexu-head-v1", BODY, sig.upper())


def test_only_our_domains_are_signed() -> None:
    with pytest.raises(ValueError, match="no domain of ours"):
        Signer.of("amber", KEY).sign("jiexu-other-v1", BODY)


def test_what_is_signed_is_domain_line_feed_and_canonical_body() -> None:
    assert signing.signed_bytes("jiexu-head-v1", {"b": 1, "a": 2}) == (
        b'jiexu-head-v1\n{"a":2,"b":1}'
    )


@pytest.mark.parametrize("body", [BODY, {"姓": '"，\\n', "z": [None, True, 7], "a": {}}])
def test_signed_at_once_are_the_canonical_bytes_of_what_is_signed(body: dict[str, Any]) -> None:
    signer = Signer.of("amber", KEY)
    assert signer.sign_canonical("jiexu-entry-v1", body) == canonical(
        signer.sign("jiexu-entry-v1", body)
    )
    with pytest.raises(ValueError, match="no domain of ours"):
        signer.sign_canonical("jiexu-other-v1", body)


def test_keys_are_written_for_their_owner_alone_and_read_back(tmp_path: Path) -> None:
    exchange = X25519PrivateKey.generate()
    signing.write_private_key(tmp_path / "entry.key", KEY)
    signing.write_private_key(tmp_path / "seal.key", exchange)
    signing.write_private_key(tmp_path / "vault.key", bytes(range(32)))
    signing.write_public_key(tmp_path / "entry.pub", KEY.public_key())
    for path in tmp_path.glob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o400
    assert signing.load_signing_key(tmp_path / "entry.key").private_bytes_raw() == (
        KEY.private_bytes_raw()
    )
    assert signing.load_exchange_key(tmp_path / "seal.key").private_bytes_raw() == (
        exchange.private_bytes_raw()
    )
    assert signing.load_symmetric_key(tmp_path / "vault.key") == bytes(range(32))
    assert (
        signing.load_public_key(tmp_path / "entry.pub").public_bytes_raw().hex()
        == (KEYS["ed25519"][0]["public"])
    )


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    signing.write_private_key(tmp_path / "a.key", bytes(32))
    with pytest.raises(FileExistsError):
        signing.write_private_key(tmp_path / "a.key", bytes(32))
    with pytest.raises(ValueError, match="32 bytes"):
        signing.write_private_key(tmp_path / "b.key", b"short")


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o600, 0o500])
def test_a_key_that_more_than_its_owner_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    signing.write_private_key(path, KEY)
    path.chmod(mode)
    with pytest.raises(KeyFileIsWrong, match=r"a\.key has mode .*make it 0400"):
        signing.load_signing_key(path)


def test_a_file_of_another_form_is_refused_without_its_content(tmp_path: Path) -> None:
    def wrong(content: bytes, load: Any) -> str:
        path = tmp_path / f"{os.urandom(4).hex()}.key"
        path.write_bytes(content)
        path.chmod(0o400)
        with pytest.raises(KeyFileIsWrong) as refused:
            load(path)
        return str(refused.value).removeprefix(str(path))

    pem = KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    locked = KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"word"),
    )
    assert wrong(b"secret", signing.load_signing_key).startswith(" is no private key")
    assert wrong(locked, signing.load_signing_key).startswith(" is no private key")
    assert wrong(pem, signing.load_exchange_key) == " holds no X25519 key"
    assert wrong(b"secret", signing.load_symmetric_key) == " is no hex"
    assert wrong(b"00" * 16, signing.load_symmetric_key).startswith(" does not hold 32 bytes")
    assert wrong(b"secret", signing.load_public_key).startswith(" is no public key")
    assert wrong(b"x" * 5000, signing.load_symmetric_key).startswith(" is longer than 4096")
    with pytest.raises(KeyFileIsWrong, match=r"cannot be read \(No such file or directory\): put"):
        signing.load_signing_key(tmp_path / "none.key")
