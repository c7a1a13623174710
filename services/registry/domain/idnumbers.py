"""Is this a resident identity number, and which? GB 11643-1999 (domain.md 5.1)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date

from services.registry.domain.regions import PROVINCES

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
# 83 stands on the residence permits of people from Taiwan alone.
_PROVINCES = PROVINCES | {"83"}
# Residence permits for people from Hong Kong, Macao and Taiwan have these six digits, no others.
RESIDENCE_PERMITS = frozenset(("810000", "820000", "830000"))
_DROPPED = str.maketrans("", "", " -·")
# First-generation numbers kept these for people born before 1900 [NV].
_CENTENARIANS = frozenset(("996", "997", "998", "999"))
_OLDEST_YEAR = 1900


@dataclass(frozen=True, slots=True)
class Judged:
    """``canonical``: the 18 characters, if ``valid``. ``reason``: ``ok…``, or the failed test."""

    valid: bool
    reason: str
    canonical: str | None = None

    @property
    def birth_date(self) -> date | None:
        """The day of birth that the number tells; a cross-check of the profile, no source."""
        return None if self.canonical is None else _day(self.canonical[6:14])

    @property
    def sex(self) -> str | None:
        """``male`` or ``female`` by the last digit of the sequence; a cross-check too."""
        if self.canonical is None:
            return None
        return "male" if int(self.canonical[16]) % 2 else "female"


def judge(text: str, today: date) -> Judged:
    """Tests in the order of domain.md 5.1; the first that fails gives the reason.

    The address is never held against today's regions: it is the place of first registration.
    """
    number = unicodedata.normalize("NFKC", text).translate(_DROPPED).upper()
    if len(number) not in (15, 18):
        return Judged(False, "length")
    short = len(number) == 15
    digits, last = (number, "0") if short else (number[:17], number[17])
    if not (digits.isascii() and digits.isdigit() and last in "0123456789X"):
        return Judged(False, "characters")
    full = f"{number[:6]}19{number[6:]}" if short else digits
    if full[:2] not in _PROVINCES:
        return Judged(False, "province_code")
    permit = full[:2] in ("81", "82", "83")
    if permit and full[:6] not in RESIDENCE_PERMITS:
        return Judged(False, "province_code")
    born = _day(full[6:14])
    if born is None:
        return Judged(False, "birth_date")
    if born > today:
        return Judged(False, "birth_in_future")
    if born.year < _OLDEST_YEAR:
        return Judged(False, "birth_before_1900")
    if short and full[14:] in _CENTENARIANS:
        return Judged(False, "century_ambiguous_15")
    check = check_character(full)
    if not short and last != check:
        return Judged(False, "check_character")
    if short:
        reason = "ok_converted_15"
    elif number != text:
        reason = "ok_normalised"
    else:
        reason = "ok_residence_permit" if permit else "ok"
    return Judged(True, reason, full + check)


def check_character(first_seventeen: str) -> str:
    """The last character for the first 17 digits."""
    total = sum(
        int(digit) * weight for digit, weight in zip(first_seventeen, _WEIGHTS, strict=True)
    )
    return _CHECKS[total % 11]


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
