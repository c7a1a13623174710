"""What do people see of a move? Status, whose turn it is, what is due (section 13)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.transfer.domain.refusals import GROUNDS
from services.transfer.domain.state import State, subject_of

ROLE: Mapping[str, str] = {"origin": "O", "destination": "D"}
# How long a finished move is shown as "moved" before "settling".
FRESH = timedelta(hours=24)

TEXTS: Mapping[str, tuple[str, str]] = {
    "applied": ("已申请", "Applied"),
    "checking": ("审核中", "Being checked"),
    "frozen": ("冻结中（新记录暂存）", "Frozen, new entries are kept aside"),
    "moving": ("传送中", "Moving"),
    "verifying": ("核验中", "Being verified"),
    "moved": ("已转入", "Moved"),
    "settling": ("清结中", "Late entries follow"),
    "done": ("办结", "Done"),
    "refused": ("不予转移", "Refused, or ended by a deadline: record unchanged"),
    "withdrawn": ("已撤回", "Withdrawn by you"),
}
_STATUS: Mapping[tuple[str, str], str] = {
    ("O", "Requested"): "checking",
    ("O", "Admitted"): "checking",
    ("O", "Frozen"): "frozen",
    ("O", "Offered"): "moving",
    ("O", "Released"): "moving",
    ("O", "Settling"): "settling",
    ("O", "Closing"): "settling",
    ("O", "Closed"): "done",
    ("D", "Receiving"): "moving",
    ("D", "Verifying"): "verifying",
    ("D", "Staging"): "verifying",
    ("D", "Accepted"): "verifying",
    ("D", "InDoubt"): "verifying",
    ("D", "Activating"): "moving",
    ("D", "Active"): "settling",
    ("D", "Closed"): "done",
}
_OURS = frozenset(
    {
        ("O", "Requested"),
        ("O", "Admitted"),
        ("O", "Frozen"),
        ("O", "Settling"),
        ("D", "Receiving"),
        ("D", "Verifying"),
        ("D", "Staging"),
        ("D", "Activating"),
    }
)
_OVER = frozenset({"Closed", "Refused", "Aborted"})


def transfer_row(state: State) -> tuple[Any, ...]:
    """The columns of ``transfer`` for this state."""
    course = state.course
    subject = subject_of(state)
    return (
        course.transfer_id,
        ROLE[course.role],
        course.peer,
        course.request.applicant_ref,
        course.request.purpose,
        state.status,
        course.since,
        course.request.at,
        subject.subject_id if subject else None,
        subject.epoch if subject else None,
        course.request.attempt,
        json.dumps(_view(state), ensure_ascii=False),
    )


def _view(state: State) -> dict[str, Any]:
    found: dict[str, Any] = {
        "origin": state.course.origin,
        "destination": state.course.destination,
        "withdrawal_wished": state.course.withdrawn,
        "supplements_sent": state.course.outflow.k,
        "supplements_received": state.course.inflow.k,
    }
    review_due = getattr(state, "review_due", None)
    if review_due is not None:
        found["review_due"] = review_due.isoformat()
    marks = getattr(state, "marks", ())
    if marks:
        found["marks"] = list(marks)
    offer = getattr(state, "offer", None)
    if offer is not None:
        found |= {
            "entries": offer.body["count"],
            "totals": dict(offer.body["totals"]),
            "offer_expires_at": offer.expires_at.isoformat(),
        }
    activated_at = getattr(state, "activated_at", None)
    if activated_at is not None:
        found["activated_at"] = activated_at.isoformat()
    refusal = getattr(state, "refusal", None)
    if refusal is not None:
        found |= {
            "code": refusal.code,
            "class": refusal.refusal_class,
            "by": ROLE[refusal.by],
            "retry_after": refusal.retry_after,
            "hold": {"authority": refusal.hold.authority, "until": refusal.hold.until.isoformat()}
            if refusal.hold
            else None,
            "pointer": refusal.pointer["body"]["home"] if refusal.pointer else None,
            "appeal_until": refusal.appeal_until.isoformat() if refusal.appeal_until else None,
        }
    return found


def status_of(role: str, state: str, view: Mapping[str, Any], now: datetime) -> str:
    """The word of section 13 for a row."""
    if state in ("Refused", "Aborted"):
        return "withdrawn" if view.get("code") == "TR-501" else "refused"
    if (role, state) == ("D", "Requested"):
        return "checking" if "review_due" in view else "applied"
    fresh = (
        state in ("Active", "Settling")
        and "activated_at" in view
        and now < datetime.fromisoformat(view["activated_at"]) + FRESH
    )
    if fresh:
        return "moved"
    return _STATUS[(role, state)]


def attempt_json(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """One attempt as people read it: status, whose turn, since when, what is due, why it ended."""
    view = json.loads(row["view"])
    status = status_of(row["role"], row["state"], view, now)
    zh, en = TEXTS[status]
    over = row["state"] in _OVER
    due = view.get("review_due") if status in ("applied", "checking") else None
    return {
        "transfer_id": row["transfer_id"],
        "role": "origin" if row["role"] == "O" else "destination",
        "origin": view["origin"],
        "destination": view["destination"],
        "status": status,
        "status_text": {"zh": zh, "en": en},
        "state": row["state"],
        "whose_turn": None
        if over
        else (
            view["origin"]
            if ((row["role"] == "O") == ((row["role"], row["state"]) in _OURS))
            else view["destination"]
        ),
        "since": row["since"].isoformat().replace("+00:00", "Z"),
        "requested_at": row["requested_at"].isoformat().replace("+00:00", "Z"),
        "due_on": due,
        "overdue": bool(due and now.date().isoformat() > due),
        "marks": view.get("marks", []),
        "subject_id": row["subject_id"],
        "entries": view.get("entries"),
        "totals": view.get("totals"),
        "supplements": max(view["supplements_sent"], view["supplements_received"]),
        "withdrawal_wished": view["withdrawal_wished"],
        "refusal": refusal_json(view),
    }


def refusal_json(view: Mapping[str, Any]) -> dict[str, Any] | None:
    """Code, class, reason and remedy in both languages, and what goes with the code."""
    if "code" not in view:
        return None
    ground = GROUNDS[view["code"]]
    return {
        "code": ground.code,
        "class": ground.refusal_class,
        "said_by": "origin" if view["by"] == "O" else "destination",
        "reason": {"zh": ground.reason_zh, "en": ground.reason_en},
        "remedy": {"zh": ground.remedy_zh, "en": ground.remedy_en},
        "retry_after_seconds": view["retry_after"],
        "hold": view["hold"],
        "apply_to": view["pointer"],
        "appeal_until": view["appeal_until"],
    }
