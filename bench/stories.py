"""What do the events look like that are replayed and relayed? As records writes them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from bench.city import REGION

MINUTES = 120
FIRST_DAY = date(2025, 1, 1)


def recorded(subject: str, n: int, index: int) -> dict[str, Any]:
    """The ``n``-th service of a subject, awaiting approval: it moves nothing yet."""
    return _entry(subject, n, index) | {
        "version": 1,
        "state": "pending",
        "counted_minutes": 0,
        "moved": [],
        "minutes_by_day": {},
        "reason_code": None,
    }


def approved(subject: str, n: int, index: int) -> dict[str, Any]:
    """The same, approved: its minutes count from now on."""
    entry = _entry(subject, n, index)
    cell = {
        "year": int(entry["occurred_on"][:4]),
        "category": "service",
        "evidence_class": "leader_entry",
        "source_system": "500000",
        "field_code": "community_affairs",
        "own": True,
    }
    return entry | {
        "version": 2,
        "state": "approved",
        "counted_minutes": MINUTES,
        "moved": [
            {
                "issuer": "500000",
                "entry_id": entry["entry_id"],
                "cell": cell,
                "before": 0,
                "after": MINUTES,
            }
        ],
        "minutes_by_day": {entry["occurred_on"]: MINUTES},
        "reason_code": "approved",
    }


def _entry(subject: str, n: int, index: int) -> dict[str, Any]:
    return {
        "subject_id": subject,
        "issuer": "500000",
        "entry_id": f"500000-{index:013d}{n:013d}",
        "kind": "service",
        "stands": True,
        "minutes": MINUTES,
        "occurred_on": (FIRST_DAY + timedelta(days=n)).isoformat(),
        "organisation_id": "0f8fad5bd9cb469fa16570867728950e",
        "region_code": REGION,
        "late": False,
        "digest": f"{index:032d}{n:032d}",
        "policy_id": "cn-recording",
        "policy_version": 1,
        "due_on": "2026-03-20",
        "review_tier": None,
    }
