"""Is any JSON whatever answered with a judgement, never with a defect? (P0-9, F20, F21)"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.transfer.domain.content_models import CONTENTS, judge_content, judge_envelope
from services.transfer.domain.directory import read_directory
from services.transfer.domain.entry_form import LeafIsWrong, judge_leaf
from services.transfer.domain.verify import Verification, verify_export
from services.transfer.domain.verify_sums import MemoryScratch
from services.transfer.edge.signatures import verify_signature
from shared.canonical import canonical
from shared.messages import Unreadable
from tests.support.logs import CHAIN, SUBJECT, entry, head_over, log
from tests.support.vectors import contents, directory, directory_file, envelope_of, vectors

BOOK = directory()
ENTRIES = list(log(6))
HEAD = head_over(ENTRIES)
RECEIPT = vectors("transfer")["receipt_newest"]
GIVEN = contents()
SIDES: list[Any] = ["O", "D", None]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=True)
    | st.text(max_size=8)
    | st.sampled_from(["TR-305", "release", "custody/1", "0" * 64, "9999-12-31T23:59:59Z"])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def ways(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = []
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            found += [(*way, key), *ways(member, (*way, key))]
    return found


@st.composite
def spoiled(draw: st.DrawFn, value: Any) -> Any:
    """A copy in which one to three members are anything, or are gone."""
    changed = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        places = ways(changed)
        if not places:
            return draw(anything)
        *before, last = draw(st.sampled_from(places))
        place = changed
        for step in before:
            place = place[step]
        if draw(st.integers(0, 3)) == 0:
            del place[last]
        else:
            place[last] = draw(anything)
    return changed


@given(anything)
@settings(max_examples=150, deadline=None)
def test_anything_is_judged_as_an_envelope(value: Any) -> None:
    fits, _ = judge_envelope(value)
    assert not fits


@pytest.mark.parametrize("type", sorted(CONTENTS))
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_content_is_judged(type: str, data: st.DataObject) -> None:
    body = envelope_of(type, GIVEN[type])["body"]
    content = data.draw(spoiled(GIVEN[type]))
    field = judge_content({**body, "content": content}, data.draw(st.sampled_from(SIDES)))
    assert field is None or field.split(".")[0] in ("content", "transfer_id")


@given(spoiled(entry(1)))
@settings(max_examples=150, deadline=None)
def test_any_line_is_judged_as_a_leaf(value: Any) -> None:
    try:
        line = canonical(value)
    except Unreadable:
        line = repr(value).encode("utf-8", "replace")
    with pytest.raises(LeafIsWrong):
        judge_leaf(line, subject_id=SUBJECT, directory=BOOK, verify=verify_signature)


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_judged_as_a_leaf(line: bytes) -> None:
    with pytest.raises(LeafIsWrong):
        judge_leaf(line, subject_id=SUBJECT, directory=BOOK, verify=verify_signature)


@given(spoiled({"entries": ENTRIES, "head": HEAD, "chain": CHAIN}), spoiled(RECEIPT))
@settings(max_examples=150, deadline=None)
def test_any_export_gets_a_verdict(export: Any, receipt: Any) -> None:
    if not all(isinstance(export.get(name), list) for name in ("entries", "chain")):
        return
    verdict = verify_export(
        export["entries"],
        head=export.get("head"),
        custody_chain=export["chain"],
        directory=BOOK,
        verify=verify_signature,
        receipts=[receipt],
    )
    assert verdict.flaw is not None or export == {"entries": ENTRIES, "head": HEAD, "chain": CHAIN}


@given(spoiled(RECEIPT), spoiled(HEAD))
@settings(max_examples=100, deadline=None)
def test_a_receipt_that_proves_nothing_holds_nothing_up(receipt: Any, head: Any) -> None:
    judged = Verification(
        head=HEAD,
        homes={"amber"},
        directory=BOOK,
        verify=verify_signature,
        scratch=MemoryScratch(),
        receipts=[receipt],
        heads=[head],
    )
    assert judged.take(judged.examine([canonical(one) for one in ENTRIES])) is None
    assert judged.conclude().flaw is None


@given(spoiled(directory_file()))
@settings(max_examples=150, deadline=None)
def test_any_file_is_judged_as_a_directory(file: Any) -> None:
    try:
        read_directory(file)
    except Unreadable as unreadable:
        assert str(unreadable).startswith("directory: ")
