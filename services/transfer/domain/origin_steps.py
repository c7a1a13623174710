"""What does the city that lets go do? The effects of section 6.1, one function per row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from math import ceil
from typing import Any

from services.transfer.domain import channel, endings, events, steps
from services.transfer.domain import origin_guards as guards
from services.transfer.domain.blocks import Course, Freeze, Offer, Request, Subject, Wire
from services.transfer.domain.certificates import EMPTY_ROOT, NO_MINUTES, POINTER_DOMAIN
from services.transfer.domain.custody import Custody, Link
from services.transfer.domain.draft import Draft, instant, link_of
from services.transfer.domain.envelopes import PROTOCOL
from services.transfer.domain.state import Admitted, Frozen, Offered, Requested
from shared.clock import local_day, wire

RECEIPT_LIFE = timedelta(days=3)
OFFER_LIFE = timedelta(hours=72)
# From the request: longer than any check takes, so that its time tells no code from another.
DENIED_NO_SOONER = timedelta(milliseconds=200)


def _begin(draft: Draft) -> None:
    envelope, content = draft.case.envelope, draft.case.content
    shared = [each for each in content["protocols"] if each in draft.case.office.protocols]
    draft.course = Course(
        transfer_id=envelope.transfer_id,
        role="origin",
        origin=envelope.receiver,
        destination=envelope.sender,
        request=Request(
            applicant_ref=content["applicant_ref"],
            purpose=content["purpose"],
            message_id=envelope.message_id,
            incarnation=envelope.incarnation,
            at=draft.at,
            code_id=content["code_id"],
            seal_key=content["seal_key"],
            suites=tuple(content["suites"]),
            protocols=tuple(content["protocols"]),
            limits=content["limits"],
            consent=content["consent"],
        ),
        wire=Wire(
            incarnation=draft.case.office.incarnation,
            protocol=shared[0] if shared else PROTOCOL,
            last_seq_seen=envelope.seq,
        ),
        since=draft.at,
    )


def take_request(draft: Draft) -> None:
    """O1: numbered, receipted; the legal clock starts."""
    case = draft.case
    _begin(draft)
    day = local_day(case.at)
    log = case.log.counted(case.envelope.sender, day)
    target = case.file.window.pair.review_target_working_days
    review_due = case.office.terms.working_day(day, target)
    draft.state = Requested(course=draft.here, log_index=log.count, review_due=review_due)
    draft.done.append(steps.RequestsCounted(log=log))
    draft.send(
        "M2",
        {
            "received_at": wire(case.at),
            "log_index": log.count,
            "review_due": review_due.isoformat(),
        },
        reply_to=case.envelope.message_id,
        expires_at=case.at + RECEIPT_LIFE,
    )
    draft.tell(
        events.TransferRequested,
        purpose=case.content["purpose"],
        code_id=case.content["code_id"],
        proof=case.content["proof"],
        assisted=case.content["assisted"] is not None,
        review_due=review_due,
    )


def refuse_request(draft: Draft) -> None:
    """O2: judged by form, directory and consent alone."""
    case = draft.case
    _begin(draft)
    code = guards.request_ground(case)
    assert code is not None
    wait = None
    if code == "TR-205":
        midnight = case.office.terms.end_of(local_day(case.at))
        wait = int((midnight - case.at).total_seconds())
    content = endings.refusal_content(draft, code, "request", retry_after=wait)
    endings.refuse(draft, content, reply_to=case.envelope.message_id)


def admit(draft: Draft) -> None:
    """O3: from here on this is the subject's one open transfer."""
    case = draft.case
    custody = case.custody or Custody(subject_id=case.command.subject_id)
    subject = Subject(subject_id=custody.subject_id, epoch=custody.epoch)
    draft.change_custody(
        replace(
            custody,
            open_transfer=draft.here.transfer_id,
            open_since=local_day(draft.here.request.at),
        )
    )
    draft.become(Admitted, subject=subject)
    draft.tell(events.TransferAdmitted, epoch=subject.epoch, purpose=draft.here.request.purpose)


