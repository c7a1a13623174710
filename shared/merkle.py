"""What does a log of entry versions commit to, and how is that shown? RFC 9162, section 2.1.

Pure. A *leaf* is what the log holds (32 bytes here); hashes are raw bytes, never hex.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()

# The roots of the perfect subtrees, largest first: all that an append needs to know (2.5).
Frontier = tuple[bytes, ...]


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def append(count: int, frontier: Frontier, leaf: bytes) -> Frontier:
    """The frontier with one leaf more; at most log2(count) + 1 hashes are made."""
    if len(frontier) != count.bit_count():
        raise ValueError("the frontier does not fit the count")
    roots = [*frontier, leaf_hash(leaf)]
    while count & 1:
        right = roots.pop()
        roots.append(node_hash(roots.pop(), right))
        count >>= 1
    return tuple(roots)


def frontier_of(leaves: Sequence[bytes]) -> Frontier:
    """The frontier of all these leaves, in O(n)."""
    frontier: Frontier = ()
    for count, leaf in enumerate(leaves):
        frontier = append(count, frontier, leaf)
    return frontier


def root(frontier: Frontier) -> bytes:
    """The root of the tree with this frontier."""
    if not frontier:
        return EMPTY_ROOT
    whole = frontier[-1]
    for left in reversed(frontier[:-1]):
        whole = node_hash(left, whole)
    return whole


def root_of(leaves: Sequence[bytes]) -> bytes:
    return root(frontier_of(leaves))


def newest_path(frontier_before: Frontier) -> tuple[bytes, ...]:
    """The inclusion path of a leaf that is appended to the tree with this frontier: O(log n).

    It stands at the right end, so its siblings are the old subtrees, smallest first.
    """
    return tuple(reversed(frontier_before))


def inclusion_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The path from leaf ``index`` (from 0) to the root of all ``leaves``, bottom first; O(n)."""
    if not 0 <= index < len(leaves):
        raise ValueError("there is no such leaf")
    path: list[bytes] = []
    level = [leaf_hash(leaf) for leaf in leaves]
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _up(level)
        index >>= 1
    return tuple(path)


def inclusion_holds(
    leaf: bytes, index: int, count: int, path: Sequence[bytes], expected_root: bytes
) -> bool:
    """RFC 9162, 2.1.3.2: whether ``leaf`` is number ``index`` under this root of ``count``."""
    if not 0 <= index < count:
        return False
    fn, sn, whole = index, count - 1, leaf_hash(leaf)
    for step in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            whole = node_hash(step, whole)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            whole = node_hash(whole, step)
        fn >>= 1
        sn >>= 1
    return sn == 0 and whole == expected_root


def consistency_path(leaves: Sequence[bytes], old_count: int) -> tuple[bytes, ...]:
    """Shows that the tree of the first ``old_count`` leaves is a beginning of all; O(n).

    Empty for an ``old_count`` of 0 or of all.
    """
    if not 0 <= old_count <= len(leaves):
        raise ValueError("the older tree is larger than the newer one")
    if old_count in (0, len(leaves)):
        return ()
    hashes = [leaf_hash(leaf) for leaf in leaves]
    return tuple(_subproof(old_count, hashes, True))


def consistency_holds(
    old_count: int, new_count: int, path: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """RFC 9162, 2.1.4.2: whether the tree of ``new_count`` only goes on from that of ``old``."""
    if not 0 <= old_count <= new_count:
        return False
    if old_count == new_count:
        return not path and old_root == new_root
    if old_count == 0:
        return not path and old_root == EMPTY_ROOT
    steps = list(path)
    if old_count & (old_count - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        return False
    fn, sn = old_count - 1, new_count - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    old = new = steps[0]
    for step in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            new = node_hash(new, step)
        fn >>= 1
        sn >>= 1
    return sn == 0 and old == old_root and new == new_root


def _up(level: list[bytes]) -> list[bytes]:
    pairs = [node_hash(level[n], level[n + 1]) for n in range(0, len(level) - 1, 2)]
    # An odd one out goes up as it is; this builds the RFC's left-full tree.
    return pairs + level[len(level) - len(level) % 2 :]


def _whole(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = _up(hashes)
    return hashes[0]


def _subproof(m: int, hashes: list[bytes], complete: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if complete else [_whole(hashes)]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    if m <= k:
        return [*_subproof(m, hashes[:k], complete), _whole(hashes[k:])]
    return [*_subproof(m - k, hashes[k:], False), _whole(hashes[:k])]
