"""What do answers look like in the API document? One example a route and status."""

from __future__ import annotations

from typing import Any, Final

SUBJECT: Final = "ad19f606e2c579ee04a48dbaf59f5897"
ENTRY: Final = "500000-01KK362VM09TDRMAB20MBC0B5C"
EARLIER: Final = "500000-01KK35ZJ2R8Q4W7N1B6D3F5H9K"
ORGANISATION: Final = "0f8fad5bd9cb469fa16570867728950e"
DIGEST: Final = "b4f8d8d1b3a357b6688aead28aa6d8da8922aae2273ec0e597ab0573f6988476"

Responses = dict[int | str, dict[str, Any]]


def answer(status: int, value: Any, description: str = "好 · OK") -> Responses:
    """The JSON of a route's answer of this status."""
    return {
        status: {
            "description": description,
            "content": {"application/json": {"example": value}},
        }
    }


def paged(item: Any) -> dict[str, Any]:
    """The one and last page of a list."""
    return {"items": [item], "next": None}


# -- entries ------------------------------------------------------------------------------------

_PENDING: Final = {
    "issuer": "500000",
    "entry_id": ENTRY,
    "version": 1,
    "kind": "service",
    "state": "pending",
    "minutes": 150,
    "counted_minutes": 0,
    "occurred_on": "2026-03-07",
    "due_on": "2026-03-20",
    "late": False,
    "review_tier": "recorder",
    "digest": DIGEST,
    "held": False,
    "repeat": False,
}
_TRAINING: Final = {**_PENDING, "kind": "training", "minutes": 180, "review_tier": None}
_HELD: Final = "转移中，待转移结束后生效 · held until the move of the dossier has ended"


def _recorded(entry: dict[str, Any]) -> Responses:
    return {
        **answer(201, entry),
        **answer(202, {**entry, "held": True}, _HELD),
        **answer(
            200, {"entry_id": ENTRY, "repeat": True}, "已有同一记录 · the same fact stands here"
        ),
    }


def _changed(**members: Any) -> Responses:
    entry = {**_PENDING, **members}
    return {**answer(201, entry), **answer(202, {**entry, "held": True}, _HELD)}


SERVICE_RECORDED: Final = _recorded(_PENDING)
TRAINING_RECORDED: Final = _recorded(_TRAINING)
APPROVED: Final = _changed(version=2, state="approved", counted_minutes=150, review_tier=None)
REJECTED: Final = _changed(version=2, state="rejected")
CORRECTED: Final = _changed(version=3, minutes=170, counted_minutes=150, review_tier=None)
REVOKED: Final = _changed(version=3, state="revoked", review_tier=None)

# -- dossiers -----------------------------------------------------------------------------------

_TOTALS: Final = {
    "credited_minutes": 150,
    "pending_minutes": 0,
    "disputed_minutes": 0,
    "learning_minutes": 0,
    "consumed_minutes": 0,
}
DOSSIER: Final = answer(
    200,
    {
        "subject_id": SUBJECT,
        "status": "frozen",
        "epoch": 1,
        "home": "500000",
        "first_registered_on": "2026-03-01",
        "leaves": 2,
        "totals": _TOTALS,
        "sums": [
            {
                "kind": "service",
                "state": "approved",
                "entries": 1,
                "minutes": 150,
                "counted_minutes": 150,
                "shared_minutes": 0,
                "credited_minutes": 150,
            }
        ],
        "held": 1,
        "held_first": [
            {
                "issuer": "500000",
                "entry_id": "500000-01KK8E5S0M3V6Y9B2D4F7H1J5N",
                "version": 1,
                "kind": "service",
                "state": "pending",
                "minutes": 60,
                "occurred_on": "2026-03-09",
            }
        ],
    },
)
_LISTED: Final = {
    "issuer": "500000",
    "entry_id": ENTRY,
    "subject_id": SUBJECT,
    "version": 2,
    "kind": "service",
    "state": "approved",
    "minutes": 150,
    "counted_minutes": 150,
    "shared_minutes": 30,
    "credited_minutes": 120,
    "occurred_on": "2026-03-07",
    "organisation_id": ORGANISATION,
    "region_code": "500106",
    "review_tier": None,
    "late": False,
    "due_on": "2026-03-20",
}
ENTRIES: Final = answer(200, paged(_LISTED))
AWAITING: Final = answer(
    200,
    paged(
        {
            **_LISTED,
            "version": 1,
            "state": "pending",
            "counted_minutes": 0,
            "shared_minutes": 0,
            "credited_minutes": 0,
            "review_tier": "recorder",
            "tier": "parent_organisation",
            "yours": True,
        }
    ),
)
_SERVICE_BODY: Final = {
    "activity_name": "学雷锋日社区清洁",
    "project_name": None,
    "category": "service",
    "field_code": "community_affairs",
    "programme": None,
    "place": {
        "region_code": "500106",
        "region_as_of": "2026-03-07",
        "station_id": None,
        "name": "晨光社区志愿服务站",
    },
    "started_at": "2026-03-07T01:00:00Z",
    "ended_at": "2026-03-07T03:30:00Z",
    "break_minutes": 0,
    "minutes_by_day": {"2026-03-07": 150},
    "distinct": 1,
    "content": "清理社区绿地和楼道",
    "service_object_groups": ["residents"],
    "responsible_person": None,
    "lead_social_worker": None,
}
_DETAIL: Final = {
    "recorder": {
        "organisation_id": ORGANISATION,
        "name": "晨光社区志愿服务队",
        "kind": "social_group",
        "uscc": "51500199MJX000018W",
        "filing": None,
        "supervising_body_id": None,
    },
    "team_id": None,
    "evidence_class": "leader_entry",
    "evidence_id": None,
    "recorded_by": "staff-07",
    "approved_at": None,
    "approved_by": None,
    "source": {"system": "500000", "id": None},
    "due_on": "2026-03-20",
    "late": False,
    "recording_policy": {"policy_id": "cn-recording", "version": 1},
    "review_tier": "recorder",
    "body": _SERVICE_BODY,
}
_APPROVED_DETAIL: Final = {
    **_DETAIL,
    "approved_at": "2026-03-08T01:00:00Z",
    "approved_by": "staff-12",
    # A hint for who approves; afterwards it says nothing.
    "review_tier": None,
}
_CORRECTED_DETAIL: Final = {
    **_APPROVED_DETAIL,
    "body": {
        **_SERVICE_BODY,
        "ended_at": "2026-03-07T03:50:00Z",
        "minutes_by_day": {"2026-03-07": 170},
    },
    "corrected": {
        "from_version": 2,
        "fields": ["ended_at", "minutes_by_day"],
        "was_minutes": 150,
        "reason": "wrong_end: 签退时间记错",
        "evidence_id": "evd-0012",
        "by": "staff-07",
    },
}


