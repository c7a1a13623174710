"""Does a sheet become entries row by row, nothing lost, nothing doubled, decided by two?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import product
from typing import get_args

import pytest

from services.records.domain.batches import commands as c
from services.records.domain.batches import events as e
from services.records.domain.batches import rejections as r
from services.records.domain.batches.decider import decide, evolve
from services.records.domain.batches.state import BatchRow, Counts, RowDone
from services.records.domain.dossiers.commands import Source
from services.records.domain.rejections import (
    ActorMayNot,
    DecisionIsMissing,
    FieldIsWrong,
    OrganisationIsUnknown,
    ReasonIsMissing,
    RecordedByYou,
    RecorderMayNotAct,
    SubjectIsUnknown,
)
from shared.messages import Grant, Rejection
from tests.domain.records.story import (
    APPROVER,
    CITY_REVIEWER,
    LI_HUA,
    OTHER_APPROVER,
    OTHER_RECORDER,
    RECORDER,
    Story,
    organisation,
    sanction,
)
from tests.domain.records_batches.sheets import DIGEST, SheetStory, closed, filled


def kinds(events) -> list[str]:
    return [type(event).__name__ for event in events]


# --- opening ------------------------------------------------------------------------------------


def test_a_recorder_opens_a_sheet():
    sheet = SheetStory()
    (opened,) = sheet.does(sheet.open())
    assert isinstance(opened, e.BatchOpened)
    assert (opened.sheet.rows, opened.sheet.opened_by) == (3, "staff-07")


def test_the_same_sheet_again_names_the_batch_it_was():  # S12, R15
    first = closed()
    again = first.same_sheet("staff-07", open_=False)
    assert again.refuses(again.open()) == r.SameSheetImported(first.batch.batch_id)


def test_a_sheet_that_was_cut_off_is_resumed_by_its_opener_alone():  # S12
    first = filled(2)
    again = first.same_sheet("staff-07", open_=True)
    assert again.does(again.open()) == ()
    another = first.same_sheet("someone-else", open_=True)
    assert another.refuses(another.open()) == r.SameSheetImported(first.batch.batch_id)


def test_opening_twice_is_silence():
    sheet = filled(1)
    assert sheet.does(sheet.open()) == ()


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (lambda s: s.open(actor=OTHER_RECORDER), ActorMayNot()),
        (lambda s: s.open(actor=APPROVER), ActorMayNot()),
        (lambda s: s.open(rows=0), FieldIsWrong("rows", "not_1_to_100000")),
        (lambda s: s.open(rows=100_001), FieldIsWrong("rows", "not_1_to_100000")),
        (
            lambda s: s.open(declared_minutes=-1),
            FieldIsWrong("declared_minutes", "out_of_range"),
        ),
        (lambda s: s.open(kind="legacy"), ActorMayNot()),
        (lambda s: s.open(kind="legacy", actor=CITY_REVIEWER), DecisionIsMissing()),
    ],
)
def test_a_sheet_is_not_opened(make, answer):
    sheet = SheetStory()
    assert sheet.refuses(make(sheet)) == answer


def test_a_body_unknown_here_is_waited_for_and_a_stopped_one_refused():  # R18
    sheet = SheetStory()
    sheet.batch = replace(sheet.batch, organisation=None)
    assert sheet.refuses(sheet.open()) == OrganisationIsUnknown("org-team")
    stopped = organisation(sanctions=(sanction(date(2026, 1, 1)),))
    sheet.batch = replace(sheet.batch, organisation=stopped)
    assert sheet.refuses(sheet.open()) == RecorderMayNotAct("stop_and_rectify")


# --- rows ---------------------------------------------------------------------------------------


def test_a_row_becomes_a_pending_entry_and_is_counted():
    sheet = SheetStory()
    sheet.does(sheet.open())
    recorded, imported = sheet.does(sheet.row(1))
    assert (recorded.version.state, recorded.version.minutes) == ("pending", 120)
    assert recorded.version.body["detail"]["evidence_class"] == "batch_import"
    assert (imported.row_no, imported.repeat) == (1, False)
    assert imported.entry_id == recorded.version.entry_id
    assert sheet.batch.row.counts == Counts(imported=1, minutes=120)


def test_a_row_that_is_done_is_silence():
    sheet = filled(2)
    assert sheet.does(sheet.row(2, occurred_on=date(2026, 9, 2))) == ()


def test_a_fact_that_stands_already_is_a_repeat_that_names_its_entry():  # S12, R15
    first = filled(3)
    again = SheetStory(story=first.story)
    again.does(again.open(sheet_digest="e" * 64))
    (imported,) = again.does(again.row(1, occurred_on=date(2026, 9, 1)))
    assert imported.repeat and imported.entry_id == first.batch.rows[1].entry_id
    assert again.batch.row.counts == Counts(repeats=1, minutes=120)


def test_a_retyped_row_with_other_minutes_is_held():  # S12
    first = filled(3)
    again = SheetStory(story=first.story)
    again.does(again.open(sheet_digest="e" * 64))
    (held,) = again.does(again.row(1, occurred_on=date(2026, 9, 1), minutes=90))
    assert (held.reason, held.same_as_row) == ("SameFactExists", None)


def test_two_equal_rows_of_one_sheet_are_held_not_swallowed():  # S12, R15
    sheet = SheetStory()
    sheet.does(sheet.open())
    sheet.does(sheet.row(1))
    (held,) = sheet.does(sheet.row(2))
    assert (held.reason, held.same_as_row) == ("SameFactExists", 1)
    corrected = SheetStory(story=sheet.story)
    corrected.does(corrected.open(sheet_digest="e" * 64, rows=1))
    assert kinds(corrected.does(corrected.row(1, distinct=2))) == [
        "EntryRecorded",
        "RowImported",
    ]


def test_two_equal_rows_are_held_also_where_the_fact_came_before_the_sheet():  # R15
    first = filled(1)
    again = SheetStory(story=first.story)
    again.does(again.open(sheet_digest="e" * 64, rows=2))
    again.does(again.row(1, occurred_on=date(2026, 9, 1)))
    (held,) = again.does(again.row(2, occurred_on=date(2026, 9, 1)))
    assert (held.reason, held.same_as_row) == ("SameFactExists", 1)
    assert again.batch.row.counts == Counts(repeats=1, held=1, minutes=120)


def test_two_spans_of_one_day_are_two_facts():  # S12
    sheet = SheetStory()
    sheet.does(sheet.open())
    timed = {"occurred_on": None, "minutes": None}
    sheet.does(sheet.row(1, start="2026-09-19 09:00", end="2026-09-19 11:00", **timed))
    sheet.does(sheet.row(2, start="2026-09-19 14:00", end="2026-09-19 16:00", **timed))
    assert sheet.batch.row.counts.imported == 2


@pytest.mark.parametrize(
    ("facts", "reason", "field"),
    [
        ({"minutes": 0}, "MinutesAreNotPositive", None),
        ({"category": "duty_work"}, "NotVolunteerService", None),
        ({"occurred_on": date(2027, 1, 1)}, "ServiceIsInTheFuture", None),
        ({"category": "picnic"}, "FieldIsWrong", "category"),
        ({"content": "电话 13800138000"}, "TextHoldsPersonalData", "content"),
    ],
)
def test_a_row_that_recording_refuses_is_held_with_its_reason(facts, reason, field):
    sheet = SheetStory()
    sheet.does(sheet.open())
    (held,) = sheet.does(sheet.row(1, **facts))
    assert (held.reason, held.field) == (reason, field)
    assert sheet.batch.row.counts == Counts(held=1)


def test_what_was_wrong_before_the_ledger_is_held():  # S12, S13
    sheet = SheetStory()
    sheet.does(sheet.open())
    for number, reason in enumerate(("NameDiffers", "UnitIsNotRepresentable"), start=1):
        (held,) = sheet.does(sheet.held(number, reason))
        assert held.reason == reason
    assert sheet.batch.row.counts.held == 2


def test_a_row_whose_person_is_not_here_yet_is_asked_for_again_or_held_at_last():  # S1
    sheet = SheetStory(story=Story(opened=False))
    sheet.does(sheet.open())
    assert sheet.refuses(sheet.row(1)) == SubjectIsUnknown()
    (held,) = sheet.does(sheet.row(1, final=True))
    assert held.reason == "SubjectIsUnknown"


def test_a_source_id_of_another_person_is_wrong():  # R15
    sheet = SheetStory("national")
    sheet.does(sheet.open())
    sheet.does(sheet.row(1, source=Source(system="national", id="n-1")))
    other = SheetStory("national", story=sheet.story)
    other.does(other.open(sheet_digest="e" * 64))
    claims = {
        key: replace(claim, subject_id="0" * 32)
        for key, claim in sheet.story.dossier.window.claims.items()
    }
    window = replace(sheet.story.dossier.window, claims=claims)
    sheet.story.dossier = replace(sheet.story.dossier, window=window)
    source = Source(system="national", id="n-1")
    (held,) = other.does(other.row(1, occurred_on=date(2026, 9, 5), source=source))
    assert (held.reason, held.field) == ("FieldIsWrong", "source.id")


def test_only_the_opener_sends_rows_and_only_of_the_sheet():
    sheet = SheetStory()
    sheet.does(sheet.open())
    assert sheet.refuses(sheet.row(1, actor=OTHER_RECORDER)) == ActorMayNot()
    assert sheet.refuses(sheet.row(4)) == FieldIsWrong("row_no", "not_in_this_sheet")
    done = closed()
    late = replace(done.row(1), row_no=3)
    done.batch = replace(done.batch, rows={})
    assert done.refuses(late) == r.BatchIsNotOpen("closed")


# --- closing and deciding -----------------------------------------------------------------------


def test_a_sheet_is_closed_when_all_rows_are_there():
    sheet = filled(3)
    (event,) = sheet.does(sheet.close())
    assert (event.imported, event.held, event.repeats, event.minutes) == (3, 0, 0, 360)
    assert sheet.does(sheet.close()) == ()


def test_missing_rows_keep_it_open():
    sheet = SheetStory()
    sheet.does(sheet.open())
    sheet.does(sheet.row(1))
    assert sheet.refuses(sheet.close()) == r.RowsAreMissing(2)


def test_declared_minutes_must_agree_where_no_row_is_held():
    sheet = filled(3, declared_minutes=350)
    assert sheet.refuses(sheet.close()) == r.MinutesDisagreeWithDeclared(360, 350)
    with_held = SheetStory()
    with_held.does(with_held.open(rows=1, declared_minutes=350))
    with_held.does(with_held.held(1))
    assert kinds(with_held.does(with_held.close())) == ["BatchClosed"]


def test_only_the_opener_closes():
    sheet = filled(3)
    assert sheet.refuses(sheet.close(actor=APPROVER)) == ActorMayNot()


def test_a_second_person_approves_and_the_rows_are_approved_as_she_would():
    sheet = closed()
    (event,) = sheet.does(sheet.approve())
    assert event.decided_by == APPROVER
    for number in (1, 2, 3):
        (approved,) = sheet.does(sheet.decide_row(number))
        assert approved.version.state == "approved"
    assert sheet.story.credited == 360
    assert sheet.does(sheet.approve()) == ()


def test_what_a_decision_does_not_reach_stays_and_is_listed():  # R19, S9
    sheet = closed()
    herself = replace(APPROVER, subject_id=LI_HUA)
    sheet.does(sheet.approve(actor=herself))
    (refused,) = sheet.does(sheet.decide_row(1, actor=herself))
    assert (refused.decision, refused.reason) == ("approve", "OwnEntry")
    # As its job was told, whatever was decided on the batch meanwhile.
    late = replace(sheet.decide_row(1, actor=herself), decision="reject")
    assert sheet.does(late)[0].decision == "reject"
    assert sheet.story.credited == 0


@pytest.mark.parametrize(
    ("state", "make", "answer"),
    [
        (closed, lambda s: s.approve(actor=OTHER_APPROVER), ActorMayNot()),
        (
            closed,
            lambda s: s.approve(actor=replace(APPROVER, actor_id="staff-07")),
            RecordedByYou(),
        ),
        (filled, lambda s: s.approve(), r.BatchIsOpen()),
        (closed, lambda s: s.reject(actor=OTHER_APPROVER), ActorMayNot()),
        (closed, lambda s: s.reject(reason="Not A Code"), FieldIsWrong("reason", "no_code")),
        (closed, lambda s: s.revoke(), r.BatchIsNotApproved("closed")),
        (closed, lambda s: s.revoke(actor=OTHER_RECORDER), ActorMayNot()),
        (closed, lambda s: s.revoke(actor=CITY_REVIEWER), DecisionIsMissing()),
        (closed, lambda s: s.revoke(reason=" "), ReasonIsMissing()),
    ],
)
def test_a_decision_is_refused(state, make, answer):
    sheet = state()
    assert sheet.refuses(make(sheet)) == answer


def test_a_decided_batch_is_decided():
    sheet = closed()
    sheet.does(sheet.reject())
    assert sheet.refuses(sheet.approve()) == r.BatchIsDecided("rejected")
    assert sheet.does(sheet.reject()) == ()
    approved = closed()
    approved.does(approved.approve())
    assert approved.refuses(approved.reject()) == r.BatchIsDecided("approved")


def test_the_opener_may_reject_what_she_sent():
    sheet = filled(2)
    assert kinds(sheet.does(sheet.reject(actor=RECORDER))) == ["BatchRejected"]


def test_an_approved_batch_is_revoked_once():
    sheet = closed()
    sheet.does(sheet.approve())
    assert kinds(sheet.does(sheet.revoke())) == ["BatchRevoked"]
    assert sheet.does(sheet.revoke()) == ()
    assert sheet.refuses(sheet.approve()) == r.BatchIsDecided("revoked")


def test_a_legacy_sheet_is_approved_under_its_decision_when_closed():
    sheet = SheetStory("legacy")
    reviewer = replace(CITY_REVIEWER, grants=(*CITY_REVIEWER.grants, Grant("recorder", "org-team")))
    sheet.does(sheet.open(actor=reviewer, rows=1, decision_id="decision-3"))
    recorded, _ = sheet.does(
        sheet.row(1, actor=reviewer, occurred_on=date(2010, 5, 1), minutes=9_000)
    )
    assert recorded.version.state == "approved" and recorded.version.counted_minutes == 9_000
    assert kinds(sheet.does(sheet.close(actor=reviewer))) == ["BatchClosed", "BatchApproved"]


def test_a_job_goes_on_page_by_page():
    sheet = closed()
    sheet.does(sheet.approve())
    more = c.AdvanceBatch(**sheet.head(APPROVER), decision="approve", after=2)
    assert kinds(sheet.does(more)) == ["BatchAdvanced"]
    assert sheet.does(replace(more, after=None)) == ()


# --- every pair ---------------------------------------------------------------------------------


def shapes() -> dict[str, SheetStory]:
    rejected, approved, revoked = closed(), closed(), closed()
    rejected.does(rejected.reject())
    approved.does(approved.approve())
    revoked.does(revoked.approve())
    revoked.does(revoked.revoke())
    return {
        "absent": SheetStory(),
        "open": filled(),
        "closed": closed(),
        "approved": approved,
        "rejected": rejected,
        "revoked": revoked,
    }


def commands(sheet: SheetStory) -> dict[str, c.BatchCommand]:
    sheet = closed() if sheet.batch.row.status == "absent" else sheet
    rows = sheet.batch.rows
    sheet.batch = replace(sheet.batch, rows={1: RowDone(state="imported", entry_id="x")} | rows)
    return {
        "OpenBatch": sheet.open(),
        "ImportRow": sheet.row(2),
        "CloseBatch": sheet.close(),
        "ApproveBatch": sheet.approve(),
        "RejectBatch": sheet.reject(),
        "RevokeBatch": sheet.revoke(),
        "DecideRow": sheet.decide_row(1),
        "AdvanceBatch": c.AdvanceBatch(**sheet.head(APPROVER), decision="approve", after=1),
    }


def test_the_pairs_are_all_commands_and_states():
    assert set(commands(filled())) == {one.__name__ for one in c.BatchCommand.__subclasses__()}
    assert set(shapes()) == {
        one.__dataclass_fields__["status"].default for one in get_args(BatchRow)
    }
    assert DIGEST


@pytest.mark.parametrize(("state", "command"), list(product(shapes(), commands(filled()))))
def test_every_pair_gives_events_silence_or_a_refusal(state, command):
    sheet = shapes()[state]
    given = commands(sheet)[command]
    answer = decide(sheet.batch, given, sheet.story.city, sheet.story.dossier)
    assert isinstance(answer, tuple | Rejection)
    if state == "absent" and command != "OpenBatch":
        assert answer == r.BatchIsUnknown()
    for event in answer if isinstance(answer, tuple) else ():
        if isinstance(event, e.BatchEvent):
            sheet.batch = evolve(sheet.batch, event)
