"""What do answers look like in the API documents? One example a route."""

from __future__ import annotations

from typing import Any, Final

Responses = dict[int | str, dict[str, Any]]

APPLICANT: Final = "65b2ce054cf80e9f1ca5c6edb487e95a"
SUBJECT: Final = "ad19f606e2c579ee04a48dbaf59f5897"
TRANSFER: Final = "c6cffe876cab5f931d8217f359186251f7368d1c230f373fa57be245f7c92ad6"


def _answer(status: int, value: Any) -> Responses:
    return {status: {"description": "好 · OK", "content": {"application/json": {"example": value}}}}


_ATTEMPT: Final = {
    "transfer_id": TRANSFER,
    "role": "destination",
    "origin": "500000",
    "destination": "510100",
    "status": "checking",
    "status_text": {"zh": "审核中", "en": "Being checked"},
    "state": "Requested",
    "whose_turn": "500000",
    "since": "2027-03-01T02:00:00Z",
    "requested_at": "2027-03-01T02:00:00Z",
    "due_on": "2027-03-15",
    "overdue": False,
    "marks": [],
    "subject_id": None,
    "entries": None,
    "totals": None,
    "supplements": 0,
    "withdrawal_wished": False,
    "refusal": None,
}
_WITHOUT_ID: Final = {key: value for key, value in _ATTEMPT.items() if key != "transfer_id"}
APPLIED: Final = _answer(
    201,
    {
        "id": TRANSFER,
        "applicant_ref": APPLICANT,
        "transfer_id": TRANSFER,
        "origin": "500000",
        "destination": "510100",
        "status": "applied",
    },
)
APPLICATION: Final = _answer(
    200, {"applicant_ref": APPLICANT, **_WITHOUT_ID, "attempts": [_ATTEMPT]}
)
LISTED: Final = _answer(200, {"items": [{"applicant_ref": APPLICANT, **_ATTEMPT}], "next": None})
WITHDRAWN: Final = {
    **_answer(200, {"applicant_ref": APPLICANT, "outcome": "withdrawn", "state": "Refused"}),
    **_answer(202, {"applicant_ref": APPLICANT, "outcome": "asked", "state": "Accepted"}),
}
ALARMS: Final = _answer(
    200,
    {
        "items": [
            {
                "id": 7,
                "kind": "not-activated",
                "transfer_id": TRANSFER,
                "about": {"since": "2027-03-01T02:00:07Z", "level": 1},
                "at": "2027-03-01T03:00:07Z",
            }
        ],
        "next": None,
    },
)
NOTICES: Final = _answer(
    200,
    {
        "items": [
            {
                "id": 3,
                "kind": "clarify",
                "transfer_id": TRANSFER,
                "about": {"kind": "clarify", "text": "closing-differs"},
                "at": "2027-03-02T01:00:00Z",
            }
        ],
        "next": None,
    },
)
EXPORT: Final = _answer(
    200,
    {
        "custody_chain": [{"body": {"v": "custody/1", "kind": "genesis"}, "kid": "…", "sig": "…"}],
        "entries": [{"body": {"v": "entry/1", "kind": "service"}, "kid": "…", "sig": "…"}],
        "head": {
            "body": {"v": "head/1", "subject_id": SUBJECT, "count": 1},
            "kid": "…",
            "sig": "…",
        },
    },
)
