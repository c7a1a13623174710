"""Do late entries pass once, in order, whole, whatever comes between? (transfer 9)"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from services.transfer.domain import channel, commands, events, steps
from services.transfer.domain.blocks import Supplement
from services.transfer.domain.case import File
from services.transfer.domain.codes import supplement_digest
from shared import merkle
from shared.canonical import canonical, digest
from tests.domain.transfer.test_every_pair import (
    LATE,
    LATER,
    PLAYED,
    SUBJECT,
    WIRE,
    letter,
    take,
)
from tests.support.moves import City, sent, with_window
from tests.support.vectors import resigned


def fresh(role: str, status: str) -> City:
    return copy.deepcopy(PLAYED[role, status])  # type: ignore[index]


def entry(n: int, **changed: Any) -> dict[str, Any]:
    body = copy.deepcopy(LATE["body"]) | {"entry_id": f"amber-{n:026d}", "version": 1} | changed
    return resigned(body, "amber:46472d9396e7ca95", "jiexu-entry-v1")


def late(city: City, signed: dict[str, Any]) -> commands.ForwardLateChange:
    found = digest(signed["body"])
    return commands.ForwardLateChange(**city.base(LATER), entry=signed, digest=found)


def forwarded(city: City, signed: dict[str, Any]) -> tuple[Any, ...]:
    """As the edge does: the window says what this channel has had."""
    return city.do(late(city, signed))


def supplement(k: int, previous: str | None, *entries: dict[str, Any], **changed: Any) -> Any:
    content = {
        "k": k,
        "prev_supplement": previous,
        "subject_id": SUBJECT,
        "entries": list(entries) or [LATE],
        "hops": ["amber"],
    } | changed
    return content


def hear(city: City, content: dict[str, Any], seq: int, **header: Any) -> tuple[Any, ...]:
    wire = letter("supplement", "amber", content, seq=seq, **header)
    return city.do(take(city.base(LATER), wire))


def told(events_made: tuple[Any, ...]) -> list[int]:
    return [each.k for each in events_made if isinstance(each, events.SupplementReceived)]


# --- sending -------------------------------------------------------------------------------------


def test_what_was_noted_before_the_release_follows_it_fifty_at_a_time() -> None:  # B05, INV-14
    amber = fresh("origin", "Offered")
    noted = tuple(
        (("amber", f"amber-{n:026d}", 1), digest(signed["body"]), signed)
        for n, signed in enumerate(entry(n) for n in range(120))
    )
    amber.file = with_window(amber.file, noted=noted)
    made = amber.hear(WIRE["M6"], LATER)
    numbers = [each.number for each in sent(made)]
    assert numbers == ["M7", "M11", "M11", "M11"]
    supplements = [each for each in made if isinstance(each, steps.SupplementMade)]
    assert [each.supplement.entries for each in supplements] == [50, 50, 20]
    assert [key for each in supplements for key in each.keys] == [key for key, _, _ in noted]
    flow = amber.file.state.course.outflow  # type: ignore[union-attr]
    digests = [each.supplement.digest for each in supplements]
    assert [each.supplement.previous for each in supplements] == [None, *digests[:2]]
    leaves = [bytes.fromhex(each) for each in digests]
    assert channel.root_of(flow.frontier) == merkle.root_of(leaves).hex()
    assert (flow.k, flow.entries, flow.last_digest) == (3, 120, digests[2])
    for each, made_one in zip(supplements, sent(made)[1:], strict=True):
        assert supplement_digest(canonical(each.content)) == each.supplement.digest
        assert len(made_one.wire) < 1_048_576


def test_what_is_noted_is_forgotten_by_an_abort() -> None:  # B06: records replays it
    amber = fresh("origin", "Offered")
    amber.do(late(amber, entry(1)))
    assert len(amber.file.window.noted) == 1
    amber.do(commands.WithdrawTransfer(**amber.base(LATER)))
    assert amber.file.window.noted == ()


def test_a_late_change_goes_out_once_however_often_it_is_told() -> None:  # S23, F16
    for status in ("Released", "Settling", "Closing", "Closed"):
        amber = fresh("origin", status)
        first = forwarded(amber, entry(1))
        assert [each.number for each in sent(first)] == ["M11"]
        assert not sent(forwarded(amber, entry(1)))
        assert len(sent(forwarded(amber, entry(1, version=2, reason="again")))) == 1
        assert amber.status == ("Released" if status == "Released" else "Settling")


def test_the_window_waits_for_answers_and_for_entries_still_undecided() -> None:  # O22
    amber = fresh("origin", "Settling")
    forwarded(amber, entry(1, state="pending", counted_minutes=0))
    residual = commands.FireTimer(**amber.base("2027-09-01T00:00:00Z"), timer="residual")
    assert not sent(amber.do(residual))
    flow = amber.file.state.course.outflow  # type: ignore[union-attr]
    acknowledge(amber, 1, flow.last_digest, seq=50)
    assert not sent(amber.do(residual)), "its entry is still pending"
    forwarded(amber, entry(1, version=2, reason="approved"))
    flow = amber.file.state.course.outflow  # type: ignore[union-attr]
    acknowledge(amber, 2, flow.last_digest, seq=51)
    (closing,) = sent(amber.do(residual))
    assert (closing.number, amber.status) == ("M12", "Closing")


def acknowledge(city: City, k: int, found: str | None, seq: int, quarantined: int = 0) -> Any:
    content = {
        "k": k,
        "supplement_digest": found,
        "new": 1 - quarantined,
        "duplicates": 0,
        "quarantined": quarantined,
    }
    wire = letter("supplement-received", "birch", content, seq=seq)
    return city.do(take(city.base(LATER), wire))


def test_an_answer_to_other_bytes_acknowledges_nothing() -> None:  # O21
    amber = fresh("origin", "Settling")
    forwarded(amber, entry(1))
    acknowledge(amber, 1, "0" * 64, seq=50)
    flow = amber.file.state.course.outflow  # type: ignore[union-attr]
    assert len(flow.awaiting) == 1
    made = acknowledge(amber, 1, flow.last_digest, seq=51, quarantined=1)
    assert amber.file.state.course.outflow.awaiting == ()  # type: ignore[union-attr]
    assert [e.kind for e in made if isinstance(e, steps.AlarmRaised)] == [
        "entries-quarantined-there"
    ]


# --- taking --------------------------------------------------------------------------------------


def test_what_comes_ahead_of_its_turn_is_taken_up_in_order() -> None:  # B18, F15
    birch = fresh("destination", "Active")
    contents, previous = [], None
    for k in (1, 2, 3):
        contents.append(supplement(k, previous, entry(k)))
        previous = supplement_digest(canonical(contents[-1]))
    assert told(hear(birch, contents[2], 33)) == []
    asked = hear(birch, contents[1], 32)
    assert told(asked) == []
    assert any(isinstance(each, steps.QueryWanted) for each in asked)
    assert told(hear(birch, contents[0], 31)) == [1, 2, 3]


def test_before_the_dossier_stands_here_supplements_wait() -> None:  # D24, B16
    birch = fresh("destination", "Activating")
    first = supplement(1, None, entry(1))
    second = supplement(2, supplement_digest(canonical(first)), entry(2))
    assert told(hear(birch, second, 32)) == []
    assert told(hear(birch, first, 31)) == []
    head = WIRE["M4"]["body"]["content"]["head"]["body"]
    made = birch.do(
        commands.NoteAdopted(
            **birch.base(LATER),
            new_epoch=2,
            state_digest=head["state_digest"],
            totals=head["totals"],
        )
    )
    assert told(made) == [1, 2]
    names = [type(each).__name__ for each in made]
    assert names.index("DossierActivated") < names.index("SupplementReceived")


def test_a_supplement_that_breaks_the_chain_is_not_taken() -> None:
    birch = fresh("destination", "Active")
    hear(birch, supplement(1, None, entry(1)), 31)
    assert told(hear(birch, supplement(2, "0" * 64, entry(2)), 32)) == []


def test_a_supplement_of_another_subject_is_evidence() -> None:  # D23, F36
    birch = fresh("destination", "Active")
    made = hear(birch, supplement(1, None, entry(1), subject_id="0" * 32), 31)
    assert told(made) == []
    assert [type(each).__name__ for each in made if isinstance(each, steps.Step)][1:3] == [
        "EvidenceKept",
        "AlarmRaised",
    ]


def test_a_restored_sender_begins_again_at_one() -> None:  # 9, B38
    birch = fresh("destination", "Active")
    hear(birch, supplement(1, None, entry(1)), 31)
    again = supplement(1, None, entry(1), entry(2))
    made = hear(birch, again, 1, incarnation=2, message_id="9" * 32)
    (received,) = (e for e in made if isinstance(e, events.SupplementReceived))
    assert (received.k, received.incarnation) == (1, 2)
    inflow = birch.file.state.course.inflow  # type: ignore[union-attr]
    assert (inflow.incarnation, inflow.k, inflow.applied) == (2, 1, 0)


def applied(city: City, k: int, quarantined: int = 0) -> tuple[Any, ...]:
    first = {"issuer": "amber", "entry_id": f"amber-{k:026d}", "version": 1, "code": "TR-404"}
    return city.do(
        commands.NoteSupplementApplied(
            **city.base(LATER),
            sender="amber",
            incarnation=1,
            k=k,
            new=1 - quarantined,
            duplicates=0,
            quarantined=quarantined,
            first_quarantined=first if quarantined else None,
        )
    )


def test_applied_is_answered_and_a_repeat_is_answered_again() -> None:  # D26, D26a
    birch = fresh("destination", "Active")
    content = supplement(1, None, entry(1))
    hear(birch, content, 31)
    (answer,) = sent(applied(birch, 1))
    assert answer.number == "M11r"
    assert not sent(applied(birch, 1)), "records says it again after a restore: silence"
    (again,) = sent(hear(birch, content, 32))
    assert again.number == "M11r"
    other = hear(birch, supplement(1, None, entry(2)), 33)
    assert not sent(other)
    assert any(isinstance(each, steps.EvidenceKept) for each in other)


def test_what_was_quarantined_is_asked_about() -> None:  # 10.3, B49
    birch = fresh("destination", "Active")
    hear(birch, supplement(1, None, entry(1)), 31)
    made = applied(birch, 1, quarantined=1)
    assert [each.number for each in sent(made)] == ["M11r", "M14"]
    assert any(isinstance(each, steps.AlarmRaised) for each in made)


def test_closing_needs_everything_applied() -> None:  # D27, D28
    birch = fresh("destination", "Active")
    content = supplement(1, None, entry(1))
    hear(birch, content, 31)
    found = supplement_digest(canonical(content))
    closing = {
        "supplements": 1,
        "entries": 1,
        "last_digest": found,
        "root": merkle.root_of([bytes.fromhex(found)]).hex(),
        "closed_at": LATER,
    }
    early = birch.do(take(birch.base(LATER), letter("residual-closed", "amber", closing, seq=40)))
    assert [each.number for each in sent(early)] == ["M14"]
    applied(birch, 1)
    for name, wrong in (("entries", 2), ("root", "0" * 64), ("last_digest", None)):
        other = letter("residual-closed", "amber", closing | {name: wrong}, seq=41)
        side = copy.deepcopy(birch)
        assert [each.number for each in sent(side.do(take(side.base(LATER), other)))] == ["M14"]
    done = birch.do(take(birch.base(LATER), letter("residual-closed", "amber", closing, seq=42)))
    assert ([each.number for each in sent(done)], birch.status) == (["M13"], "Closed")


def test_parking_is_bounded() -> None:
    birch = fresh("destination", "Active")
    state = birch.file.state
    assert state is not None
    one = Supplement(
        k=2,
        incarnation=1,
        digest="5" * 64,
        previous="4" * 64,
        object_digest="6" * 64,
        message_id="7" * 32,
        entries=1,
    )
    parked = tuple(replace(one, k=k) for k in range(2, 2 + channel.PARKED_MOST))
    inflow = replace(state.course.inflow, incarnation=1, parked=parked)
    full: Any = replace(state, course=replace(state.course, inflow=inflow))
    birch.file = File(state=full)
    made = hear(birch, supplement(5000, "0" * 64, entry(1)), 31)
    assert not any(isinstance(each, steps.SupplementStored) for each in made)
    assert any(isinstance(each, steps.AlarmRaised) for each in made)
