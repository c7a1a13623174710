"""Does this signature hold? The one Ed25519 check that the pure verifier is given."""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# Keys of all cities that a node meets in a day; making one costs a third of a verification.
_CACHED_KEYS = 4096


def verify_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Ed25519 over ``message``; False for any key or signature that is none. Any thread."""
    try:
        _key(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=_CACHED_KEYS)
def _key(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)
