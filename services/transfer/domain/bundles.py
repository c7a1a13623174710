"""How is a log cut into bundles, and what goes into sealing one? (M5)

Same input, same bytes: a bundle may be built again, cached and resumed; its address is the digest
of its sealed bytes. The cipher itself is ``edge/sealing.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from services.transfer.domain.codes import hkdf

MAX_LEAVES: Final = 500


@dataclass(frozen=True, slots=True)
class Plain:
    """Bundle ``n``: the leaves from ``first_index`` on, a line each."""

    n: int
    first_index: int
    leaves: int
    data: bytes


def cut(lines: Iterable[bytes], max_bundle_bytes: int) -> Iterator[Plain]:
    """Bundles of the canonical signed entries in log order, one at a time.

    Each is closed before it would exceed 500 leaves or the peer's limit of plain bytes.
    """
    buffer = bytearray()
    n = first = leaves = 0
    for line in lines:
        if leaves == MAX_LEAVES or (leaves and len(buffer) + len(line) + 1 > max_bundle_bytes):
            yield Plain(n, first, leaves, bytes(buffer))
            n, first, leaves = n + 1, first + leaves, 0
            buffer.clear()
        buffer += line
        buffer += b"\n"
        leaves += 1
    if leaves:
        yield Plain(n, first, leaves, bytes(buffer))


def bundle_key(shared_secret: bytes, transfer_id: str) -> bytes:
    """32 bytes from the X25519 exchange of the two seal keys of this transfer."""
    return hkdf(shared_secret, bytes.fromhex(transfer_id), b"jiexu-bundle-v1", 32)


def nonce(n: int) -> bytes:
    """12 bytes: the key is this transfer's own, so the number alone makes it unique."""
    return bytes(4) + n.to_bytes(8, "big")


def additional_data(transfer_id: str, n: int) -> bytes:
    """What the tag covers besides: a bundle fits no other transfer and no other place."""
    return bytes.fromhex(transfer_id) + n.to_bytes(8, "big")
