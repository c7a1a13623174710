"""Is every limit of an entry's form kept to the byte? Check 8, codes 401 and 404."""

from __future__ import annotations

from typing import Any

import pytest

from services.transfer.domain.bundles import cut
from services.transfer.domain.codes import code_text, hkdf
from services.transfer.domain.entry_form import LeafIsWrong, judge_leaf
from services.transfer.edge.signatures import verify_signature
from shared.canonical import canonical
from tests.support.logs import SUBJECT, entry
from tests.support.vectors import directory

BOOK = directory()


def code_of(signed: Any) -> str | None:
    """The code that this leaf gets, None where it is taken."""
    line = signed if isinstance(signed, bytes) else canonical(signed)
    try:
        judge_leaf(line, subject_id=SUBJECT, directory=BOOK, verify=verify_signature)
    except LeafIsWrong as wrong:
        assert len(wrong.evidence_digest) == 64
        return wrong.code
    return None


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"d": value}
    return value


def padded(member: str, size: int) -> dict[str, Any]:
    """An entry whose body (or detail) has exactly so many canonical bytes."""
    empty = entry(1, **({"padding": ""} if member == "body" else {"detail": {"padding": ""}}))
    body = empty["body"]
    missing = size - len(canonical(body if member == "body" else body["detail"]))
    text = "x" * missing
    return entry(1, **({"padding": text} if member == "body" else {"detail": {"padding": text}}))


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, None),
        ({"version": 9999, "reason": "r"}, None),
        ({"version": 10_000, "reason": "r"}, "TR-401"),
        ({"version": 0}, "TR-401"),
        ({"version": True}, "TR-401"),
        ({"version": 2, "reason": None}, "TR-401"),
        ({"version": 2, "reason": ""}, None),
        ({"reason": "r" * 200}, None),
        ({"reason": "r" * 201}, "TR-401"),
        ({"reason": "a\nb"}, None),
        ({"reason": "a\tb"}, "TR-401"),
        ({"entry_id": 7}, "TR-401"),
        ({"entry_id": "amber"}, "TR-401"),
        ({"entry_id": "-01KE0000000000000000000000"}, "TR-401"),
        ({"entry_id": "amber-01KE000000000000000000000I"}, "TR-401"),
        ({"entry_id": "amber-81KE0000000000000000000000"}, "TR-401"),
        ({"entry_id": "cedar-01KE0000000000000000000000"}, "TR-404"),
        ({"entry_id": "amber-x-01KE0000000000000000000000"}, "TR-404"),
        ({"entry_id": "amberx-01KE0000000000000000000000"}, "TR-404"),
        ({"minutes": "60"}, "TR-401"),
        ({"minutes": None}, "TR-401"),
        ({"occurred_on": "2027-02-29"}, "TR-401"),
        ({"recorded_at": "2027-02-15T03:00:00+00:00"}, "TR-401"),
        ({"recorded_at": "2028-02-15T03:00:00Z"}, None),
        ({"recorded_at": "2028-04-01T00:00:00Z"}, "TR-404"),
        ({"salt": "0" * 31}, "TR-401"),
        ({"subject_id": "0" * 32}, "TR-404"),
        ({"v": "entry/2"}, "TR-401"),
        ({"detail": []}, "TR-401"),
        ({"detail": nested(8)}, None),
        ({"detail": nested(9)}, "TR-401"),
        ({"more": nested(8)}, None),
        ({"more": nested(9)}, "TR-401"),
        ({"more": [[[[[[[[1]]]]]]]]}, None),
        ({"more": nested(15)}, "TR-401"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_leaf_keeps_its_form(members: dict[str, Any], code: str | None) -> None:
    assert code_of(entry(1, **members)) == code


@pytest.mark.parametrize(
    ("member", "size", "code"),
    [
        ("body", 8192, None),
        ("body", 8193, "TR-401"),
        ("detail", 6144, None),
        ("detail", 6145, "TR-401"),
    ],
)
def test_a_leaf_keeps_its_sizes(member: str, size: int, code: str | None) -> None:
    assert code_of(padded(member, size)) == code


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        canonical(entry(1)) + b" ",
        canonical({**entry(1), "more": 1}),
        canonical({**entry(1), "sig": "0" * 127}),
        canonical({**entry(1), "body": []}),
        canonical(entry(1)["body"]),
    ],
)
def test_what_is_no_signed_entry_is_refused_as_such(line: bytes) -> None:
    assert code_of(line) == "TR-401"


def test_a_key_signs_only_for_its_city_and_use() -> None:  # B25, F33
    mine = entry(1)
    for kid in ("birch:d8eb42866e33949e", "amber:3f5d45756011d07b", "amber:0000000000000000"):
        assert code_of({**mine, "kid": kid}) == "TR-404"


def test_a_bundle_is_full_to_the_byte() -> None:  # 4.1
    lines = [b"x" * 65_534, b"", b"y"]
    assert [plain.leaves for plain in cut(iter(lines), 65_536)] == [2, 1]
    assert [plain.leaves for plain in cut(iter(lines), 65_535)] == [1, 2]
    assert [plain.leaves for plain in cut(iter(lines), 65_537)] == [2, 1]
    assert [plain.leaves for plain in cut(iter(lines), 65_538)] == [3]
    over = [b"x" * 70_000, b"y"]
    assert [plain.leaves for plain in cut(iter(over), 65_536)] == [1, 1]


def test_keys_are_derived_within_their_bounds() -> None:
    # RFC 5869, test case 3: no salt, no info.
    assert hkdf(bytes([0x0B] * 22), b"", b"", 42).hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )
    assert len(hkdf(b"k", b"", b"", 8160)) == 8160
    with pytest.raises(ValueError, match="8160"):
        hkdf(b"k", b"", b"", 8161)
    with pytest.raises(ValueError, match="16 bytes"):
        code_text(bytes(15))
