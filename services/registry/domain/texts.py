"""May this free text be stored? Length, form, and nothing personal in it (domain.md 5.5)."""

from __future__ import annotations

import re
import unicodedata

_DIGITS = re.compile(r"(?<![0-9])(?:[0-9]{17}[0-9X]|[0-9]{15})(?![0-9])")
_MOBILES = re.compile(r"(?<![0-9])(?:\+?86|0086)?1[3-9][0-9]{9}(?![0-9])")
_COORDINATES = re.compile(r"(?<![0-9.])-?[0-9]{1,3}\.[0-9]{4,}\s*[,，°]?\s*-?[0-9]{1,3}\.[0-9]{4,}")
_FILLERS = re.compile(r"(?<=[0-9])[ -](?=[0-9Xx])")


def fault(text: str, limit: int) -> str | None:
    """``length`` (in code points, 1 … ``limit``) or ``characters`` (controls); else None."""
    if not 1 <= len(unicodedata.normalize("NFC", text).strip()) <= limit:
        return "length"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        return "characters"
    return None


def holds_personal_data(text: str) -> bool:
    """Whether an id number, a mobile number or a coordinate stands in it."""
    plain = unicodedata.normalize("NFKC", text).upper()
    joined = _FILLERS.sub("", plain)
    return any(
        pattern.search(form)
        for form in (plain, joined)
        for pattern in (_DIGITS, _MOBILES, _COORDINATES)
    )
