"""What arrives late from another city: judged one by one, once, in any order (10.3; R31, R44)."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.records.domain import rejections as r
from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.state import Departed
from services.records.domain.entries import Version, card_of
from services.records.domain.heads import state_digest, state_line, totals_of
from services.records.domain.overlap import sweep
from services.records.domain.totting import cells_of
from tests.domain.records import story as w
from tests.domain.records.story import T1, Story, foreign_version, judged, names


def test_a_late_entry_joins_once_however_often_it_is_sent() -> None:  # S23, INV-2
    story = Story()
    (joined, applied) = story.does(story.late(judged(foreign_version())))
    assert isinstance(joined, e.EntryApproved)
    assert joined.signed == {"body": joined.version.body, "kid": "k", "sig": "s"}
    assert [(each.cell.own, each.before, each.after) for each in joined.moved] == [(False, 0, 120)]
    assert (applied.new, applied.duplicates, applied.quarantined) == (1, 0, 0)
    for _ in range(3):
        (applied,) = story.does(story.late(judged(foreign_version())))
        assert (applied.new, applied.duplicates) == (0, 1)
    assert story.credited == 120


def test_service_in_two_cities_at_once_counts_once() -> None:  # R3, S15
    story = Story()
    story.approved("2026-09-19 09:00", "2026-09-19 11:00")
    story.does(story.late(judged(foreign_version())))
    assert story.credited == 180


VERSIONS = [
    foreign_version(version=1, state="pending"),
    foreign_version(version=2),
    foreign_version(version=3, state="pending", counted_minutes=120, minutes=150, reason="x"),
    foreign_version(version=4, state="approved", minutes=150, counted_minutes=150),
    foreign_version(version=5, state="revoked", counted_minutes=0, minutes=150, reason="false"),
]


@pytest.mark.parametrize("until", [2, 3, 4, 5])
def test_the_higher_version_wins_whatever_the_order_of_arrival(until: int) -> None:  # R44, B12, S25
    found = set()
    for order in permutations(VERSIONS[:until]):
        story = Story()
        for k, version in enumerate(order, 1):
            story.does(story.late(judged(version), k=k))
        row = story.dossier.row
        found.add((row.log.totals, row.log.count, tuple(story.dossier.window.lines.values())))
    assert len(found) == 1


def test_a_lower_version_that_comes_late_does_not_stand() -> None:  # S25
    story = Story()
    story.does(story.late(judged(foreign_version(version=2))))
    (event, _) = story.does(story.late(judged(foreign_version(version=1, state="pending")), k=2))
    assert event.stands is False
    assert event.moved == ()
    assert story.credited == 120


@pytest.mark.parametrize(
    ("state", "shape"),
    [
        ("pending", e.EntryRecorded),
        ("publicised", e.EntryShown),
        ("approved", e.EntryApproved),
        ("rejected", e.EntryRejected),
        ("disputed", e.DisputeOpened),
        ("revoked", e.EntryRevoked),
    ],
)
def test_what_arrives_has_the_event_of_its_state(state: str, shape: type) -> None:
    story = Story()
    (event, _) = story.does(story.late(judged(foreign_version(state=state))))
    assert type(event) is shape


def test_while_frozen_it_is_held_and_joins_at_the_thaw_as_its_issuer_signed_it() -> None:
    story = Story()
    story.does(story.freeze())
    (held, _) = story.does(story.late(judged(foreign_version())))
    assert isinstance(held, e.LateChangeHeld)
    assert story.credited == 0
    events = story.does(story.thaw())
    assert names(events) == ["DossierThawed", "EntryApproved"]
    assert events[1].made_here is False  # B26: never signed by us
    assert story.credited == 120


def test_a_former_home_passes_it_on() -> None:  # S24, B17
    story = Story()
    story.does(story.depart())
    (held, applied) = story.does(story.late(judged(foreign_version()), sender="birch"))
    assert isinstance(story.dossier.row, Departed)
    assert isinstance(held, e.LateChangeHeld)
    assert held.transfer_id == T1
    assert applied.new == 1
    (applied,) = story.does(story.late(judged(foreign_version())))
    assert applied.duplicates == 1


# -- quarantine (section 8, check 8; B49) -------------------------------------------------------


def test_one_that_fails_is_quarantined_and_the_others_join() -> None:
    story = Story()
    bad = judged(foreign_version("birch-01M4PSZ9M04JKNBNRKBQFY684V"), code="TR-404")
    events = story.does(story.late(bad, judged(foreign_version())))
    assert names(events) == ["EntryQuarantined", "EntryApproved", "SupplementApplied"]
    applied = events[-1]
    assert (applied.new, applied.quarantined) == (1, 1)
    assert applied.first_quarantined.code == "TR-404"
    assert story.credited == 120


def test_the_same_key_with_another_content_is_quarantined_not_overwritten() -> None:  # TR-411
    story = Story()
    story.does(story.late(judged(foreign_version())))
    other = foreign_version(minutes=60, counted_minutes=60)
    (kept, applied) = story.does(story.late(judged(other), k=2))
    assert kept.code == "TR-411"
    assert applied.quarantined == 1
    assert story.credited == 120


def test_what_stands_in_a_staging_under_that_key_binds_too() -> None:  # TR-411
    story = Story()
    entry = judged(foreign_version())
    stored = c.JudgedEntry(
        **{name: getattr(entry, name) for name in entry.__dataclass_fields__}
        | {"stored_digest": "00" * 32}
    )
    (kept, _) = story.does(story.late(stored))
    assert kept.code == "TR-411"


def test_an_entry_of_another_subject_is_quarantined() -> None:  # TR-404
    story = Story()
    (kept, _) = story.does(story.late(judged(foreign_version(subject_id=w.WANG))))
    assert kept.code == "TR-404"


@pytest.mark.parametrize("kind", ["star", "consumption", "adjustment"])
def test_kinds_of_a_home_come_from_homes_alone(kind: str) -> None:  # TR-412
    minutes = {"star": 0, "consumption": 60, "adjustment": -60}[kind]
    version = foreign_version(kind=kind, minutes=minutes, counted_minutes=minutes)
    story = Story()
    (kept, _) = story.does(story.late(judged(version)))
    assert kept.code == "TR-412"
    known = Story()
    known.dossier = known.dossier.over(homes=("birch",))
    assert names(known.does(known.late(judged(version)))) == ["EntryApproved", "SupplementApplied"]


def test_a_quarantined_version_that_passes_later_joins_as_if_it_came_now() -> None:
    story = Story()
    version = foreign_version()
    story.does(story.late(judged(version, code="TR-404")))
    release = c.ReleaseQuarantined(
        subject_id=w.LI_HUA, entries=(judged(version),), **story.common(w.SYSTEM)
    )
    assert names(story.does(release)) == ["EntryApproved", "QuarantineEnded"]
    assert story.credited == 120
    assert names(story.does(release)) == ["QuarantineEnded"]
    still = c.ReleaseQuarantined(
        subject_id=w.LI_HUA, entries=(judged(version, code="TR-404"),), **story.common(w.SYSTEM)
    )
    assert story.does(still) == ()


# -- the channel --------------------------------------------------------------------------------


def test_supplements_are_applied_in_the_order_of_k() -> None:  # INV-14, B18
    story = Story()
    refusal = story.refuses(story.late(judged(foreign_version()), k=2))
    assert refusal == r.SupplementIsEarly(1)
    assert refusal.waits
    story.does(story.late(judged(foreign_version()), k=1))
    assert story.does(story.late(k=2))
    assert story.does(story.late(k=1, sender="cedar"))  # a channel of its own


def test_before_the_dossier_is_here_a_supplement_waits() -> None:
    story = Story(opened=False)
    assert story.refuses(story.late(judged(foreign_version()))) == r.SubjectIsUnknown()
    received = c.ReceiveSupplement(
        subject_id=w.LI_HUA,
        transfer_id=T1,
        sender="birch",
        incarnation=1,
        k=1,
        digest="00" * 32,
        path="/x",
        **story.common(w.SYSTEM),
    )
    assert story.refuses(received) == r.SubjectIsUnknown()
    story.does(story.open())
    assert names(story.does(received)) == ["SupplementTaken"]
    released = c.ReleaseQuarantined(subject_id=w.WANG, entries=(), **story.common(w.SYSTEM))
    other = Story(w.WANG, opened=False)
    assert other.refuses(released) == r.SubjectIsUnknown()


# -- adjustments --------------------------------------------------------------------------------


def adjustment(of: str, **changes) -> c.JudgedEntry:
    detail = {
        "recorder": {"organisation_id": "gov"},
        "evidence_class": "decision",
        "body": {
            "refs": [{"issuer": of.split("-")[0], "entry_id": of, "version": 1}],
            "cause": "duplicate",
        },
    }
    values = {"minutes": -60, "counted_minutes": -60, "kind": "adjustment", "detail": detail}
    return judged(foreign_version("birch-01M4PSZ9M04JKNBNRKBQFY6999", **{**values, **changes}))


def test_an_adjustment_stands_in_the_cell_of_the_entry_it_reduces_and_moves_with_it() -> None:
    story = Story()
    story.dossier = story.dossier.over(homes=("birch",))
    approved = story.approved()
    (event, _) = story.does(story.late(adjustment(approved.version.entry_id)))
    (moved,) = event.moved
    assert (moved.cell.field_code, moved.before, moved.after) == ("community_affairs", 0, -60)
    assert story.credited == 60
    (event,) = story.does(story.correct(approved, changes={"field_code": "elderly_care"}))
    cells = [
        (each.entry_id[:5], each.cell.field_code, each.after - each.before) for each in event.moved
    ]
    assert cells == [
        ("amber", "community_affairs", -120),
        ("amber", "elderly_care", 120),
        ("birch", "community_affairs", 60),
        ("birch", "elderly_care", -60),
    ]
    assert story.credited == 60


def test_an_adjustment_that_comes_before_its_entry_finds_its_cell_later() -> None:
    story = Story()
    story.dossier = story.dossier.over(homes=("birch",))
    late = foreign_version()
    (event, _) = story.does(story.late(adjustment(late.entry_id)))
    assert event.moved[0].cell.field_code is None
    (event, _) = story.does(story.late(judged(late), k=2))
    by_cell: dict = {}
    for each in event.moved:
        by_cell[each.cell.field_code] = (
            by_cell.get(each.cell.field_code, 0) + each.after - each.before
        )
    assert by_cell == {"elderly_care": 60, None: 60}
    assert story.credited == 60


STARTS = ["2026-09-19T01:00:00Z", "2026-09-19T01:30:00Z", "2026-09-19T02:00:00Z"]
ENDS = ["2026-09-19T02:30:00Z", "2026-09-19T03:00:00Z", "2026-09-19T04:00:00Z"]


@st.composite
def histories(draw: st.DrawFn) -> list[Version]:
    """Entries of another city, each with its versions as its issuer may have made them."""
    found = []
    for n in range(draw(st.integers(1, 4))):
        entry = f"birch-01M4PSZ9M04JKNBNRKBQFY68{n}0"
        counted = 0
        for version in range(1, draw(st.integers(1, 4)) + 1):
            state = draw(st.sampled_from(["pending", "approved", "disputed", "revoked"]))
            minutes = draw(st.sampled_from([60, 90, 120]))
            if state != "pending":
                counted = minutes if state == "approved" else 0
            start, end = draw(st.sampled_from(STARTS)), draw(st.sampled_from(ENDS))
            body = {"category": "service", "started_at": start, "ended_at": end}
            found.append(
                foreign_version(
                    entry,
                    version,
                    state=state,
                    minutes=minutes,
                    counted_minutes=counted if version > 1 or state == "approved" else 0,
                    detail={"body": body},
                )
            )
    return found


@given(histories(), st.data())
@settings(max_examples=150, deadline=None)
def test_any_order_grouping_and_repetition_give_the_same_sums(found, data) -> None:  # INV-2, INV-11
    sent = data.draw(st.permutations([*found, *data.draw(st.lists(st.sampled_from(found)))]))
    story = Story()
    k = 0
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        k += 1
        story.does(story.late(*(judged(each) for each in sent[:size]), k=k))
        sent = sent[size:]
    cards = [card_of(each for each in found if each.key == key) for key in {v.key for v in found}]
    row = story.dossier.row
    assert row.log.count == len(found)
    assert row.log.totals == totals_of(cards)
    assert state_digest(story.dossier.window.lines.values()) == state_digest(
        state_line(card.standing) for card in cards
    )
    moved: dict = {}
    for event in story.events:
        for each in getattr(event, "moved", ()):
            moved[each.cell] = moved.get(each.cell, 0) + each.after - each.before
    # A subscriber that only adds what moved has the same sums, cell by cell (INV-10).
    covered = sweep(cards)
    truth = cells_of(
        (card.counting.cell("amber"), card.counted - covered.get(card.key, 0)) for card in cards
    )
    summed = {cell: n for cell, n in moved.items() if n}
    assert summed == {each.cell: each.minutes for each in truth}
