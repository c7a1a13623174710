"""Does every state meet every input as the tables say, and does what is not listed change nothing?

States are those that the published move passes through, and its endings; inputs are every command
in several shapes, so that each guard is met both ways.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import pytest

from services.transfer.contract.types import NAMES
from services.transfer.domain import channel, commands, events, steps
from services.transfer.domain.blocks import Supplement
from services.transfer.domain.case import File
from services.transfer.domain.custody import Custody
from services.transfer.domain.decider import TABLES, decide
from services.transfer.domain.envelopes import message_id
from services.transfer.domain.events import Hold, Role
from services.transfer.domain.state import subject_of
from shared.canonical import digest
from shared.messages import Event, Rejection
from tests.domain.transfer.test_the_published_move import HEAD, LIMITS, M1, M4, TRANSFER, WIRE
from tests.support.moves import City, at, envelope_of, office
from tests.support.vectors import resigned

KEYS = {"amber": "amber:3f5d45756011d07b", "birch": "birch:f624a90919910879"}
LATER = "2027-03-01T03:00:00Z"
AFTER_THE_OFFER = "2027-03-05T00:00:00Z"
SUBJECT, TRANSFER_ID = TRANSFER["subject_id"], TRANSFER["transfer_id"]
LATE = WIRE["M11 k=1"]["body"]["content"]["entries"][0]
ABORT = TRANSFER["abort_certificate_example"]
RELEASE = WIRE["M7"]["body"]["content"]["certificate"]


def other_release() -> dict[str, Any]:
    """A second release of the same origin: what must never be."""
    body = copy.deepcopy(RELEASE["body"]) | {"decided_at": "2027-03-01T02:00:08Z"}
    return resigned(body, KEYS["amber"], "jiexu-certificate-v1")


def letter(kind: str, sender: str, content: Mapping[str, Any], seq: int = 90, **header: Any) -> Any:
    """A message of this move, signed, with any content."""
    other = {"amber": "birch", "birch": "amber"}[sender]
    body = {
        "protocol": "jiexu/1.0",
        "type": kind,
        "message_id": message_id(TRANSFER_ID, sender, 1, seq),
        "transfer_id": TRANSFER_ID,
        "from": sender,
        "to": other,
        "incarnation": 1,
        "seq": seq,
        "prev": None,
        "in_reply_to": None,
        "issued_at": LATER,
        "expires_at": "9999-12-31T23:59:59Z",
        "content": dict(content),
    } | header
    return resigned(body, KEYS[sender], "jiexu-envelope-v1")


def m3(code: str, refusal_class: str) -> dict[str, Any]:
    names = ("evidence_digest", "pointer", "hold", "retry_after_seconds", "open_since")
    empty: dict[str, Any] = dict.fromkeys(names)
    return {"code": code, "class": refusal_class, "stage": "request", "appeal_until": None} | empty


def m11(k: int, previous: str | None) -> dict[str, Any]:
    return {
        "k": k,
        "prev_supplement": previous,
        "subject_id": SUBJECT,
        "entries": [LATE],
        "hops": ["amber"],
    }


def played() -> Mapping[tuple[str, str], City]:
    """The cities at every state, by (role, status)."""
    from tests.domain.transfer.test_the_published_move import apply, cities

    found: dict[tuple[str, str], City] = {}

    def keep(city: City) -> None:
        kept = copy.deepcopy(city)
        # The next batch's window: none of the messages below has been here.
        kept.file = File(state=kept.file.state)
        found.setdefault((city.role, city.status), kept)

    amber, birch = cities()
    keep(amber)
    keep(birch)
    apply(birch)
    keep(birch)
    amber.hear(WIRE["M1"], "2027-03-01T02:00:01Z")
    keep(amber)
    for name, command in (
        ("refused", commands.DenyIdentity(**amber.base(LATER, known=False), code="TR-102")),
        ("aborted", commands.WithdrawTransfer(**amber.base(LATER, known=False))),
    ):
        side = copy.deepcopy(amber)
        side.do(command)
        assert side.status.lower() == name
        keep(side)
    side = copy.deepcopy(birch)
    side.do(commands.WithdrawTransfer(**birch.base(LATER, known=False)))
    keep(side)
    amber.do(commands.ConfirmIdentity(**amber.base("2027-03-01T02:00:02Z")))
    keep(amber)
    amber.do(
        commands.NoteFrozen(
            **amber.base("2027-03-01T02:00:03Z"), epoch=1, log_id="log", head=M4["head"]
        )
    )
    keep(amber)
    amber.do(offer(amber, "2027-03-01T02:00:04Z"))
    keep(amber)
    side = copy.deepcopy(amber)
    side.do(commands.FireTimer(**amber.base(AFTER_THE_OFFER), timer="offer"))
    del found["origin", "Aborted"]
    keep(side)
    birch.hear(WIRE["M4"], "2027-03-01T02:00:05Z")
    keep(birch)
    side = copy.deepcopy(birch)
    side.hear(letter("aborted", "amber", {"certificate": ABORT}), LATER)
    keep(side)
    for command in (
        commands.TakeBundle(**birch.base("2027-03-01T02:00:05Z"), n=0, good=True),
        passed(birch, "2027-03-01T02:00:05Z"),
        staged(birch, "2027-03-01T02:00:06Z"),
    ):
        birch.do(command)
        keep(birch)
    side = copy.deepcopy(birch)
    side.do(commands.FireTimer(**birch.base("2027-03-01T02:10:00Z"), timer="doubt"))
    keep(side)
    amber.hear(WIRE["M6"], "2027-03-01T02:00:07Z")
    keep(amber)
    birch.hear(WIRE["M7"], "2027-03-01T02:00:08Z")
    keep(birch)
    birch.do(adopted(birch, "2027-03-01T02:00:09Z"))
    keep(birch)
    amber.hear(WIRE["M9"], "2027-03-01T02:00:10Z")
    keep(amber)
    amber.do(commands.FireTimer(**amber.base("2027-08-28T02:00:10Z"), timer="residual"))
    keep(amber)
    closing = envelope_of(WIRE["M12"]).content | {
        "supplements": 0,
        "entries": 0,
        "last_digest": None,
        "root": channel.root_of(()),
    }
    birch.hear(letter("residual-closed", "amber", closing), "2027-08-28T02:00:11Z")
    keep(birch)
    amber.hear(letter("closed", "birch", closed()), "2027-08-28T02:00:12Z")
    keep(amber)
    return found


def closed(root: str | None = None) -> dict[str, Any]:
    return {"supplements": 0, "root": root or channel.root_of(()), "closed_at": LATER}


def offer(city: City, when: str, entries: int = 3) -> commands.OfferDossier:
    bundles = copy.deepcopy(M4["bundles"])
    bundles[0]["entries"] = entries
    return commands.OfferDossier(
        **city.base(when),
        bundles=tuple(bundles),
        chain=tuple(M4["custody_chain"]),
        seal_key=M4["seal_key"],
        directory_serial=7,
    )


def passed(city: City, when: str, root: str | None = None) -> commands.PassChecks:
    return commands.PassChecks(
        **city.base(when),
        root=root or HEAD["root"],
        count=3,
        totals=HEAD["totals"],
        state_digest=HEAD["state_digest"],
        list_digest="0" * 64,
    )


def staged(city: City, when: str, state: str | None = None) -> commands.NoteStaged:
    found = state or HEAD["state_digest"]
    return commands.NoteStaged(**city.base(when), state_digest=found, count=3)


def adopted(city: City, when: str, state: str | None = None) -> commands.NoteAdopted:
    found = state or HEAD["state_digest"]
    return commands.NoteAdopted(
        **city.base(when), new_epoch=2, state_digest=found, totals=HEAD["totals"]
    )


TIMERS = (
    *("review", "review-target", "review-ceiling", "freeze", "offer", "activate", "residual"),
    *("close", "request", "verify", "stage", "lapse", "doubt", "adopt"),
)


def inputs(city: City) -> Iterator[commands.TransferCommand]:
    """Every input, in shapes that meet the guards both ways."""
    base = city.base(LATER)
    late = city.base(AFTER_THE_OFFER)
    yield commands.WithdrawTransfer(**base)
    yield commands.ConfirmIdentity(**base)
    held = Hold(authority="court", until=date(2027, 6, 30))
    yield commands.ConfirmIdentity(**base, holds=(held,))
    yield commands.DenyIdentity(**base, code="TR-102")
    yield commands.NoteFrozen(**base, epoch=1, log_id="log", head=M4["head"])
    yield commands.NoteFrozen(**base, epoch=2, log_id="log", head=M4["head"])
    yield offer(city, LATER)
    yield offer(city, LATER, entries=2)
    yield commands.ReportUnreadable(**base, reason="broken")
    yield commands.ReportLimits(**base)
    yield commands.ForwardLateChange(**base, entry=LATE, digest=digest(LATE["body"]))
    yield commands.NoteDeath(**base)
    yield commands.NoteSuspension(**base, hold=held)
    yield commands.TakeDuplicate(**base)
    yield commands.TakeStatusQuery(**base, applied=0)
    yield commands.TakeReconcile(**base, incarnation=2)
    yield commands.TakeReconcile(**base, incarnation=1)
    for n, good in ((0, True), (0, False), (7, True)):
        yield commands.TakeBundle(**base, n=n, good=good)
    yield passed(city, LATER)
    yield passed(city, LATER, root="0" * 64)
    yield commands.FailCheck(**base, flaw=commands.Flaw(code="TR-404", evidence_digest="0" * 64))
    yield staged(city, LATER)
    yield staged(city, LATER, state="0" * 64)
    yield staged(city, AFTER_THE_OFFER)
    yield commands.NoteStagingFailed(**base, code="TR-411")
    yield adopted(city, LATER)
    yield adopted(city, LATER, state="0" * 64)
    yield commands.NoteSupplementApplied(
        **base,
        sender=city.file.state.course.peer if city.file.state else "amber",
        incarnation=1,
        k=1,
        new=1,
        duplicates=0,
        quarantined=0,
    )
    for timer in TIMERS:
        yield commands.FireTimer(**base, timer=timer)
    for attempt in (1, 2):
        yield commands.ApplyForTransfer(
            **base,
            origin="amber",
            destination="birch",
            applicant_ref=M1["applicant_ref"],
            nonce=M1["nonce"],
            code_id=M1["code_id"],
            proof=M1["proof"],
            consent=M1["consent"],
            seal_key=M1["seal_key"],
            wrapped_seal=b"wrapped",
            limits=LIMITS,
            attempt=attempt,
        )
    yield from replies(city)
    for wire, more in messages(city):
        for begin in (base, late):
            yield take(begin, wire, **more)


def take(begin: Mapping[str, Any], wire: Any, **more: Any) -> commands.TakeMessage:
    from services.transfer.domain.certificates import genuine_objects
    from services.transfer.edge.signatures import verify_signature
    from tests.support.vectors import directory

    envelope = envelope_of(wire)
    genuine = genuine_objects(envelope.content, directory(), verify_signature)
    return commands.TakeMessage(**begin, envelope=envelope, genuine=genuine, **more)


def replies(city: City) -> Iterator[commands.TakeStatusReply]:
    for decision in (None, RELEASE, ABORT, other_release()):
        content = {"state": "Released", "decision": decision, "applied": 0}
        taken = take(city.base(LATER), letter("status-reply", "amber", content, seq=0))
        yield commands.TakeStatusReply(
            **city.base(LATER), envelope=taken.envelope, genuine=taken.genuine
        )


def messages(city: City) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Every type from the other side (and from our own: a wrong direction is silence)."""
    flaw = commands.Flaw(code="TR-405", evidence_digest="0" * 64, evidence={"digest": "0" * 64})
    yield WIRE["M1"], {}
    yield WIRE["M1"], {"flaw": commands.Flaw(code="TR-202")}
    yield WIRE["M2"], {}
    for sender in ("amber", "birch"):
        for code, refusal_class in (("TR-502", "T"), ("TR-501", "F")):
            yield letter("refused", sender, m3(code, refusal_class)), {}
        for k in (1, 2, 5):
            yield letter("supplement", sender, m11(k, None if k == 1 else "0" * 64)), {}
        for kind in ("withdraw-request", "clarify", "remind"):
            yield letter("notice", sender, channel.notice(kind)), {}
        named = {"k": 1, "supplement_digest": "5" * 64, "new": 1, "duplicates": 0, "quarantined": 1}
        yield letter("supplement-received", sender, named), {}
    empty = copy.deepcopy(WIRE["M4"])
    empty["body"]["content"]["bundles"] = []
    for wire in (WIRE["M4"], empty):
        yield wire, {}
        yield wire, {"flaw": flaw}
    yield WIRE["M6"], {}
    for name, value in (("count", 4), ("root", "0" * 64)):
        content = copy.deepcopy(WIRE["M6"]["body"]["content"]) | {name: value}
        yield letter("accepted", "birch", content), {}
    yield WIRE["M7"], {}
    yield letter("release", "amber", {"certificate": other_release()}), {}
    yield letter("aborted", "amber", {"certificate": ABORT}), {}
    unsigned = ABORT | {"sig": "0" * 128}
    yield letter("aborted", "amber", {"certificate": unsigned}), {}
    yield WIRE["M9"], {}
    yield letter("activated", "birch", WIRE["M9"]["body"]["content"] | {"epoch": 9}), {}
    closing = {
        "supplements": 0,
        "entries": 0,
        "last_digest": None,
        "root": channel.root_of(()),
        "closed_at": LATER,
    }
    yield letter("residual-closed", "amber", closing), {}
    yield letter("residual-closed", "amber", closing | {"supplements": 3}), {}
    yield letter("closed", "birch", closed()), {}
    yield letter("closed", "birch", closed("0" * 64)), {}


