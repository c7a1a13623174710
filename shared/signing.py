"""Who signed these bytes, and where do the keys come from?

Ed25519 over domain ‖ 0x0A ‖ canonical body (protocol.md 2.2). Keys are files that only their owner
may read, never environment variables.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from shared.canonical import canonical

Use = Literal["message", "entry", "head", "custody", "directory"]

# What each kind of object is signed under, and the use that its key needs.
USE_BY_DOMAIN: Final[Mapping[str, Use]] = {
    "jiexu-envelope-v1": "message",
    "jiexu-receipt-v1": "message",
    "jiexu-consent-v1": "message",
    "jiexu-entry-v1": "entry",
    "jiexu-head-v1": "head",
    "jiexu-certificate-v1": "custody",
    "jiexu-pointer-v1": "custody",
    "jiexu-directory-v1": "directory",
}
SYMMETRIC_KEY_BYTES: Final = 32
# A key file of any of our forms is far smaller.
MAX_KEY_FILE_BYTES: Final = 4_096
_HEX64 = re.compile(r"[0-9a-f]{128}")


class KeyFileIsWrong(Exception):
    """A key file is absent, open to others, or of another form; only the file is named."""


def kid(owner: str, public: bytes) -> str:
    """``owner:`` and the first 16 hex digits of SHA-256(raw public key); protocol.md 2.1."""
    return f"{owner}:{sha256(public).hexdigest()[:16]}"


def raw_public(key: Ed25519PublicKey | X25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return key.public_bytes_raw()


def signed_bytes(domain: str, body: Any) -> bytes:
    """What is signed: the domain, a line feed, the canonical body."""
    return _under(domain, canonical(body))


def _under(domain: str, written: bytes) -> bytes:
    if domain not in USE_BY_DOMAIN:
        raise ValueError(f"{domain} is no domain of ours")
    return domain.encode("ascii") + b"\n" + written


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key together with the id under which the directory lists its public half."""

    key: Ed25519PrivateKey
    kid: str

    @classmethod
    def of(cls, owner: str, key: Ed25519PrivateKey) -> Signer:
        return cls(key, kid(owner, key.public_key().public_bytes_raw()))

    def sign(self, domain: str, body: Any) -> dict[str, Any]:
        """``signed[X]``: ``{"body": …, "kid": …, "sig": 128 hex digits}``."""
        return {"body": body, "kid": self.kid, "sig": self.signature(domain, body)}

    def sign_canonical(self, domain: str, body: Any) -> bytes:
        """The canonical bytes of ``signed[X]``; the body, nearly all of it, is written once."""
        written = canonical(body)
        sig = self.key.sign(_under(domain, written)).hex()
        return b'{"body":%b,"kid":%b,"sig":"%b"}' % (written, canonical(self.kid), sig.encode())

    def signature(self, domain: str, body: Any) -> str:
        return self.key.sign(signed_bytes(domain, body)).hex()


def signature_holds(public: Ed25519PublicKey, domain: str, body: Any, signature_hex: str) -> bool:
    """Whether this key signed this body under this domain; False for a malformed signature."""
    # One spelling only: two texts for one signature would be two digests for one message.
    if not _HEX64.fullmatch(signature_hex):
        return False
    try:
        public.verify(bytes.fromhex(signature_hex), signed_bytes(domain, body))
    except InvalidSignature:
        return False
    return True


def load_signing_key(path: Path) -> Ed25519PrivateKey:
    """An Ed25519 private key, PKCS #8 in PEM without a password; raises ``KeyFileIsWrong``."""
    key = _load_private(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileIsWrong(f"{path} holds no Ed25519 key")
    return key


def load_exchange_key(path: Path) -> X25519PrivateKey:
    """An X25519 private key (to which others seal), PKCS #8 in PEM; raises ``KeyFileIsWrong``."""
    key = _load_private(path)
    if not isinstance(key, X25519PrivateKey):
        raise KeyFileIsWrong(f"{path} holds no X25519 key")
    return key


def load_symmetric_key(path: Path) -> bytes:
    """32 bytes from a file of 64 hex digits; raises ``KeyFileIsWrong``."""
    try:
        key = bytes.fromhex(_private_bytes(path).decode("ascii").strip())
    except ValueError:
        raise KeyFileIsWrong(f"{path} is no hex") from None
    if len(key) != SYMMETRIC_KEY_BYTES:
        raise KeyFileIsWrong(f"{path} does not hold {SYMMETRIC_KEY_BYTES} bytes in hex")
    return key


def load_public_key(path: Path) -> Ed25519PublicKey:
    """An Ed25519 public key in PEM; anybody may read the file. Raises ``KeyFileIsWrong``."""
    try:
        key = serialization.load_pem_public_key(_bounded(path))
    except ValueError:
        raise KeyFileIsWrong(f"{path} is no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileIsWrong(f"{path} holds no Ed25519 key")
    return key


def write_private_key(path: Path, key: Ed25519PrivateKey | X25519PrivateKey | bytes) -> None:
    """A new file, 0400; ``FileExistsError`` where there is one. Symmetric keys are 32 bytes."""
    if isinstance(key, bytes):
        if len(key) != SYMMETRIC_KEY_BYTES:
            raise ValueError(f"a symmetric key has {SYMMETRIC_KEY_BYTES} bytes")
        content = key.hex().encode("ascii") + b"\n"
    else:
        content = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    # Exclusive, and closed to others from its first instant.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def write_public_key(path: Path, key: Ed25519PublicKey) -> None:
    """The public half in PEM."""
    path.write_bytes(
        key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _load_private(path: Path) -> Any:
    try:
        return serialization.load_pem_private_key(_private_bytes(path), password=None)
    except (ValueError, TypeError):
        raise KeyFileIsWrong(f"{path} is no private key in PEM without a password") from None


def _private_bytes(path: Path) -> bytes:
    content = _bounded(path, ", mode 0400")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o377:
        raise KeyFileIsWrong(f"{path} has mode {mode:04o}; make it 0400")
    return content


def _bounded(path: Path, more: str = "") -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileIsWrong(
            f"{path} cannot be read ({error.strerror}): put the key there{more}"
        ) from None
    if len(content) > MAX_KEY_FILE_BYTES:
        raise KeyFileIsWrong(f"{path} is longer than {MAX_KEY_FILE_BYTES} bytes")
    return content
