"""What does the city that takes over do once the origin has decided? Section 6.2 from D17 on."""

from __future__ import annotations

from dataclasses import replace

from services.transfer.domain import channel, endings, events, steps
from services.transfer.domain import destination_guards as guards
from services.transfer.domain.blocks import Certificate
from services.transfer.domain.custody import Custody
from services.transfer.domain.draft import Draft, link_of
from services.transfer.domain.state import Activating, Active, Settled
from shared.canonical import digest
from shared.clock import wire


def take_release(draft: Draft) -> None:
    """D17: the certificate is kept, the chain grows; records adopts what it staged."""
    document = guards.decision(draft.case)
    assert document is not None
    release = Certificate(
        document=document,
        digest=digest(document["body"]),
        message_id=draft.case.envelope.message_id if draft.case.command.name == "M7" else None,
    )
    subject = draft.state.subject
    draft.step(steps.CertificatesKept, subject_id=subject.subject_id, documents=(document,))
    custody = draft.custody or Custody(subject_id=subject.subject_id)
    draft.change_custody(custody.with_links((*draft.state.offer.chain, link_of(document))))
    draft.become(Activating, release=release)
    _tell_release(draft)


def _tell_release(draft: Draft) -> None:
    state = draft.state
    draft.tell(
        events.ReleaseReceived,
        new_epoch=state.subject.epoch + 1,
        certificate_digest=state.release.digest,
        state_digest=state.computed["state_digest"],
        staged_by=draft.here.transfer_id,
    )


def doubt_decision(draft: Draft) -> None:
    """D17b, D18d: a certificate that fits nothing is evidence, and a question to the origin."""
    document = guards.decision(draft.case)
    assert document is not None
    draft.evidence("TR-406", document)
    draft.alarm("certificate-does-not-fit", digest=digest(document["body"]))
    ref = draft.case.envelope.message_id
    draft.send(
        "M14", channel.notice("clarify", ref=ref, text="certificate-does-not-fit"), reply_to=ref
    )


def take_abort(draft: Draft) -> None:
    """D18: ended for certain; a temporary reason is tried again."""
    document = guards.decision(draft.case)
    assert document is not None
    draft.step(steps.CertificatesKept, subject_id=_subject(draft), documents=(document,))
    endings.become_aborted(draft, Certificate(document=document, digest=digest(document["body"])))


def _subject(draft: Draft) -> str | None:
    subject = draft.case.subject
    return subject.subject_id if subject else None


def keep_abort(draft: Draft) -> None:
    """D18c: the origin's answer to our own refusal."""
    document = guards.decision(draft.case)
    assert document is not None
    draft.step(steps.CertificatesKept, subject_id=_subject(draft), documents=(document,))


def activate(draft: Draft) -> None:
    """D21: it stands here; M9, and supplements that came before are taken up."""
    state = draft.state
    content = {
        "release_digest": state.release.digest,
        "subject_id": state.subject.subject_id,
        "epoch": state.subject.epoch + 1,
        "state_digest": state.computed["state_digest"],
        "activated_at": wire(draft.at),
    }
    draft.send("M9", content, reply_to=state.release.message_id)
    draft.step(steps.SealDestroyed)
    custody = draft.custody or Custody(subject_id=state.subject.subject_id)
    draft.change_custody(replace(custody, moved_in_at=draft.at, moved_in_from=draft.here.origin))
    draft.become(Active, activated=content, activated_at=draft.at)
    draft.tell(
        events.DossierActivated,
        new_epoch=state.subject.epoch + 1,
        totals=events.Totals(**state.computed["totals"]),
        applicant_ref=draft.here.request.applicant_ref,
    )
    channel.take_parked(draft)


def adopt_again(draft: Draft) -> None:
    """D22: records is slow or away; it is told again."""
    draft.alarm("not-adopted", since=wire(draft.here.since))
    _tell_release(draft)


def park_early(draft: Draft) -> None:
    """D24: late entries wait for the dossier."""
    channel.park(draft)


def close(draft: Draft) -> None:
    """D27: count and root are ours too."""
    flow = draft.here.inflow
    draft.send(
        "M13",
        {
            "supplements": flow.k,
            "root": channel.root_of(flow.frontier),
            "closed_at": wire(draft.at),
        },
        reply_to=draft.case.envelope.message_id,
    )
    draft.become(Settled)
    draft.tell(events.TransferClosed, supplements=flow.k)


def doubt_closing(draft: Draft) -> None:
    """D28: the two sides count differently."""
    flow = draft.here.inflow
    draft.alarm(
        "closing-differs",
        theirs=draft.case.content["supplements"],
        ours=flow.k,
        applied=flow.applied,
    )
    ref = draft.case.envelope.message_id
    draft.send("M14", channel.notice("clarify", ref=ref, text="closing-differs"), reply_to=ref)


def find_equivocation(draft: Draft) -> None:
    """D29, D30: two certificates that contradict; the first acted upon stands, both are kept."""
    document = guards.decision(draft.case)
    assert document is not None
    found = draft.evidence("TR-406", document)
    draft.alarm("equivocation", code="TR-406", digest=digest(document["body"]))
    body = document["body"]
    if body["v"] == "custody/1" and draft.custody is not None:
        seen = max(draft.custody.foreign_epoch, body["epoch"])
        draft.change_custody(replace(draft.custody, foreign_epoch=seen))
    draft.tell(events.EquivocationFound, evidence_digest=found)


def activated_again(draft: Draft) -> None:
    """D30a: the origin did not hear that it stands here."""
    draft.send("M9", draft.state.activated, reply_to=draft.case.envelope.message_id)
