"""Does one region hold another? GB/T 2260 by prefix, municipalities by their rule (5.4)."""

from __future__ import annotations

import re

_FORM = re.compile(r"[1-9][0-9]{5}")
# 11 Beijing, 12 Tianjin, 31 Shanghai, 50 Chongqing: no prefectures between city and county.
MUNICIPALITIES = frozenset(("11", "12", "31", "50"))


def is_region(code: str) -> bool:
    """Six digits that may name a place: ``500100`` 市辖区 and ``500200`` 县 are none."""
    if not (_FORM.fullmatch(code) and code.isascii()):
        return False
    return not (code[:2] in MUNICIPALITIES and code[2:4] != "00" and code[4:] == "00")


def holds(region: str, code: str) -> bool:
    """Whether ``code`` is ``region`` or lies in it; ``"*"`` holds every place."""
    if region == "*":
        return True
    if not (is_region(region) and is_region(code)):
        return False
    if region[2:] == "0000":
        return code[:2] == region[:2]
    if region[4:] == "00":
        return code[:4] == region[:4]
    return code == region


def narrowness(region: str) -> int:
    """0 everywhere, 1 a province or municipality, 2 a prefecture, 3 a county."""
    if region == "*":
        return 0
    if region[2:] == "0000":
        return 1
    return 2 if region[4:] == "00" else 3
