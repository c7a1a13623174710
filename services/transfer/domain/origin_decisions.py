"""What does the city that lets go do at its one decision and after it? Section 6.1 from O12 on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.transfer.domain import channel, events, steps
from services.transfer.domain.draft import Draft, link_of
from services.transfer.domain.state import Closed, Closing, Released, Settling
from shared.clock import wire

# Once closed or nearly so, a late change opens the channel for this long (O20a).
REOPENED_LIFE = timedelta(days=1)
# Ages at which a release without M9 is told to the office, once each (12).
ALARM_AGES = (timedelta(hours=1), timedelta(days=1), timedelta(days=3), timedelta(days=5))


def release(draft: Draft) -> None:
    """O12, the commit point: custody passes, and what was noted follows as supplements."""
    case = draft.case
    state, custody = case.state, case.custody
    assert custody is not None
    head = state.offer.body
    certificate = draft.certify(
        "release",
        {
            "v": "custody/1",
            "kind": "release",
            "subject_id": state.subject.subject_id,
            "epoch": state.subject.epoch + 1,
            "home": draft.here.destination,
            "from": draft.here.origin,
            "prev": state.offer.chain[-1].digest,
            "transfer_id": draft.here.transfer_id,
            "root": head["root"],
            "count": head["count"],
            "totals": head["totals"],
            "accept_digest": case.envelope.digest,
            "decided_at": wire(case.at),
            "reason": None,
        },
    )
    draft.send("M7", {"certificate": certificate.document}, reply_to=case.envelope.message_id)
    link = link_of(certificate.document)
    draft.change_custody(replace(custody.with_links((link,)), open_transfer=None, open_since=None))
    draft.become(Released, release=certificate, released_at=case.at)
    draft.tell(
        events.DossierReleased,
        epoch=state.subject.epoch,
        new_epoch=state.subject.epoch + 1,
        home=draft.here.destination,
        certificate=certificate.document,
    )
    if case.file.window.noted:
        channel.send_late(draft, case.file.window.noted, state.subject.subject_id)
        draft.step(steps.NotesForgotten)


def settle(draft: Draft) -> None:
    """O17: the dossier stands there; the key of the bundles is gone."""
    window = draft.case.file.window.pair.late_change_window_days
    draft.step(steps.SealDestroyed)
    draft.become(Settling, activated_at=draft.at, residual_at=draft.at + timedelta(days=window))
    draft.tell(events.TransferSettling, supplements=draft.here.outflow.k)


def doubt_activation(draft: Draft) -> None:
    """O18: it activated something else than was released."""
    draft.evidence("TR-406", {"content": dict(draft.case.content)})
    draft.alarm("activation-differs")
    _clarify(draft, draft.case.envelope.message_id, "activation-differs")


def _clarify(draft: Draft, ref: str, text: str) -> None:
    draft.send("M14", channel.notice("clarify", ref=ref, text=text), reply_to=ref)


def release_again(draft: Draft) -> None:
    """O19, O24: the same certificate in a new message."""
    command = draft.case.command
    by_timer = command.name == "timer activate"
    if by_timer:
        age = draft.at - draft.state.released_at
        reached = sum(age >= limit for limit in ALARM_AGES)
        if reached:
            draft.alarm("not-activated", since=wire(draft.state.released_at), level=reached)
        draft.keep(asked=draft.state.asked + 1)
    draft.send(
        "M7",
        {"certificate": draft.state.release.document},
        reply_to=None if by_timer else draft.case.envelope.message_id,
    )


def forward_late(draft: Draft) -> None:
    """O20: a late change goes after the dossier, once."""
    command = draft.case.command
    if command.key in draft.case.file.window.forwarded:
        return
    channel.send_late(
        draft, [(command.key, command.digest, command.entry)], draft.state.subject.subject_id
    )


def forward_reopened(draft: Draft) -> None:
    """O20a: years later too; the window opens again for a day."""
    draft.become(Settling, residual_at=draft.at + REOPENED_LIFE)
    forward_late(draft)


def close_window(draft: Draft) -> None:
    """O22, O22a: what was sent, by count and root; the channel itself stays open."""
    flow = draft.here.outflow
    draft.send(
        "M12",
        {
            "supplements": flow.k,
            "entries": flow.entries,
            "last_digest": flow.last_digest,
            "root": channel.root_of(flow.frontier),
            "closed_at": wire(draft.at),
        },
        reply_to=None,
    )
    if draft.state.status == "Settling":
        draft.become(Closing)


def close(draft: Draft) -> None:
    """O23: both sides agree."""
    draft.become(Closed)
    draft.tell(events.TransferClosed, supplements=draft.here.outflow.k)


def too_late_to_end(draft: Draft) -> None:
    """O24a: released is released."""
    if draft.case.command.name == "M3":
        draft.alarm("refused-after-release", code=draft.case.content["code"])