def variants(city: City) -> Iterator[City]:
    """The state as it is; with channels in motion; marked as another city's refusal."""
    yield city
    state = city.file.state
    if state is None:
        return
    one = Supplement(
        k=1,
        incarnation=1,
        digest="5" * 64,
        previous=None,
        object_digest="6" * 64,
        message_id="7" * 32,
        entries=1,
    )
    course = state.course
    moving = replace(
        course,
        outflow=replace(course.outflow, k=1, awaiting=((1, "5" * 64),), frontier=("8" * 64,)),
        inflow=replace(course.inflow, incarnation=1, waiting=(one,)),
    )
    applied = replace(
        course,
        inflow=replace(
            course.inflow,
            incarnation=1,
            k=1,
            applied=1,
            last_digest="5" * 64,
            frontier=("8" * 64,),
        ),
    )
    for changed in (moving, applied):
        other = copy.deepcopy(city)
        window = replace(city.file.window, settled=(replace(one, new=1, duplicates=0),))
        shaped: Any = replace(state, course=changed)
        other.file = File(state=shaped, window=window)
        yield other
    if hasattr(state, "bad"):
        other = copy.deepcopy(city)
        worn: Any = replace(state, bad={0: 4})
        other.file = replace(city.file, state=worn)
        yield other
    if hasattr(state, "pending_since") and state.review_due is None:
        other = copy.deepcopy(city)
        answered: Any = replace(state, review_due=date(2027, 3, 15), pending_since=at(LATER))
        other.file = replace(city.file, state=answered)
        yield other
    if state.status == "Receiving":
        two = tuple({**M4["bundles"][0], "n": n} for n in (0, 1))
        other = copy.deepcopy(city)
        longer: Any = replace(state, offer=replace(state.offer, bundles=two))
        other.file = replace(city.file, state=longer)
        yield other


