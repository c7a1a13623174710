"""What happens to stars while a dossier moves, whatever the order in which events are read?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product
from typing import get_args

import pytest

from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings import events as e
from services.rewards.domain.standings import rejections as r
from services.rewards.domain.standings.decider import decide
from services.rewards.domain.standings.folding import evolve
from services.rewards.domain.standings.judging import star_held
from services.rewards.domain.standings.state import (
    Absent,
    Adopting,
    CellMinutes,
    Departed,
    Frozen,
    Home,
    StarRef,
    View,
)
from shared.messages import Rejection
from tests.domain.rewards import world as w
from tests.domain.rewards.test_stars import apply, kinds, with_star

T1, T2 = "1" * 64, "2" * 64


def freeze(transfer: str = T1, epoch: int = 1) -> c.FreezeRewards:
    return c.FreezeRewards(**w.head(), transfer_id=transfer, epoch=epoch)


def thaw(transfer: str = T1) -> c.ThawRewards:
    return c.ThawRewards(**w.head(), transfer_id=transfer)


def depart(transfer: str = T1, epoch: int = 2, home: str = "510100") -> c.DepartRewards:
    return c.DepartRewards(**w.head(), transfer_id=transfer, new_epoch=epoch, home=home)


def adopt(transfer: str = T1, epoch: int = 2, minutes: int = 700, stars=()) -> c.AdoptRewards:
    return c.AdoptRewards(
        **w.head(),
        transfer_id=transfer,
        new_epoch=epoch,
        first_registered_on=date(2019, 3, 5),
        cells=(CellMinutes(cell=w.FOREIGN, minutes=minutes),),
        stars=tuple(stars),
    )


def fetch(transfer: str = T1, epoch: int = 2) -> c.FetchCells:
    return c.FetchCells(
        **w.head(),
        transfer_id=transfer,
        new_epoch=epoch,
        first_registered_on=date(2019, 3, 5),
        stars=(),
        digest="d" * 64,
        path="/internal/v1/objects/" + "d" * 64,
    )


# --- at the origin ------------------------------------------------------------------------------


def test_a_freeze_lets_an_open_application_lapse_and_stops_awards():  # R34, S35
    state = w.do(w.given(w.registered(), w.served(6_000)), apply())[0]
    state, events = w.do(state, freeze())
    assert kinds(events) == ["StarLapsed", "RewardsFrozen"]
    assert events[0].cutoff_on == w.TODAY
    assert decide(state, apply()) == r.DossierIsFrozen()


def test_while_frozen_sums_move_and_nothing_is_awarded_until_the_thaw():
    state = w.do(w.given(w.registered(), policies=[w.DEMO]), freeze())[0]
    state, events = w.do(state, w.served(600))
    assert kinds(events) == ["MinutesMoved", "StarBecameEligible"]
    state, events = w.do(state, thaw())
    assert kinds(events) == ["RewardsThawed", "StarAwarded"]


def test_a_released_subject_is_gone_and_its_late_changes_move_nothing_here():
    state, events = w.do(w.given(w.registered(), w.served(700)), freeze(), depart())
    assert kinds(events)[-1] == "RewardsDeparted"
    assert decide(state, w.served(60)) == ()
    assert decide(state, apply()) == r.DossierIsElsewhere(city="510100")


def test_an_order_carried_out_is_answered_again():
    state = w.do(w.given(w.registered()), freeze())[0]
    assert kinds(decide(state, freeze())) == ["RewardsFrozen"]


def test_an_abort_read_before_its_freeze_leaves_no_freeze():  # B15
    state, events = w.do(w.given(w.registered()), thaw())
    assert kinds(events) == ["TransferEndNoted"]
    assert decide(state, thaw()) == ()
    assert decide(state, freeze()) == ()


def test_a_second_transfer_never_overwrites_the_fence():  # B34
    state = w.do(w.given(w.registered()), freeze(T1))[0]
    assert decide(state, freeze(T2)) == ()


def test_a_freeze_of_an_epoch_not_held_here_is_silence():
    state = w.do(w.view(), adopt(epoch=3))[0]
    assert decide(state, freeze(T2, epoch=1)) == ()
    gone = w.do(w.given(w.registered()), depart(epoch=5))[0]
    assert decide(gone, freeze(T2, epoch=1)) == ()


# --- at the destination -------------------------------------------------------------------------


def test_a_move_brings_sums_and_stars_and_lowers_none():  # R27, R41, S21
    state, events = w.do(w.view(), adopt(minutes=60_000, stars=[w.foreign_star()]))
    assert kinds(events) == ["RewardsAdopted", "StarRecognised", "StandingChanged"]
    recognised = events[1]
    assert (recognised.issuer, recognised.level, recognised.award_mode) == (
        "510100",
        4,
        "application",
    )
    assert star_held(w.DEFAULT, state.standing.holdings.stars)[0] == 4


def test_a_recognised_star_counts_up_to_the_local_level_of_its_minutes():  # R41
    star = w.foreign_star(level=5, basis=19_000)
    state, events = w.do(w.view(), adopt(minutes=19_000, stars=[star]))
    assert events[1].level == 5 and events[1].counts_as_level == 2
    assert star_held(w.DEFAULT, state.standing.holdings.stars)[0] == 2


def test_an_automatic_policy_gives_no_star_that_is_recognised_already():  # R41
    state, events = w.do(
        w.view(w.DEMO), adopt(minutes=1_900, stars=[w.foreign_star(level=2, basis=1_900)])
    )
    assert "StarAwarded" not in kinds(events)
    assert star_held(w.DEMO, state.standing.holdings.stars)[0] == 2


def test_of_an_issuer_the_latest_star_stands_and_a_lowered_one_does_not():
    old = w.foreign_star(level=3, basis=36_000, entry="01A")
    lower = replace(
        w.foreign_star(level=1, basis=20_000, entry="01B"),
        lowers=StarRef(issuer="510100", entry_id="510100-01A"),
        occurred_on=date(2025, 2, 1),
    )
    state, _ = w.do(w.view(), adopt(minutes=36_000, stars=[old, lower]))
    assert star_held(w.DEFAULT, state.standing.holdings.stars)[0] == 1


def test_tenure_counts_from_the_original_registration():  # R27
    state = w.do(w.view(), adopt())[0]
    assert state.standing.person.first_registered_on == date(2019, 3, 5)


def test_an_adoption_read_twice_is_silence():  # B28
    command = adopt(stars=[w.foreign_star()])
    state = w.do(w.view(), command)[0]
    assert decide(state, command) == ()


def test_a_star_that_arrives_late_is_recognised():  # R31
    state = w.do(w.view(), adopt(minutes=60_000))[0]
    note = c.NoteStar(**w.head(), star=w.foreign_star(), stands=True)
    state, events = w.do(state, note)
    assert kinds(events) == ["StarNoted", "StarRecognised"]
    assert decide(state, note) == ()


def test_an_authority_recognises_a_star_or_hears_why_not():
    unrecognising = replace(w.DEFAULT, recognises_stars=False)
    ask = c.RecogniseStar(
        **w.head(w.COUNTY), policy_id="cn-default", issuer="510100", entry_id="510100-01A"
    )
    unknown = w.do(w.given(w.registered()), adopt())[0]
    assert decide(unknown, ask) == r.StarIsUnknown()
    closed = w.do(
        w.given(w.registered(), policies=[unrecognising]), adopt(stars=[w.foreign_star()])
    )[0]
    assert decide(closed, ask) == r.PolicyDoesNotRecognise(policy_id="cn-default")
    open_one = w.do(w.given(w.registered()), adopt(stars=[w.foreign_star()]))[0]
    assert kinds(decide(open_one, ask)) == ["StarRecognised"]


# --- orders of events ---------------------------------------------------------------------------


def test_an_older_adoption_revives_nothing_after_a_later_release():  # B40
    state = w.do(w.view(), depart(epoch=3))[0]
    assert decide(state, adopt(epoch=2)) == ()


def test_an_adoption_does_not_lift_a_freeze_already_read():  # B39
    state = w.do(w.view(), freeze(T2, epoch=2), adopt(T1, epoch=2))[0]
    assert isinstance(state.standing, Frozen) and state.standing.transfer_id == T2
    assert state.standing.holdings.cells == (CellMinutes(cell=w.FOREIGN, minutes=700),)


def test_a_release_read_after_the_return_does_not_take_the_dossier_away():  # R38
    state = w.do(w.given(w.registered(), w.served(60)), freeze(), adopt(T2, epoch=3))[0]
    assert decide(state, depart(T1, epoch=2)) == ()
    assert isinstance(state.standing, Home) and state.standing.epoch == 3


def test_there_and_back_nothing_is_doubled():  # R38, S29
    state = w.do(with_star(1, 6_000), freeze(), depart())[0]
    own = replace(
        w.foreign_star(level=1, basis=6_000), issuer=w.NODE, own=True, entry_id="500000-01"
    )
    back = replace(adopt(T2, epoch=3, minutes=6_000), stars=(own,))
    state, _ = w.do(state, back)
    assert star_held(w.DEFAULT, state.standing.holdings.stars)[0] == 1
    assert sum(one.minutes for one in state.standing.holdings.cells) == 6_000


# --- a table too large for an event -------------------------------------------------------------


def test_what_follows_a_large_adoption_waits_for_its_table():
    state, events = w.do(w.view(), fetch())
    assert kinds(events) == ["CellsWanted"]
    assert decide(state, w.served(60)) == r.CellsAreMissing()
    assert decide(state, freeze(T2, epoch=2)) == r.CellsAreMissing()
    state = w.do(state, adopt(), w.served(60, w.FOREIGN))[0]
    assert state.standing.holdings.cells == (CellMinutes(cell=w.FOREIGN, minutes=760),)


def test_a_freeze_read_before_a_large_adoption_stays():  # B39
    state = w.do(w.view(), freeze(T2, epoch=2), fetch(), adopt())[0]
    assert isinstance(state.standing, Frozen) and state.standing.transfer_id == T2


# --- every pair ---------------------------------------------------------------------------------


def states() -> dict[str, View]:
    return {
        "absent": w.view(),
        "home": w.given(w.registered(), w.served(6_000)),
        "frozen": w.do(w.given(w.registered(), w.served(6_000)), freeze())[0],
        "departed": w.do(w.given(w.registered()), freeze(), depart())[0],
        "adopting": w.do(w.view(), fetch())[0],
    }


COMMANDS = {
    "NotePerson": lambda: w.registered("500112"),
    "RecomputeStanding": lambda: w.served(60),
    "NoteStar": lambda: c.NoteStar(**w.head(), star=w.foreign_star(), stands=True),
    "ApplyForStar": apply,
    "ReviewStar": lambda: c.ReviewStar(
        **w.head(w.COUNTY), policy_id="cn-default", outcome="pass", reasons="好"
    ),
    "ShowStar": lambda: c.ShowStar(**w.head(), policy_id="cn-default"),
    "AwardStar": lambda: c.AwardStar(**w.head(w.COUNTY), policy_id="cn-default", decision_id="d"),
    "RefuseStar": lambda: c.RefuseStar(**w.head(w.COUNTY), policy_id="cn-default", reasons="好"),
    "RecogniseStar": lambda: c.RecogniseStar(
        **w.head(w.COUNTY), policy_id="cn-default", issuer="510100", entry_id="510100-01A"
    ),
    "KeepStar": lambda: c.KeepStar(**w.head(w.COUNTY), policy_id="cn-default", reasons="好"),
    "DemoteStar": lambda: c.DemoteStar(
        **w.head(w.COUNTY),
        policy_id="cn-default",
        new_level=0,
        cause="revocation",
        reasons="好",
        decision_id="d",
    ),
    "FreezeRewards": freeze,
    "ThawRewards": thaw,
    "DepartRewards": depart,
    "FetchCells": fetch,
    "AdoptRewards": adopt,
}


def test_the_pairs_below_are_all_commands_and_all_states():
    assert set(COMMANDS) == {kind.__name__ for kind in c.StandingCommand.__subclasses__()}
    from services.rewards.domain.standings.state import Standing

    assert {type(state.standing) for state in states().values()} == set(get_args(Standing))
    assert set(get_args(Standing)) == {Absent, Home, Frozen, Departed, Adopting}


@pytest.mark.parametrize(("state", "command"), list(product(states(), COMMANDS)))
def test_every_pair_gives_events_silence_or_a_refusal_and_folding_never_fails(state, command):
    view = states()[state]
    answer = decide(view, COMMANDS[command]())
    assert isinstance(answer, tuple | Rejection)
    if isinstance(answer, tuple):
        for event in answer:
            assert isinstance(event, e.StandingEvent)
            view = evolve(view, event)
