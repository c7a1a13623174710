"""Overlapping time counts once, by arithmetic (R3, INV-2, INV-11, S14, B41)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from services.records.domain.entries import Card, Version, card_of
from services.records.domain.overlap import covered_by, credited, interval, moves, sweep
from tests.domain.records.story import Story

DAY = datetime(2026, 9, 19, tzinfo=UTC)


def version(
    n: int,
    start: int = 0,
    end: int = 0,
    counted: int = 60,
    issuer: str = "amber",
    number: int = 1,
    state: str = "approved",
    known_times: bool = True,
) -> Version:
    """Entry ``n`` (its place in the order of ULIDs) from second ``start`` to ``end``."""
    return Version(
        issuer=issuer,
        entry_id=f"{issuer}-{n:026d}",
        version=number,
        kind="service",
        state=state,
        minutes=max(counted, 1),
        counted_minutes=counted,
        occurred_on=date(2026, 9, 19),
        digest=f"{n:032x}{number:032x}",
        category="service",
        evidence_class="leader_entry",
        source_system=issuer,
        field_code=None,
        organisation_id="org-1",
        region_code="500106",
        late=False,
        due_on=None,
        review_tier=None,
        reason_code=None,
        started_at=DAY + timedelta(seconds=start) if known_times and start < end else None,
        ended_at=DAY + timedelta(seconds=end) if known_times and start < end else None,
        minutes_by_day={},
        reduces=None,
        labels={},
    )


def slow_shared(cards: list[Card]) -> dict[tuple[str, str], int]:
    """The rule as it is written, seconds as sets (rules.md INV-2)."""
    found, covered = {}, set()
    for card in sorted(cards, key=lambda each: (each.key[1][-26:], each.key[0])):
        span = interval(card)
        if span is None:
            continue
        seconds = set(range(*span))
        t, u = len(seconds), len(seconds - covered)
        shared = min(card.counted, t // 60 - u // 60)
        covered |= seconds
        if shared:
            found[card.key] = shared
    return found


@st.composite
def entries(draw: st.DrawFn) -> list[Version]:
    """A handful of entries in a narrow time, so that they meet often; odd seconds, ties, gaps."""
    found = []
    for n in range(draw(st.integers(1, 7))):
        start = draw(st.integers(0, 900))
        length = draw(st.one_of(st.integers(1, 400), st.sampled_from([60, 120, 300])))
        found.append(
            version(
                draw(st.integers(0, 4)),
                start,
                start + length,
                counted=draw(st.integers(0, length // 60 + 1)),
                issuer=draw(st.sampled_from(["amber", "birch"])) + str(n),
                known_times=draw(st.booleans()) or draw(st.booleans()),
            )
        )
    return found


@given(entries())
@settings(max_examples=400)
def test_the_sweep_is_the_slow_rule_in_seconds_as_sets(found: list[Version]) -> None:  # INV-2
    cards = [card_of([each]) for each in found]
    assert sweep(cards) == slow_shared(cards)


@given(entries(), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_each_entry_alone_is_credited_as_in_the_sweep(found: list[Version], random) -> None:
    cards = [card_of([each]) for each in found]
    random.shuffle(cards)
    shared = slow_shared(cards)
    for card in cards:
        assert credited(card, cards) == card.counted - shared.get(card.key, 0)


@given(entries(), st.data())
@settings(max_examples=300)
def test_what_one_change_moves_is_what_the_slow_rule_says(found: list[Version], data) -> None:
    """``moves`` looks at the entry and later ones that meet it; nothing else may have changed."""
    versions = {each.key: [each] for each in found}
    changed = data.draw(st.sampled_from(sorted(versions)))
    start = data.draw(st.integers(0, 900))
    following = replace(
        versions[changed][0],
        version=2,
        state=data.draw(st.sampled_from(["approved", "revoked", "pending"])),
        counted_minutes=data.draw(st.integers(0, 5)),
        started_at=DAY + timedelta(seconds=start),
        ended_at=DAY + timedelta(seconds=start + data.draw(st.integers(1, 400))),
    )
    before = {key: card_of(each) for key, each in versions.items()}
    after = {**before, changed: card_of([*versions[changed], following])}
    moved = {(each.issuer, each.entry_id): each for each in moves(before, after, changed, "amber")}
    was, now = slow_shared(list(before.values())), slow_shared(list(after.values()))
    for key in after:
        old = before[key].counted - was.get(key, 0)
        new = after[key].counted - now.get(key, 0)
        if old != new:
            assert (moved[key].before, moved[key].after) == (old, new)
        else:
            assert key not in moved


def test_entries_of_whole_minutes_sum_to_their_union() -> None:  # R3
    cards = [
        card_of([version(1, 0, 7200, 120)]),
        card_of([version(2, 3600, 10800, 120)]),
        card_of([version(3, 3600, 7200, 60)]),
    ]
    assert [credited(card, cards) for card in cards] == [120, 60, 0]
    assert covered_by(cards[2], cards) == (cards[0].key, cards[1].key)


def test_entries_that_touch_share_nothing() -> None:
    cards = [card_of([version(1, 0, 3600, 60)]), card_of([version(2, 3600, 7200, 60)])]
    assert sweep(cards) == {}


def test_a_correction_that_waits_keeps_the_times_that_were_approved() -> None:  # B41
    card = card_of(
        [
            version(1, 0, 3600, 60, number=2),
            version(1, 7200, 10800, 60, number=3, state="pending"),
        ]
    )
    assert interval(card) == (int(DAY.timestamp()), int(DAY.timestamp()) + 3600)


def test_three_overlapping_entries_count_180_in_whatever_order_they_are_approved() -> None:  # S14
    for order in permutations(range(3)):
        story = Story()
        entries_ = [
            story.recorded("2026-09-19 09:00", "2026-09-19 11:00", activity_name="甲"),
            story.recorded("2026-09-19 10:00", "2026-09-19 12:00", activity_name="乙"),
            story.recorded("2026-09-19 10:00", "2026-09-19 11:00", activity_name="丙"),
        ]
        assert story.credited == 0
        for n in order:
            story.does(story.approve(entries_[n]))
        assert story.credited == 180
        story.does(story.revoke(entries_[0]))
        cards = story.dossier.window.cards
        assert story.credited == 120
        assert [credited(cards[each.version.key], cards.values()) for each in entries_] == [
            0,
            120,
            0,
        ]
