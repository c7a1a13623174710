"""What do imports look like in the API document: the rows that are sent, and the answers?"""

from __future__ import annotations

from typing import Final

from services.records.edge.api_examples import ENTRY, ORGANISATION, SUBJECT, answer, paged

BATCH: Final = "0f8fad5bd9cb469fa165708677289501"

_OPENED: Final = {"batch_id": BATCH, "resumed": False}
OPENED: Final = {
    **answer(201, _OPENED),
    **answer(
        200, {**_OPENED, "resumed": True}, "同一文件的批次仍开着 · the batch of this file goes on"
    ),
}
_STATUS: Final = {
    "batch_id": BATCH,
    "status": "closed",
    "rows": 200,
    "imported": 197,
    "repeats": 1,
    "held": 2,
    "minutes": 23_640,
    "declared_minutes": 24_000,
}
CLOSED: Final = answer(200, _STATUS)
BATCH_APPROVED: Final = answer(200, {**_STATUS, "status": "approved"})
BATCH_REJECTED: Final = answer(200, {**_STATUS, "status": "rejected"})
BATCH_REVOKED: Final = answer(200, {**_STATUS, "status": "revoked"})
_BATCH: Final = {
    "batch_id": BATCH,
    "organisation_id": ORGANISATION,
    "kind": "spreadsheet",
    "status": "closed",
    "rows": 200,
    "declared_minutes": 24_000,
    "opened_by": "staff-07",
    "opened_at": "2026-03-07T02:00:00+00:00",
    "imported": 197,
    "repeats": 1,
    "held": 2,
    "minutes": 23_640,
}
BATCHES: Final = answer(200, paged(_BATCH))
BATCH_SHOWN: Final = answer(200, {**_BATCH, "refused": 0})
ROW: Final = {
    "row_no": 1,
    "document": {"type": "resident_id", "number": "110101199003070011"},
    "name": "李华",
    "activity_name": "学雷锋日社区清洁",
    "field_code": "community_affairs",
    "started_at": "2026-03-07T09:00:00+08:00",
    "ended_at": "2026-03-07T11:30:00+08:00",
    "place": {"region_code": "500106", "name": "晨光社区志愿服务站"},
    "content": "清理社区绿地和楼道",
    "source_id": "2026-000123",
}
HOURS_ROW: Final = {
    "row_no": 2,
    "document": {"type": "resident_id", "number": "110101199003070011"},
    "activity_name": "敬老院陪伴",
    "occurred_on": "2026-03-08",
    "hours": "1.5",
}
ROWS_TAKEN: Final = answer(
    200,
    {
        "batch_id": BATCH,
        "rows": [
            {"row_no": 1, "outcome": "imported", "entry_id": ENTRY, "minutes": 150},
            {
                "row_no": 2,
                "outcome": "held",
                "reason": "UnitIsNotRepresentable",
                "field": "hours",
                "same_as_row": None,
            },
            {
                "row_no": 3,
                "outcome": "again",
                "reason": "SubjectIsUnknown",
                "detail": "本节点尚未收到此人的登记信息。请稍后重试。",
            },
        ],
        "unnumbered": [3],
    },
)
ROWS: Final = answer(
    200,
    paged(
        {
            "row_no": 1,
            "state": "imported",
            "subject_id": SUBJECT,
            "entry_id": ENTRY,
            "minutes": 150,
            "reason": None,
            "field": None,
            "same_as_row": None,
            "refused_decision": None,
            "refused_reason": None,
        }
    ),
)
