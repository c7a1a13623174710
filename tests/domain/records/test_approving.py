"""Approval and rejection: who, which tier, what follows (domain.md 3.2; R4, R12, R19)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.records.domain import rejections as r
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.state import Known
from services.records.domain.entries import Cell
from services.records.domain.overlap import Moved
from shared.messages import Actor, Grant
from tests.domain.records import story as w
from tests.domain.records.story import Story

CELL = Cell(
    year=2026,
    category="service",
    evidence_class="leader_entry",
    source_system="amber",
    field_code="community_affairs",
    own=True,
)


def test_an_approved_entry_counts_under_a_higher_version() -> None:
    story = Story()
    recorded = story.recorded()
    (event,) = story.does(story.approve(recorded))
    version = event.version
    assert isinstance(event, e.EntryApproved)
    assert (version.version, version.state, version.counted_minutes) == (2, "approved", 120)
    assert version.reason_code == "approved"
    assert version.body["detail"]["approved_by"] == "staff-12"
    assert version.body["salt"] != recorded.version.body["salt"]
    assert event.moved == (Moved("amber", version.entry_id, CELL, 0, 120),)
    assert (story.credited, story.totals.pending_minutes) == (120, 0)


def test_nobody_approves_own_hours() -> None:  # R19, S9
    story = Story()
    recorded = story.recorded()
    herself = replace(w.APPROVER, subject_id=w.LI_HUA)
    assert story.refuses(story.approve(recorded, herself)) == r.OwnEntry()
    assert story.refuses(story.reject(recorded, herself)) == r.OwnEntry()


def test_who_recorded_it_does_not_approve_it_unless_the_policy_says_so() -> None:
    story = Story()
    both = Actor("staff-07", (Grant("recorder", w.TEAM), Grant("approver", w.TEAM)))
    recorded = story.recorded()
    assert story.refuses(story.approve(recorded, both)) == r.RecordedByYou()
    lenient = w.recording_policy(approver_may_be_recorded_by=True)
    window = story.dossier.window
    story.dossier = replace(story.dossier, window=replace(window, policies=(lenient,)))
    assert story.does(story.approve(recorded, both))


def test_who_corrected_it_does_not_approve_the_correction() -> None:
    story = Story()
    approved = story.approved()
    second = Actor("staff-08", (Grant("recorder", w.TEAM), Grant("approver", w.TEAM)))
    changes = {"ended_at": w.at("2026-09-19 11:20")}
    (corrected,) = story.does(story.correct(approved, second, changes=changes))
    assert story.refuses(story.approve(corrected, second)) == r.RecordedByYou()
    assert story.does(story.approve(corrected))


@pytest.mark.parametrize(
    ("actor", "refusal"),
    [
        (replace(w.RECORDER, actor_id="staff-08"), r.ActorMayNot()),
        (w.OTHER_APPROVER, r.EntryIsUnknown()),
        (w.ELSEWHERE_REVIEWER, r.EntryIsUnknown()),
        (Actor("x", (Grant("volunteer"),), w.LI_HUA), r.OwnEntry()),
        (w.COUNTY, r.ActorMayNot()),
        (w.PARENT_APPROVER, r.ActorMayNot()),
    ],
)
def test_only_the_recorders_approver_approves_an_ordinary_day(actor, refusal) -> None:
    story = Story()
    recorded = story.recorded()
    found = story.refuses(story.approve(recorded, actor))
    # A stranger hears what he would hear of an entry that is not there.
    assert found == (r.EntryIsUnknown() if actor.subject_id else refusal)


def test_an_unknown_entry_and_an_unknown_dossier_sound_the_same() -> None:
    story = Story()
    unknown = ("amber", "amber-01KK362VM09TDRMAB20MBC0B5C")
    assert story.refuses(story.approve(unknown)) == r.EntryIsUnknown()
    nobody = Story(opened=False)
    assert nobody.refuses(nobody.approve(unknown)) == r.EntryIsUnknown()


def test_a_long_day_is_judged_at_approval_over_all_that_counts_that_day() -> None:  # R4, S8
    story = Story()
    first = story.recorded("2026-09-19 08:00", "2026-09-19 13:00")
    second = story.recorded("2026-09-19 14:00", "2026-09-19 17:20")
    story.does(story.approve(first))
    higher = r.TierIsHigher("parent_organisation")
    assert story.refuses(story.approve(second)) == higher
    assert story.credited == 300  # the whole entry waits, nothing is cut
    story.does(story.approve(second, w.PARENT_APPROVER))
    assert story.credited == 500
    third = story.recorded("2026-09-19 17:30", "2026-09-19 21:11")
    for actor in (w.APPROVER, w.PARENT_APPROVER):
        assert story.refuses(story.approve(third, actor)) == r.TierIsHigher("higher_authority")
    story.does(story.approve(third, w.COUNTY))
    assert story.credited == 721


def test_the_tier_counts_what_is_claimed_overlap_included() -> None:  # R4: not the credited
    story = Story()
    first = story.recorded("2026-09-19 08:00", "2026-09-19 13:00")
    second = story.recorded("2026-09-19 08:00", "2026-09-19 13:00", activity_name="乙")
    story.does(story.approve(first))
    assert isinstance(story.refuses(story.approve(second)), r.TierIsHigher)


def test_without_a_supervising_body_a_county_reviewer_of_the_place_approves() -> None:
    story = Story()
    alone = w.organisation(supervising_body_id=None)
    window = story.dossier.window
    story.dossier = replace(story.dossier, window=replace(window, organisations={w.TEAM: alone}))
    long = story.recorded("2026-09-19 08:00", "2026-09-19 17:00")
    assert story.refuses(story.approve(long)) == r.TierIsHigher("parent_organisation")
    assert story.refuses(story.approve(long, w.ELSEWHERE_REVIEWER)) == r.EntryIsUnknown()
    assert story.does(story.approve(long, w.COUNTY))


def test_each_day_of_an_entry_is_judged() -> None:
    story = Story()
    over = story.recorded("2026-09-18 15:30", "2026-09-19 00:30")  # 30 on Saturday
    assert isinstance(story.refuses(story.approve(over)), r.TierIsHigher)


@pytest.mark.parametrize("state", ["approved", "rejected", "revoked"])
def test_what_does_not_wait_is_neither_approved_nor_rejected(state: str) -> None:
    story = Story()
    recorded = story.recorded()
    if state == "rejected":
        story.does(story.reject(recorded))
    else:
        story.does(story.approve(recorded))
    if state == "revoked":
        story.does(story.revoke(recorded))
    assert story.refuses(story.approve(recorded)) == r.EntryIsNotPending(state)
    assert story.refuses(story.reject(recorded)) == r.EntryIsNotPending(state)


def test_while_an_entry_is_shown_its_approval_waits() -> None:  # publicised, until a day
    story = Story()
    recorded = story.recorded()
    key = recorded.version.key
    shown = w.shown(recorded.version, until="2026-09-25")
    known = {key: (*story.dossier.window.known[key], Known(shown, "log"))}
    story.dossier = replace(story.dossier, window=replace(story.dossier.window, known=known))
    assert story.refuses(story.approve(recorded)) == r.PublicityIsRunning()
    assert story.refuses(story.reject(recorded)) == r.PublicityIsRunning()
    story.now = w.at("2026-09-26 09:00")
    assert story.does(story.approve(recorded))


def test_an_entry_of_another_city_is_its_own_to_approve() -> None:  # R32
    story = Story()
    (arrived, _) = story.does(story.late(w.judged(w.foreign_version(state="pending"))))
    assert story.refuses(story.approve(arrived)) == r.NotYourEntry("birch")
    assert story.refuses(story.reject(arrived)) == r.NotYourEntry("birch")


def test_a_rejected_entry_is_final_and_counts_nothing() -> None:
    story = Story()
    recorded = story.recorded()
    (event,) = story.does(story.reject(recorded, reason_code="not_present"))
    assert isinstance(event, e.EntryRejected)
    assert (event.version.state, event.version.reason_code) == ("rejected", "not_present")
    assert story.totals.pending_minutes == 0
    assert story.refuses(story.reject(recorded)) == r.EntryIsNotPending("rejected")


@pytest.mark.parametrize(
    ("reason", "refusal"),
    [
        ("approved", r.FieldIsWrong("reason", "reserved")),
        ("No Code", r.FieldIsWrong("reason", "no_code")),
        ("false: 13812345678", r.TextHoldsPersonalData("reason")),
    ],
)
def test_the_reason_of_a_rejection_is_a_code(reason, refusal) -> None:
    story = Story()
    recorded = story.recorded()
    assert story.refuses(story.reject(recorded, reason_code=reason)) == refusal


def test_a_rejected_correction_restores_what_was_approved() -> None:  # R12, S16
    story = Story()
    approved = story.approved()
    (corrected,) = story.does(
        story.correct(approved, changes={"ended_at": w.at("2026-09-19 11:20")})
    )
    assert corrected.version.counted_minutes == 120
    (event,) = story.does(story.reject(corrected))
    version = event.version
    assert isinstance(event, e.EntryRejected)
    assert (version.version, version.state, version.counted_minutes) == (4, "approved", 120)
    assert version.reason_code == "correction_rejected"
    assert version.minutes == 120
    assert event.moved == ()
    assert story.does(story.service()) == ()  # the fact is again what it was


def test_a_body_above_may_reject_too_but_no_stranger() -> None:
    story = Story()
    recorded = story.recorded()
    assert story.refuses(story.reject(recorded, w.OTHER_APPROVER)) == r.EntryIsUnknown()
    assert story.refuses(story.reject(recorded, w.RECORDER)) == r.ActorMayNot()
    assert story.does(story.reject(recorded, w.PARENT_APPROVER))


def test_the_tier_of_a_correction_leaves_the_entrys_former_figure_out() -> None:  # R4
    story = Story()
    approved = story.approved("2026-09-19 08:00", "2026-09-19 13:00")
    changes = {"ended_at": w.at("2026-09-19 13:10")}
    (corrected,) = story.does(story.correct(approved, changes=changes))
    assert corrected.version.review_tier == "recorder"
    assert story.does(story.approve(corrected))
    assert story.credited == 310
