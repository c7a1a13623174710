"""Is this a unified social credit code 统一社会信用代码? GB 32100-2015 (domain.md 5.3)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_SUBJECT_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_DROPPED = str.maketrans("", "", " -·")


@dataclass(frozen=True, slots=True)
class Judged:
    """``canonical``: the 18 characters, where ``valid``. ``reason``: ``ok…``, or the test failed.

    ``ok_subject_code_check_differs`` is a warning: the inner code's own check is off [P].
    """

    valid: bool
    reason: str
    canonical: str | None = None


def judge(text: str) -> Judged:
    """Tests in the order of domain.md 5.3; the first that fails gives the reason."""
    code = unicodedata.normalize("NFKC", text).translate(_DROPPED).upper()
    if len(code) != 18:
        return Judged(False, "length")
    if any(character not in _ALPHABET for character in code):
        return Judged(False, "characters")
    if not code[2:8].isdigit():
        return Judged(False, "region_code")
    if code[17] != check_character(code[:17]):
        return Judged(False, "check_character")
    if code[16] != _subject_check(code[8:16]):
        return Judged(True, "ok_subject_code_check_differs", code)
    return Judged(True, "ok" if code == text else "ok_normalised", code)


def check_character(first_seventeen: str) -> str:
    """The last character for the first 17. The outer ``% 31`` matters where the sum divides."""
    total = sum(
        _ALPHABET.index(character) * weight
        for character, weight in zip(first_seventeen, _WEIGHTS, strict=True)
    )
    return _ALPHABET[(31 - total % 31) % 31]


def _subject_check(first_eight: str) -> str:
    """GB 11714: the organisation code's own check; letters are A = 10 … Z = 35."""
    total = sum(
        int(character, 36) * weight
        for character, weight in zip(first_eight, _SUBJECT_WEIGHTS, strict=True)
    )
    return {10: "X", 11: "0"}.get(11 - total % 11, str(11 - total % 11))