PLAYED = played()


def test_the_move_passes_through_every_state() -> None:
    for role, rows in TABLES.items():
        named = {status for row in rows for status in row.source} - {"any", "Visiting"}
        assert {status for side, status in PLAYED if side == role} == named


def known_custody(city: City) -> Custody | None:
    return city.custody or Custody(subject_id=SUBJECT)


def outcome_of(city: City, command: commands.TransferCommand) -> tuple[Event, ...]:
    known = subject_of(city.file.state)
    facts = (commands.ConfirmIdentity, commands.TakeMessage)
    if known is None and not isinstance(command, facts):
        command = replace(command, subject_id=None)
    outcome = decide(office(city.name), city.file, known_custody(city), city.log, command)
    assert not isinstance(outcome, Rejection), outcome
    return outcome


@cache
def walked(role: Role, status: str) -> frozenset[str]:
    """Meets this state with every input, judges each outcome, and names the rows taken."""
    taken: set[str] = set()
    for city in variants(PLAYED[role, status]):
        for command in inputs(city):
            listed = [row for row in TABLES[role] if row.takes(status, command.name)]
            made = outcome_of(city, command)
            moved = [event for event in made if isinstance(event, steps.Moved)]
            if not moved:
                # Silence: a message is kept in the inbox, and an office's notice; nothing else.
                quiet = (steps.MessageTaken, steps.NoticeKept)
                assert all(isinstance(event, quiet) for event in made), (status, command.name)
                continue
            (step,) = moved
            (row,) = (row for row in listed if row.row == step.row)
            taken.add(row.row)
            reached = status if row.next == "same" else row.next
            assert step.state.status == reached, (row.row, command.name)
            numbers = {each.number for each in made if isinstance(each, steps.MessageSent)}
            if any(isinstance(each, steps.QueryWanted) for each in made):
                numbers.add("M10")
            assert numbers <= set(row.messages), (row.row, numbers)
            names = {
                NAMES[type(each)].removeprefix("transfer.").removesuffix(".v1")
                for each in made
                if isinstance(each, events.TransferEvent)
            } - {"transfer-ended"}
            # What was noted goes out with the release; what was parked is taken up at Active.
            beyond = {"O12": {"supplement-sent"}, "D21": {"supplement-received"}}
            assert names <= set(row.events) | beyond.get(row.row, set()), (row.row, names)
            ended = [each for each in made if isinstance(each, events.TransferEnded)]
            told = [
                each
                for each in made
                if isinstance(each, events.TransferRefused | events.TransferAborted)
            ]
            assert len(ended) == len(told)
    return frozenset(taken)


