"""Do stars follow the minutes, and only by the rules?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from services.rewards.domain.policies.model import NotSupported, from_content, in_force
from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings import events as e
from services.rewards.domain.standings import rejections as r
from services.rewards.domain.standings.decider import decide
from services.rewards.domain.standings.judging import star_held
from services.rewards.domain.standings.state import CellMinutes, Home, View
from tests.domain.rewards import world as w


def held(state: View, policy=w.DEFAULT) -> int:
    return star_held(policy, state.standing.holdings.stars)[0]


def kinds(events) -> list[str]:
    return [type(event).__name__ for event in events]


def apply(level: int = 1, actor=w.HERSELF, at=w.NOON) -> c.ApplyForStar:
    return c.ApplyForStar(**w.head(actor, at), policy_id="cn-default", level=level)


def review(outcome="pass", actor=w.COUNTY, reasons="认真负责") -> c.ReviewStar:
    return c.ReviewStar(**w.head(actor), policy_id="cn-default", outcome=outcome, reasons=reasons)


def show(at=w.NOON) -> c.ShowStar:
    return c.ShowStar(**w.head(at=at), policy_id="cn-default")


def award(actor=w.COUNTY, at=w.NOON, decision="decision-7") -> c.AwardStar:
    return c.AwardStar(**w.head(actor, at), policy_id="cn-default", decision_id=decision)


def with_star(level: int, minutes: int) -> View:
    """She holds so many stars by application, on so many minutes, and records has written each."""
    state = w.given(w.registered(), w.served(minutes))
    for number in range(1, level + 1):
        state, events = w.do(state, apply(number), review(), show(), award(at=w.days(8)))
        given = next(event for event in events if isinstance(event, e.StarAwarded))
        state = w.do(state, written(given, number))[0]
    return state


def written(event: e.StarDecision, number: int = 1) -> c.NoteStar:
    """Records tells of the entry that it made of a decision."""
    return c.NoteStar(
        **w.head(),
        star=replace(
            w.foreign_star(),
            issuer=w.NODE,
            own=True,
            entry_id=f"500000-0{number}",
            level=event.level,
            basis_minutes=event.basis_minutes,
            policy_version=event.policy_version,
            occurred_on=event.awarded_on,
        ),
        stands=True,
    )


# --- sums and eligibility -----------------------------------------------------------------------


def test_minutes_that_reach_a_threshold_exactly_make_eligible():  # R45, S18
    state = w.given(w.registered(), w.served(5_990))
    _, events = w.do(state, w.served(10))
    assert events[1:] == [
        e.StarBecameEligible(
            subject_id=w.LI_HUA,
            policy_id="cn-default",
            policy_version=1,
            eligible_minutes=6_000,
            as_of=w.TODAY,
            level=1,
        )
    ]


def test_one_minute_less_changes_the_standing_only():  # R45
    _, events = w.do(w.given(w.registered()), w.served(5_999))
    assert kinds(events) == ["MinutesMoved", "StandingChanged"]


def test_eligible_is_not_awarded():  # R46
    assert held(w.given(w.registered(), w.served(20_000))) == 0


def test_a_level_is_announced_once():  # R46
    state = w.given(w.registered(), w.served(6_000))
    state, events = w.do(state, w.served(-10), w.served(10))
    assert "StarBecameEligible" not in kinds(events)


def test_a_training_published_as_service_does_not_count():  # R7
    _, events = w.do(w.given(w.registered()), w.served(600, w.TRAINING_PUBLISHED_AS_SERVICE))
    assert kinds(events) == ["MinutesMoved"]


def test_revoked_minutes_leave_no_trace_in_the_sums():
    state = w.given(w.registered(), w.served(600), w.served(-600))
    assert state.standing.holdings.cells == ()


def test_a_sum_below_zero_is_eligible_as_zero():  # R14
    state = w.given(w.served(-100))
    assert state.standing.holdings.standings == {}


def test_unchanged_sums_are_silence():
    state = w.given(w.registered(), w.served(600))
    assert decide(state, c.RecomputeStanding(**w.head())) == ()


def test_minutes_of_other_cities_can_be_left_out_by_policy():  # R41
    own_only = replace(w.DEFAULT, counts_minutes_of_other_cities=False)
    state = w.given(w.served(700), w.served(900, w.FOREIGN), policies=[own_only])
    assert state.standing.holdings.standings["cn-default"].eligible_minutes == 700


# --- automatic awards ---------------------------------------------------------------------------


def test_an_automatic_policy_awards_at_once_and_skips_where_it_may():
    state, events = w.do(w.given(w.registered(), policies=[w.DEMO]), w.served(1_800))
    assert kinds(events) == ["MinutesMoved", "StarBecameEligible", "StarAwarded"]
    star = events[-1]
    assert (star.level, star.basis_minutes, star.award_mode) == (2, 1_800, "automatic")
    assert star.decided_by == w.CENTRE
    assert held(state, w.DEMO) == 2


def test_where_one_decision_gives_one_level_each_is_given():
    one_by_one = replace(w.DEMO, one_level_per_decision=True)
    _, events = w.do(w.view(one_by_one), w.served(3_600))
    assert [event.level for event in events if isinstance(event, e.StarAwarded)] == [1, 2, 3]


def test_two_policies_stand_side_by_side():
    state, events = w.do(w.view(w.DEFAULT, w.DEMO), w.served(600))
    assert kinds(events) == [
        "MinutesMoved",
        "StandingChanged",
        "StarBecameEligible",
        "StarAwarded",
    ]
    assert held(state) == 0 and held(state, w.DEMO) == 1


def test_the_same_command_gives_the_same_award_id():
    command = w.served(600)
    state = w.given(w.registered(), policies=[w.DEMO])
    assert decide(state, command) == decide(state, command)


# --- application, review, publicity, award ------------------------------------------------------


def test_a_star_by_application_takes_review_publicity_and_award():  # S18
    state = w.given(w.registered(), w.served(6_000))
    state, events = w.do(state, apply(), review(), show())
    assert kinds(events) == ["StarApplied", "StarReviewed", "StarPublicised"]
    assert events[0].due_on == date(2026, 6, 15)  # ten working days after 1 June
    assert events[2].until == date(2026, 6, 8)
    assert decide(state, award(at=w.days(7))) == r.PublicityIsRunning(until=date(2026, 6, 8))
    state, events = w.do(state, award(at=w.days(8)))
    assert kinds(events) == ["StarAwarded"]
    assert (events[0].decision_id, events[0].cutoff_on) == ("decision-7", w.TODAY)
    assert held(state) == 1 and state.standing.holdings.applications == ()


def test_the_term_stays_open_where_the_calendar_ends():
    state = w.given(w.registered(), w.served(6_000))
    at = w.NOON.replace(month=12, day=28)
    _, events = w.do(state, apply(at=at))
    assert events[0].due_on is None


@pytest.mark.parametrize(
    ("state", "command", "answer"),
    [
        (lambda: w.view(), apply(), r.SubjectIsUnknown()),
        (
            lambda: w.given(w.registered(claimed=False), w.served(6_000)),
            apply(),
            r.SubjectIsNotClaimed(),
        ),
        (lambda: w.given(w.registered()), apply(), r.MinutesAreShort(missing=6_000)),
        (lambda: w.given(w.registered(), w.served(50_000)), apply(2), r.LevelIsNotNext(next=1)),
        (lambda: with_star(1, 50_000), apply(1), r.LevelIsHeld(level=1)),
        (
            lambda: w.do(w.given(w.registered(), w.served(6_000)), apply())[0],
            apply(),
            r.ApplicationIsOpen(level=1),
        ),
        (
            lambda: w.given(w.registered(), w.served(6_000)),
            apply(9),
            r.FieldIsWrong(field="level", reason="not_in_policy"),
        ),
        (
            lambda: w.given(w.registered(), w.served(6_000)),
            apply(actor=w.COUNTY),
            r.ActorMayNot(),
        ),
        (
            lambda: w.given(w.registered(), w.served(6_000), policies=[w.DEMO]),
            apply(),
            r.FieldIsWrong(field="policy_id", reason="not_in_force"),
        ),
    ],
)
def test_an_application_is_refused(state, command, answer):
    assert decide(state(), command) == answer


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"award_mode": "nomination"}, r.ByNominationOnly()),
        ({"award_mode": "selection"}, r.BySelectionOnly()),
        ({"tenure_days_min": 10_000}, r.TenureIsShort(missing_days=7_355)),
    ],
)
def test_a_level_may_ask_for_more(changes, answer):
    levels = tuple(replace(level, **changes) for level in w.DEFAULT.levels)
    state = w.given(w.registered(), w.served(6_000), policies=[replace(w.DEFAULT, levels=levels)])
    assert decide(state, apply()) == answer


def test_outside_its_window_an_application_hears_when_it_opens():
    window = replace(w.DEFAULT.window, kind="yearly", opens="12-01", closes="12-31")
    state = w.given(w.registered(), w.served(6_000), policies=[replace(w.DEFAULT, window=window)])
    assert decide(state, apply()) == r.WindowIsClosed(next=date(2026, 12, 1))
    assert not isinstance(decide(state, apply(at=w.NOON.replace(month=12))), r.Rejection)


def applied() -> View:
    return w.do(w.given(w.registered(), w.served(6_000)), apply())[0]


@pytest.mark.parametrize(
    ("state", "command", "answer"),
    [
        (lambda: w.given(w.registered()), review(), r.ApplicationIsUnknown()),
        (applied, review(actor=w.HERSELF), r.ActorMayNot()),
        (
            applied,
            review(actor=replace(w.COUNTY, subject_id=w.LI_HUA)),
            r.OwnApplication(),
        ),
        (applied, review(reasons=" "), r.ReasonIsMissing()),
        (applied, review(reasons="电话 138 0013 8000"), r.TextHoldsPersonalData(field="reasons")),
        (applied, review(reasons="好" * 201), r.FieldIsWrong(field="reasons", reason="too_long")),
        (lambda: w.do(applied(), review())[0], review(), r.ApplicationIsReviewed()),
        (applied, award(), r.ApplicationIsNotReviewed()),
        (lambda: w.given(w.registered()), award(), r.ApplicationIsUnknown()),
        (
            lambda: w.do(applied(), review("fail"))[0],
            award(at=w.days(8)),
            r.ApplicationIsNotReviewed(),
        ),
        (
            lambda: w.do(applied(), review())[0],
            award(),
            r.PublicityIsRunning(until=date(2026, 6, 8)),
        ),
        (
            lambda: w.do(applied(), review(), show(), w.served(-1))[0],
            award(at=w.days(8)),
            r.MinutesAreShort(missing=1),
        ),
        (
            lambda: w.do(applied(), review(), show())[0],
            award(at=w.days(8), decision=""),
            r.FieldIsWrong(field="decision_id", reason="missing"),
        ),
    ],
)
def test_a_review_or_an_award_is_refused(state, command, answer):
    assert decide(state(), command) == answer


def test_a_higher_level_is_decided_higher_up():  # R47
    levels = tuple(replace(level, authority="city") for level in w.DEFAULT.levels)
    policy = replace(w.DEFAULT, levels=levels)
    state = w.do(w.given(w.registered(), w.served(6_000), policies=[policy]), apply())[0]
    assert decide(state, review()) == r.TierIsHigher(tier="city")
    assert kinds(decide(state, review(actor=w.CITY))) == ["StarReviewed"]


def test_the_reviewer_is_that_of_the_present_residence():  # R47
    elsewhere = replace(w.COUNTY, grants=(replace(w.COUNTY.grants[0], region="500112"),))
    assert decide(applied(), review(actor=elsewhere)) == r.ActorMayNot()
    moved = w.do(applied(), w.registered("500112"))[0]
    assert kinds(decide(moved, review(actor=elsewhere))) == ["StarReviewed"]


def test_a_refused_application_is_closed_and_may_be_made_again():
    refuse = c.RefuseStar(**w.head(w.COUNTY), policy_id="cn-default", reasons="材料不全")
    state, events = w.do(applied(), review("fail"), refuse)
    assert kinds(events) == ["StarReviewed", "StarRefused"]
    assert kinds(decide(state, apply())) == ["StarApplied"]


def test_a_refusal_needs_a_reason_and_an_application():
    refuse = c.RefuseStar(**w.head(w.COUNTY), policy_id="cn-default", reasons="")
    assert decide(applied(), refuse) == r.ReasonIsMissing()
    assert decide(w.given(w.registered()), refuse) == r.ApplicationIsUnknown()


def test_showing_what_is_not_passed_is_silence():
    assert decide(applied(), show()) == ()


# --- a fall, and what a person makes of it ------------------------------------------------------


def test_a_fall_below_the_level_held_opens_a_review_once():  # R13, S19
    state, events = w.do(with_star(3, 36_040), w.served(-180))
    assert kinds(events) == ["MinutesMoved", "StandingChanged", "HeldStarReviewOpened"]
    assert (events[-1].level, events[-1].minutes_min) == (3, 36_000)
    _, events = w.do(state, w.served(-10))
    assert "HeldStarReviewOpened" not in kinds(events)
    assert held(state) == 3


def keep(reasons="情况属实,予以保留", actor=w.COUNTY) -> c.KeepStar:
    return c.KeepStar(**w.head(actor), policy_id="cn-default", reasons=reasons)


def demote(level: int = 2, reasons="时长撤销", actor=w.COUNTY) -> c.DemoteStar:
    return c.DemoteStar(
        **w.head(actor),
        policy_id="cn-default",
        new_level=level,
        cause="revocation",
        reasons=reasons,
        decision_id="decision-8",
    )


def fallen() -> View:
    return w.do(with_star(3, 36_040), w.served(-180))[0]


def test_a_person_keeps_the_star():  # R13
    state, events = w.do(fallen(), keep())
    assert kinds(events) == ["StarKept"] and held(state) == 3
    assert decide(state, keep()) == r.ReviewIsNotOpen()


def test_a_person_lowers_the_star_by_a_new_one():  # R13
    state, events = w.do(fallen(), demote())
    assert kinds(events) == ["StarDemoted"]
    assert events[0].lowers == e.Lowers(issuer="500000", entry_id="500000-03", cause="revocation")
    assert (events[0].level, events[0].basis_minutes) == (2, 35_860)
    assert held(state) == 2


def test_a_star_may_be_lowered_to_none():
    state, _ = w.do(fallen(), replace(demote(0), at=w.days(9)))
    assert held(state) == 0


@pytest.mark.parametrize(
    ("state", "command", "answer"),
    [
        (lambda: with_star(1, 6_000), keep(), r.ReviewIsNotOpen()),
        (lambda: with_star(1, 6_000), demote(0), r.ReviewIsNotOpen()),
        (fallen, keep(reasons=""), r.ReasonIsMissing()),
        (fallen, demote(reasons=""), r.ReasonIsMissing()),
        (fallen, demote(3), r.FieldIsWrong(field="new_level", reason="not_below_held")),
        (fallen, keep(actor=w.HERSELF), r.ActorMayNot()),
    ],
)
def test_the_review_of_a_held_star_is_refused(state, command, answer):
    assert decide(state(), command) == answer


def test_a_policy_may_forbid_demotion():
    never = replace(w.DEFAULT, demotion_on_revocation="never")
    state = fallen()
    state = replace(state, window=replace(state.window, policies=(never,)))
    assert decide(state, demote()) == r.PolicyForbidsDemotion(policy_id="cn-default")


def test_a_star_whose_entry_is_not_written_yet_cannot_be_lowered_yet():
    state = w.given(w.registered(), w.served(600), policies=[w.DEMO])
    state = w.do(state, w.served(-10))[0]
    command = replace(demote(0), policy_id="demo-automatic")
    assert decide(state, command) == r.StarEntryIsNotWritten()


def test_an_own_star_that_records_revoked_is_held_no_more():
    state = with_star(1, 6_000)
    star = state.standing.holdings.stars[0]
    state, _ = w.do(state, c.NoteStar(**w.head(), star=star, stands=False))
    assert held(state) == 0


# --- policies -----------------------------------------------------------------------------------


def test_a_fact_is_judged_by_the_version_of_its_day():  # R48, S37
    second = replace(
        w.DEFAULT,
        version=2,
        effective_from=date(2026, 7, 1),
        levels=tuple(replace(one, minutes_min=one.minutes_min + 60) for one in w.DEFAULT.levels),
    )
    both = (w.DEFAULT, second)
    before = w.do(w.view(*both), w.served(6_000))[1]
    after = w.do(w.view(*both), w.served(6_000, at=w.days(60)))[1]
    assert kinds(before) == ["MinutesMoved", "StarBecameEligible"]
    assert kinds(after) == ["MinutesMoved", "StandingChanged"]
    assert after[-1].policy_version == 2


def test_a_star_of_the_older_version_is_kept():  # S37
    state = with_star(1, 6_000)
    raised = replace(
        w.DEFAULT,
        version=2,
        effective_from=date(2026, 7, 1),
        levels=tuple(replace(one, minutes_min=one.minutes_min + 60) for one in w.DEFAULT.levels),
    )
    window = replace(state.window, policies=(w.DEFAULT, raised))
    state, events = w.do(
        replace(state, window=window), c.RecomputeStanding(**w.head(at=w.days(60)))
    )
    assert kinds(events) == ["StandingChanged"] and held(state, raised) == 1
    assert isinstance(state.standing, Home)


def test_a_policy_holds_where_its_jurisdiction_holds_the_residence():  # R47
    chengdu = replace(w.DEMO, jurisdiction=("510100",))
    assert in_force((chengdu,), w.TODAY, "500103") == ()
    assert in_force((chengdu,), w.TODAY, "510104") == (chengdu,)
    ended = replace(w.DEMO, effective_to=date(2026, 5, 31))
    assert in_force((ended,), w.TODAY, "500103") == ()


@pytest.mark.parametrize("policy_id", sorted(w.DOCUMENTS))
def test_a_policy_is_evaluated_whole_or_not_kept(policy_id):
    evaluated = {"cn-default", "cq-like", "demo-automatic"}
    if policy_id in evaluated:
        assert from_content(w.DOCUMENTS[policy_id]).levels
    else:
        with pytest.raises(NotSupported):
            from_content(w.DOCUMENTS[policy_id])


def test_moving_within_a_city_keeps_the_sums():
    state = w.do(w.given(w.registered(), w.served(700)), w.registered("500112"))[0]
    assert state.standing.holdings.cells == (CellMinutes(cell=w.OWN, minutes=700),)
