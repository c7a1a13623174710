"""Does every message of a batch end in exactly one way?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.messages import Command, Message, Unreadable
from shared.reader import Raw, Source
from shared.reader.plan import BEHIND, GAP, UNREADABLE, Defect, Known, Plan, plan
from tests.support.counter import TOTALS, react_by_adding
from tests.support.reading import added, at, event_id, spoilt

SOURCE = Source(TOTALS, react_by_adding)
NOTHING = Known(last={}, heads={})


def judged(batch: Sequence[Raw], known: Known = NOTHING, **held: str) -> Plan:
    return plan(SOURCE, batch, known, {(0, int(n.lstrip("o"))): why for n, why in held.items()})


def parked(done: Plan) -> list[tuple[str, int, str, str]]:
    return [(one.key, one.sequence, one.reason, one.due) for one in done.parked]


def test_the_next_message_of_a_key_becomes_its_commands():
    done = judged([added("a", 1), added("a", 2)])
    assert [command.counter for command in done.commands] == ["copy-a", "copy-a"]  # type: ignore[attr-defined]
    assert done.moves == {"a": (0, 2)}
    assert done.ends == {0: 2}
    assert not done.parked and not done.dead


def test_what_its_key_has_passed_is_a_repeat_wherever_it_stands():  # F30, INV-2
    done = judged([added("a", 3, offset=70), added("a", 4, offset=71)], Known({"a": 4}, {}))
    assert (done.commands, done.repeats, done.moves, done.ends) == ([], 2, {}, {0: 72})


def test_a_gap_is_never_skipped_silently():  # INV-13
    done = judged(at([added("a", 1), added("a", 3), added("a", 4), added("b", 1)]))
    assert done.moves == {"a": (0, 1), "b": (0, 1)}
    assert parked(done) == [("a", 3, GAP, "later"), ("a", 4, BEHIND, "never")]


def test_the_first_sequence_of_a_key_must_be_one():
    assert parked(judged([added("a", 2)])) == [("a", 2, GAP, "later")]


def test_what_closes_a_gap_is_tried_at_once():
    done = judged([added("a", 2)], Known({"a": 1}, {"a": 3}))
    assert parked(done) == [("a", 2, BEHIND, "now")]
    assert not done.commands, "in order, behind nothing that was parked before"


def test_an_unreadable_message_is_dead_lettered_and_its_key_waits_for_it():  # F20
    done = judged(at([added("a", 1), spoilt(added("a", 2)), added("a", 3), added("b", 1)]))
    assert [(letter.kind, letter.raw.offset) for letter in done.dead] == [("unreadable", 1)]
    assert parked(done) == [("a", 2, UNREADABLE, "later"), ("a", 3, BEHIND, "never")]
    assert done.moves == {"a": (0, 1), "b": (0, 1)}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: replace(record, key=b"\xff\xfe"),
        lambda record: replace(record, key=None),
        lambda record: replace(record, headers=()),
        lambda record: replace(record, value=None, headers=()),
        lambda record: replace(record, key=b"a\0b"),
    ],
)
def test_bytes_without_key_or_sequence_are_dead_lettered_alone(spoil):  # F20
    done = judged(at([spoil(added("a", 1)), added("b", 1)]))
    assert len(done.dead) == 1 and not done.parked
    assert done.moves == {"b": (0, 1)} and done.ends == {0: 2}


def test_data_that_is_no_fact_is_unreadable_too():
    record = added("a", 1)
    done = judged([spoilt(record, b"{}")])
    assert [letter.reason for letter in done.dead] == ["counter is missing"]
    assert parked(done) == [("a", 1, UNREADABLE, "later")]


def test_an_unreadable_repeat_is_only_a_repeat():
    done = judged([spoilt(added("a", 1))], Known({"a": 1}, {}))
    assert (done.repeats, done.dead, done.parked) == (1, [], [])


def test_a_message_that_must_wait_parks_its_key_alone():
    done = judged(at([added("a", 1), added("a", 2), added("b", 1)]), o0="waits: x")
    assert parked(done) == [("a", 1, "waits: x", "later"), ("a", 2, BEHIND, "never")]
    assert done.moves == {"b": (0, 1)}


def test_a_defect_names_the_record_that_met_it():
    def react(message: Message) -> tuple[Command, ...]:
        if message.sequence == 2:
            raise ZeroDivisionError
        return ()

    records = [added("a", 1), added("a", 2), added("a", 3)]
    with pytest.raises(Defect) as met:
        plan(Source(TOTALS, react), records, NOTHING, {})
    assert met.value.raw is records[1]


def test_one_command_id_for_two_facts_is_a_defect():
    def react(message: Message) -> tuple[Command, ...]:
        return react_by_adding(replace(message, event_id=event_id("one", 1)))

    with pytest.raises(Defect):
        plan(Source(TOTALS, react), [added("a", 1), added("a", 2)], NOTHING, {})


def test_without_sequences_nothing_is_a_gap_or_a_repeat():
    source = Source(TOTALS, react_by_adding, sequenced=False)
    done = plan(source, at([added("a", 7), added("a", 3)]), NOTHING, {})
    assert (len(done.commands), done.moves, done.parked) == (2, {}, [])


def test_the_reason_of_a_refusal_to_read_quotes_no_value():  # INV-15
    def react(message: Message) -> tuple[Command, ...]:
        raise Unreadable("duration_minutes is no number")

    done = plan(Source(TOTALS, react), [added("a", 1, name="王小明")], NOTHING, {})
    assert [letter.reason for letter in done.dead] == ["duration_minutes is no number"]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_cut_order_and_repetition_applies_each_once_in_order_and_loses_none(data):  # INV-11, 13
    keys = ["a", "b", "c"]
    stream = [added(key, n) for key in keys for n in range(1, 6)]
    stream = data.draw(st.permutations(stream)) + data.draw(
        st.lists(st.sampled_from(stream), max_size=6)
    )
    last: dict[str, int] = {}
    waiting: dict[tuple[str, int], Raw] = {}
    applied: list[tuple[str, int]] = []

    def take(batch: Sequence[Raw], draining: frozenset[str]) -> None:
        heads: dict[str, int] = {}
        for key, sequence in sorted(waiting):
            if key not in draining:
                heads.setdefault(key, sequence)
        done = plan(SOURCE, batch, Known(dict(last), heads), {})
        for key, (before, after) in done.moves.items():
            assert last.get(key, 0) == before
            last[key] = after
        applied.extend(
            (message.key, message.sequence or 0) for message, _ in done.origin.values()
        )
        for one in done.done:
            waiting.pop(one, None)
        for one in done.parked:
            waiting.setdefault((one.key, one.sequence), one.raw)
        assert len(batch) == len(done.done) + len(done.parked) + len(done.dead)

    rest = at(stream)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        take(rest[:size], frozenset())
        rest = rest[size:]
        ready = frozenset(key for key, _ in waiting)
        take([waiting[one] for one in sorted(waiting)], ready)
    assert not waiting
    assert sorted(applied) == [(key, n) for key in keys for n in range(1, 6)]
    for key in keys:
        assert [n for k, n in applied if k == key] == [1, 2, 3, 4, 5]
