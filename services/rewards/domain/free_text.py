"""Does a free text hold what may not stand there? Document numbers, mobiles, coordinates."""

from __future__ import annotations

import re
import unicodedata

_FORBIDDEN = (
    re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"),
    re.compile(r"(?<!\d)\d{15}(?!\d)"),
    re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)"),
    re.compile(r"(?<!\d)\d{1,3}\.\d{4,}\s*[,，;；\s]\s*\d{1,3}\.\d{4,}(?!\d)"),
)


def holds_personal_data(text: str) -> bool:
    """Whether a text matches an identity number, a mobile phone number or a pair of coordinates."""
    plain = unicodedata.normalize("NFKC", text)
    packed = re.sub(r"(?<=\d)[\s\-·](?=\d)", "", plain)
    return any(pattern.search(form) for pattern in _FORBIDDEN for form in (plain, packed))
