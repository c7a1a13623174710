"""Which bytes stand for a JSON value, and is this text one that we read at all?

RFC 8785 with the narrower number rule of the inter-city protocol (protocol.md 2.1, 2.2): whole
numbers within ±(2^53−1) only, no fraction, exponent or −0.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final

import rfc8785

from shared.messages import Unreadable

MAX_INTEGER: Final = 2**53 - 1
# The protocol's limit for any message (protocol.md 4.2, check 5).
MAX_DEPTH: Final = 16

_HIGH = re.compile("[\ud800-\U0010ffff]")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_UNFIT: Final = object()


class TooDeep(Unreadable):
    """Brackets nest deeper than allowed; found before parsing."""


class NotJson(Unreadable):
    """No UTF-8, no JSON, or a member twice."""


class NotCanonical(Unreadable):
    """JSON, but not the one form of its value, or a value that has none."""


def canonical(value: Any) -> bytes:
    """J(value), the bytes that are hashed and signed; raises ``NotCanonical``."""
    sorts_otherwise = _judge(value, 0)
    try:
        if sorts_otherwise:
            return rfc8785.dumps(value)
        return _ENCODER.encode(value).encode("utf-8")
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        raise NotCanonical("text holds a lone surrogate") from None


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def load(raw: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of JSON bytes, whatever their form: depth bounded, no member twice, no NaN.

    Texts that no database takes (lone surrogates, U+0000) and integers of more than 4,300 digits
    are refused too. Raises ``TooDeep`` or ``NotJson``; the caller bounds the length.
    """
    _scan_depth(raw, max_depth)
    value = _parse(raw, _LENIENT)
    if b"\\u" in raw or b"\0" in raw:
        _refuse_unstorable(value)
    return value


def load_canonical(raw: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """The value of bytes that must be its canonical form (checks 5, 6 and 7, in this order)."""
    _scan_depth(raw, max_depth)
    value = _parse(raw, _STRICT)
    if canonical(value) != raw:
        raise NotCanonical("bytes are not the canonical form of their value")
    return value


def depth(raw: bytes) -> int:
    """How deep brackets nest in JSON bytes; ``{}`` is 1. Strings are passed over."""
    deepest = level = 0
    for bracket in _BRACKETS.findall(_STRING.sub(b"", raw)):
        if bracket in b"[{":
            level += 1
            deepest = max(deepest, level)
        else:
            level -= 1
    return deepest


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


def _scan_depth(raw: bytes, limit: int) -> None:
    if raw.count(b"{") + raw.count(b"[") > limit and depth(raw) > limit:
        raise TooDeep(f"nesting is deeper than {limit}")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("a member stands twice")
    return members


def _constant(_: str) -> Any:
    raise NotJson("NaN and Infinity are no JSON")


def _canonical_integer(text: str) -> Any:
    # Judged later: bytes that are no JSON further on must be told so first.
    return int(text) if text != "-0" and len(text) <= 17 else _UNFIT


_STRICT = json.JSONDecoder(
    object_pairs_hook=_members,
    parse_constant=_constant,
    parse_float=lambda _: _UNFIT,
    parse_int=_canonical_integer,
)
_LENIENT = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant)


def _parse(raw: bytes, decoder: json.JSONDecoder) -> Any:
    try:
        return decoder.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise NotJson("bytes are not UTF-8") from None
    except ValueError:
        # Its text would quote what was read.
        raise NotJson("bytes are not JSON") from None


def _judge(value: Any, level: int) -> bool:
    """Raises for what has no form. Whether names of members have to be sorted by UTF-16 unit:
    Python sorts by code point, which is another order only above U+D7FF."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return False
    otherwise = False
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise NotCanonical("a number is beyond 2^53-1")
    elif kind is dict:
        if level >= 64:
            raise NotCanonical("a value nests deeper than 64")
        for key, member in value.items():
            if type(key) is not str:
                raise NotCanonical("a member name is no text")
            if not key.isascii() and _HIGH.search(key):
                otherwise = True
            if type(member) is not str and _judge(member, level + 1):
                otherwise = True
    elif kind is list or kind is tuple:
        if level >= 64:
            raise NotCanonical("a value nests deeper than 64")
        for item in value:
            if type(item) is not str and _judge(item, level + 1):
                otherwise = True
    else:
        raise NotCanonical("a value is no text, whole number, truth value, list or object")
    return otherwise


def _refuse_unstorable(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise NotJson("text holds U+0000")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise NotJson("text holds a lone surrogate")
    elif isinstance(value, dict):
        for key, member in value.items():
            _refuse_unstorable(key)
            _refuse_unstorable(member)
    elif isinstance(value, list):
        for item in value:
            _refuse_unstorable(item)
