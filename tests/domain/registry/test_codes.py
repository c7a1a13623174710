"""A code is tried, bound, freed, spent, burnt; every no looks the same and costs the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.registry.domain import rejections as no
from services.registry.domain.codes import commands as c
from services.registry.domain.codes import decider
from services.registry.domain.codes import events as e
from services.registry.domain.volunteers.commands import PlaceHold
from services.registry.domain.volunteers.events import Hold
from services.registry.edge.reach import code
from tests.domain.registry import world as w
from tests.domain.registry.world import check_identity, given, state_after, take_code

HAS_A_CODE = (w.register(), take_code())


def end(transfer_id: str = w.T1, outcome: Any = "freed", **changes: Any) -> c.EndCheck:
    actor = changes.pop("actor", w.SYSTEM)
    return c.EndCheck(
        **w.meta(actor, what=f"end {transfer_id}"), transfer_id=transfer_id, outcome=outcome
    )


def settle(transfer_id: str = w.T1, outcome: Any = "freed", **changes: Any) -> c.SettleCode:
    actor = changes.pop("actor", w.SYSTEM)
    return c.SettleCode(
        **w.meta(actor, what=f"settle {transfer_id}"),
        code_id=w.CODE,
        transfer_id=transfer_id,
        outcome=outcome,
    )


def denied(transfer_id: str = w.T1, code: str = "TR-102") -> e.IdentityDenied:
    return e.IdentityDenied(transfer_id=transfer_id, code=code)


def tried(transfer_id: str = w.T1, outcome: Any = "identity_differs", **more: Any) -> e.CodeTried:
    fields = {"code_id": w.CODE, "city": w.CHENGDU} | more
    return e.CodeTried(transfer_id=transfer_id, outcome=outcome, **fields)


def test_a_match_binds_the_code_and_is_answered_once() -> None:
    checked = given(*state_after(*HAS_A_CODE)).when(check_identity())
    checked.emits(
        tried(outcome="matched"),
        e.IdentityConfirmed(transfer_id=w.T1, subject_id=w.LI_HUA, holds=()),
    )
    checked.after.when(check_identity()).is_quiet()


@pytest.mark.parametrize(
    "changes, outcome",
    [
        ({"proof": "0" * 64}, "identity_differs"),
        ({"proof": None}, "identity_differs"),
        ({"proof": "没有"}, "identity_differs"),
        ({"destination": "330100"}, "identity_differs"),
        ({"origin": "330100"}, "identity_differs"),
        ({"purpose": "visit"}, "other_purpose"),
    ],
    ids=str,
)
def test_what_does_not_match_counts(changes: dict[str, Any], outcome: str) -> None:
    said = given(*state_after(*HAS_A_CODE)).when(check_identity(**changes))
    city = changes.get("destination", w.CHENGDU)
    said.emits(tried(outcome=outcome, city=city), denied())
    assert said.after.state[code(w.CODE)].tries == 1


def test_a_code_for_another_city_is_the_same_no() -> None:
    story = given(*state_after(w.register(), take_code(receiver="330100")))
    story.when(check_identity()).emits(tried(outcome="other_city"), denied())


def test_unknown_expired_and_no_code_are_the_same_no() -> None:
    story = given(*state_after(*HAS_A_CODE))
    story.when(check_identity(code_id="f" * 32)).emits(denied())
    story.when(check_identity(code_id=None)).emits(denied())
    late = story.when(check_identity(at=w.AT + timedelta(days=7)))
    late.emits(tried(outcome="expired"), denied())
    assert late.after.state[code(w.CODE)].tries == 0


def test_every_check_makes_the_same_number_of_proofs(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    real = decider.proof_of

    def counted(*arguments: Any) -> str:
        made.append("proof")
        return real(*arguments)

    monkeypatch.setattr(decider, "proof_of", counted)
    counts = []
    state: w.State = {}
    for event in state_after(*HAS_A_CODE):
        state = w.evolve(state, event)
    for command in (
        check_identity(),
        check_identity(code_id="f" * 32),
        check_identity(code_id=None),
        check_identity(proof="0" * 64),
    ):
        made.clear()
        w.decide(state, command)
        counts.append(len(made))
    assert counts == [5, 5, 5, 5]


def test_the_fifth_wrong_try_burns_the_code() -> None:
    wrong = [check_identity(f"{n}" * 64, proof="0" * 64) for n in range(5)]
    story = given(*state_after(*HAS_A_CODE, *wrong))
    story.when(check_identity("a" * 64)).emits(tried("a" * 64, "burnt"), denied("a" * 64))


def test_the_second_at_once_is_told_only_when_it_is_the_same_person() -> None:  # TR-301
    story = given(*state_after(*HAS_A_CODE, check_identity()))
    story.when(check_identity(w.T2)).emits(tried(w.T2, "under_way"), denied(w.T2, "TR-301"))
    story.when(check_identity(w.T2, proof="0" * 64)).emits(tried(w.T2), denied(w.T2))


def test_a_transfer_ends_once() -> None:
    story = given(*state_after(*HAS_A_CODE, check_identity()))
    ended = story.when(end())
    ended.emits(e.CheckEnded(transfer_id=w.T1, outcome="freed"))
    ended.after.when(end()).is_quiet()
    ended.after.when(end(outcome="spent")).is_quiet()


def test_an_end_heard_first_is_remembered() -> None:
    given(*state_after(*HAS_A_CODE, end())).when(check_identity()).is_quiet()


@pytest.mark.parametrize(
    "outcome, answer", [("freed", "confirmed"), ("spent", "denied"), ("burnt", "denied")]
)
def test_a_code_follows_its_transfer(outcome: Any, answer: str) -> None:
    story = given(*state_after(*HAS_A_CODE, check_identity()))
    settled = story.when(settle(outcome=outcome))
    settled.emits(e.CodeSettled(code_id=w.CODE, transfer_id=w.T1, outcome=outcome))
    last = settled.after.when(check_identity(w.T2)).events[-1]
    kinds = {"confirmed": e.IdentityConfirmed, "denied": e.IdentityDenied}
    assert isinstance(last, kinds[answer])


def test_only_the_transfer_that_holds_the_code_settles_it() -> None:
    story = given(*state_after(*HAS_A_CODE, check_identity()))
    story.when(settle(w.T2)).is_quiet()
    given().when(settle()).is_quiet()


def test_a_code_whose_place_was_taken_while_bound_is_not_freed() -> None:
    newer = take_code(w.OTHER_CODE, w.CODE)
    story = given(*state_after(*HAS_A_CODE, check_identity(), newer))
    story.when(settle()).emits(e.CodeSettled(code_id=w.CODE, transfer_id=w.T1, outcome="burnt"))


def test_a_code_whose_place_was_taken_is_no_code_for_a_second_transfer() -> None:
    newer = take_code(w.OTHER_CODE, w.CODE)
    story = given(*state_after(*HAS_A_CODE, check_identity(), newer))
    story.when(check_identity(w.T2)).emits(tried(w.T2, "replaced"), denied(w.T2))


def test_a_code_burnt_while_bound_ends_nothing_and_is_not_freed() -> None:
    wrong = [check_identity(f"{n}" * 64, proof="0" * 64) for n in range(5, 10)]
    story = given(*state_after(*HAS_A_CODE, check_identity(), *wrong))
    story.when(settle()).emits(e.CodeSettled(code_id=w.CODE, transfer_id=w.T1, outcome="burnt"))


def test_holds_that_have_not_run_out_are_told() -> None:  # TR-305
    court, past = Hold("court", date(2027, 6, 30)), Hold("office", date(2027, 3, 1))
    holds = [
        PlaceHold(
            **w.meta(w.CITY, what=f"hold {each.authority}"),
            subject_id=w.LI_HUA,
            code_id=code_id,
            hold=each,
            decision_id="1",
        )
        for each, code_id in ((court, None), (past, w.CODE))
    ]
    story = given(*state_after(w.register(), holds[0], take_code(), holds[1]))
    tomorrow = check_identity(at=w.AT + timedelta(days=1))
    confirmed = story.when(tomorrow).events[-1]
    assert isinstance(confirmed, e.IdentityConfirmed)
    assert confirmed.holds == (court,)


@pytest.mark.parametrize(
    "command",
    [
        replace(check_identity(), actor=w.VOLUNTEER),
        end(actor=w.VOLUNTEER),
        settle(actor=w.VOLUNTEER),
    ],
)
def test_only_the_service_itself_checks_and_settles(command: Any) -> None:
    given(*state_after(*HAS_A_CODE)).when(command).is_refused(no.ActorMayNot())


def test_secrets_are_shown_by_nothing() -> None:
    assert w.number() not in repr(w.SECRETS)
    assert w.SECRETS.key.hex() not in repr(take_code())
