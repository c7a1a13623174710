"""Names, phones, regions, ages and free texts: what is taken, and in what form."""

from __future__ import annotations

from datetime import date

import pytest

from services.registry.domain import ages, names, regions, texts


@pytest.mark.parametrize(
    "one, other",
    [
        ("李华", " 李华 "),
        ("阿依古丽·买买提", "阿依古丽•买买提"),
        ("阿依古丽·买买提", "阿依古丽．买买提"),
        ("阿依古丽·买买提", "阿依古丽 ・ 买买提"),
        ("Anne  Marie", "Ａｎｎｅ Marie"),
        ("Anne Marie", "Anne　Marie"),
    ],
)
def test_names_are_equal_in_their_matching_form(one: str, other: str) -> None:  # domain.md 5.5
    assert names.matching(one) == names.matching(other)


@pytest.mark.parametrize(
    "one, other", [("李华", "李華"), ("Anne Marie", "ANNE MARIE"), ("Anne Marie", "Marie Anne")]
)
def test_a_name_differs_when_the_document_does(one: str, other: str) -> None:
    assert names.matching(one) != names.matching(other)


@pytest.mark.parametrize("name", ["李", "\U00020bb7野家", "李" * 50, "\ue123华"])
def test_a_name_is_one_to_fifty_code_points(name: str) -> None:
    assert names.fault(name) is None


@pytest.mark.parametrize(
    "name, reason",
    [
        ("", "length"),
        ("  ", "length"),
        ("李" * 51, "length"),
        ("李\x07", "characters"),
        ("···", "characters"),
        ("123", "characters"),
    ],
)
def test_what_is_no_name_is_refused(name: str, reason: str) -> None:
    assert names.fault(name) == reason


def test_characters_of_older_fonts_are_flagged() -> None:
    assert names.has_private_use("\ue123华") and not names.has_private_use("李华")


@pytest.mark.parametrize(
    "name, masked",
    [("李华", "李*"), ("欧阳娜娜", "欧***"), ("阿依古丽·买买提", "阿***"), ("李", "李*")],
)
def test_a_shown_name_keeps_its_first_character(name: str, masked: str) -> None:  # domain.md 6
    assert names.mask(name) == masked


@pytest.mark.parametrize(
    "text, kept",
    [
        ("13800138000", "13800138000"),
        ("+86 138-0013-8000", "13800138000"),
        ("００８６ 13800138000", "13800138000"),
        ("023-63850000", "02363850000"),
        ("+33 1 23 45 67 89", "+33123456789"),
        ("12800138000", None),
        ("1380013800", None),
        ("", None),
        ("+0123456789", None),
        ("call me", None),
    ],
)
def test_a_phone_is_a_mobile_a_land_line_or_foreign(text: str, kept: str | None) -> None:
    assert names.phone(text) == kept


@pytest.mark.parametrize(
    "text, kept", [(" li@example.org ", "li@example.org"), ("li", None), ("a@b@c", None)]
)
def test_an_address_for_mail_has_one_at(text: str, kept: str | None) -> None:
    assert names.email(text) == kept


@pytest.mark.parametrize(
    "region, code, held",
    [
        ("500000", "500105", True),
        ("500000", "500230", True),
        ("500105", "500000", False),
        ("510000", "510104", True),
        ("510100", "510104", True),
        ("510100", "510704", False),
        ("510104", "510104", True),
        ("510104", "510105", False),
        ("500100", "500105", False),
        ("*", "650000", True),
        ("500000", "500100", False),
    ],
)
def test_a_region_holds_by_prefix_and_municipalities_by_their_rule(  # domain.md 5.4
    region: str, code: str, held: bool
) -> None:
    assert regions.holds(region, code) is held


@pytest.mark.parametrize("code", ["500000", "510100", "510104", "500230", "429004", "650100"])
def test_a_region_has_six_digits(code: str) -> None:
    assert regions.is_region(code)


# 涪陵 of Sichuan until 1997, 崇文 of Beijing until 2010: renumbered, never refused.
@pytest.mark.parametrize("code", ["512301", "110103"])
def test_a_county_that_is_no_more_is_still_a_region(code: str) -> None:  # domain.md 5.4
    assert regions.is_region(code)


NOWHERE = ["500100", "500200", "5001", "05000a", "", "５０００００", "500103\n"]
NO_PROVINCE = ["000000", "100000", "160101", "240000", "550103", "660000", "830000", "990000"]


@pytest.mark.parametrize("code", [*NOWHERE, *NO_PROVINCE])
def test_what_names_no_place_is_no_region(code: str) -> None:
    assert not regions.is_region(code)


@pytest.mark.parametrize(
    "born, day, age",
    [
        (date(2010, 3, 1), date(2024, 2, 29), 13),
        (date(2010, 3, 1), date(2024, 3, 1), 14),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2024, 2, 29), 16),
    ],
)
def test_age_turns_on_the_birthday_itself(born: date, day: date, age: int) -> None:  # domain.md 5.1
    assert ages.age_on(day, born) == age


@pytest.mark.parametrize(
    "born, band",
    [
        (date(2020, 1, 1), "under_8"),
        (date(2019, 1, 1), "age_8_13"),
        (date(2013, 1, 1), "age_14_17"),
        (date(2009, 1, 1), "adult"),
    ],
)
def test_a_band_tells_no_age(born: date, band: str) -> None:
    assert ages.band_on(date(2027, 1, 1), born) == band


@pytest.mark.parametrize(
    "text",
    [
        "身份证 500199199001011235",
        "号码５００１９９１９９００１０１１２３５",
        "500199 19900101 1235",
        "old number 500199900101123",
        "请拨 13800138000",
        "138-0013-8000",
        "+8613800138000",
        "at 29.56301, 106.55156",
    ],
)
def test_a_free_text_may_hold_nothing_personal(text: str) -> None:  # R55
    assert texts.holds_personal_data(text)


@pytest.mark.parametrize("text", ["图书 2 小时", "编号 2027000142", "2027-03-01 09:00", "1.5 h"])
def test_ordinary_words_and_figures_pass(text: str) -> None:
    assert not texts.holds_personal_data(text)


@pytest.mark.parametrize(
    "text, reason", [("好", None), ("", "length"), ("好" * 11, "length"), ("a\x00", "characters")]
)
def test_a_text_keeps_to_its_limit(text: str, reason: str | None) -> None:
    assert texts.fault(text, 10) == reason
