"""How are bundles sealed for one other city, and opened? X25519 and AES-256-GCM."""

from __future__ import annotations

from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.transfer.domain.bundles import additional_data, bundle_key, nonce


class SealIsBroken(Exception):
    """The tag does not hold: other bytes, another number, or another transfer."""


def shared_key(own_private: bytes, other_public: str, transfer_id: str) -> bytes:
    """The bundle key of a transfer, the same on both sides. ``ValueError`` for an all-zero
    exchange (check 16 refuses such a key before)."""
    private = X25519PrivateKey.from_private_bytes(own_private)
    secret = private.exchange(X25519PublicKey.from_public_bytes(bytes.fromhex(other_public)))
    return bundle_key(secret, transfer_id)


def seal(key: bytes, transfer_id: str, n: int, plain: bytes) -> tuple[bytes, str]:
    """(sealed bytes, their SHA-256 in hex); 16 bytes longer than the plain ones."""
    sealed = AESGCM(key).encrypt(nonce(n), plain, additional_data(transfer_id, n))
    return sealed, sha256(sealed).hexdigest()


def unseal(key: bytes, transfer_id: str, n: int, sealed: bytes) -> bytes:
    """The plain bytes, or ``SealIsBroken``."""
    try:
        return AESGCM(key).decrypt(nonce(n), sealed, additional_data(transfer_id, n))
    except InvalidTag:
        raise SealIsBroken from None
