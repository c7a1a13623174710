"""How do days, instants and whole numbers stand in a JSON body? RFC 3339 texts, and numbers.

Pydantic also takes seconds since 1970 for a date, as a number or a text of digits, and a text for a
number. Of a body all these are mistakes, and a mistake is named, not read as something else.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, StrictInt

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _day(value: Any) -> Any:
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("is no day of the form 2027-03-01")
    return _no_number(value)


def _instant(value: Any) -> Any:
    if isinstance(value, str) and not _DAY.match(value):
        raise ValueError("is no instant of the form 2027-03-01T02:00:00Z")
    return _no_number(value)


def _no_number(value: Any) -> Any:
    if not isinstance(value, str | date | datetime | None):
        raise ValueError("is to be a text")
    return value


Day = Annotated[date, BeforeValidator(_day)]
Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
Whole = StrictInt
