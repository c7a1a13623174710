"""What runs out soon: keys, and the directory itself?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from node.layout import Node

WARN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that ends, and in how many whole days (below 0: it has ended)."""

    what: str
    at: str
    days: int


def expiries(node: Node, now: datetime) -> list[Expiry]:
    """Everything of this node that ends, the soonest first."""
    found = []
    directory = Path(node.directory)
    listed = []
    if directory.is_file():
        body = json.loads(directory.read_text("utf-8"))["body"]
        found.append(_expiry("directory", body["expires_at"], now))
        listed = [entry for entry in body["nodes"] if entry["city"] == node.code]
    if not listed and (node.home / "entry.json").is_file():
        listed = [json.loads((node.home / "entry.json").read_text("utf-8"))]
    for entry in listed:
        for key in entry["keys"]:
            if key["revoked_at"] is None:
                found.append(_expiry(f"{'+'.join(key['uses'])} key {key['kid']}",
                                     key["not_after"], now))
        for key in entry["seal_keys"]:
            found.append(_expiry(f"seal key {key['kid']}", key["not_after"], now))
    return sorted(found, key=lambda item: item.days)


def soon(node: Node, now: datetime) -> list[Expiry]:
    """Those within 30 days, or past."""
    return [item for item in expiries(node, now) if item.days <= WARN_DAYS]


def _expiry(what: str, at: str, now: datetime) -> Expiry:
    end = datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return Expiry(what, at, (end - now).days)
