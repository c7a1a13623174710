"""Which keys does a node have, and what of them does the federation learn?

Private keys are files of mode 0400 in the folder of the one service that uses them: Ed25519 and
X25519 as PKCS8 PEM, symmetric keys as 64 hex characters. Messages and custody are signed in
transfer, entries and heads in records: no key serves both groups (protocol.md 3.4).
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node.layout import SERVICES, Node
from node.terminal import Exit, Failure

# protocol.md 3.4: validity 15 months. A clock may be 300 s behind (3.3, check 19).
VALID_DAYS = 457
CLOCK_TOLERANCE_SECONDS = 300

SIGNING = {
    "registry": ("token",),
    "records": ("entry", "head"),
    "rewards": (),
    "transfer": ("message", "custody"),
}
SEALING = {"registry": ("seal",)}
SYMMETRIC = {"registry": ("vault", "pepper"), "transfer": ("wrap",)}
PEER_CERTIFICATE = "JIEXU_PEER_CERTIFICATE"
# What the directory says each key is for.
SEAL = "seal"
USES = (("transfer", "message"), ("transfer", "custody"), ("records", "entry"), ("records", "head"))


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when a key may sign; wire form of times."""

    not_before: str
    not_after: str


def moment(at: datetime) -> str:
    """The wire form of an instant: ``2027-03-01T02:00:00Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make(home: Path) -> None:
    """Make every key of a node below ``home/keys``; raises ``FileExistsError``, replaces none."""
    keys = home / "keys"
    for service in SERVICES:
        folder = keys / service
        folder.mkdir(parents=True, mode=0o700)
        for name in ("service", *SIGNING[service]):
            write_private(folder / f"{name}.key", Ed25519PrivateKey.generate())
        for name in SEALING.get(service, ()):
            write_private(folder / f"{name}.key", X25519PrivateKey.generate())
        for name in ("digest", *SYMMETRIC.get(service, ())):
            write_secret(folder / f"{name}.key", secrets.token_hex(32).encode())
    public = keys / "public"
    public.mkdir(mode=0o755)
    for service in SERVICES:
        own = read_private(keys / service / "service.key")
        _write_public(public / f"service-{service}.pub", own)
    _write_public(public / "token.pub", read_private(keys / "registry" / "token.key"))


def write_private(path: Path, key: Ed25519PrivateKey | X25519PrivateKey) -> None:
    """Write a private key, 0400. Raises ``FileExistsError``."""
    write_secret(path, key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))


def read_private(path: Path) -> Ed25519PrivateKey | X25519PrivateKey:
    """The private key of a PEM file."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey | X25519PrivateKey):
        raise ValueError(f"{path} holds neither an Ed25519 nor an X25519 key")
    return key


def public_bytes(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """The 32 raw bytes of its public half."""
    return key.public_key().public_bytes_raw()


def kid(city: str, public: bytes) -> str:
    """A key's id: city ``:`` the first 16 hex characters of SHA-256(public key)."""
    return f"{city}:{hashlib.sha256(public).hexdigest()[:16]}"


def certificates_shown(node: Node) -> list[str]:
    """SHA-256 of the certificate by which the node calls other cities, where one is configured.

    ``JIEXU_PEER_CERTIFICATE``, in the node's settings or around the command. Raises ``Failure``.
    """
    path = node.extra.get(PEER_CERTIFICATE) or os.environ.get(PEER_CERTIFICATE)
    if not path:
        return []
    try:
        shown = x509.load_pem_x509_certificate(Path(path).read_bytes())
    except (OSError, ValueError):
        raise Failure(Exit.ASKED_WRONGLY, f"{PEER_CERTIFICATE}:{path} 不是 PEM 证书文件",
                      f"{PEER_CERTIFICATE}: {path} is no certificate in PEM") from None
    if shown.not_valid_after_utc <= datetime.now(UTC):
        ended = moment(shown.not_valid_after_utc)
        raise Failure(Exit.ASKED_WRONGLY, f"{PEER_CERTIFICATE}:{path} 已于 {ended} 过期:请先换新",
                      f"{PEER_CERTIFICATE}: {path} ended at {ended}: renew it first")
    return [hashlib.sha256(shown.public_bytes(serialization.Encoding.DER)).hexdigest()]


def listed(city: str, use: str, public: bytes, validity: Validity) -> dict[str, Any]:
    """An item of the directory's ``keys``; for the use seal, of ``seal_keys``."""
    item = {"kid": kid(city, public), "alg": "X25519" if use == SEAL else "Ed25519",
            "public": public.hex(), "not_before": validity.not_before,
            "not_after": validity.not_after}
    if use == SEAL:
        return item
    return item | {"uses": [use], "revoked_at": None, "compromised_since": None}


def directory_entry(node: Node, url: str, at: datetime, *, operator: str, contact: str,
                    regions: Sequence[str]) -> dict[str, Any]:
    """What this node asks to be listed as: one item of ``nodes`` (protocol.md 3.4)."""
    validity = Validity(moment(at - timedelta(seconds=CLOCK_TOLERANCE_SECONDS)),
                        moment(at + timedelta(days=VALID_DAYS)))

    def of(service: str, use: str) -> dict[str, Any]:
        key = read_private(node.keys / service / f"{use}.key")
        return listed(node.code, use, public_bytes(key), validity)

    return {
        "city": node.code, "name_zh": node.name_zh, "name_en": node.name_en,
        "operator": {"name": operator, "contact": contact}, "base_url": url, "status": "active",
        "successor": None, "protocols": ["jiexu/1.0"], "suites": ["intl-1"],
        "regions": list(regions), "keys": [of(*place) for place in USES],
        "seal_keys": [of("registry", SEAL)],
        "tls_client_sha256": certificates_shown(node),
    }


def write_secret(path: Path, content: bytes) -> None:
    """Write a file for its owner alone, 0400. Raises ``FileExistsError``."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o400), "wb") as file:
        file.write(content)


def _write_public(path: Path, key: Ed25519PrivateKey | X25519PrivateKey) -> None:
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(pem)
    path.chmod(0o444)
