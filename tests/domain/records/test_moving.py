"""Freeze, hold, thaw, depart, adopt, in any order (protocol.md 7; R30, R37, R38, B15, B34)."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from services.records.domain import rejections as r
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers import state as s
from services.records.domain.dossiers.state import MAX_HELD, Departed, Frozen, Home, Window
from services.records.domain.heads import state_digest
from services.records.domain.staging.state import Adopted, Ordered, Staged, StagingView
from tests.domain.records import story as w
from tests.domain.records.story import T1, T2, Story, names


def frozen(story: Story) -> Story:
    story.does(story.freeze())
    return story


def departed(story: Story) -> Story:
    story.does(story.depart())
    return story


# -- the fence ----------------------------------------------------------------------------------


def test_a_freeze_signs_the_head_of_that_moment() -> None:
    story = Story()
    story.approved()
    (event,) = story.does(story.freeze())
    assert isinstance(event, e.DossierFrozen)
    assert isinstance(story.dossier.row, Frozen)
    head = event.head
    assert (head["count"], head["epoch"], head["home"]) == (2, 1, "amber")
    assert head["totals"]["credited_minutes"] == 120
    assert head["kinds"]["service"] == 2
    assert head["state_digest"] == state_digest(story.dossier.window.lines.values())
    assert event.custody_epoch == 1


def test_what_comes_while_frozen_is_judged_answered_and_held() -> None:  # R30, B07
    story = Story()
    approved = story.approved()
    frozen(story)
    before = story.dossier.row.log
    (held,) = story.does(story.service("2026-09-20 09:00", "2026-09-20 10:00"))
    assert isinstance(held, e.LateChangeHeld)
    assert (held.transfer_id, held.moved, held.index, held.held_index) == (T1, (), None, 0)
    (changed,) = story.does(story.revoke(approved))
    assert isinstance(changed, e.LateChangeHeld)
    assert (changed.version.version, changed.held_index) == (3, 1)
    assert story.dossier.row.log == before
    assert story.credited == 120
    assert story.dossier.row.held == 2


def test_held_versions_are_read_for_same_fact_version_and_tier() -> None:
    story = frozen(Story())
    (held,) = story.does(story.service("2026-09-20 08:00", "2026-09-20 13:00"))
    assert story.does(story.service("2026-09-20 08:00", "2026-09-20 13:00")) == ()
    (approved,) = story.does(story.approve(held))
    assert approved.version.version == 2
    second = story.recorded("2026-09-20 13:00", "2026-09-20 18:00", activity_name="乙")
    assert story.refuses(story.approve(second)) == r.TierIsHigher("parent_organisation")


def test_a_frozen_dossier_takes_so_many_changes_and_then_asks_to_wait() -> None:  # 20,000
    story = frozen(Story())
    story.dossier = story.dossier.over(held=MAX_HELD)
    refusal = story.refuses(story.service())
    assert refusal == r.TooManyAreHeld()
    assert refusal.waits


def test_a_thaw_joins_what_was_held_in_the_order_of_its_arrival() -> None:  # R37, S22, S27, B06
    story = Story()
    first = story.approved("2026-09-19 09:00", "2026-09-19 11:00", activity_name="甲")
    frozen(story)
    late = story.recorded("2026-09-19 10:00", "2026-09-19 12:00", activity_name="乙")
    story.does(story.approve(late))
    story.does(story.revoke(first))
    events = story.does(story.thaw())
    assert names(events) == ["DossierThawed", "EntryRecorded", "EntryApproved", "EntryRevoked"]
    assert [event.index for event in events[1:]] == [2, 3, 4]
    assert isinstance(story.dossier.row, Home)
    assert story.dossier.window.held == ()
    assert story.credited == 120
    assert all(event.made_here is False for event in events[1:])  # B26


def test_frozen_thawed_or_never_frozen_the_same_hours_count() -> None:  # R30, INV-11
    def hours(story: Story, freezes: bool) -> int:
        first = story.approved("2026-09-19 09:00", "2026-09-19 11:00", activity_name="甲")
        if freezes:
            frozen(story)
        second = story.recorded("2026-09-19 10:00", "2026-09-19 12:00", activity_name="乙")
        story.does(story.approve(second))
        story.does(story.correct(first, changes={"ended_at": w.at("2026-09-19 11:10")}))
        if freezes:
            story.does(story.thaw())
        return story.credited

    assert hours(Story(), True) == hours(Story(), False) == 180


def test_a_freeze_said_again_is_answered_again_with_the_same_head() -> None:
    story = Story()
    (first,) = story.does(story.freeze())
    row = story.dossier.row
    assert story.does(story.freeze()) == (first,)
    assert story.dossier.row == row


def test_a_freeze_for_another_epoch_or_an_ended_move_is_silence() -> None:  # B15
    story = Story()
    assert story.does(story.freeze(epoch=2)) == ()
    story.does(story.thaw())
    assert story.dossier.row.transfer_seen == {T1: "aborted"}
    assert story.does(story.freeze()) == ()
    assert isinstance(story.dossier.row, Home)
    unheard = Story(opened=False)
    assert unheard.does(unheard.freeze()) == ()


def test_a_fence_is_never_overwritten_what_was_held_joins_first() -> None:  # B34
    story = frozen(Story())
    story.recorded()
    events = story.does(story.freeze(T2))
    assert names(events) == ["DossierThawed", "EntryRecorded", "DossierFrozen"]
    assert events[0].transfer_id == T1
    assert events[2].transfer_id == T2
    assert events[2].head["count"] == 1
    assert story.dossier.row.held == 0
    assert story.does(story.freeze(T1)) == ()  # it ended
    assert story.does(story.thaw(T1)) == ()


def test_a_large_dossier_is_fenced_first_and_its_head_follows() -> None:
    story = Story()
    story.dossier = replace(story.dossier, window=replace(story.dossier.window, lines=None))
    (fence,) = story.does(story.freeze())
    assert isinstance(fence, e.FenceRaised)
    assert story.does(story.freeze()) == ()  # its head is not reckoned yet
    assert isinstance(story.recorded(), e.LateChangeHeld)
    finish = w.finish_freeze(story, "cd" * 32)
    (event,) = story.does(finish)
    assert isinstance(event, e.DossierFrozen)
    assert event.head["state_digest"] == "cd" * 32
    assert story.does(w.finish_freeze(story, "ef" * 32)) == ()
    story.does(story.thaw())
    assert story.does(w.finish_freeze(story, "ef" * 32)) == ()


# -- departure ----------------------------------------------------------------------------------


def test_after_the_release_the_dossier_is_elsewhere_and_changes_are_held_for_it() -> None:  # R31
    story = Story()
    approved = story.approved()
    frozen(story)
    (event,) = story.does(story.depart())
    assert (event.new_epoch, event.home, event.custody_epoch) == (2, "birch", 1)
    row = story.dossier.row
    assert isinstance(row, Departed)
    (late,) = story.does(story.service("2026-09-20 09:00", "2026-09-20 10:00"))  # S23
    (revoked,) = story.does(story.revoke(approved))
    assert (late.transfer_id, late.custody_epoch, late.moved) == (T1, 1, ())
    assert (revoked.version.version, revoked.held_index) == (3, 1)
    assert story.credited == 120  # what departed keeps its figures as they were


def test_an_order_carried_out_is_answered_again() -> None:
    story = departed(frozen(Story()))
    row = story.dossier.row
    (event,) = story.does(story.depart())
    assert isinstance(event, e.DossierDeparted)
    assert story.dossier.row == row


def test_a_release_that_is_read_first_departs_and_the_freeze_is_silence() -> None:  # F15
    story = Story()
    story.approved()
    departed(story)
    assert story.does(story.freeze()) == ()
    assert isinstance(story.dossier.row, Departed)


def test_what_cannot_be_in_a_right_history_is_refused_with_an_alarm() -> None:
    story = frozen(Story())
    assert story.refuses(story.depart(T2)) == r.FencedByAnother(T1)
    assert story.refuses(story.depart(epoch=3)) == r.EpochIsStale(1)
    departed(story)
    assert story.refuses(story.thaw()) == r.DossierIsElsewhere("birch")
    unheard = Story(opened=False)
    assert unheard.refuses(unheard.depart()) == r.EpochIsStale(0)


def test_orders_of_an_older_epoch_are_silence() -> None:
    story = returned(departed(frozen(Story())))
    assert story.dossier.row.epoch == 3
    assert story.does(story.freeze(T2, epoch=1)) == ()
    assert story.does(story.depart(T2, epoch=1)) == ()


# -- adoption -----------------------------------------------------------------------------------


def staged(transfer: str = T1, digest: str = "ab" * 32) -> StagingView:
    order = Ordered(
        transfer_id=transfer,
        subject_id=w.LI_HUA,
        epoch=1,
        root="00" * 32,
        count=0,
        state_digest=digest,
        first_registered_on=w.date(2019, 3, 5),
        homes=("birch",),
        path="/internal/v1/objects/x",
    )
    return StagingView(Staged(order=order, log=s.Log(log_id="f" * 32), cells=(), stars=()))


STAGED_WINDOW = {"f" * 32: Window(lines={}, whole=True)}


def returned(story: Story) -> Story:
    """amber → birch → amber: adopted again under epoch 3."""
    window = w.window()
    story.dossier = replace(
        story.dossier,
        window=replace(story.dossier.window, adopted=STAGED_WINDOW),
    )
    story.does(story.adopt(T2, new_epoch=3), staged(T2))
    assert story.dossier.window.organisations == window.organisations
    return story


def test_an_adoption_is_one_row_and_one_event() -> None:  # B28
    story = Story(opened=False)
    events = story.does(story.adopt(), staged())
    (event,) = events
    assert isinstance(event, e.DossierAdopted)
    assert (event.custody_epoch, event.again) == (2, False)
    row = story.dossier.row
    assert isinstance(row, Home)
    assert (row.epoch, row.log.log_id, row.homes) == (2, "f" * 32, ("birch",))
    assert row.first_registered_on == w.date(2019, 3, 5)


def test_an_adoption_said_again_tells_what_stands_now() -> None:
    story = Story(opened=False)
    story.dossier = replace(
        story.dossier,
        window=replace(story.dossier.window, adopted=STAGED_WINDOW),
    )
    story.does(story.adopt(), staged())
    story.approved()
    row = story.dossier.row
    done = Adopted(transfer_id=T1, subject_id=w.LI_HUA, state_digest="ab" * 32, homes=("birch",))
    (event,) = story.does(story.adopt(), StagingView(done))
    assert event.again
    assert event.state_digest == "ab" * 32
    assert [each.minutes for each in event.cells] == [120]
    assert event.totals.credited_minutes == 120
    assert story.dossier.row == row


def test_without_a_staging_or_with_another_it_is_missing() -> None:
    story = Story(opened=False)
    assert names(story.does(story.adopt())) == ["StagingMissing"]
    other = staged(digest="cd" * 32)
    assert names(story.does(story.adopt(), other)) == ["StagingMissing"]


def test_an_adoption_of_an_epoch_that_is_over_is_refused() -> None:
    story = Story()
    assert story.refuses(story.adopt(new_epoch=1), staged()) == r.EpochIsStale(1)
    departed(frozen(story))
    assert story.refuses(story.adopt(T2, new_epoch=2), staged(T2)) == r.EpochIsStale(2)
    returned(story)
    assert story.does(story.thaw("9" * 64))[0].ending == "aborted"


def test_an_adoption_of_a_custody_that_is_over_is_silence() -> None:
    story = returned(departed(frozen(Story())))
    story.does(story.depart("3" * 64, epoch=3, home="cedar"))
    assert story.does(story.adopt(T2, new_epoch=3), staged(T2)) == ()


def test_what_was_held_for_the_old_custody_is_not_held_for_the_new() -> None:  # R38, S29
    story = departed(frozen(Story()))
    story.recorded()
    assert story.dossier.row.held == 1
    returned(story)
    assert isinstance(story.dossier.row, Home)
    assert story.dossier.window.held == ()


# -- any order ----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_freeze_and_abort_of_two_moves_in_any_order_leave_the_dossier_at_home(order) -> None:
    """The abort of the first is read before its freeze, or after, or between (B15)."""
    story = Story()
    commands = [story.freeze(T1), story.thaw(T1), story.thaw(T2)]
    for n in order:
        story.does(commands[n])
        story.does(
            story.service(f"2026-09-19 1{n}:00", f"2026-09-19 1{n}:30", activity_name=str(n))
        )
    row = story.dossier.row
    if isinstance(row, Frozen):
        # Only where the abort was never read after the freeze: here it always was.
        raise AssertionError("a fence stayed up for a move that had ended")
    assert row.log.count == 3
    assert story.totals.pending_minutes == 90


def test_at_the_thaw_each_version_stands_as_it_joins() -> None:
    story = frozen(Story())
    held = story.recorded()
    story.does(story.approve(held))
    _, recorded, approved = story.does(story.thaw())
    assert (recorded.version.version, recorded.stands) == (1, True)
    assert (approved.version.version, approved.stands) == (2, True)


def test_what_was_held_before_the_release_keeps_its_place_before_what_comes_after() -> None:
    story = frozen(Story())
    story.recorded()
    departed(story)
    later = story.recorded("2026-09-20 09:00", "2026-09-20 10:00")
    assert (later.held_index, story.dossier.row.held) == (1, 2)
