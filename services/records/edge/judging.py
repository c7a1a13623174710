"""Is this an entry version as its issuer signed it? (protocol.md 8, check 8; 2.1 and 2.4)

The same check that transfer makes of an offer, written here for what comes late; the
published vectors bind both. Order of the codes: 401, 404, 410. What needs the log, 411 and 412, the
domain judges.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from services.records.domain.dossiers.bodies import (
    MAX_BODY_BYTES,
    MAX_DETAIL_BYTES,
    MAX_VERSION,
)
from services.records.domain.dossiers.commands import JudgedEntry
from services.records.domain.entries import KINDS, STATES
from services.records.edge.directory import Directory
from shared.canonical import MAX_INTEGER, canonical, depth
from shared.canonical import digest as digest_of
from shared.clock import read
from shared.messages import Unreadable
from shared.signing import signature_holds

NOT_OF_ITS_FORM: Final = "TR-401"
NOT_SIGNED: Final = "TR-404"
OUT_OF_BOUNDS: Final = "TR-410"
MAX_DETAIL_DEPTH: Final = 8
MAX_BODY_DEPTH: Final = 9
MEMBERS: Final = frozenset(
    {
        "v",
        "kind",
        "issuer",
        "subject_id",
        "entry_id",
        "version",
        "state",
        "minutes",
        "counted_minutes",
        "occurred_on",
        "recorded_at",
        "reason",
        "detail",
        "salt",
    }
)
_CITY = re.compile(r"[a-z0-9][a-z0-9-]{1,30}", re.ASCII)
_HEX16 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_HEX64 = re.compile(r"[0-9a-f]{128}", re.ASCII)
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)
_KID = re.compile(r"[a-z0-9][a-z0-9-]{1,30}:[0-9a-f]{16}", re.ASCII)


class KeyIsUnlisted(Exception):
    """The directory held does not list this kid at all: it is fetched first, then asked again."""


def judge_entry(signed: Any, subject_id: str, directory: Directory) -> JudgedEntry:
    """The entry with the code that its form, signature or bounds earn, or None.

    Raises ``KeyIsUnlisted`` where a newer directory may know better.
    """
    key = _key_of(signed)
    body = signed.get("body") if isinstance(signed, Mapping) else None
    code = _form(signed)
    if code is None and isinstance(body, Mapping):
        code = _signature(signed, body, subject_id, directory)
        if code is None and not minutes_are_in_bounds(body):
            code = OUT_OF_BOUNDS
    return JudgedEntry(
        issuer=key[0],
        entry_id=key[1],
        version=key[2],
        signed=signed if isinstance(signed, Mapping) else {},
        digest=digest_of(body),
        code=code,
    )


def minutes_are_in_bounds(body: Mapping[str, Any]) -> bool:
    """Bounds of minutes and of what counts, by kind and state; nothing is ever rounded (2.4)."""
    minutes, counted = body["minutes"], body["counted_minutes"]
    legacy = body["detail"].get("evidence_class") == "legacy"
    least, most = {
        "service": (1, 600_000 if legacy else 1_440),
        "training": (1, 600_000 if legacy else 1_440),
        "consumption": (0, 600_000),
        "adjustment": (-600_000, -1),
    }.get(body["kind"], (0, 0))
    if not least <= minutes <= most:
        return False
    if body["state"] == "approved":
        return bool(counted == minutes)
    if body["state"] == "pending" and body["version"] > 1:
        # What a correction awaits: the figure approved before goes on counting.
        return counted == 0 or bool(least <= counted <= most)
    return bool(counted == 0)


def _key_of(signed: Any) -> tuple[str, str, int]:
    """The key by which a refused one is kept; what it lacks is left empty."""
    body = signed.get("body") if isinstance(signed, Mapping) else None
    if not isinstance(body, Mapping):
        return "", "", 0
    issuer, entry_id, version = (body.get(each) for each in ("issuer", "entry_id", "version"))
    return (
        issuer if isinstance(issuer, str) and len(issuer) <= 31 else "",
        entry_id if isinstance(entry_id, str) and len(entry_id) <= 60 else "",
        version if type(version) is int and 0 <= version <= MAX_VERSION else 0,
    )


def _form(signed: Any) -> str | None:
    if not isinstance(signed, Mapping) or signed.keys() != {"body", "kid", "sig"}:
        return NOT_OF_ITS_FORM
    body, kid, sig = signed["body"], signed["kid"], signed["sig"]
    if not (_matches(_KID, kid) and _matches(_HEX64, sig) and isinstance(body, Mapping)):
        return NOT_OF_ITS_FORM
    good = (
        body.keys() >= MEMBERS
        and body["v"] == "entry/1"
        and body["kind"] in KINDS
        and body["state"] in STATES
        and _matches(_CITY, body["issuer"])
        and _matches(_HEX16, body["subject_id"])
        and _matches(_HEX16, body["salt"])
        and isinstance(body["entry_id"], str)
        and _matches(_CITY, body["entry_id"].rpartition("-")[0])
        and _matches(_ULID, body["entry_id"].rpartition("-")[2])
        and _whole(body["version"], 1, MAX_VERSION)
        and _whole(body["minutes"], -MAX_INTEGER, MAX_INTEGER)
        and _whole(body["counted_minutes"], -MAX_INTEGER, MAX_INTEGER)
        and _is_day(body["occurred_on"])
        and _is_time(body["recorded_at"])
        and _is_reason(body["reason"], body["version"])
        and isinstance(body["detail"], Mapping)
    )
    return None if good and _sizes_fit(body) else NOT_OF_ITS_FORM


def _sizes_fit(body: Mapping[str, Any]) -> bool:
    whole, detail = canonical(body), canonical(body["detail"])
    return (
        len(whole) <= MAX_BODY_BYTES
        and len(detail) <= MAX_DETAIL_BYTES
        and depth(whole) <= MAX_BODY_DEPTH
        and depth(detail) <= MAX_DETAIL_DEPTH
    )


def _signature(
    signed: Mapping[str, Any], body: Mapping[str, Any], subject_id: str, directory: Directory
) -> str | None:
    if body["subject_id"] != subject_id or not body["entry_id"].startswith(body["issuer"] + "-"):
        return NOT_SIGNED
    if signed["kid"] not in directory.known:
        raise KeyIsUnlisted
    key = directory.keys.get((body["issuer"], signed["kid"]))
    if key is None or not key.signs(body["recorded_at"]):
        return NOT_SIGNED
    holds = signature_holds(key.public, "jiexu-entry-v1", body, signed["sig"])
    return None if holds else NOT_SIGNED


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _is_day(value: Any) -> bool:
    if not isinstance(value, str) or re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) is None:
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or "." in value:
        return False
    try:
        read(value)
    except Unreadable:
        return False
    return True


def _is_reason(value: Any, version: Any) -> bool:
    if value is None:
        return bool(version == 1)
    return (
        isinstance(value, str)
        and len(value) <= 200
        and unicodedata.is_normalized("NFC", value)
        and not any(unicodedata.category(each) == "Cc" and each != "\n" for each in value)
    )
