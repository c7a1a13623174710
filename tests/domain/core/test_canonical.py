"""Which bytes stand for a JSON value? protocol.md 2.2 and canonical.json."""

from __future__ import annotations

import contextlib
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.canonical import (
    MAX_INTEGER,
    NotCanonical,
    NotJson,
    TooDeep,
    canonical,
    depth,
    digest,
    load,
    load_canonical,
)
from shared.messages import Unreadable

VECTORS = json.loads(
    (Path(__file__).parents[2] / "data/protocol/canonical.json").read_text("utf-8")
)
PROBLEMS = {"not-json": NotJson, "not-canonical": NotCanonical}

texts = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda v: v["sha256"][:8])
def test_every_good_vector_has_its_bytes_and_digest(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["bytes_hex"])
    assert canonical(vector["value"]) == raw
    assert digest(vector["value"]) == vector["sha256"] == sha256(raw).hexdigest()
    assert load_canonical(raw) == vector["value"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda v: v["why"])
def test_every_refused_vector_gets_its_problem(vector: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as refused:
        load_canonical(vector["json"].encode("utf-8"))
    assert type(refused.value) is PROBLEMS[vector["problem"]]


def test_the_vectors_are_all_there() -> None:
    assert (len(VECTORS["good"]), len(VECTORS["refused"])) == (4, 13)


@given(values)
def test_the_fast_path_gives_the_bytes_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(values)
def test_what_was_written_is_read_back(value: Any) -> None:
    assert load_canonical(canonical(value), max_depth=64) == value
    if "\\x00" not in repr(value):
        assert load(json.dumps(value).encode(), max_depth=64) == value


def test_members_above_the_surrogates_are_sorted_by_utf16() -> None:
    # U+FF61 sorts after U+1F600 in UTF-16 and before it by code point.
    assert canonical({"｡": 1, "😀": 2}) == '{"😀":2,"｡":1}'.encode()


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        MAX_INTEGER + 1,
        -MAX_INTEGER - 1,
        {1: 2},
        {"a": b""},
        "\ud800",
        {"\udfff": 1},
        pytest.param(object(), id="an object"),
    ],
    ids=repr,
)
def test_a_value_without_a_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


def test_nesting_is_judged_before_parsing_and_passes_over_strings() -> None:
    assert load_canonical(b"[" * 16 + b"]" * 16) is not None
    with pytest.raises(TooDeep):
        load_canonical(b"[" * 17 + b"]" * 17)
    # Deeper than any parser's stack, and not even JSON: still only "too deep".
    with pytest.raises(TooDeep):
        load(b"[" * 1_000_000)
    assert load(b'{"a":"' + b"[" * 50 + b'"}') == {"a": "[" * 50}
    assert load(rb'{"a":"\"' + b"[" * 50 + b'"}') == {"a": '"' + "[" * 50}
    assert depth(b'{"a":[{"b":"]]]"}]}') == 3


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":"\\u0000"}',
        b'{"a":"\\ud800"}',
        b'{"\\udc00":1}',
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"",
        b"{} {}",
        b'{"a":' + b"1" * 5000 + b"}",
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_is_no_json_that_can_be_kept_is_refused(raw: bytes) -> None:
    with pytest.raises(NotJson):
        load(raw)


@settings(max_examples=300)
@given(st.binary(max_size=40) | st.text(r'[]{}":,\\u0de1-.', max_size=40).map(str.encode))
def test_bytes_are_read_or_unreadable_and_nothing_else(raw: bytes) -> None:
    for reader in (load, load_canonical):
        with contextlib.suppress(Unreadable):
            reader(raw)
