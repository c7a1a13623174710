"""What stands in the audit trail of a step that concerns nobody outside? Ids, digests, numbers."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import datetime
from typing import Any

from services.transfer.domain import steps
from services.transfer.domain.blocks import Supplement
from shared.messages import Event

# Bodies, bytes and whole states have tables of their own; the trail names them by digest.
_LEFT_OUT = frozenset(
    {"wire", "content", "document", "documents", "state", "custody", "log", "entry", "keys"}
    | {"wrapped", "key", "public"}
)


def summary(event: Event) -> tuple[str, str, dict[str, Any]]:
    """(type, key, data) of an own step."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", type(event).__name__).lower()
    data: dict[str, Any] = {}
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name in _LEFT_OUT:
            continue
        if isinstance(value, datetime):
            value = value.isoformat()
        elif isinstance(value, Supplement):
            value = {"k": value.k, "digest": value.digest, "entries": value.entries}
        elif isinstance(value, tuple):
            value = list(value)
        data[field.name] = value
    if isinstance(event, steps.Moved):
        data["after"] = event.state.status
    key = data.get("transfer_id") or data.get("subject_id") or data.get("policy_id") or name
    return f"transfer.step-{name}", str(key), data
