"""Recording: every refusal of domain.md 3.2, minutes, lateness, tiers as a hint, same fact."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from services.records.domain import rejections as r
from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from tests.domain.records import story as w
from tests.domain.records.story import Story, at

LEGACY = c.BatchRow(
    batch_id="b-1", row_no=1, opened_at=at("2026-09-20 10:00"), decision_id="渝民〔2026〕1号"
)


def row(n: int = 1, batch: str = "b-1") -> c.BatchRow:
    return c.BatchRow(batch_id=batch, row_no=n, opened_at=at("2026-09-20 10:00"))


def sheet(story: Story, n: int = 1, batch: str | c.BatchRow = "b-1", **changes) -> c.RecordService:
    values = {
        "evidence_class": "batch_import",
        "occurred_on": date(2026, 9, 19),
        "minutes": 60,
        "batch": batch if isinstance(batch, c.BatchRow) else row(n, batch),
        **changes,
    }
    return story.service(None, None, **values)


def test_a_service_is_recorded_pending_with_its_term_and_its_rules() -> None:
    story = Story()
    (event,) = story.does(story.service())
    version = event.version
    body = version.body
    assert isinstance(event, e.EntryRecorded)
    assert (version.state, version.minutes, version.counted_minutes) == ("pending", 120, 0)
    assert (event.stands, event.moved, event.index) == (True, (), 0)
    assert version.entry_id.startswith("amber-")
    assert body["recorded_at"] == "2026-09-21T02:00:01Z"
    assert body["detail"]["recorder"]["supervising_body_id"] == w.PARENT
    assert version.labels == {"policy_id": "cn-recording", "policy_version": 1}
    assert version.due_on == date(2026, 10, 9)  # S11: a worked Sunday, two holidays
    assert version.late is False
    assert story.totals.pending_minutes == 120
    assert story.credited == 0  # R6, B30


def test_an_entry_takes_its_ulid_from_the_batchs_opening_so_that_a_repeat_makes_the_same() -> None:
    story = Story()
    command = sheet(story)
    (event,) = story.does(command)
    later = replace(command, at=command.at + timedelta(hours=1))
    assert Story().does(later)[0].version.entry_id == event.version.entry_id


# -- who may record, and of whom ---------------------------------------------------------------


def test_a_recorder_of_another_body_may_not() -> None:
    story = Story()
    assert story.refuses(story.service(actor=w.OTHER_RECORDER)) == r.ActorMayNot()
    assert story.refuses(story.service(actor=w.APPROVER)) == r.ActorMayNot()


def test_hours_before_the_registration_has_arrived_wait() -> None:  # S1
    story = Story(opened=False)
    refusal = story.refuses(story.service())
    assert refusal == r.SubjectIsUnknown()
    assert refusal.waits


def test_an_organisation_that_has_not_arrived_waits() -> None:
    story = Story()
    story.dossier = replace(story.dossier, window=replace(story.dossier.window, organisations={}))
    refusal = story.refuses(story.service())
    assert refusal == r.OrganisationIsUnknown(w.TEAM)
    assert refusal.waits


@pytest.mark.parametrize(
    ("begins", "until", "stopped"),
    [
        (date(2026, 9, 1), None, True),
        (date(2026, 9, 1), date(2026, 9, 21), True),
        (date(2026, 9, 1), date(2026, 9, 20), False),
        (date(2026, 9, 22), None, False),
    ],
)
def test_a_stopped_recorder_may_not_act_while_it_is_stopped(begins, until, stopped) -> None:  # R18
    story = Story()
    team = w.organisation(sanctions=(w.sanction(begins, until),))
    story.dossier = replace(
        story.dossier, window=replace(story.dossier.window, organisations={w.TEAM: team})
    )
    if stopped:
        expected = r.RecorderMayNotAct("stop_and_rectify")
        assert story.refuses(story.service()) == expected
        assert story.refuses(story.training()) == expected
    else:
        assert story.does(story.service())


def test_without_a_policy_a_person_is_told_the_field_and_an_agent_waits() -> None:  # R48
    story = Story()
    story.dossier = replace(story.dossier, window=replace(story.dossier.window, policies=()))
    assert story.refuses(story.service()) == r.FieldIsWrong("occurred_on", "no_policy_for_that_day")
    grants = (*w.SYSTEM.grants, *w.RECORDER.grants)
    agent = replace(story.service(), actor=replace(w.SYSTEM, grants=grants))
    refusal = story.refuses(agent)
    assert refusal == r.PolicyIsMissing("recording")
    assert refusal.waits


# -- what is volunteer service ------------------------------------------------------------------


@pytest.mark.parametrize("category", ["duty_work", "donation", "training_activity", "other"])
def test_what_is_no_volunteer_service_makes_no_entry(category: str) -> None:  # R7, R8, S10
    story = Story()
    refusal = story.refuses(story.service(category=category))
    assert refusal == r.NotVolunteerService(category)


def test_learning_minutes_are_never_service_minutes() -> None:  # R7, S10
    story = Story()
    trained = story.does(story.training())[0]
    story.does(story.approve(trained))
    assert story.totals.learning_minutes == 180
    assert story.credited == 0


# -- minutes ------------------------------------------------------------------------------------


def test_over_midnight_one_entry_with_the_break_off_the_last_day() -> None:  # R1, S6
    story = Story()
    event = story.recorded("2026-09-18 22:30", "2026-09-19 01:30", break_minutes=15)
    assert event.version.minutes == 165
    assert event.version.minutes_by_day == {"2026-09-18": 90, "2026-09-19": 75}


@pytest.mark.parametrize(
    ("start", "end", "changes", "refusal"),
    [
        ("09:00", "09:00", {}, r.MinutesAreNotPositive()),
        ("11:00", "09:00", {}, r.MinutesAreNotPositive()),
        ("09:00", "10:00", {"break_minutes": 60}, r.MinutesAreNotPositive()),
        ("09:00", "11:00", {"minutes": 119}, r.MinutesDisagree(120)),
        ("09:00", "11:00", {"break_minutes": 15, "minutes": 120}, r.MinutesDisagree(105)),
        ("09:00", "11:00", {"break_minutes": -1}, r.FieldIsWrong("break_minutes", "negative")),
        ("09:00", None, {}, r.FieldIsWrong("ended_at", "missing")),
        (None, "09:00", {}, r.FieldIsWrong("started_at", "missing")),
        (None, None, {"minutes": 60}, r.FieldIsWrong("started_at", "missing")),
        (
            "09:00",
            "11:00",
            {"occurred_on": date(2026, 9, 18)},
            r.FieldIsWrong("occurred_on", "not_the_day_of_started_at"),
        ),
    ],
)
def test_times_breaks_and_minutes_must_agree(start, end, changes, refusal) -> None:  # R1, R9
    story = Story()
    day = "2026-09-19 "
    wish = story.service(start and day + start, end and day + end, **changes)
    assert story.refuses(wish) == refusal


def test_more_than_a_day_is_no_single_entry_and_a_legacy_sum_may_be_600_000() -> None:
    story = Story()
    wish = story.service("2026-09-17 09:00", "2026-09-18 09:01")
    assert story.refuses(wish) == r.MinutesAreTooMany(1440)
    assert story.does(story.service("2026-09-17 09:00", "2026-09-18 09:00"))
    assert story.refuses(sheet(story, minutes=1441)) == r.MinutesAreTooMany(1440)
    sums = {"evidence_class": "legacy", "batch": LEGACY, "activity_name": "旧系统累计"}
    assert story.refuses(sheet(story, minutes=600_001, **sums)) == r.MinutesAreTooMany(600_000)
    (event,) = story.does(sheet(story, minutes=600_000, **sums))
    assert event.version.minutes_by_day == {}
    assert event.version.state == "approved"


def test_zero_and_negative_minutes_are_refused_without_times_too() -> None:  # R9
    story = Story()
    assert story.refuses(sheet(story, minutes=0)) == r.MinutesAreNotPositive()
    assert story.refuses(sheet(story, minutes=-5)) == r.MinutesAreNotPositive()
    assert story.refuses(sheet(story, minutes=None)) == r.FieldIsWrong("minutes", "missing")
    assert story.refuses(sheet(story, occurred_on=None)) == r.FieldIsWrong("occurred_on", "missing")
    wrong = r.FieldIsWrong("break_minutes", "without_times")
    assert story.refuses(sheet(story, break_minutes=5)) == wrong


def test_a_future_session_never_counts_but_clocks_may_differ_by_five_minutes() -> None:  # R9, S9
    now = at("2026-09-19 11:00")
    story = Story(now=now)
    story.now = now
    assert story.does(story.service(end="2026-09-19 11:05"))
    assert story.refuses(story.service(end="2026-09-19 11:06")) == r.ServiceIsInTheFuture()
    tomorrow = sheet(story, occurred_on=date(2026, 9, 20))
    assert story.refuses(tomorrow) == r.ServiceIsInTheFuture()
    assert story.does(sheet(story, occurred_on=date(2026, 9, 19)))


def test_only_sheets_may_lack_times_and_their_classes_come_by_sheets_alone() -> None:  # R5
    story = Story()
    wrong = r.FieldIsWrong("evidence_class", "not_allowed_here")
    for wish in (
        story.service(evidence_class="batch_import"),
        story.service(evidence_class="legacy"),
        story.service(evidence_class="unheard_of"),
        sheet(story, evidence_class="leader_entry"),
    ):
        assert story.refuses(wish) == wrong


def test_a_manual_supplement_needs_evidence() -> None:  # R5, S7
    story = Story()
    supplement = {"evidence_class": "manual_supplement"}
    assert story.refuses(story.service(**supplement)) == r.EvidenceIsMissing()
    event = story.recorded(**supplement, evidence_id="evd-03")
    assert event.version.evidence_class == "manual_supplement"


def test_a_legacy_row_is_approved_at_once_under_its_decision_and_only_under_one() -> None:
    story = Story()
    legacy = {"evidence_class": "legacy"}
    without = replace(LEGACY, decision_id=None)
    assert story.refuses(sheet(story, batch=without, **legacy)) == r.DecisionIsMissing()
    (event,) = story.does(sheet(story, batch=LEGACY, **legacy))
    assert (event.version.state, event.version.version) == ("approved", 1)
    assert [(each.before, each.after) for each in event.moved] == [(0, 60)]
    assert story.credited == 60


# -- text and labels ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("content", {"content": "联系人 13812345678"}),
        ("content", {"content": "身份证 11010519491231002X"}),
        ("content", {"content": "电话１３８ １２３４ ５６７８"}),
        ("activity_name", {"activity_name": "位置 106.55073, 29.56471"}),
        ("place.name", {"place": c.Place(region_code="500106", name="023-63000000")}),
    ],
)
def test_free_text_holds_no_number_phone_or_coordinate(field, changes) -> None:  # R55
    story = Story()
    assert story.refuses(story.service(**changes)) == r.TextHoldsPersonalData(field)


@pytest.mark.parametrize(
    ("field", "reason", "changes"),
    [
        ("content", "too_long", {"content": "长" * 201}),
        ("content", "control_character", {"content": "a\x07b"}),
        ("content", "not_nfc", {"content": "e\u0301"}),
        ("activity_name", "empty", {"activity_name": "  "}),
        ("place.region_code", "no_region_code", {"place": c.Place(region_code="5001")}),
        ("field_code", "no_label", {"field_code": "Not A Label"}),
        ("service_object_groups", "no_label", {"service_object_groups": ("张三",)}),  # R53
        ("service_object_groups", "too_many", {"service_object_groups": ("a",) * 11}),
        ("responsible_person", "no_reference", {"responsible_person": "张三"}),
        ("category", "unknown", {"category": "unheard_of"}),
        ("evidence_id", "no_reference", {"evidence_id": "张 三"}),
        ("source.system", "no_label", {"source": c.Source(system="X Y", id="1")}),
        ("source.id", "no_reference", {"source": c.Source(system="feed", id="")}),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(field, reason, changes) -> None:
    story = Story()
    assert story.refuses(story.service(**changes)) == r.FieldIsWrong(field, reason)


def test_fractions_of_a_second_are_no_time_of_the_wire() -> None:  # protocol.md 2.1
    story = Story()
    wish = story.service()
    facts = replace(wish.facts, started_at=wish.facts.started_at + timedelta(milliseconds=1))
    refusal = r.FieldIsWrong("started_at", "not_whole_seconds")
    assert story.refuses(replace(wish, facts=facts)) == refusal


def test_an_entry_fits_the_limits_of_any_city() -> None:  # 8 KiB, detail 6 KiB
    story = Story()
    window = story.dossier.window
    vast = w.organisation(name="名" * 2000)
    story.dossier = replace(story.dossier, window=replace(window, organisations={w.TEAM: vast}))
    wrong = r.FieldIsWrong("detail", "longer_than_6144_bytes")
    assert story.refuses(story.service()) == wrong


# -- lateness -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("today", "late"), [("2026-10-09 09:00", False), ("2026-10-10 00:30", True)]
)
def test_late_is_recorded_and_marked_never_refused(today: str, late: bool) -> None:  # R10, S11
    story = Story()
    story.now = at(today)
    event = story.recorded("2026-09-18 18:00", "2026-09-18 20:40")
    assert event.version.due_on == date(2026, 10, 9)
    assert event.version.late is late


def test_an_unknown_calendar_year_refuses_nothing() -> None:  # R10, S11
    story = Story()
    story.now = at("2026-12-20 09:00")
    event = story.recorded("2026-12-18 18:00", "2026-12-18 20:00")
    assert (event.version.due_on, event.version.late) == (None, None)


def test_paper_of_more_than_a_year_ago_has_no_term() -> None:  # Order 67 Art 11
    story = Story()
    old = {"evidence_class": "paper", "occurred_on": date(2025, 9, 1)}
    (event,) = story.does(sheet(story, **old))
    assert (event.version.due_on, event.version.late) == (None, False)
    recent = {"evidence_class": "paper", "occurred_on": date(2026, 3, 1)}
    (event,) = story.does(sheet(story, n=2, **recent))
    assert event.version.late is True


def test_the_rules_are_those_of_the_facts_own_day() -> None:  # R48
    story = Story()
    second = w.recording_policy(2, "2026-09-20", record_within_working_days=3)
    window = story.dossier.window
    story.dossier = replace(
        story.dossier, window=replace(window, policies=(*window.policies, second))
    )
    assert story.recorded().version.labels["policy_version"] == 1
    story.now = at("2026-09-22 09:00")
    event = story.recorded("2026-09-21 09:00", "2026-09-21 10:00")
    assert event.version.labels["policy_version"] == 2
    assert event.version.due_on == date(2026, 9, 24)


# -- tiers as a hint ----------------------------------------------------------------------------


def test_the_tier_at_recording_is_a_hint_by_what_counts_already() -> None:  # R4
    story = Story()
    assert story.recorded("2026-09-19 01:00", "2026-09-19 09:00").version.review_tier == "recorder"
    long = story.recorded("2026-09-19 09:00", "2026-09-19 17:01", activity_name="乙")
    assert long.version.review_tier == "parent_organisation"
    longer = story.recorded("2026-09-19 09:00", "2026-09-19 21:01", activity_name="丙")
    assert longer.version.review_tier == "higher_authority"


# -- same fact ----------------------------------------------------------------------------------


def test_the_same_fact_again_is_silence_and_other_content_names_the_entry() -> None:  # R15, S12
    story = Story()
    first = story.recorded()
    assert story.does(story.service()) == ()
    refusal = r.SameFactExists(first.version.entry_id)
    assert story.refuses(story.service(end="2026-09-19 11:30")) == refusal
    assert story.refuses(story.service(field_code="elderly_care")) == refusal


def test_two_spans_of_one_day_are_two_facts() -> None:  # R15, S12
    story = Story()
    story.recorded()
    assert story.does(story.service("2026-09-19 14:00", "2026-09-19 16:00"))


def test_names_are_compared_in_one_form() -> None:
    story = Story()
    story.recorded(activity_name="Clean Up")
    refusal = story.refuses(story.service(activity_name="ｃｌｅａｎ  up"))
    assert isinstance(refusal, r.SameFactExists)


def test_inside_one_sheet_nothing_is_silent_and_distinct_tells_rows_apart() -> None:  # S12
    story = Story()
    (first,) = story.does(sheet(story, n=7))
    refusal = story.refuses(sheet(story, n=12))
    assert refusal == r.SameFactExists(first.version.entry_id, 7)
    assert story.does(sheet(story, n=12, distinct=2))
    assert story.does(sheet(story, n=7)) == ()
    assert story.does(sheet(story, n=3, batch="b-2")) == ()
    assert story.refuses(sheet(story, n=3, distinct=0)) == r.FieldIsWrong(
        "distinct", "out_of_range"
    )


def test_a_source_id_is_one_fact_of_one_subject() -> None:  # R15
    story = Story()
    source = c.Source(system="feed", id="77")
    first = story.recorded(source=source)
    refusal = r.SameFactExists(first.version.entry_id)
    assert story.refuses(story.service(activity_name="别的", source=source)) == refusal
    other = Story(w.WANG)
    other.dossier = replace(
        other.dossier,
        window=replace(other.dossier.window, claims=story.dossier.window.claims),
    )
    wrong = r.FieldIsWrong("source.id", "taken_for_another_subject")
    assert other.refuses(other.service(source=source)) == wrong


def test_rejection_and_revocation_free_the_fact() -> None:  # R15, S12
    story = Story()
    first = story.recorded()
    story.does(story.reject(first))
    second = story.recorded()
    story.does(story.approve(second))
    story.does(story.revoke(second))
    third = story.recorded()
    assert len({each.version.entry_id for each in (first, second, third)}) == 3


def test_a_training_is_the_same_by_its_name_and_day() -> None:
    story = Story()
    story.does(story.training())
    assert story.does(story.training()) == ()
    assert isinstance(story.refuses(story.training(minutes=90)), r.SameFactExists)
    assert story.does(story.training(distinct=2))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"minutes": 0}, r.MinutesAreNotPositive()),
        ({"minutes": 1441}, r.MinutesAreTooMany(1440)),
        ({"occurred_on": date(2027, 1, 1)}, r.ServiceIsInTheFuture()),
        ({"name": "请致电13812345678"}, r.TextHoldsPersonalData("name")),
        ({"held_by": ""}, r.FieldIsWrong("held_by", "empty")),
        ({"qualification": "急救"}, r.FieldIsWrong("qualification", "no_label")),
        ({"distinct": 100}, r.FieldIsWrong("distinct", "out_of_range")),
        ({"occurred_on": date(1900, 1, 1)}, r.FieldIsWrong("occurred_on", "too_early")),
    ],
)
def test_a_training_is_judged_as_a_service_is(changes, refusal) -> None:
    story = Story()
    assert story.refuses(story.training(**changes)) == refusal


# -- stars --------------------------------------------------------------------------------------


def test_a_star_is_an_entry_approved_at_once_by_the_deciding_authority() -> None:
    story = Story()
    (event,) = story.does(story.star(level=2))
    version = event.version
    assert (version.kind, version.state, version.minutes) == ("star", "approved", 0)
    assert version.labels["level"] == 2
    assert version.labels["lowers"] is None
    assert version.body["detail"]["recorder"]["organisation_id"] == "gov-1"
    assert event.moved == ()


def test_the_same_award_twice_is_one_entry() -> None:
    story = Story()
    story.does(story.star())
    assert story.does(story.star()) == ()
    assert isinstance(story.refuses(story.star(level=2)), r.SameFactExists)


def test_a_lower_star_names_the_one_it_lowers() -> None:
    story = Story()
    (first,) = story.does(story.star(level=2))
    lowers = c.Lowers(issuer="amber", entry_id=first.version.entry_id, cause="revocation")
    (event,) = story.does(story.star(level=0, award_id="award-2", lowers=lowers))
    assert event.version.labels["lowers"]["cause"] == "revocation"


def test_only_the_nodes_own_services_record_stars() -> None:
    story = Story()
    assert story.refuses(story.star(actor=w.RECORDER)) == r.ActorMayNot()
    unheard = Story(opened=False)
    assert unheard.refuses(unheard.star()) == r.SubjectIsUnknown()


def test_a_dossier_opens_once() -> None:
    story = Story()
    assert story.refuses(story.open()) == r.DossierExists()


def test_no_clock_is_read() -> None:
    story = Story()
    wish = story.service()
    assert story.rules(wish) == story.rules(wish)
    assert isinstance(wish.at, datetime)
