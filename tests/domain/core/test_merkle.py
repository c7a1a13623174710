"""What does a log commit to? RFC 9162 2.1 and merkle.json (protocol.md 3.2)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import merkle

VECTORS = json.loads((Path(__file__).parents[2] / "data/protocol/merkle.json").read_text("utf-8"))
LEAVES = [bytes.fromhex(leaf) for leaf in VECTORS["leaf_data"]]
ROOTS = [bytes.fromhex(root) for root in VECTORS["roots"]]

leaves_strategy = st.lists(st.binary(min_size=32, max_size=32), max_size=70)


def _path(vector: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(step) for step in vector["path"]]


def _with_one_bit_changed(steps: list[bytes]) -> list[list[bytes]]:
    return [
        [*steps[:n], bytes([step[0] ^ 1]) + step[1:], *steps[n + 1 :]]
        for n, step in enumerate(steps)
    ]


def test_the_vectors_are_all_there() -> None:
    assert len(LEAVES) == 9
    assert len(ROOTS) == len(VECTORS["frontiers"]) == 10
    assert len(VECTORS["inclusion"]) == 28
    assert len(VECTORS["consistency"]) == 9


@pytest.mark.parametrize("size", range(10))
def test_roots_and_frontiers_are_those_of_the_vectors(size: int) -> None:
    frontier = merkle.frontier_of(LEAVES[:size])
    assert [step.hex() for step in frontier] == VECTORS["frontiers"][size]
    assert merkle.root(frontier) == ROOTS[size] == merkle.root_of(LEAVES[:size])


def test_leaf_hashes_are_those_of_the_vectors() -> None:
    assert [merkle.leaf_hash(leaf).hex() for leaf in LEAVES] == VECTORS["leaf_hashes"]


@pytest.mark.parametrize("vector", VECTORS["inclusion"], ids=lambda v: f"{v['index']}/{v['size']}")
def test_inclusion_both_ways_and_never_with_one_bit_changed(vector: dict[str, Any]) -> None:
    size, index, path = vector["size"], vector["index"], _path(vector)
    leaf, root = LEAVES[index], ROOTS[size]
    assert list(merkle.inclusion_path(LEAVES[:size], index)) == path
    assert merkle.inclusion_holds(leaf, index, size, path, root)
    for changed in _with_one_bit_changed(path):
        assert not merkle.inclusion_holds(leaf, index, size, changed, root)
    assert not merkle.inclusion_holds(bytes(32), index, size, path, root)
    assert not merkle.inclusion_holds(leaf, index, size, [*path, bytes(32)], root)
    assert not merkle.inclusion_holds(leaf, index, size, path[:-1] if path else path, ROOTS[0])
    assert not merkle.inclusion_holds(leaf, index, index, path, root)


@pytest.mark.parametrize(
    "vector", VECTORS["consistency"], ids=lambda v: f"{v['first']}-{v['second']}"
)
def test_consistency_both_ways_and_never_with_one_bit_changed(vector: dict[str, Any]) -> None:
    old, new, path = vector["first"], vector["second"], _path(vector)
    assert list(merkle.consistency_path(LEAVES[:new], old)) == path
    assert merkle.consistency_holds(old, new, path, ROOTS[old], ROOTS[new])
    for changed in _with_one_bit_changed(path):
        assert not merkle.consistency_holds(old, new, changed, ROOTS[old], ROOTS[new])
    if old != new:
        assert not merkle.consistency_holds(old, new, path, ROOTS[new], ROOTS[new])
        assert not merkle.consistency_holds(old, new, path, ROOTS[old], ROOTS[old])
        assert not merkle.consistency_holds(old, new, [*path, bytes(32)], ROOTS[old], ROOTS[new])
        assert not merkle.consistency_holds(new, old, path, ROOTS[old], ROOTS[new])


@given(leaves_strategy, st.binary(min_size=32, max_size=32))
def test_the_frontier_alone_gives_the_newest_path(leaves: list[bytes], newest: bytes) -> None:
    before = merkle.frontier_of(leaves)
    after = merkle.append(len(leaves), before, newest)
    path = merkle.newest_path(before)
    assert list(path) == list(merkle.inclusion_path([*leaves, newest], len(leaves)))
    assert merkle.inclusion_holds(newest, len(leaves), len(leaves) + 1, path, merkle.root(after))
    assert len(after) <= max(1, (len(leaves) + 1).bit_length())


@given(leaves_strategy, st.data())
def test_every_beginning_is_consistent_with_the_whole(  # INV-9
    leaves: list[bytes], data: st.DataObject
) -> None:
    old = data.draw(st.integers(0, len(leaves)))
    path = merkle.consistency_path(leaves, old)
    roots = merkle.root_of(leaves[:old]), merkle.root_of(leaves)
    assert merkle.consistency_holds(old, len(leaves), path, *roots)


@given(leaves_strategy.filter(len), st.data())
def test_every_leaf_is_shown_by_its_path_and_by_no_other_index(
    leaves: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.inclusion_path(leaves, index)
    root = merkle.root_of(leaves)
    assert merkle.inclusion_holds(leaves[index], index, len(leaves), path, root)
    for other in range(len(leaves)):
        if other != index and leaves[other] != leaves[index]:
            assert not merkle.inclusion_holds(leaves[index], other, len(leaves), path, root)


def test_a_frontier_that_does_not_fit_its_count_is_a_defect() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        merkle.append(3, (), bytes(32))
