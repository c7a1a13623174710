"""How do two cities find out that they mean the same person, without telling who it is?

Bytes of protocol.md 2.3: identity, code, keys, proof. Pure arithmetic over what is given.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field
from datetime import date

from services.registry.domain import idnumbers
from services.registry.domain.documents import bare

CODE_BYTES = 16
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ = str.maketrans("OIL", "011")
_GROUPS = (5, 5, 5, 5, 6)
_CODE_CHARACTERS = sum(_GROUPS)
_INVISIBLE = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
_DOTS = str.maketrans(dict.fromkeys("•‧⋅・･ㆍ∙", "·"))


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a proof is made of: a code's key, and the identities of its person by document."""

    key: bytes = field(repr=False)
    identities: tuple[bytes, ...] = field(repr=False)


class NotAnIdentity(ValueError):
    """This document cannot be proved to another city; ``reason`` says why, without the number."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def normal_name(name: str) -> str:
    """N(name). Simplified and traditional forms are not unified: as on the document."""
    folded = unicodedata.normalize("NFKC", name).translate(_INVISIBLE)
    folded = "".join(folded.split()).translate(_DOTS).upper()
    return unicodedata.normalize("NFKC", folded)


def normal_number(id_type: str, number: str) -> str:
    """N(number) by the type's rule; raises ``NotAnIdentity``. Never refused for an old area."""
    kept = bare(number)
    if id_type in ("RIC", "HMT"):
        if len(kept) == 15 and id_type == "RIC" and kept.isdigit():
            kept = f"{kept[:6]}19{kept[6:]}"
            kept += idnumbers.check_character(kept)
        if len(kept) != 18:
            raise NotAnIdentity("length")
        if not kept[:17].isdigit() or kept[17] != idnumbers.check_character(kept[:17]):
            raise NotAnIdentity("check_character")
        # Whether the day lies ahead is for the registration to judge; here it must exist.
        if not _is_day(kept[6:14]):
            raise NotAnIdentity("birth_date")
        return kept
    if id_type == "HMP":
        return kept[:9]
    if id_type == "TWP":
        return kept[:8]
    if id_type in ("PPT", "FPR", "MIL"):
        return kept
    raise NotAnIdentity("type")


def identity_bytes(name: str, id_type: str, number: str) -> bytes:
    """N(name) ‖ 0x1F ‖ id_type ‖ 0x1F ‖ N(number), UTF-8. A passport's number begins with its
    country. Raises ``NotAnIdentity``."""
    return "\x1f".join((normal_name(name), id_type, normal_number(id_type, number))).encode()


def code_text(code: bytes) -> str:
    """26 Crockford characters, 5-5-5-5-6; shown once."""
    number = int.from_bytes(code, "big")
    plain = "".join(
        _CROCKFORD[number >> 5 * place & 31] for place in range(_CODE_CHARACTERS - 1, -1, -1)
    )
    groups, start = [], 0
    for size in _GROUPS:
        groups.append(plain[start : start + size])
        start += size
    return "-".join(groups)


def read_code(text: str) -> bytes | None:
    """The 16 bytes of what someone typed: case and hyphens ignored, O is 0, I and L are 1."""
    plain = "".join(text.upper().replace("-", "").split()).translate(_READ)
    if len(plain) != _CODE_CHARACTERS or any(c not in _CROCKFORD for c in plain):
        return None
    number = 0
    for character in plain:
        number = number << 5 | _CROCKFORD.index(character)
    return number.to_bytes(CODE_BYTES, "big") if number < 1 << 8 * CODE_BYTES else None


def code_id(code: bytes) -> str:
    """hex16: by this the origin finds the code; it tells nothing of the key."""
    return hkdf(code, b"", b"jiexu-code-id-v1", 16).hex()


def code_key(code: bytes) -> bytes:
    """32 bytes: all that is kept of a code, encrypted."""
    return hkdf(code, b"", b"jiexu-code-key-v1", 32)


def proof(key: bytes, transfer_id: str, origin: str, destination: str, identity: bytes) -> str:
    """hex32: who holds ``key`` vouches that this identity is meant, in this transfer alone."""
    proof_key = hkdf(
        key,
        bytes.fromhex(transfer_id),
        f"jiexu-proof-v1\n{origin}\n{destination}".encode(),
        32,
    )
    return hmac.new(proof_key, identity, hashlib.sha256).hexdigest()


def hkdf(ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869)."""
    key = hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()
    block, made = b"", b""
    for count in range(1, -(-length // 32) + 1):
        block = hmac.new(key, block + info + bytes((count,)), hashlib.sha256).digest()
        made += block
    return made[:length]


def _is_day(text: str) -> bool:
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return False
    return True