def refuse_subject(draft: Draft) -> None:
    """O4: the person is the same, but the dossier is not to be had."""
    ground = guards.admission_ground(draft.case)
    assert ground is not None
    content = endings.refusal_content(
        draft,
        ground.code,
        "review",
        pointer=sign_pointer(draft, draft.case.command.subject_id, ground.pointer)
        if ground.pointer
        else None,
        hold=ground.hold,
        retry_after=ground.retry_after,
        open_since=ground.open_since,
    )
    endings.refuse(draft, content, reply_to=draft.here.request.message_id)


def sign_pointer(draft: Draft, subject_id: str, link: Link) -> Mapping[str, Any]:
    """Where the dossier went, by this former home's word."""
    body = {
        "v": "pointer/1",
        "subject_id": subject_id,
        "epoch": link.epoch,
        "home": link.home,
        "certificate_digest": link.digest,
        "at": wire(draft.at),
    }
    return draft.case.office.signer.sign(POINTER_DOMAIN, body)


def refuse_identity(draft: Draft) -> None:
    """O6: registry said why, in the words of section 7; how soon it knew says nothing."""
    content = endings.refusal_content(draft, draft.case.command.code, "review")
    request = draft.here.request
    left = max(request.at + DENIED_NO_SOONER - draft.at, timedelta(0))
    held_ms = ceil(left / timedelta(milliseconds=1))
    endings.refuse(draft, content, reply_to=request.message_id, held_ms=held_ms)


def mark_overdue(draft: Draft) -> None:
    """O7: the office hears of it, then everybody; never a decision."""
    mark = draft.case.command.timer
    draft.keep(marks=(*draft.state.marks, mark))
    draft.alarm("review-overdue", mark=mark)
    draft.tell(events.ReviewOverdue, mark=mark)


def freeze(draft: Draft) -> None:
    """O8: the head is kept; a dossier that never moved gets its first certificate."""
    fact = draft.case.command
    draft.become(
        Frozen,
        freeze=Freeze(head=fact.head, log_id=fact.log_id, at=instant(fact.head["body"]["at"])),
    )
    if draft.custody is not None and not draft.custody.links:
        draft.change_custody(sign_genesis(draft, draft.custody))


def genesis_body(city: str, subject_id: str, decided_at: str) -> dict[str, Any]:
    """The first certificate of a dossier opened here: epoch 1, empty, decided when signed."""
    return {
        "v": "custody/1",
        "kind": "genesis",
        "subject_id": subject_id,
        "epoch": 1,
        "home": city,
        "from": city,
        "prev": None,
        "transfer_id": None,
        "root": EMPTY_ROOT,
        "count": 0,
        "totals": dict(NO_MINUTES),
        "accept_digest": None,
        "decided_at": decided_at,
        "reason": None,
    }


def sign_genesis(draft: Draft, custody: Custody) -> Custody:
    """Custody with its genesis, which is kept."""
    body = genesis_body(draft.case.office.city, custody.subject_id, wire(draft.at))
    certificate = draft.certify("genesis", body)
    return custody.with_links((link_of(certificate.document),))


def offer(draft: Draft) -> None:
    """O9: what stands frozen is offered for 72 hours."""
    case, command = draft.case, draft.case.command
    state = case.state
    expires_at = case.at + OFFER_LIFE
    suite = next(each for each in draft.here.request.suites if each in case.office.suites)
    sent = draft.send(
        "M4",
        {
            "subject_id": state.subject.subject_id,
            "epoch": state.subject.epoch,
            "head": state.freeze.head,
            "bundles": list(command.bundles),
            "custody_chain": list(command.chain),
            "seal_key": command.seal_key,
            "suite": suite,
            "profile": None,
            "frozen_at": wire(state.freeze.at),
            "offer_expires_at": wire(expires_at),
            "directory_serial": command.directory_serial,
            "cosignatures": [],
        },
        reply_to=draft.here.request.message_id,
        expires_at=expires_at,
    )
    draft.chart(outflow=replace(draft.here.outflow, pending=command.pending))
    draft.become(
        Offered,
        offer=Offer(
            digest=sent.digest,
            message_id=sent.message_id,
            # As the wire says it: whole seconds.
            expires_at=instant(wire(expires_at)),
            head=state.freeze.head,
            seal_key=command.seal_key,
            suite=suite,
            bundles=command.bundles,
            chain=tuple(link_of(each) for each in command.chain),
        ),
    )
    head = state.freeze.head["body"]
    draft.tell(
        events.DossierOffered,
        epoch=state.subject.epoch,
        root=head["root"],
        count=head["count"],
        totals=state.freeze.totals,
    )


