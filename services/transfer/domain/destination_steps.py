"""What does the city that takes over do? The effects of section 6.2 up to the vote."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from services.transfer.domain import channel, endings, events, steps
from services.transfer.domain import destination_guards as guards
from services.transfer.domain.blocks import Course, Offer, Request, Subject, Vote, Wire
from services.transfer.domain.certificates import CONSENT_DOMAIN
from services.transfer.domain.custody import Custody
from services.transfer.domain.draft import Draft, instant, link_of
from services.transfer.domain.envelopes import message_id
from services.transfer.domain.refusals import GROUNDS
from services.transfer.domain.state import Accepted, Applied, InDoubt, Receiving, Staging, Verifying
from shared.clock import local_day, wire

REQUEST_LIFE = timedelta(days=3)
PROMISE = "activate-iff-released"
# Ages of a vote without a decision at which the office hears of it (12, doubt).
DOUBT_ALARMS = (timedelta(hours=1), timedelta(days=1), timedelta(days=3), timedelta(days=5))


def apply_for(draft: Draft) -> None:
    """D1: the request leaves with a fresh seal key; a retry has a new nonce and the same code."""
    case, command = draft.case, draft.case.command
    office = case.office
    consent = command.consent
    if "sig" not in consent:
        consent = office.signer.sign(CONSENT_DOMAIN, consent)
    expires_at = case.at + REQUEST_LIFE
    draft.course = Course(
        transfer_id=command.transfer_id,
        role="destination",
        origin=command.origin,
        destination=command.destination,
        request=Request(
            applicant_ref=command.applicant_ref,
            purpose="move",
            message_id=message_id(command.transfer_id, command.destination, office.incarnation, 1),
            incarnation=office.incarnation,
            at=case.at,
            code_id=command.code_id,
            seal_key=command.seal_key,
            suites=office.suites,
            protocols=office.protocols,
            limits=command.limits or office.limits,
            consent=consent,
            attempt=command.attempt,
            first_applied_at=command.first_applied_at or case.at,
            reviewed_seconds=command.reviewed_seconds,
        ),
        wire=Wire(incarnation=office.incarnation),
        since=case.at,
    )
    draft.state = Applied(course=draft.here)
    draft.step(steps.SealKept, public=command.seal_key, wrapped=command.wrapped_seal)
    draft.send(
        "M1",
        {
            "purpose": "move",
            "nonce": command.nonce,
            "applicant_ref": command.applicant_ref,
            "code_id": command.code_id,
            "proof": command.proof,
            "assisted": None,
            "return_of": None,
            "consent": consent,
            "seal_key": command.seal_key,
            "suites": list(office.suites),
            "protocols": list(office.protocols),
            "limits": dict(draft.here.request.limits),
        },
        reply_to=None,
        expires_at=expires_at,
    )
    draft.tell(
        events.TransferApplied, applicant_ref=command.applicant_ref, due=local_day(expires_at)
    )


def note_received(draft: Draft) -> None:
    """D2: the origin has it; from now on no deadline of this city runs."""
    due = date.fromisoformat(draft.case.content["review_due"])
    first = draft.state.review_due is None
    draft.keep(review_due=due, pending_since=draft.state.pending_since if not first else draft.at)
    draft.tell(events.TransferPending, applicant_ref=draft.here.request.applicant_ref, due=due)


def take_refusal(draft: Draft) -> None:
    """D3, D4: what the origin said; a temporary one is tried again by itself."""
    draft.step(steps.SealDestroyed)
    endings.become_refused(draft, endings.refusal_of(draft.case.content, "origin"))


def take_offer(draft: Draft) -> None:
    """D5, D5a: whose dossier it is, what is to be fetched, by when."""
    envelope, content = draft.case.envelope, draft.case.content
    offer = Offer(
        digest=envelope.digest,
        message_id=envelope.message_id,
        expires_at=instant(content["offer_expires_at"]),
        head=content["head"],
        seal_key=content["seal_key"],
        suite=content["suite"],
        bundles=tuple(content["bundles"]),
        chain=tuple(link_of(each) for each in content["custody_chain"]),
    )
    subject = Subject(subject_id=content["subject_id"], epoch=content["epoch"])
    draft.step(
        steps.CertificatesKept,
        subject_id=subject.subject_id,
        documents=tuple(content["custody_chain"]),
    )
    custody = draft.custody or Custody(subject_id=subject.subject_id)
    seen = max(custody.foreign_epoch, subject.epoch)
    draft.change_custody(replace(custody, foreign_epoch=seen))
    draft.become(Receiving if offer.bundles else Verifying, subject=subject, offer=offer)
    draft.tell(events.TransferReceiving, applicant_ref=draft.here.request.applicant_ref)


def refuse_offer(draft: Draft) -> None:
    """D6: one of checks 1–6 failed; what failed is kept as evidence."""
    flaw = draft.case.command.flaw
    _refuse_for(draft, flaw, "offer", reply_to=draft.case.envelope.message_id)


def _refuse_for(draft: Draft, flaw: Any, stage: str, *, reply_to: str | None) -> None:
    if flaw.evidence is not None:
        draft.evidence(flaw.code, flaw.evidence)
    draft.step(steps.SealDestroyed)
    # Section 7 lets the origin alone say TR-303; a chain that ends before ours is broken (405).
    said = flaw.code if GROUNDS[flaw.code].may_be_said_by("D") else "TR-405"
    content = endings.refusal_content(draft, said, stage, evidence_digest=flaw.evidence_digest)
    draft.send("M3", content, reply_to=reply_to)
    endings.become_refused(draft, endings.refusal_of(content, "destination", code=flaw.code))


def take_bundle(draft: Draft) -> None:
    """D7, D7a: one more is here, or must be fetched again."""
    command, state = draft.case.command, draft.state
    if not command.good:
        draft.keep(bad={**state.bad, command.n: guards.tries(draft.case)})
        return
    arrived = state.arrived | {command.n}
    if len(arrived) == len(state.offer.bundles):
        draft.become(Verifying)
    else:
        draft.keep(arrived=arrived)


def refuse_bundle(draft: Draft) -> None:
    """D8: five times bad."""
    draft.step(steps.SealDestroyed)
    content = endings.refusal_content(
        draft, "TR-407", "receive", evidence_digest=draft.case.command.evidence_digest
    )
    endings.refuse(draft, content, reply_to=draft.state.offer.message_id)


def pass_checks(draft: Draft) -> None:
    """D9: recomputed and equal; records may stage."""
    command, state = draft.case.command, draft.state
    draft.become(
        Staging,
        computed={
            "subject_id": state.subject.subject_id,
            "epoch": state.subject.epoch,
            "root": command.root,
            "count": command.count,
            "totals": dict(command.totals),
            "state_digest": command.state_digest,
        },
    )
    draft.tell(
        events.DossierVerified,
        epoch=state.subject.epoch,
        root=command.root,
        count=command.count,
        state_digest=command.state_digest,
        applicant_ref=draft.here.request.applicant_ref,
        path=channel.OBJECTS + command.list_digest,
        first_registered_on=date.fromisoformat(state.offer.body["first_registered_on"]),
        homes=tuple(link.home for link in state.offer.chain),
    )


def refuse_check(draft: Draft) -> None:
    """D10: the first check that failed decides the code."""
    _refuse_for(draft, draft.case.command.flaw, "verify", reply_to=draft.state.offer.message_id)


def vote(draft: Draft) -> None:
    """D11: the promise, from what was staged here; it cannot be taken back."""
    state = draft.state
    sent = draft.send(
        "M6",
        {
            "offer_digest": state.offer.digest,
            **state.computed,
            "accepted_at": wire(draft.at),
            "promise": PROMISE,
        },
        reply_to=state.offer.message_id,
        expires_at=state.offer.expires_at,
    )
    draft.become(Accepted, vote=Vote(digest=sent.digest, message_id=sent.message_id, at=draft.at))
    draft.tell(events.DossierAccepted)


def refuse_late(draft: Draft) -> None:
    """D12: too late, not staged, or staged otherwise than verified."""
    command = draft.case.command
    stage = {"Receiving": "receive", "Verifying": "verify"}.get(draft.case.file.status, "stage")
    if command.name in ("timer verify", "timer stage"):
        code = "TR-506"
        draft.alarm("not-staged-in-time", timer=command.timer)
    elif command.name == "timer lapse":
        code = "TR-502"
    elif command.name == "StagingFailed":
        code = command.code if command.code in ("TR-411", "TR-413") else "TR-506"
    else:
        code = "TR-413" if guards.is_before_lapse(draft.case) else "TR-502"
    draft.step(steps.SealDestroyed)
    content = endings.refusal_content(draft, code, stage)
    endings.refuse(draft, content, reply_to=draft.state.offer.message_id)


def withdraw(draft: Draft) -> None:
    """D13: before the vote the destination alone can end it."""
    draft.step(steps.SealDestroyed)
    draft.chart(withdrawn=True)
    offer = getattr(draft.state, "offer", None)
    stage = "request" if offer is None else "receive"
    content = endings.refusal_content(draft, "TR-501", stage)
    endings.refuse(draft, content, reply_to=None)


def give_up_asking(draft: Draft) -> None:
    """D14: nobody answered; the volunteer is told TR-504, the origin that a deadline passed."""
    draft.step(steps.SealDestroyed)
    content = endings.refusal_content(draft, "TR-502", "request")
    draft.send("M3", content, reply_to=None)
    endings.become_refused(draft, endings.refusal_of(content, "destination", code="TR-504"))


def mark_overdue(draft: Draft) -> None:
    """D14a: a mark, and the origin is asked."""
    mark = draft.case.command.timer
    draft.keep(marks=(*draft.state.marks, mark))
    draft.ask()
    draft.tell(events.ReviewOverdue, mark=mark)


def refusal_again(draft: Draft) -> None:
    """D15: an offer for what was refused here."""
    draft.send("M3", draft.state.refusal.content, reply_to=draft.case.envelope.message_id)


def ask_to_withdraw(draft: Draft) -> None:
    """D16: the vote stands; only the origin can still end it."""
    draft.chart(withdrawn=True)
    ref = draft.state.vote.message_id
    draft.send("M14", channel.notice("withdraw-request", ref=ref), reply_to=None)


def doubt(draft: Draft) -> None:
    """D19, D20: no decision came; the origin is asked, and the office told by age."""
    first = draft.case.file.status == "Accepted"
    if first:
        draft.become(InDoubt, asked=1)
    else:
        draft.keep(asked=draft.state.asked + 1)
        reached = sum(draft.at - draft.state.vote.at >= limit for limit in DOUBT_ALARMS)
        if reached:
            draft.alarm("in-doubt", since=wire(draft.state.vote.at), level=reached)
    draft.ask()
    if first:
        draft.tell(events.TransferInDoubt, applicant_ref=draft.here.request.applicant_ref)
