"""How do late entries pass, in order and once? The channel of supplements, on both sides (9).

(transfer, sender, incarnation) with k from 1 without gaps, each naming the digest of the one
before. Here k is counted and chained; entries are judged by records when it applies them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.transfer.domain import events, steps
from services.transfer.domain.blocks import Inflow, Outflow, Supplement
from services.transfer.domain.case import Case, EntryKey
from services.transfer.domain.codes import supplement_digest
from services.transfer.domain.draft import Draft
from shared import merkle
from shared.canonical import canonical, digest

ENTRIES_MOST = 50
# E1 takes 1 MiB; header, hops and signature need less than 64 KiB.
ENTRIES_BYTES_MOST = 983_040
# Of one transfer, ahead of their turn. More are passed over: the sender sends them again.
PARKED_MOST = 1_000
OBJECTS = "/internal/v1/objects/"
# An entry in one of these states will still be decided by its issuer.
UNDECIDED = frozenset({"pending", "publicised", "disputed"})

Late = tuple[EntryKey, str, Mapping[str, Any]]


def root_of(frontier: Sequence[str]) -> str:
    """The RFC 9162 root over the supplement digests, in hex."""
    return merkle.root(tuple(bytes.fromhex(each) for each in frontier)).hex()


def _grown(count: int, frontier: Sequence[str], leaf: str) -> tuple[str, ...]:
    before = tuple(bytes.fromhex(each) for each in frontier)
    return tuple(each.hex() for each in merkle.append(count, before, bytes.fromhex(leaf)))


# --- what we send -------------------------------------------------------------------------------


def send_late(draft: Draft, late: Sequence[Late], subject_id: str) -> None:
    """These late entries go out as the next supplements, at most 50 in each."""
    for group in _groups(late):
        _send_one(draft, group, subject_id)


def _groups(late: Sequence[Late]) -> Iterator[Sequence[Late]]:
    group: list[Late] = []
    size = 0
    for each in late:
        weight = len(canonical(each[2])) + 1
        if group and (len(group) == ENTRIES_MOST or size + weight > ENTRIES_BYTES_MOST):
            yield group
            group, size = [], 0
        group.append(each)
        size += weight
    if group:
        yield group


def _send_one(draft: Draft, late: Sequence[Late], subject_id: str) -> None:
    course = draft.here
    flow = course.outflow
    k = flow.k + 1
    entries = [entry for _, _, entry in late]
    issuers = sorted({entry["body"]["issuer"] for entry in entries} - {course.city})
    content = {
        "k": k,
        "prev_supplement": flow.last_digest,
        "subject_id": subject_id,
        "entries": entries,
        "hops": [*issuers, course.city],
    }
    found = supplement_digest(canonical(content))
    sent = draft.send("M11", content, reply_to=None, supplement_k=k)
    draft.step(
        steps.SupplementMade,
        supplement=Supplement(
            k=k,
            incarnation=course.wire.incarnation,
            digest=found,
            previous=flow.last_digest,
            object_digest=digest(content),
            message_id=sent.message_id,
            entries=len(entries),
        ),
        subject_id=subject_id,
        content=content,
        keys=tuple(key for key, _, _ in late),
    )
    draft.chart(
        outflow=Outflow(
            k=k,
            last_digest=found,
            entries=flow.entries + len(entries),
            awaiting=(*flow.awaiting, (k, found)),
            pending=_still_pending(flow.pending, entries),
            frontier=_grown(flow.k, flow.frontier, found),
        )
    )
    draft.tell(events.SupplementSent, k=k, entries=len(entries))


def _still_pending(pending: Sequence[str], entries: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    left = set(pending)
    for entry in entries:
        body = entry["body"]
        (left.add if body["state"] in UNDECIDED else left.discard)(body["entry_id"])
    return tuple(sorted(left))


def is_acknowledged(case: Case) -> bool:
    """M11r names a supplement that we sent and wait for, by its digest."""
    content = case.content
    waits: tuple[tuple[int, str], ...] = case.state.course.outflow.awaiting
    return (content["k"], content["supplement_digest"]) in waits


def acknowledge(draft: Draft) -> None:
    """k is acknowledged; what the other side could not take is an alarm here too."""
    content = draft.case.content
    flow = draft.here.outflow
    named = (content["k"], content["supplement_digest"])
    draft.chart(
        outflow=replace(flow, awaiting=tuple(each for each in flow.awaiting if each != named))
    )
    if content["quarantined"]:
        draft.alarm("entries-quarantined-there", k=content["k"], quarantined=content["quarantined"])


# --- what we take -------------------------------------------------------------------------------


def inflow_of(case: Case) -> Inflow:
    """The channel that this message belongs to: a higher incarnation begins one of its own."""
    flow: Inflow = case.state.course.inflow
    heard = case.envelope.incarnation
    return flow if heard <= flow.incarnation else Inflow(incarnation=heard)


def is_next(case: Case) -> bool:
    """k = last + 1, and it names the digest of the one before."""
    flow = inflow_of(case)
    content = case.content
    return (
        content["k"] == flow.k + 1
        and content["prev_supplement"] == flow.last_digest
        and case.envelope.incarnation >= flow.incarnation
    )


def is_ahead(case: Case) -> bool:
    """k > last + 1, or early in a state that takes none yet."""
    flow = inflow_of(case)
    return case.content["k"] > flow.k + 1 and case.envelope.incarnation >= flow.incarnation


def is_applied(case: Case) -> bool:
    """k ≤ the last that records applied."""
    flow = inflow_of(case)
    return case.content["k"] <= flow.applied and case.envelope.incarnation >= flow.incarnation


def received(case: Case) -> Supplement:
    """The message as a supplement of the channel."""
    content = case.content
    return Supplement(
        k=content["k"],
        incarnation=case.envelope.incarnation,
        digest=supplement_digest(canonical(content)),
        previous=content["prev_supplement"],
        object_digest=digest(content),
        message_id=case.envelope.message_id,
        entries=len(content["entries"]),
    )


def _of_this_subject(draft: Draft) -> bool:
    subject = getattr(draft.state, "subject", None)
    if subject is not None and subject.subject_id == draft.case.content["subject_id"]:
        return True
    draft.evidence("TR-406", {"content": dict(draft.case.content)})
    draft.alarm("supplement-of-another-subject", k=draft.case.content["k"])
    return False


def take_next(draft: Draft) -> None:
    """The next in order: kept, told to records, and after it those parked that now follow."""
    if not _of_this_subject(draft):
        return
    one = received(draft.case)
    _store(draft, one, parked=False)
    draft.chart(inflow=inflow_of(draft.case))
    _enter(draft, one)
    take_parked(draft)


def park(draft: Draft) -> None:
    """Ahead of its turn: kept until those before it have come."""
    if not _of_this_subject(draft):
        return
    flow = inflow_of(draft.case)
    one = received(draft.case)
    known = {each.k for each in flow.parked}
    if one.k in known or len(flow.parked) >= PARKED_MOST:
        draft.alarm("supplement-not-parked", k=one.k, parked=len(flow.parked))
        return
    _store(draft, one, parked=True)
    draft.chart(inflow=replace(flow, parked=(*flow.parked, one)))


def take_parked(draft: Draft) -> None:
    """Takes up parked supplements as far as they follow without a gap."""
    while True:
        flow = draft.here.inflow
        follows = [
            each
            for each in flow.parked
            if each.k == flow.k + 1 and each.previous == flow.last_digest
        ]
        if not follows:
            return
        draft.chart(inflow=replace(flow, parked=tuple(p for p in flow.parked if p != follows[0])))
        _enter(draft, follows[0])


def _store(draft: Draft, one: Supplement, *, parked: bool) -> None:
    draft.step(
        steps.SupplementStored,
        supplement=one,
        sender=draft.here.peer,
        subject_id=draft.case.content["subject_id"],
        content=draft.case.content,
        parked=parked,
    )


def _enter(draft: Draft, one: Supplement) -> None:
    flow = draft.here.inflow
    draft.chart(
        inflow=replace(
            flow,
            incarnation=one.incarnation,
            k=one.k,
            last_digest=one.digest,
            entries=flow.entries + one.entries,
            waiting=(*flow.waiting, one),
            frontier=_grown(flow.k, flow.frontier, one.digest),
        )
    )
    draft.tell(
        events.SupplementReceived,
        sender=draft.here.peer,
        incarnation=one.incarnation,
        k=one.k,
        digest=one.object_digest,
        path=OBJECTS + one.object_digest,
    )


def was_waiting(case: Case) -> bool:
    """records applied a supplement that this move gave it."""
    flow: Inflow = case.state.course.inflow
    named = (case.command.incarnation, case.command.k)
    return any((each.incarnation, each.k) == named for each in flow.waiting)


def apply(draft: Draft) -> None:
    """k is applied: M11r, and where entries were quarantined a clarify that names the first."""
    fact = draft.case.command
    flow = draft.here.inflow
    one = next(
        each for each in flow.waiting if (each.incarnation, each.k) == (fact.incarnation, fact.k)
    )
    done = replace(one, new=fact.new, duplicates=fact.duplicates, quarantined=fact.quarantined)
    draft.chart(
        inflow=replace(
            flow,
            applied=max(flow.applied, one.k)
            if one.incarnation == flow.incarnation
            else flow.applied,
            waiting=tuple(each for each in flow.waiting if each != one),
        )
    )
    draft.step(steps.SupplementDone, supplement=done, sender=draft.here.peer)
    _answer(draft, done)
    if fact.quarantined:
        first = fact.first_quarantined or {}
        draft.alarm("entries-quarantined-here", k=fact.k, quarantined=fact.quarantined)
        draft.send(
            "M14",
            notice(
                "clarify",
                ref=one.message_id,
                entry={name: first[name] for name in ("issuer", "entry_id", "version")}
                if first
                else None,
                text=first.get("code"),
            ),
            reply_to=one.message_id,
        )


def _answer(draft: Draft, done: Supplement) -> None:
    draft.send(
        "M11r",
        {
            "k": done.k,
            "supplement_digest": done.digest,
            "new": done.new,
            "duplicates": done.duplicates,
            "quarantined": done.quarantined,
        },
        reply_to=done.message_id,
    )


def answer_again(draft: Draft) -> None:
    """A supplement applied long ago came again: the same answer; other bytes are evidence."""
    again = received(draft.case)
    settled = draft.case.file.window.settled
    first = next(
        (each for each in settled if (each.incarnation, each.k) == (again.incarnation, again.k)),
        None,
    )
    if first is None or first.digest != again.digest:
        draft.evidence("TR-406", {"content": dict(draft.case.content)})
        draft.alarm("supplement-differs", k=again.k)
        return
    _answer(draft, replace(first, message_id=again.message_id))


def notice(kind: str, **members: Any) -> dict[str, Any]:
    """The content of an M14: members not named are null."""
    empty = ("ref", "nonce", "subject_id", "epoch", "entry", "text", "until")
    content: dict[str, Any] = {"kind": kind, **dict.fromkeys(empty)}
    return {**content, "custody_chain": None, "pointer": None, **members}