def abort_unready(draft: Draft) -> None:
    """O10: not frozen in time, not readable, or too large."""
    name = draft.case.command.name
    code = {"LimitsExceeded": "TR-408", "EntryUnreadable": "TR-505"}.get(name)
    if code is None:
        # Frozen already, but the log could not be read in the time: the office repairs it.
        code = "TR-308" if draft.case.file.status == "Admitted" else "TR-505"
    if code != "TR-408":
        draft.alarm("dossier-not-offered", code=code)
    endings.abort(draft, code, reply_to=None)


def abort_withdrawn(draft: Draft) -> None:
    """O11: the volunteer takes consent back, here or there."""
    by_message = draft.case.command.name != "WithdrawTransfer"
    reply_to = draft.case.envelope.message_id if by_message else None
    endings.abort(draft, "TR-501", reply_to=reply_to)


def note_late(draft: Draft) -> None:
    """O11a: it waits for the release, and is forgotten by an abort, for records replays it."""
    command = draft.case.command
    if command.key in draft.case.file.window.forwarded:
        return
    draft.step(steps.LateChangeNoted, key=command.key, digest=command.digest, entry=command.entry)


def abort_differs(draft: Draft) -> None:
    """O13: the destination promised something else than was offered."""
    code = guards.vote_difference(draft.case)
    assert code is not None
    draft.evidence(code, {"content": dict(draft.case.content)})
    endings.abort(draft, code, reply_to=draft.case.envelope.message_id)


def abort_late(draft: Draft) -> None:
    """O14: the offer lapsed; nobody was reached, or nobody promised in time."""
    command = draft.case.command
    if command.name == "M6":
        endings.abort(draft, "TR-502", reply_to=draft.case.envelope.message_id)
    else:
        endings.abort(draft, "TR-502" if command.m4_receipted else "TR-503", reply_to=None)


def abort_refused(draft: Draft) -> None:
    """O15: the destination refused; this city says it for certain, with the same code."""
    endings.abort(draft, draft.case.content["code"], reply_to=draft.case.envelope.message_id)


def abort_by_registry(draft: Draft) -> None:
    """O16: death, or a suspension by law."""
    command = draft.case.command
    if command.name == "VolunteerDied":
        endings.abort(draft, "TR-307", reply_to=None)
    else:
        endings.abort(draft, "TR-305", reply_to=None, hold=command.hold)


def refusal_again(draft: Draft) -> None:
    """O25: the stored refusal in a new message."""
    content = draft.state.refusal.content
    if content is not None:
        draft.send("M3", content, reply_to=draft.case.envelope.message_id)


def abort_again(draft: Draft) -> None:
    """O25a: the stored certificate in a new message."""
    draft.send(
        "M8",
        {"certificate": draft.state.abort.document},
        reply_to=draft.case.envelope.message_id,
    )


def thaw_late_freeze(draft: Draft) -> None:
    """O26: records froze after the end was told; it is told again."""
    endings.tell_aborted_again(draft)


def take_hours_while_open(draft: Draft) -> None:
    """O29a: it sends hours only after it has ended, so this stands for its M3."""
    endings.abort(draft, "TR-502", reply_to=draft.case.envelope.message_id)
    (channel.take_next if channel.is_next(draft.case) else channel.park)(draft)


def abort_for_restored(draft: Draft) -> None:
    """O34: the asker has forgotten this request; behind the barrier it cannot go on."""
    endings.abort(draft, "TR-502", reply_to=None)
