"""How does a move end before the release, and what is the other side told of it?

Shared by both tables: the content of M3, the abort certificate, and the events of an ending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from services.transfer.domain import events, steps
from services.transfer.domain.blocks import Certificate, Refusal, Subject
from services.transfer.domain.draft import Draft
from services.transfer.domain.events import Hold, Role
from services.transfer.domain.refusals import GROUNDS
from services.transfer.domain.state import Aborted, Refused
from shared.clock import local_day, wire

APPEAL_WORKING_DAYS = 15
# Hours until the 1st, 2nd, 3rd and every further attempt, where the refusal names no time.
RETRY_HOURS = (1, 4, 12, 24)
# All attempts together, time under review at the origin not counted.
RETRY_DAYS = 3


def refusal_content(
    draft: Draft,
    code: str,
    stage: str,
    *,
    evidence_digest: str | None = None,
    pointer: Mapping[str, Any] | None = None,
    hold: Hold | None = None,
    retry_after: int | None = None,
    open_since: date | None = None,
) -> dict[str, Any]:
    """The content of M3; ``retry_after`` seconds are kept within 60 s and 30 days."""
    ground = GROUNDS[code]
    appeal = None
    if ground.refusal_class in ("F", "R"):
        today = local_day(draft.at)
        appeal = draft.case.office.terms.working_day(today, APPEAL_WORKING_DAYS)
    return {
        "code": code,
        "class": ground.refusal_class,
        "stage": stage,
        "evidence_digest": evidence_digest,
        "pointer": pointer,
        "hold": {"authority": hold.authority, "until": hold.until.isoformat()} if hold else None,
        "retry_after_seconds": None
        if retry_after is None
        else min(max(retry_after, 60), 2_592_000),
        "open_since": open_since.isoformat() if open_since else None,
        "appeal_until": appeal.isoformat() if appeal else None,
    }


def refusal_of(content: Mapping[str, Any], by: Role, *, code: str | None = None) -> Refusal:
    """What is kept of an M3; ``code`` where the volunteer is told another than the peer (D14)."""
    hold = content["hold"]
    told = code or content["code"]
    return Refusal(
        code=told,
        refusal_class=GROUNDS[told].refusal_class,
        by=by,
        content=content,
        retry_after=content["retry_after_seconds"],
        hold=Hold(authority=hold["authority"], until=date.fromisoformat(hold["until"]))
        if hold
        else None,
        pointer=content["pointer"],
        appeal_until=date.fromisoformat(content["appeal_until"])
        if content["appeal_until"]
        else None,
    )


def refuse(
    draft: Draft,
    content: Mapping[str, Any],
    *,
    reply_to: str | None,
    held_ms: int = 0,
) -> None:
    """This side refuses: M3, which leaves after ``held_ms``, Refused, and what is told of it."""
    draft.send("M3", content, reply_to=reply_to, held_ms=held_ms)
    become_refused(draft, refusal_of(content, draft.here.role))


def become_refused(draft: Draft, refusal: Refusal) -> None:
    """Refused, whoever said it."""
    draft.become(Refused, refusal=refusal)
    _tell(draft, events.TransferRefused, refusal, None)


def abort(draft: Draft, code: str, *, reply_to: str | None, hold: Hold | None = None) -> None:
    """The origin ends it for certain: abort certificate, M8, Aborted; custody stays."""
    course = draft.here
    subject: Subject | None = draft.case.subject
    certificate = draft.certify(
        "abort",
        {
            "v": "abort/1",
            "transfer_id": course.transfer_id,
            "subject_id": subject.subject_id if subject else None,
            "epoch": subject.epoch if subject else None,
            "from": course.origin,
            "to": course.destination,
            "code": code,
            "decided_at": wire(draft.at),
        },
    )
    draft.send("M8", {"certificate": certificate.document}, reply_to=reply_to)
    refusal = Refusal(
        code=code,
        refusal_class=GROUNDS[code].refusal_class,
        by="origin",
        content=None,
        hold=hold,
    )
    draft.step(steps.NotesForgotten)
    draft.step(steps.SealDestroyed)
    draft.become(Aborted, refusal=refusal, abort=certificate)
    _tell(draft, events.TransferAborted, refusal, certificate)
    free(draft)


def become_aborted(draft: Draft, certificate: Certificate) -> None:
    """The destination reads the origin's abort certificate."""
    code = certificate.document["body"]["code"]
    refusal = Refusal(
        code=code, refusal_class=GROUNDS[code].refusal_class, by="origin", content=None
    )
    draft.step(steps.SealDestroyed)
    draft.become(Aborted, refusal=refusal, abort=certificate)
    _tell(draft, events.TransferAborted, refusal, None)


def tell_aborted_again(draft: Draft) -> None:
    """For a freeze that came after the end: records thaws (O26)."""
    state = draft.state
    _tell(draft, events.TransferAborted, state.refusal, state.abort)


def free(draft: Draft) -> None:
    """The subject has no open transfer any more, if it was this one."""
    custody = draft.custody
    if custody and custody.open_transfer == draft.here.transfer_id:
        draft.change_custody(replace(custody, open_transfer=None, open_since=None))


def _tell(
    draft: Draft,
    shape: type[events.TransferRefused] | type[events.TransferAborted],
    refusal: Refusal,
    certificate: Certificate | None,
) -> None:
    course = draft.here
    applicant = course.request.applicant_ref if course.role == "destination" else None
    draft.tell(
        shape,
        refusal_class=refusal.refusal_class,
        retry_after=refusal.retry_after,
        applicant_ref=applicant,
    )
    draft.tell(
        events.TransferEnded,
        code=refusal.code,
        hold=refusal.hold,
        applicant_ref=applicant,
        certificate=certificate.document if certificate else None,
    )
    if course.role == "destination" and refusal.refusal_class == "T" and not course.withdrawn:
        _retry(draft, refusal.retry_after)


def _retry(draft: Draft, retry_after: int | None) -> None:
    request = draft.here.request
    reviewed = request.reviewed_seconds
    pending_since = getattr(draft.case.state, "pending_since", None)
    if pending_since is not None:
        reviewed += int((draft.at - pending_since).total_seconds())
    if request.first_applied_at is None:
        return
    hours = RETRY_HOURS[min(request.attempt, len(RETRY_HOURS)) - 1]
    due_at = draft.at + timedelta(seconds=retry_after or hours * 3600)
    last = request.first_applied_at + timedelta(days=RETRY_DAYS, seconds=reviewed)
    if due_at > last:
        return
    draft.step(
        steps.RetryWanted,
        due_at=due_at,
        attempt=request.attempt + 1,
        first_applied_at=request.first_applied_at,
        reviewed_seconds=reviewed,
    )
