"""Can this code name a region, and does one region hold another? GB/T 2260 by prefix (5.4).

Counties come, go and are renumbered every year, and older codes stay in use: only the province of
a code is certain, and its form.
"""

from __future__ import annotations

import re

_FORM = re.compile(r"[1-9][0-9]{5}")
# Provinces, municipalities, autonomous and special regions: all there are.
PROVINCES = frozenset(
    str(n)
    for first, last in (
        (11, 15),
        (21, 23),
        (31, 37),
        (41, 46),
        (50, 54),
        (61, 65),
        (71, 71),
        (81, 82),
    )
    for n in range(first, last + 1)
)
# 11 Beijing, 12 Tianjin, 31 Shanghai, 50 Chongqing: no prefectures between city and county.
MUNICIPALITIES = frozenset(("11", "12", "31", "50"))


def is_region(code: str) -> bool:
    """Six digits of a province that there is: ``500100`` 市辖区 and ``500200`` 县 are no places."""
    if not (_FORM.fullmatch(code) and code[:2] in PROVINCES):
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
