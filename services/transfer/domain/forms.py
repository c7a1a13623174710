"""How is the form of a JSON value judged, and which member is named when it is wrong?

A form takes a value and says where it is wrong: a dotted path below the value (``""``: the value
itself), or None where it fits. List indices are left out of paths. ``strict`` decides whether
unknown members are refused (the peer's minor version is ours or lower) or ignored.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date as calendar_date
from datetime import datetime
from typing import Any, Final

Form = Callable[[Any, bool], str | None]

MAX_INTEGER: Final = 2**53 - 1

CITY: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,30}", re.ASCII)
KID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,30}:[0-9a-f]{16}", re.ASCII)
TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def joined(path: str, below: str) -> str:
    """``content`` and ``limits.max_entries`` → ``content.limits.max_entries``."""
    return f"{path}.{below}" if path and below else path or below


def is_time(value: Any) -> bool:
    """``2027-03-01T02:00:00Z``, a real instant."""
    if type(value) is not str or TIME.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_date(value: Any) -> bool:
    """``2027-03-01``, a real day."""
    if type(value) is not str or DATE.fullmatch(value) is None:
        return False
    try:
        calendar_date.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_text(value: Any, at_most: int) -> bool:
    """NFC, at most so many characters, no control characters but line feed."""
    return (
        type(value) is str
        and len(value) <= at_most
        and _CONTROL.search(value) is None
        and unicodedata.is_normalized("NFC", value)
    )


def where(fits: Callable[[Any], bool]) -> Form:
    """The form of a value that is judged as a whole."""

    def judge(value: Any, strict: bool) -> str | None:
        return None if fits(value) else ""

    return judge


def pattern(expression: re.Pattern[str]) -> Form:
    """A text that the expression matches from end to end."""
    return where(lambda value: type(value) is str and expression.fullmatch(value) is not None)


def hexadecimal(size_bytes: int) -> Form:
    """Exactly so many bytes in lower-case hex."""
    return pattern(re.compile(f"[0-9a-f]{{{size_bytes * 2}}}", re.ASCII))


def hexadecimal_up_to(at_most_bytes: int) -> Form:
    """Whole bytes in lower-case hex, at most so many."""
    return pattern(re.compile(f"(?:[0-9a-f]{{2}}){{0,{at_most_bytes}}}", re.ASCII))


def text(at_most: int) -> Form:
    """See ``is_text``."""
    return where(lambda value: is_text(value, at_most))


def integer(least: int = 0, most: int = MAX_INTEGER) -> Form:
    """A whole number; true and false are none."""
    return where(lambda value: type(value) is int and least <= value <= most)


def one_of(*values: str) -> Form:
    """One of these texts."""
    allowed = frozenset(values)
    return where(lambda value: type(value) is str and value in allowed)


def maybe(form: Form) -> Form:
    """Null, or this form."""

    def judge(value: Any, strict: bool) -> str | None:
        return None if value is None else form(value, strict)

    return judge


def listing(form: Form, least: int, most: int) -> Form:
    """A list of ``least`` to ``most`` items of this form."""

    def judge(value: Any, strict: bool) -> str | None:
        if type(value) is not list or not least <= len(value) <= most:
            return ""
        for item in value:
            wrong = form(item, strict)
            if wrong is not None:
                return wrong
        return None

    return judge


def shape(members: Mapping[str, Form]) -> Form:
    """An object with all of these members; others are refused where ``strict``."""

    def judge(value: Any, strict: bool) -> str | None:
        if type(value) is not dict:
            return ""
        for name, form in members.items():
            if name not in value:
                return name
            wrong = form(value[name], strict)
            if wrong is not None:
                return joined(name, wrong)
        if strict and len(value) > len(members):
            return ""
        return None

    return judge


def either(*forms: Form) -> Form:
    """One of these forms; where none fits, the fault is named that the last one finds."""

    def judge(value: Any, strict: bool) -> str | None:
        wrong: str | None = ""
        for form in forms:
            wrong = form(value, strict)
            if wrong is None:
                return None
        return wrong

    return judge


city: Final = pattern(CITY)
kid: Final = pattern(KID)
hex16: Final = hexadecimal(16)
hex32: Final = hexadecimal(32)
hex64: Final = hexadecimal(64)
time: Final = where(is_time)
date: Final = where(is_date)
boolean: Final = where(lambda value: type(value) is bool)
signed_minutes: Final = integer(-MAX_INTEGER, MAX_INTEGER)
anything: Final = where(lambda value: type(value) is dict)
"""Any object, its members not looked at."""


def signed(form: Form) -> Form:
    """``{"body": X, "kid", "sig"}``."""
    return shape({"body": form, "kid": kid, "sig": hex64})
