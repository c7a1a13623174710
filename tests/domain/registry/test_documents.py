"""Every vector of numbers, codes and identities, and the forms of the other documents."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pytest

from services.registry.domain import documents, identity, idnumbers, uscc
from services.registry.domain.documents import Document

DATA = Path(__file__).parents[2] / "data"
VECTOR_DAY = date(2027, 1, 1)
IDENTITY = json.loads((DATA / "protocol" / "identity.json").read_text("utf-8"))


def vectors(name: str) -> list[tuple[str, bool, str, str | None]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return [
            (row["value"], row["valid"] == "true", row["reason"], row["canonical"] or None)
            for row in csv.DictReader(file)
        ]


def test_all_vectors_are_there() -> None:
    assert len(vectors("idnumber_vectors.csv")) == 67
    assert len(vectors("uscc_vectors.csv")) == 59
    assert (len(IDENTITY["cases"]), len(IDENTITY["refused"])) == (11, 3)


@pytest.mark.parametrize("value, valid, reason, canonical", vectors("idnumber_vectors.csv"))
def test_an_id_number_is_judged_as_its_vector_says(  # domain.md 5.1
    value: str, valid: bool, reason: str, canonical: str | None
) -> None:
    assert idnumbers.judge(value, VECTOR_DAY) == idnumbers.Judged(valid, reason, canonical)


@pytest.mark.parametrize("value, valid, reason, canonical", vectors("uscc_vectors.csv"))
def test_a_social_credit_code_is_judged_as_its_vector_says(  # domain.md 5.3
    value: str, valid: bool, reason: str, canonical: str | None
) -> None:
    assert uscc.judge(value) == uscc.Judged(valid, reason, canonical)


@pytest.mark.parametrize("case", IDENTITY["cases"], ids=lambda case: case["id_type"])
def test_identity_bytes_are_those_of_the_protocol(case: dict[str, str]) -> None:  # protocol.md 2.3
    made = identity.identity_bytes(case["name"], case["id_type"], case["id_number"])
    assert made.hex() == case["identity_bytes_hex"]


@pytest.mark.parametrize("case", IDENTITY["refused"], ids=lambda case: case["why"])
def test_a_number_that_cannot_be_one_is_not_sent_at_all(case: dict[str, str]) -> None:
    with pytest.raises(identity.NotAnIdentity):
        identity.identity_bytes("李华", case["id_type"], case["id_number"])


@pytest.mark.parametrize("one, other", IDENTITY["same_person"])
def test_the_same_person_has_the_same_bytes(one: int, other: int) -> None:
    made = [
        identity.identity_bytes(case["name"], case["id_type"], case["id_number"])
        for case in (IDENTITY["cases"][one], IDENTITY["cases"][other])
    ]
    assert made[0] == made[1]


def test_code_ids_keys_and_proof_are_those_of_the_protocol() -> None:  # protocol.md 2.3
    known = IDENTITY["code"]
    code = bytes.fromhex(known["code_hex"])
    key = identity.code_key(code)
    assert identity.code_text(code) == known["code_text"]
    assert identity.code_id(code) == known["code_id"]
    assert key.hex() == known["code_key_hex"]
    made = identity.proof(
        key,
        known["transfer_id"],
        known["origin"],
        known["destination"],
        bytes.fromhex(known["identity_bytes_hex"]),
    )
    assert made == known["proof"]


@pytest.mark.parametrize(
    "typed",
    [
        "621P2-DKNTV-1XNPM-C3YXK-2FQ4DV",
        "621p2dkntv1xnpmc3yxk2fq4dv",
        "62IP2-DKNTV-LXNPM-C3YXK-2FQ4DV",
        " 621P2 DKNTV 1XNPM C3YXK 2FQ4DV ",
    ],
)
def test_a_code_is_read_however_it_is_typed(typed: str) -> None:
    assert identity.read_code(typed) == bytes.fromhex(IDENTITY["code"]["code_hex"])


@pytest.mark.parametrize("typed", ["", "621P2", "U21P2-DKNTV-1XNPM-C3YXK-2FQ4DV", "Z" * 26])
def test_what_is_no_code_is_not_read(typed: str) -> None:
    assert identity.read_code(typed) is None


def test_hkdf_is_that_of_rfc_5869() -> None:
    made = identity.hkdf(
        bytes.fromhex("0b" * 22),
        bytes.fromhex("000102030405060708090a0b0c"),
        bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"),
        42,
    )
    assert made.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


@pytest.mark.parametrize(
    "document, canonical",
    [
        (Document("resident_id", "500199 19900101 1235"), "500199199001011235"),
        (Document("hmt_residence_permit", "810000198803030025"), "810000198803030025"),
        (Document("hk_macao_pass", "H1234567800"), "H12345678"),
        (Document("hk_macao_pass", "m12345678"), "M12345678"),
        (Document("taiwan_pass", "12345678"), "12345678"),
        (Document("foreign_pr", "FRA110123456789"), "FRA110123456789"),
        (Document("foreign_pr", "911990199001011234"), "911990199001011234"),
        (Document("passport", "12ab34567", "fra"), "FRA12AB34567"),
        (Document("military", "军字第 1234567 号"), "军字第1234567号"),
    ],
)
def test_each_document_has_its_canonical_form(document: Document, canonical: str) -> None:  # 5.2
    judged = documents.judge(document, VECTOR_DAY)
    assert (judged.reason, judged.canonical) == (None, canonical)


@pytest.mark.parametrize(
    "document, reason",
    [
        (Document("resident_id", "810000198803030025"), "province_code"),
        (Document("hmt_residence_permit", "500199199001011235"), "province_code"),
        (Document("resident_id", "500199900101123"), "length"),
        (Document("resident_id", "500199199001011230"), "check_character"),
        (Document("hk_macao_pass", "A12345678"), "characters"),
        (Document("hk_macao_pass", "H123456789"), "characters"),
        (Document("taiwan_pass", "1234567"), "characters"),
        (Document("foreign_pr", "FR1101234567890"), "characters"),
        (Document("passport", "1234567"), "country"),
        (Document("passport", "1234", "FRA"), "characters"),
        (Document("military", "一" * 21), "length"),
        (Document("military", "军\u202e1"), "characters"),
    ],
)
def test_a_number_of_another_form_is_refused_with_its_reason(
    document: Document, reason: str
) -> None:
    assert documents.judge(document, VECTOR_DAY).reason == reason


def test_fifteen_digits_are_taken_from_old_lists_only() -> None:
    old = Document("resident_id", "500199900101123")
    assert documents.judge(old, VECTOR_DAY, historical=True).canonical == "500199199001011235"


def test_a_document_shows_no_number() -> None:  # R55
    assert "500199" not in repr(Document("resident_id", "500199199001011235"))
