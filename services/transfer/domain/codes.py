"""How does a transfer code become the ids, keys and proof that two cities compare?

Registry has computations of its own for the same rule: it alone sees codes and identities. Here
they serve the vectors and whoever checks a proof. All pure, all from the standard library.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUPS: Final = (5, 5, 5, 5, 6)
_READ: Final = {**{c: i for i, c in enumerate(_ALPHABET)}, "O": 0, "I": 1, "L": 1}
CODE_BYTES: Final = 16


class CodeIsMistyped(ValueError):
    """No text of a transfer code; says nothing of what was typed."""


def code_text(code: bytes) -> str:
    """16 bytes as 26 Crockford characters of one big-endian integer, grouped 5-5-5-5-6."""
    if len(code) != CODE_BYTES:
        raise ValueError("a code has 16 bytes")
    number = int.from_bytes(code, "big")
    letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
    groups, start = [], 0
    for size in _GROUPS:
        groups.append(letters[start : start + size])
        start += size
    return "-".join(groups)


def code_bytes(text: str) -> bytes:
    """What a person typed: case, hyphens and spaces do not matter, O is 0, I and L are 1.

    Raises ``CodeIsMistyped``.
    """
    number = count = 0
    for character in text.upper():
        if character in "- ":
            continue
        if character not in _READ:
            raise CodeIsMistyped("a character that no code has")
        number = number << 5 | _READ[character]
        count += 1
        if count > 26:
            raise CodeIsMistyped("too long")
    if count != 26 or number >> 128:
        raise CodeIsMistyped("no code of 26 characters")
    return number.to_bytes(CODE_BYTES, "big")


def hkdf(ikm: bytes, salt: bytes, info: bytes, size_bytes: int) -> bytes:
    """HKDF-SHA256 (RFC 5869); an empty salt stands for none. ``size_bytes`` ≤ 8160."""
    if size_bytes > 255 * 32:
        raise ValueError("HKDF-SHA256 gives at most 8160 bytes")
    secret = hmac.digest(salt or bytes(32), ikm, "sha256")
    out = block = b""
    counter = 1
    while len(out) < size_bytes:
        block = hmac.digest(secret, block + info + bytes([counter]), "sha256")
        out += block
        counter += 1
    return out[:size_bytes]


def code_id(code: bytes) -> str:
    """The name under which the origin's registry finds the code: hex of 16 bytes."""
    return hkdf(code, b"", b"jiexu-code-id-v1", 16).hex()


def code_key(code: bytes) -> bytes:
    """32 bytes: all that the origin keeps of a code, encrypted."""
    return hkdf(code, b"", b"jiexu-code-key-v1", 32)


def proof_key(key: bytes, transfer_id: str, origin: str, destination: str) -> bytes:
    """32 bytes from the code key, bound to one transfer and its direction."""
    info = f"jiexu-proof-v1\n{origin}\n{destination}".encode("ascii")
    return hkdf(key, bytes.fromhex(transfer_id), info, 32)


def proof(key: bytes, identity: bytes) -> str:
    """HMAC-SHA256 of the identity bytes under the proof key, in hex."""
    return hmac.digest(key, identity, "sha256").hex()


def proofs_are_equal(one: str, other: str) -> bool:
    """In constant time, so that a guess learns nothing from the clock."""
    return hmac.compare_digest(one.encode("ascii"), other.encode("ascii"))


def supplement_digest(canonical_content: bytes) -> str:
    """SHA-256 over the canonical bytes of an M11's content under its own name, in hex."""
    return hashlib.sha256(b"jiexu-supplement-v1\n" + canonical_content).hexdigest()
