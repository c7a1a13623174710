"""Correction and revocation: a new version, never an edit (domain.md 3.2; R12, R15, R32)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from services.records.domain import rejections as r
from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.state import Known
from services.records.domain.overlap import credited
from tests.domain.records import story as w
from tests.domain.records.story import Story, at

LONGER = {"ended_at": at("2026-09-19 11:20")}


def test_a_correction_of_minutes_waits_and_the_approved_figure_counts() -> None:  # R12, S16, B30
    story = Story()
    approved = story.approved()
    (event,) = story.does(story.correct(approved, changes=LONGER))
    version = event.version
    assert isinstance(event, e.EntryCorrected)
    assert (version.version, version.state) == (3, "pending")
    assert (version.minutes, version.counted_minutes) == (140, 120)
    assert event.moved == ()
    assert (story.credited, story.totals.pending_minutes) == (120, 140)
    corrected = version.body["detail"]["corrected"]
    assert corrected["from_version"] == 2
    assert corrected["fields"] == ["ended_at", "minutes_by_day"]
    assert corrected["evidence_id"] == "evd-1"
    (event,) = story.does(story.approve(event))
    assert [(each.before, each.after) for each in event.moved] == [(120, 140)]
    assert (story.credited, story.totals.pending_minutes) == (140, 0)


def test_a_correction_that_waits_moves_no_overlap() -> None:  # B41
    story = Story()
    first = story.approved("2026-09-19 09:00", "2026-09-19 11:00", activity_name="甲")
    second = story.approved("2026-09-19 11:00", "2026-09-19 12:00", activity_name="乙")
    (waits,) = story.does(story.correct(first, changes={"ended_at": at("2026-09-19 12:00")}))
    assert story.credited == 180
    (event,) = story.does(story.approve(waits))
    moved = {each.entry_id: (each.before, each.after) for each in event.moved}
    assert moved == {first.version.entry_id: (120, 180), second.version.entry_id: (60, 0)}
    assert story.credited == 180


def test_a_correction_without_minutes_keeps_the_state_and_may_move_the_cell() -> None:
    story = Story()
    approved = story.approved()
    (event,) = story.does(story.correct(approved, changes={"field_code": "elderly_care"}))
    assert (event.version.state, event.version.counted_minutes) == ("approved", 120)
    old, new = event.moved
    assert (old.cell.field_code, old.before, old.after) == ("community_affairs", 120, 0)
    assert (new.cell.field_code, new.before, new.after) == ("elderly_care", 0, 120)
    assert story.credited == 120


def test_a_decision_corrects_at_once() -> None:
    story = Story()
    approved = story.approved()
    decided = {"changes": LONGER, "decision_id": "d-2026-7"}
    (event,) = story.does(story.correct(approved, w.CITY_REVIEWER, **decided))
    assert (event.version.state, event.version.counted_minutes) == ("approved", 140)
    assert event.version.body["detail"]["decision_id"] == "d-2026-7"


def test_a_pending_entry_is_corrected_while_it_waits() -> None:
    story = Story()
    recorded = story.recorded()
    (event,) = story.does(story.correct(recorded, changes=LONGER))
    assert (event.version.state, event.version.counted_minutes) == ("pending", 0)
    (event,) = story.does(story.approve(event))
    assert story.credited == 140


def test_a_publicised_entry_that_changes_waits_again() -> None:
    story = Story()
    recorded = story.recorded()
    key = recorded.version.key
    known = {
        key: (
            *story.dossier.window.known[key],
            Known(w.shown(recorded.version, "2026-09-25"), "log"),
        )
    }
    story.dossier = replace(story.dossier, window=replace(story.dossier.window, known=known))
    (event,) = story.does(story.correct(recorded, changes=LONGER))
    assert event.version.state == "pending"
    (event,) = story.does(story.correct(recorded, changes={"content": "清理绿地"}))
    assert event.version.state == "pending"


def test_times_that_move_over_midnight_move_the_days() -> None:
    story = Story()
    approved = story.approved()
    changes = {"started_at": at("2026-09-18 23:00"), "ended_at": at("2026-09-19 01:00")}
    (event,) = story.does(story.correct(approved, changes=changes))
    assert event.version.occurred_on == date(2026, 9, 18)
    assert event.version.minutes_by_day == {"2026-09-18": 60, "2026-09-19": 60}
    assert event.version.state == "approved"  # no minutes changed


@pytest.mark.parametrize("field", ["recorder", "organisation_id", "issuer", "subject_id"])
def test_provenance_is_fixed(field: str) -> None:
    story = Story()
    recorded = story.recorded()
    wish = story.correct(recorded, changes={field: "org-other"})
    assert story.refuses(wish) == r.ProvenanceIsFixed(field)


@pytest.mark.parametrize(
    ("more", "refusal"),
    [
        ({"changes": {}}, r.FieldIsWrong("changes", "nothing_changes")),
        ({"changes": {"unheard_of": 1}}, r.FieldIsWrong("changes.unheard_of", "unknown")),
        ({"changes": {"minutes": "many"}}, r.FieldIsWrong("changes.minutes", "wrong_form")),
        ({"changes": {"ended_at": "then"}}, r.FieldIsWrong("changes.ended_at", "wrong_form")),
        ({"changes": {"place": "there"}}, r.FieldIsWrong("changes.place", "wrong_form")),
        ({"changes": {"category": "duty_work"}}, r.NotVolunteerService("duty_work")),
        ({"changes": {"minutes": 10}}, r.MinutesDisagree(120)),
        ({"changes": {"ended_at": at("2026-09-19 08:00")}}, r.MinutesAreNotPositive()),
        ({"changes": {"ended_at": at("2026-09-29 08:00")}}, r.ServiceIsInTheFuture()),
        ({"changes": {"content": "13812345678"}}, r.TextHoldsPersonalData("content")),
        ({"changes": LONGER, "from_version": 1}, r.VersionIsStale(2)),
        ({"changes": LONGER, "reason": " "}, r.ReasonIsMissing()),
        ({"changes": LONGER, "reason": "打错了"}, r.FieldIsWrong("reason", "no_code")),
        ({"changes": LONGER, "reason": "approved"}, r.FieldIsWrong("reason", "reserved")),
        ({"changes": LONGER, "evidence_id": None}, r.EvidenceIsMissing()),
        ({"changes": LONGER, "evidence_id": "证据"}, r.FieldIsWrong("evidence_id", "no_reference")),
    ],
)
def test_what_a_correction_may_not_say(more, refusal) -> None:
    story = Story()
    approved = story.approved()
    assert story.refuses(story.correct(approved, **more)) == refusal


@pytest.mark.parametrize(
    ("actor", "refusal"),
    [
        (w.APPROVER, r.ActorMayNot()),
        (w.OTHER_RECORDER, r.EntryIsUnknown()),
        (w.CITY_REVIEWER, r.DecisionIsMissing()),
        (w.ELSEWHERE_REVIEWER, r.EntryIsUnknown()),
    ],
)
def test_only_the_recorder_or_a_decision_corrects_and_revokes(actor, refusal) -> None:
    story = Story()
    approved = story.approved()
    assert story.refuses(story.correct(approved, actor, changes=LONGER)) == refusal
    assert story.refuses(story.revoke(approved, actor)) == refusal


def test_a_reviewer_of_elsewhere_decides_nothing_here() -> None:
    story = Story()
    approved = story.approved()
    decided = {"decision_id": "d-1"}
    assert story.refuses(story.revoke(approved, w.ELSEWHERE_REVIEWER, **decided)) == (
        r.EntryIsUnknown()
    )
    assert story.refuses(story.revoke(approved, w.COUNTY, **decided)) == r.ActorMayNot()
    assert story.does(story.revoke(approved, w.CITY_REVIEWER, **decided))


def test_an_entry_of_another_city_is_not_edited_here() -> None:  # R32, S25
    story = Story()
    (arrived, _) = story.does(story.late(w.judged(w.foreign_version())))
    assert story.refuses(story.correct(arrived, changes=LONGER)) == r.NotYourEntry("birch")
    assert story.refuses(story.revoke(arrived)) == r.NotYourEntry("birch")


def test_while_a_dispute_is_open_nothing_is_corrected() -> None:
    story = Story()
    recorded = story.recorded()
    key = recorded.version.key
    disputed = replace(recorded.version, state="disputed", version=2)
    known = {key: (*story.dossier.window.known[key], Known(disputed, "log"))}
    story.dossier = replace(story.dossier, window=replace(story.dossier.window, known=known))
    assert story.refuses(story.correct(recorded, changes=LONGER)) == r.DisputeIsOpen()
    assert story.does(story.revoke(recorded))  # what is disputed may be revoked


@pytest.mark.parametrize("state", ["rejected", "revoked"])
def test_a_final_entry_is_repaired_by_a_new_one(state: str) -> None:
    story = Story()
    recorded = story.recorded()
    if state == "rejected":
        story.does(story.reject(recorded))
    else:
        story.does(story.approve(recorded))
        story.does(story.revoke(recorded))
    assert story.refuses(story.correct(recorded, changes=LONGER)) == r.EntryIsFinal(state)
    assert story.refuses(story.revoke(recorded)) == r.EntryIsFinal(state)


def test_a_decision_is_never_corrected() -> None:
    story = Story()
    (star,) = story.does(story.star())
    authority = w.Actor("gov", (w.Grant("recorder", "gov-1"),))
    assert story.refuses(story.correct(star, authority, changes={})) == r.EntryIsFinal("approved")


def test_a_correction_to_another_fact_that_stands_is_refused() -> None:  # R15
    story = Story()
    first = story.recorded()
    second = story.recorded("2026-09-19 14:00", "2026-09-19 16:00")
    wish = story.correct(
        second, changes={"started_at": at("2026-09-19 09:00"), "ended_at": at("2026-09-19 11:00")}
    )
    assert story.refuses(wish) == r.SameFactExists(first.version.entry_id)


def test_a_corrected_fact_is_known_as_it_reads_now() -> None:  # R15
    story = Story()
    first = story.recorded()
    story.does(story.correct(first, changes=LONGER))
    assert story.does(story.service(end="2026-09-19 11:20")) == ()
    assert story.refuses(story.service()) == r.SameFactExists(first.version.entry_id)
    story.does(story.correct(first, changes={"activity_name": "别的活动"}))
    assert story.does(story.service())  # the old name is free again


def test_a_training_is_corrected_as_a_service_is() -> None:
    story = Story()
    trained = story.does(story.training())[0]
    story.does(story.approve(trained))
    (event,) = story.does(story.correct(trained, changes={"minutes": 90}))
    assert (event.version.state, event.version.counted_minutes) == ("pending", 180)
    story.does(story.approve(event))
    assert story.totals.learning_minutes == 90


def test_a_revoked_entry_counts_nothing_and_what_it_covered_counts_again() -> None:  # S14
    story = Story()
    first = story.approved("2026-09-19 09:00", "2026-09-19 11:00", activity_name="甲")
    second = story.approved("2026-09-19 10:00", "2026-09-19 12:00", activity_name="乙")
    (event,) = story.does(story.revoke(first, evidence_id="evd-9"))
    assert isinstance(event, e.EntryRevoked)
    assert event.version.state == "revoked"
    moved = {each.entry_id: (each.before, each.after) for each in event.moved}
    assert moved == {first.version.entry_id: (120, 0), second.version.entry_id: (60, 120)}
    cards = story.dossier.window.cards
    assert credited(cards[second.version.key], cards.values()) == 120


def test_a_correction_that_waits_may_be_revoked_whole() -> None:
    story = Story()
    approved = story.approved()
    (waits,) = story.does(story.correct(approved, changes=LONGER))
    (event,) = story.does(story.revoke(waits))
    assert event.version.state == "revoked"
    assert (story.credited, story.totals.pending_minutes) == (0, 0)


def test_what_was_never_approved_is_rejected_not_revoked() -> None:
    story = Story()
    recorded = story.recorded()
    assert story.refuses(story.revoke(recorded)) == r.EntryIsNotApproved("pending")


@pytest.mark.parametrize(
    ("reason", "refusal"),
    [
        (None, r.ReasonIsMissing()),
        ("  ", r.ReasonIsMissing()),
        ("because", r.FieldIsWrong("reason", "unknown")),
        ("false: 身份证11010519491231002X", r.TextHoldsPersonalData("reason")),
    ],
)
def test_a_revocation_says_why(reason, refusal) -> None:
    story = Story()
    approved = story.approved()
    assert story.refuses(story.revoke(approved, reason=reason)) == refusal


def test_a_reason_may_add_words_but_its_code_alone_goes_on_the_topic() -> None:
    story = Story()
    approved = story.approved()
    (event,) = story.does(story.revoke(approved, reason="not_present: 当天未到场"))
    assert event.version.body["reason"] == "not_present: 当天未到场"
    assert event.version.reason_code == "not_present"


def test_members_that_we_do_not_know_stay_in_the_next_version() -> None:  # R43
    story = Story()
    recorded = story.recorded()
    key = recorded.version.key
    body = {**recorded.version.body, "from_the_future": {"x": 1}}
    known = {key: (Known(replace(recorded.version, body=body), "log"),)}
    story.dossier = replace(story.dossier, window=replace(story.dossier.window, known=known))
    (event,) = story.does(story.approve(recorded))
    assert event.version.body["from_the_future"] == {"x": 1}


def test_versions_end_at_9999() -> None:
    story = Story()
    recorded = story.recorded()
    key = recorded.version.key
    last = replace(recorded.version, version=9999, body={**recorded.version.body, "version": 9999})
    story.dossier = replace(
        story.dossier, window=replace(story.dossier.window, known={key: (Known(last, "log"),)})
    )
    wrong = r.FieldIsWrong("version", "more_than_9999_versions")
    assert story.refuses(story.approve(recorded)) == wrong
    assert isinstance(story.approve(recorded), c.ApproveEntry)
