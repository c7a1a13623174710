"""Which keys does this city sign and wrap with? Files of this service alone (0400)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.signing import USE_BY_DOMAIN, Signer, load_signing_key, load_symmetric_key

NONCE_BYTES = 12


class Signers:
    """The message key and the custody key, each for its own domains."""

    def __init__(self, message: Signer, custody: Signer) -> None:
        self.message = message
        self.custody = custody

    @classmethod
    def of(cls, city: str, keys: Path) -> Signers:
        """``message.key`` and ``custody.key``; raises ``KeyFileIsWrong``."""
        return cls(
            Signer.of(city, load_signing_key(keys / "message.key")),
            Signer.of(city, load_signing_key(keys / "custody.key")),
        )

    def sign(self, domain: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See ``domain.case.Signer``."""
        by_use = {"message": self.message, "custody": self.custody}
        return by_use[USE_BY_DOMAIN[domain]].sign(domain, body)


class SealIsGone(Exception):
    """A wrapped key that this node's key-encryption key does not open."""


class Wrapping:
    """Seal keys lie wrapped by the node's key-encryption key: AES-256-GCM, a nonce before it."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    @classmethod
    def of(cls, keys: Path) -> Wrapping:
        """``wrap.key``; raises ``KeyFileIsWrong``."""
        return cls(load_symmetric_key(keys / "wrap.key"))

    def fresh_seal(self, transfer_id: str) -> tuple[str, bytes]:
        """A new X25519 pair for one transfer: (public in hex, wrapped private half)."""
        private = X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw().hex()
        return public, self.wrap(transfer_id, private.private_bytes_raw())

    def wrap(self, transfer_id: str, private: bytes) -> bytes:
        """Nonce and sealed key; it opens for this transfer alone."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, private, transfer_id.encode("ascii"))

    def unwrap(self, transfer_id: str, wrapped: bytes) -> bytes:
        """The private half, or ``SealIsGone``."""
        nonce, sealed = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        try:
            return self._cipher.decrypt(nonce, sealed, transfer_id.encode("ascii"))
        except InvalidTag:
            raise SealIsGone from None