def _version(detail: dict[str, Any], **members: Any) -> dict[str, Any]:
    body = {
        "v": "entry/1",
        "kind": "service",
        "issuer": "500000",
        "subject_id": SUBJECT,
        "entry_id": ENTRY,
        "version": 1,
        "state": "pending",
        "minutes": 150,
        "counted_minutes": 0,
        "occurred_on": "2026-03-07",
        "recorded_at": "2026-03-07T04:00:00Z",
        "reason": None,
        "detail": detail,
        "salt": "7056078bf0cd6d9d995a8f2af7c14001",
        **members,
    }
    signed = {"body": body, "kid": "500000:46472d9396e7ca95", "sig": "f6856424795fec32…"}
    return {"digest": DIGEST, "held": False, "signed": signed}


_COUNTED: Final = {"state": "approved", "counted_minutes": 150}
# Approved, corrected, the correction rejected, and all of it revoked.
HISTORY: Final = answer(
    200,
    {
        "versions": [
            _version(_DETAIL),
            _version(_APPROVED_DETAIL, version=2, **_COUNTED, reason="approved"),
            _version(
                _CORRECTED_DETAIL,
                version=3,
                minutes=170,
                counted_minutes=150,
                reason="wrong_end: 签退时间记错",
            ),
            _version(_APPROVED_DETAIL, version=4, **_COUNTED, reason="correction_rejected"),
            _version(
                {**_APPROVED_DETAIL, "revoked_by": "staff-07"},
                version=5,
                state="revoked",
                reason="duplicate",
            ),
        ],
        "minutes": {
            "counted_minutes": 0,
            "shared_minutes": 0,
            "credited_minutes": 0,
            "shared_with": [{"issuer": "500000", "entry_id": EARLIER}],
        },
    },
)
_KINDS: Final = {
    "service": 2,
    "training": 0,
    "commendation": 0,
    "evaluation": 0,
    "star": 0,
    "complaint": 0,
    "consumption": 0,
    "donation": 0,
    "adjustment": 0,
}
RECEIPT: Final = answer(
    200,
    {
        "entry_digest": DIGEST,
        "index": 1,
        "inclusion_path": ["71d92b8dcc9d88ad2a9a5d6be4cc0b2ad47bfbfd02e0b1ebbdfb0cf39f2cd2fe"],
        "head": {
            "body": {
                "v": "head/1",
                "subject_id": SUBJECT,
                "epoch": 1,
                "home": "500000",
                "first_registered_on": "2026-03-01",
                "count": 2,
                "root": "e1f2a85d9c6b4f7081e3d5c7b9a8062f4d1c3b5a79880f6e5d4c3b2a19087f6e",
                "totals": _TOTALS,
                "kinds": _KINDS,
                "state_digest": None,
                "at": "2026-03-08T02:00:00Z",
            },
            "kid": "500000:dc47032c12c9afbc",
            "sig": "8527069689df8c67…",
        },
    },
)
