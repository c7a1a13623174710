"""Is this free text clean, and does it hold what must never stand in an entry? (domain.md 5.5)"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal

Flaw = Literal["too_long", "not_nfc", "control_character", "empty", "personal_data"]

# Digits with single spaces or hyphens between them are read together, as people write them.
_IDENTITY: Final = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)|(?<!\d)\d{15}(?!\d)")
_MOBILE: Final = re.compile(r"(?<!\d)(?:86)?1[3-9]\d{9}(?!\d)")
_LAND_LINE: Final = re.compile(r"(?<!\d)0\d{2,3}-\d{7,8}(?!\d)")
_COORDINATE: Final = re.compile(
    r"(?<!\d)\d{1,3}\.\d{3,}\s*°?\s*[NSEW北南东西]?\s*[,，;；/\s]\s*[NSEW北南东西]?\s*\d{1,3}\.\d{3,}"
)
_JOINT: Final = re.compile(r"(?<=\d)[ \-](?=[\dXx])")


def flaw_of(text: str, limit: int) -> Flaw | None:
    """What is wrong with it, or None. ``limit`` counts code points."""
    if not text.strip():
        return "empty"
    if len(text) > limit:
        return "too_long"
    if not unicodedata.is_normalized("NFC", text):
        return "not_nfc"
    if any(unicodedata.category(each) in ("Cc", "Cs") and each != "\n" for each in text):
        return "control_character"
    return "personal_data" if holds_personal_data(text) else None


def holds_personal_data(text: str) -> bool:
    """Whether an identity number, a phone or a coordinate stands in it, in whatever width."""
    plain = unicodedata.normalize("NFKC", text)
    joined = _JOINT.sub("", plain)
    return bool(
        _IDENTITY.search(joined)
        or _MOBILE.search(joined)
        or _LAND_LINE.search(plain)
        or _COORDINATE.search(plain)
    )


def normal_name(name: str) -> str:
    """The form in which two writings of an activity's name are one (same fact)."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
