"""Which bytes of a bundle does this request want? RFC 9110, one range of bytes.

A range that cannot be satisfied, several, or another unit are passed over, as the RFC allows: the
answer is then the whole.
"""

from __future__ import annotations

import re
from typing import Final

_RANGE: Final = re.compile(r"bytes=([0-9]{0,10})-([0-9]{0,10})", re.ASCII)


def requested_range(
    header: str | None, if_range: str | None, etag: str, size: int
) -> tuple[int, int] | None:
    """(first, last) of the bytes to send, both included; None: all of them."""
    if header is None or (if_range is not None and if_range != etag):
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        if not last or int(last) == 0 or size == 0:
            return None
        return max(0, size - int(last)), size - 1
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    return (start, end) if start <= end else None
