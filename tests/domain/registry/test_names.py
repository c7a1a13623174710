"""What may the name of a person hold? Letters of any script, and what joins them."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain import names

VECTORS = Path("tests/data/protocol/identity.json")
JOINTS = "·•‧・･．.⋅ㆍ∙-‐‑－'’‘＇་༌ 　\u00a0"
LETTERS = st.characters(categories=("Lu", "Ll", "Lo")).filter(lambda each: each not in JOINTS)
# A sign of any other kind; nothing that begins or ends a line, for that is taken off outside.
SIGNS = st.characters(categories=("Nd", "No", "Po", "Ps", "Pe", "Pc", "Sc", "Sm", "So", "Cc", "Cf"))
FOREIGN = SIGNS.filter(lambda each: each not in JOINTS + "\u200c\u200d" and each.strip())


@pytest.mark.parametrize(
    "name",
    [
        *("李华", "欧阳娜娜", "刘〇一", "佐々木", "阿依古丽·买买提", "阿依古丽．买买提"),
        *("迪丽热巴·迪力木拉提", "扎西 多吉", "བཀྲ་ཤིས", "ئايگۈل", "김하나", "José María"),
        *("Anne-Marie O’Neil", "'t Hooft", "Martin L. King Jr.", "Nguyễn Thị Minh Khai"),
        *("Ｊｏｈｎ　Ｓｍｉｔｈ", "Владимир", "สมชาย", "राम", "می\u200cنا", "\ue123华"),
        # Extensions B, H and I: the last two are younger than the tables of this Python.
        *("\U00020bb7野家", "王\U00031350", "王\U0002ebf0"),
    ],
)
def test_names_of_all_scripts_are_taken(name: str) -> None:  # domain.md 5.5
    assert names.fault(name) is None


def test_every_name_of_the_published_vectors_is_taken() -> None:
    cases = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
    assert [each["name"] for each in cases if names.fault(each["name"])] == []
    assert len(cases) > 5


@pytest.mark.parametrize(
    "name",
    [
        *("李华2", "李华２", "13800138000", "Ⅳ世", "李华（大）", "李华,王强", "李华/王强"),
        *("Li_Hua", "<b>李华</b>", "李\t华", "李\n华", "李\u2028华", "李\u202e华"),
        *("李\u200b华", "李\ufffd", "李😀", "$李", "李+"),
        *("·", "- -", "'", "\u200d", "\u0301", "\U0002fffe\U0003ffff", "\u0378华"),
    ],
)
def test_figures_and_other_signs_are_no_name(name: str) -> None:
    assert names.fault(name) == "characters"


@given(st.lists(st.text(LETTERS, min_size=1, max_size=9), min_size=1, max_size=4), st.data())
def test_letters_with_their_joints_are_a_name_in_either_form(parts: list[str], data: st.DataObject):
    name = parts[0]
    for part in parts[1:]:
        name += data.draw(st.sampled_from(JOINTS)) + part
    if len(unicodedata.normalize("NFC", name)) <= names.MAX_NAME:
        assert names.fault(name) is None
        assert names.fault(names.matching(name)) is None


@given(st.text(LETTERS, min_size=1, max_size=20), FOREIGN, st.text(LETTERS, max_size=20))
def test_one_foreign_sign_anywhere_is_enough(before: str, sign: str, after: str) -> None:
    assert names.fault(before + sign + after) == "characters"