@pytest.mark.parametrize("role, status", sorted(PLAYED))
def test_a_state_meets_every_input_as_listed(role: Role, status: str) -> None:
    walked(role, status)


def taken(role: Role) -> frozenset[str]:
    """Every row that some state took with some input."""
    states = [status for side, status in PLAYED if side == role]
    return frozenset[str]().union(*(walked(role, status) for status in states))


@pytest.mark.parametrize(
    "row",
    [
        *("O1", "O2", "O3", "O4", "O6", "O7", "O8", "O9", "O10", "O11"),
        *("O11a", "O12", "O13", "O14", "O15", "O16", "O17", "O18", "O19", "O20"),
        *("O20a", "O21", "O22", "O22a", "O23", "O24", "O24a", "O25", "O25a", "O26"),
        *("O29", "O29a", "O29b", "O29c", "O29d", "O32", "O33", "O34", "O37"),
    ],
)
def test_a_row_of_the_origin_is_taken(row: str) -> None:
    assert row in taken("origin")


@pytest.mark.parametrize(
    "row",
    [
        *("D1", "D2", "D3", "D4", "D5", "D5a", "D6", "D7", "D7a", "D8"),
        *("D9", "D10", "D11", "D12", "D13", "D14", "D14a", "D15", "D16", "D17"),
        *("D17b", "D18", "D18c", "D18d", "D19", "D20", "D21", "D22", "D23", "D24"),
        *("D25", "D26", "D26a", "D27", "D28", "D29", "D30", "D30a", "D31", "D32"),
        *("D38",),
    ],
)
def test_a_row_of_the_destination_is_taken(row: str) -> None:
    assert row in taken("destination")


@pytest.mark.parametrize("role", ["origin", "destination"])
def test_no_row_is_left_over(role: Role) -> None:
    assert taken(role) == {row.row for row in TABLES[role]}
