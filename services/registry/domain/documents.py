"""Which documents prove who someone is, and in what form is a number kept? (domain.md 5.2)"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, get_args

from services.registry.domain import idnumbers

DocumentType = Literal[
    "resident_id",
    "hmt_residence_permit",
    "hk_macao_pass",
    "taiwan_pass",
    "foreign_pr",
    "passport",
    "military",
]
DOCUMENT_TYPES: tuple[DocumentType, ...] = get_args(DocumentType)
# Their names between cities (protocol.md 2.3).
WIRE_TYPES: dict[DocumentType, str] = {
    "resident_id": "RIC",
    "hmt_residence_permit": "HMT",
    "hk_macao_pass": "HMP",
    "taiwan_pass": "TWP",
    "passport": "PPT",
    "foreign_pr": "FPR",
    "military": "MIL",
}
_HK_MACAO = re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?")
_TAIWAN = re.compile(r"[0-9]{8}")
_FOREIGN_PR = re.compile(r"[A-Z]{3}[0-9]{12}|9[0-9]{16}[0-9X]")
_COUNTRY = re.compile(r"[A-Z]{3}")
_PASSPORT = re.compile(r"[A-Z0-9]{5,17}")
_KEPT = re.compile(r"[^A-Z0-9]")
_MAX_MILITARY = 20


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it was shown. ``country``: ISO 3166 alpha-3, for passports alone."""

    type: DocumentType
    number: str = field(repr=False)
    country: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """``canonical``: what identity rests on. ``born``, ``sex``: what the number itself tells.

    ``reason`` says why it is refused, or None.
    """

    reason: str | None
    canonical: str = field(default="", repr=False)
    born: date | None = field(default=None, repr=False)
    sex: str | None = field(default=None, repr=False)


def judge(document: Document, today: date, *, historical: bool = False) -> Judged:
    """Whether the number can be one of its type. ``historical``: 15 digits are taken too."""
    number = bare(document.number)
    match document.type:
        case "resident_id" | "hmt_residence_permit":
            return _judge_resident(document, today, historical)
        case "hk_macao_pass":
            # The last two count renewals: the person is in the first nine.
            return _form(_HK_MACAO, number, number[:9])
        case "taiwan_pass":
            return _form(_TAIWAN, number, number[:8])
        case "foreign_pr":
            return _form(_FOREIGN_PR, number, number)
        case "passport":
            country = bare(document.country or "")
            if not _COUNTRY.fullmatch(country):
                return Judged("country")
            return _form(_PASSPORT, number, country + number)
        case "military":
            free = "".join(unicodedata.normalize("NFKC", document.number).upper().split())
            if not 1 <= len(free) <= _MAX_MILITARY:
                return Judged("length")
            if any(unicodedata.category(character)[0] == "C" for character in free):
                return Judged("characters")
            return Judged(None, free)


def bare(text: str) -> str:
    """N(number) of protocol.md 2.3 without its rules by type: only A–Z and 0–9 are kept."""
    return _KEPT.sub("", unicodedata.normalize("NFKC", text).upper())


def _judge_resident(document: Document, today: date, historical: bool) -> Judged:
    judged = idnumbers.judge(document.number, today)
    if judged.canonical is None:
        return Judged(judged.reason)
    permit = judged.canonical[:6] in idnumbers.RESIDENCE_PERMITS
    if permit != (document.type == "hmt_residence_permit"):
        return Judged("province_code")
    if judged.reason == "ok_converted_15" and not historical:
        return Judged("length")
    return Judged(None, judged.canonical, judged.birth_date, judged.sex)


def _form(pattern: re.Pattern[str], number: str, canonical: str) -> Judged:
    return Judged(None, canonical) if pattern.fullmatch(number) else Judged("characters")
