"""What do answers look like in the API document? One example a route."""

from __future__ import annotations

from typing import Any, Final

SUBJECT: Final = "ad19f606e2c579ee04a48dbaf59f5897"
POLICY: Final = "cn-default"

Responses = dict[int | str, dict[str, Any]]


def _answer(status: int, value: Any) -> Responses:
    return {status: {"description": "好 · OK", "content": {"application/json": {"example": value}}}}


def _page(item: Any) -> dict[str, Any]:
    return {"items": [item], "next": None}


_APPLICATION: Final = {
    "level": 2,
    "stage": "publicised",
    "applied_on": "2026-06-01",
    "due_on": "2026-06-15",
    "publicised_until": "2026-06-08",
}
_STANDING: Final = {
    "subject_id": SUBJECT,
    "status": "home",
    "region": "500103",
    "claimed": True,
    "first_registered_on": "2019-03-05",
    "policies": [
        {
            "policy_id": POLICY,
            "policy_version": 1,
            "level": 1,
            "level_name": "一星志愿者",
            "eligible_minutes": 18_240,
            "next_level": 2,
            "next_level_name": "二星志愿者",
            "next_level_minutes": 18_000,
            "missing_minutes": 0,
            "award_mode": "application",
            "review_open": False,
            "recognised": [{"issuer": "510100", "level": 1, "counts_as_level": 1}],
            "application": _APPLICATION,
        }
    ],
    "stars": [
        {
            "issuer": "510100",
            "own": False,
            "entry_id": "510100-01KK3BW1GM4V7N0Q6E2P8R5T3X",
            "level": 1,
            "policy_id": POLICY,
            "policy_version": 1,
            "basis_minutes": 6_120,
            "awarded_on": "2025-12-05",
            "award_mode": "application",
        }
    ],
}
# While she moves in, nothing can be said yet; once she has moved, the new city says it.
_ELSEWHERE: Final = {
    "adopting": {"subject_id": SUBJECT, "status": "adopting", "region": "500000"},
    "departed": {
        "subject_id": SUBJECT,
        "status": "departed",
        "region": "500103",
        "home": "510100",
    },
}
STANDING: Final[Responses] = {
    200: {
        "description": "好 · OK",
        "content": {
            "application/json": {
                "examples": {
                    name: {"value": value}
                    for name, value in {"home": _STANDING, **_ELSEWHERE}.items()
                }
            }
        },
    }
}
APPLIED: Final = _answer(
    201,
    {
        "subject_id": SUBJECT,
        "policy_id": POLICY,
        "policy_version": 1,
        "level": 1,
        "basis_minutes": 6_120,
        "cutoff_on": "2026-06-01",
        "due_on": "2026-06-15",
    },
)
_AWARDED: Final = {
    "subject_id": SUBJECT,
    "award_id": "5d0c9a4e7b1f4c2f8a63e0d1b2c4f596",
    "policy_id": POLICY,
    "level": 2,
    "name": "二星志愿者",
    "awarded_on": "2026-06-09",
}
AWARDED: Final = _answer(201, _AWARDED)
DEMOTED: Final = _answer(201, {**_AWARDED, "level": 1, "name": "一星志愿者"})
REVIEWED: Final = _answer(200, {"happened": ["StarReviewed"]})
REFUSED: Final = _answer(200, {"happened": ["StarRefused"]})
KEPT: Final = _answer(200, {"happened": ["StarKept"]})
RECOGNISED: Final = _answer(200, {"happened": ["StarRecognised"]})
APPLICATIONS: Final = _answer(
    200,
    _page(
        {
            "subject_id": SUBJECT,
            "policy_id": POLICY,
            "policy_version": 1,
            "level": 2,
            "stage": "publicised",
            "authority": "county",
            "region": "500103",
            "basis_minutes": 18_240,
            "applied_on": "2026-06-01",
            "due_on": "2026-06-15",
            "publicised_until": "2026-06-08",
        }
    ),
)
HELD_REVIEWS: Final = _answer(
    200,
    _page(
        {
            "subject_id": SUBJECT,
            "policy_id": POLICY,
            "level": 2,
            "cause": "revocation",
            "region": "500103",
            "opened_on": "2026-06-20",
        }
    ),
)
LEVELS: Final = _answer(
    200,
    {
        "policy_id": POLICY,
        "region": "500103",
        # Groups below ten are not told.
        "levels": [{"level": 0, "people": 412}, {"level": 5, "people": None}],
    },
)
POLICIES: Final = _answer(
    200, _page({"policy_id": POLICY, "version": 1, "effective_from": "2012-10-23"})
)
