"""When is a client that says nothing taken for stuck?"""

from __future__ import annotations

from itertools import pairwise

from shared.reader.stalls import Stalls


def test_standing_still_with_more_to_read_is_a_stall_once_the_time_is_over():
    stalls = Stalls(30)
    assert [stalls.stands("t", 5, True, now) for now in (0, 10, 29, 30, 31)] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_a_client_that_is_slow_to_deliver_has_longer_after_each_joining():
    """Else it is told to join again before its first message, for ever."""
    stalls = Stalls(30)
    stalled = [now for now in range(3000) if stalls.stands("t", 5, now % 10 > 0, now)]
    assert stalled == [], "a time in which nothing was left to read begins anew"
    stalled = [now for now in range(3001, 6000) if stalls.stands("t", 5, True, now)]
    waits = [after - before for before, after in pairwise(stalled)]
    assert waits[:5] == [60, 120, 240, 480, 480]
    assert not stalls.stands("t", 6, True, 6000)
    assert stalls.stands("t", 6, True, 6030), "what moved is soon noticed when it stands again"


def test_going_on_or_having_read_all_is_none():
    stalls = Stalls(30)
    assert not any(stalls.stands("t", now, True, now) for now in range(0, 200, 10))
    assert not any(stalls.stands("u", 5, False, now) for now in range(0, 200, 10))
    assert not stalls.stands("u", 5, True, 200), "the time begins when there is more"


def test_topics_are_told_apart():
    stalls = Stalls(30)
    assert not stalls.stands("t", 5, True, 0)
    assert not stalls.stands("u", 5, True, 29)
    assert stalls.stands("t", 5, True, 30)
    assert not stalls.stands("u", 5, True, 31)
