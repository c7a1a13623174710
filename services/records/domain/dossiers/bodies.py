"""How is the body of an entry version written? (protocol.md 3.1, domain.md 3.2)"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from services.records.domain.entries import Version, read_body
from services.records.domain.knowledge import Organisation
from services.records.domain.rejections import FieldIsWrong
from shared.canonical import canonical
from shared.clock import wire

MAX_BODY_BYTES: Final = 8_192
MAX_DETAIL_BYTES: Final = 6_144
MAX_VERSION: Final = 9_999


def recorder(organisation: Organisation) -> dict[str, Any]:
    """The recorder as at the time: it stays so, whatever becomes of the organisation (R17)."""
    return {
        "organisation_id": organisation.organisation_id,
        "name": organisation.name,
        "kind": organisation.kind,
        "uscc": organisation.uscc,
        "filing": dict(organisation.filing) if organisation.filing else None,
        "supervising_body_id": organisation.supervising_body_id,
    }


def first_version(
    *,
    kind: str,
    node: str,
    subject_id: str,
    entry_id: str,
    state: str,
    minutes: int,
    counted_minutes: int,
    occurred_on: str,
    recorded_at: datetime,
    detail: Mapping[str, Any],
    salt: str,
) -> dict[str, Any]:
    return {
        "v": "entry/1",
        "kind": kind,
        "issuer": node,
        "subject_id": subject_id,
        "entry_id": entry_id,
        "version": 1,
        "state": state,
        "minutes": minutes,
        "counted_minutes": counted_minutes,
        "occurred_on": occurred_on,
        "recorded_at": wire(recorded_at),
        "reason": None,
        "detail": dict(detail),
        "salt": salt,
    }


def next_version(
    body: Mapping[str, Any],
    *,
    version: int,
    state: str,
    counted_minutes: int,
    reason: str,
    at: datetime,
    salt: str,
    detail: Mapping[str, Any] | None = None,
    **members: Any,
) -> dict[str, Any]:
    """The body with what changed; all other members stay, those we do not know included (R43)."""
    return {
        **body,
        **members,
        "version": version,
        "state": state,
        "counted_minutes": counted_minutes,
        "recorded_at": wire(at),
        "reason": reason,
        "salt": salt,
        "detail": {**body["detail"], **(detail or {})},
    }


def version_of(body: Mapping[str, Any]) -> Version | FieldIsWrong:
    """The version that is signed, or why it cannot be one: it must fit any city's limits."""
    written = canonical(body)
    # The detail is a part of the body: only in a longer one can it be too long.
    if len(written) > MAX_DETAIL_BYTES and len(canonical(body["detail"])) > MAX_DETAIL_BYTES:
        return FieldIsWrong("detail", "longer_than_6144_bytes")
    if len(written) > MAX_BODY_BYTES:
        return FieldIsWrong("entry", "longer_than_8192_bytes")
    return read_body(body, sha256(written).hexdigest())
