"""What does a batch leave behind, and what when something stands in its way?"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from uuid import uuid5

import pytest

from shared.messages import Command, Message
from shared.reader import Limits, forget_cut, redrive
from shared.reader.plan import Raw
from shared.reader.store import reading
from tests.edge.reader.conftest import FAST, Bench, MakeBench
from tests.support.counter import (
    COUNTER,
    NAMESPACE,
    NOON,
    Break,
    CounterDomain,
    Move,
    react_by_adding,
)
from tests.support.infrastructure import eventually
from tests.support.reading import added, additions, at, rows, spoilt, totals


async def test_effects_progress_and_sequence_are_of_one_transaction(bench: Bench):
    await bench.deliver(at([added("a", 1), added("b", 1), added("a", 2, 5)]))
    assert await totals(bench.url) == {"a": 6, "b": 1}
    assert await bench.progress() == [(0, 3)]
    found = await rows(bench.url, "SELECT key, last_sequence, prev FROM source_key ORDER BY 1")
    assert [tuple(row) for row in found] == [("a", 2, 0), ("b", 1, 0)]
    transactions = await rows(
        bench.url,
        "SELECT DISTINCT xmin::text FROM (SELECT xmin FROM source_progress UNION ALL "
        "SELECT xmin FROM source_key UNION ALL SELECT xmin FROM aggregate "
        "UNION ALL SELECT xmin FROM event) AS all_rows",
    )
    assert len(transactions) == 1


async def test_a_replay_from_zero_does_no_harm_and_asks_for_nothing(bench: Bench):  # F30
    batch = at([added("a", n) for n in range(1, 9)])
    await bench.deliver(batch)
    await bench.deliver(batch[2:5])
    await bench.deliver(batch)
    assert (await totals(bench.url), await additions(bench.url)) == ({"a": 8}, 8)
    assert await bench.progress() == [(0, 8)]
    assert bench.count("repeat") == 3 + 8


async def test_reading_begins_where_the_work_ended_not_where_the_group_stands(bench: Bench):  # F30
    await bench.deliver(at([added("a", n) for n in range(1, 4)]))
    assert await bench.take_up(committed=900) == 3, "an acknowledgement had run ahead"
    assert await bench.take_up(committed=1) == 1, "a group that was reset is read again"
    assert await bench.take_up(committed=-1001) == 3


async def test_a_topic_made_anew_is_read_from_its_beginning(bench: Bench):  # F31
    await bench.deliver(at([added("a", n) for n in range(1, 4)]))
    bench.extents.topic_id = "two"
    assert await bench.take_up(committed=None) == 0
    await bench.deliver(at([added("a", n) for n in range(1, 6)]))
    assert await totals(bench.url) == {"a": 5}
    assert await bench.progress() == [(0, 5)]


async def test_a_log_that_lost_its_tail_is_read_from_its_end(bench: Bench):  # F31
    await bench.deliver(at([added("a", n) for n in range(1, 10)]))
    bench.extents.end = 4
    assert await bench.take_up() == 4


async def test_a_log_cut_before_it_was_read_stops_the_reader_until_mended(bench: Bench):  # F31
    await bench.deliver(at([added("a", 1)]))
    bench.extents.start = 5
    await bench.take_up()
    waiting = asyncio.ensure_future(bench.deliver(at([added("a", 6)], 5)))
    await eventually(lambda: "jiexu republish" in bench.core.troubles.get("stopped", ""), "stops")
    assert not waiting.done()
    async with reading(bench.core.database) as connection:
        assert await forget_cut(connection, ["counter.totals.v1"]) == 1
    await bench.drain.once()
    assert bench.leave.is_set(), "the adapter joins again and takes the partition up afresh"
    assert await bench.take_up() == 5
    await asyncio.wait_for(waiting, 30)
    await bench.take_up()  # what waited may have come between, and made it join once more
    await bench.deliver(at([added("a", 6)], 5))
    assert await bench.parked() == [("a", 6, "gap")]
    await bench.deliver(at([added("a", n) for n in range(1, 6)], 6))
    await bench.drain.once()
    assert await totals(bench.url) == {"a": 6}


async def test_a_zombie_writes_nothing_more(make_bench: MakeBench):  # F4
    old: Bench = await make_bench()
    await old.take_up()
    await old.deliver(at([added("a", 1)]))
    new: Bench = await make_bench()
    await new.take_up()
    before = await rows(old.url, "SELECT xmin::text, * FROM source_progress")
    await old.deliver(at([added("a", 2), added("b", 1)], 1))
    assert await rows(old.url, "SELECT xmin::text, * FROM source_progress") == before
    assert await totals(old.url) == {"a": 1}
    assert old.leave.is_set(), "it asks its group what is still its own"
    await new.deliver(at([added("a", 2), added("b", 1)], 1))
    assert await totals(old.url) == {"a": 2, "b": 1}
    assert old.exits == new.exits == []


async def test_a_zombie_is_fenced_even_between_its_look_and_its_write(make_bench: MakeBench):  # F4
    new: Bench = await make_bench()

    class Slow(CounterDomain):
        async def prepare(self, decided):  # the new reader takes over meanwhile
            await new.take_up()

    old: Bench = await make_bench(domain=Slow())
    await old.take_up()
    await old.deliver([added("a", 1)])
    assert await totals(old.url) == {}
    assert await rows(old.url, "SELECT * FROM source_key") == []
    assert old.leave.is_set()


@pytest.mark.parametrize(
    ("move", "left"),
    [
        ("UPDATE source_progress SET next_offset = 1", 2),
        ("INSERT INTO source_key VALUES ('counter.totals.v1', 'a', 1, 0)", 1),
    ],
)
async def test_what_moved_since_the_look_is_looked_at_again(
    make_bench: MakeBench, move: str, left: int
):
    """Delivered again beside a commit whose answer was lost: the guards see it, not the reader."""
    looks: list[int] = []

    class Meanwhile(CounterDomain):
        async def prepare(self, decided):
            looks.append(len(decided))
            if len(looks) == 1:
                await rows(bench.url, move)

    bench: Bench = await make_bench(domain=Meanwhile())
    await bench.take_up()
    await bench.deliver(at([added("a", 1), added("a", 2)]))
    assert (looks[0], looks[-1]) == (2, left)
    assert len(looks) > 1, "decided again"
    assert await totals(bench.url) == {"a": left}
    assert bench.exits == []


async def test_a_lost_partition_takes_nothing_of_the_others_with_it(make_bench: MakeBench):
    old: Bench = await make_bench()
    await old.take_up(partition=0)
    await old.take_up(partition=1)
    new: Bench = await make_bench()
    await new.take_up(partition=1)
    await old.deliver([added("a", 1), added("b", 1, partition=1)])
    assert await totals(old.url) == {"a": 1}


async def test_a_partition_given_up_is_dropped_without_a_word(bench: Bench):
    bench.core.give_up([("counter.totals.v1", 0)])
    await bench.deliver([added("a", 1)])
    assert await totals(bench.url) == {}
    assert not bench.leave.is_set()


async def test_what_a_client_passed_over_is_fetched_again(bench: Bench):  # INV-13
    await bench.deliver(at([added("a", 1)]))
    await bench.deliver([added("b", 1, offset=5)])
    assert bench.leave.is_set()
    assert await totals(bench.url) == {"a": 1}
    assert await bench.take_up() == 1
    await bench.deliver([added("b", 1, offset=5)])  # no record stands between: a log may skip
    assert await totals(bench.url) == {"a": 1, "b": 1}


async def test_a_gap_waits_and_is_drained_in_order_when_it_closes(bench: Bench):
    await bench.deliver(at([added("a", 1), added("a", 3), added("a", 4), added("b", 1)]))
    await bench.drain.once()
    assert await totals(bench.url) == {"a": 1, "b": 1}
    await bench.deliver(at([added("a", 2)], 4))
    assert bench.core.wake.is_set(), "at once, not after the pause"
    await bench.drain.once()
    assert await totals(bench.url) == {"a": 4, "b": 1}
    assert await bench.parked() == []
    found = await rows(bench.url, "SELECT data::json->>'total' FROM event WHERE key = 'copy-a' "
                                  "ORDER BY sequence")
    assert [row[0] for row in found] == ["1", "2", "3", "4"]


async def test_a_repeat_of_what_is_parked_changes_nothing(bench: Bench):
    await bench.deliver(at([added("a", 2), added("a", 3)]))
    before = await rows(bench.url, "SELECT * FROM parked ORDER BY sequence")
    await bench.deliver(at([added("a", 2), added("a", 3)]))
    assert await rows(bench.url, "SELECT * FROM parked ORDER BY sequence") == before


def react_by_moving(message: Message) -> tuple[Command, ...]:
    """Moves from a counter that may not be there yet; opens it when the message says ``open``."""
    if message.data.get("open"):
        return react_by_adding(replace(message, data={**message.data, "counter": message.key}))
    return (
        Move(command_id=uuid5(NAMESPACE, f"{message.event_id} move"), actor=COUNTER, at=NOON,
             group="g", origin=f"copy-{message.data['from']}", destination=f"copy-{message.key}",
             amount=1),
    )


async def test_a_fact_that_waits_parks_its_key_until_the_other_has_come(make_bench: MakeBench):
    bench: Bench = await make_bench(react_by_moving)
    await bench.take_up()
    waits = [added("x", 1, open=1, amount=5), added("x", 2, **{"from": "y"}),
             added("x", 3, **{"from": "y"})]
    await bench.deliver(at([*waits, added("z", 1, open=1)]))
    assert await bench.parked() == [("x", 2, "waits: counter-is-unknown"), ("x", 3, "behind")]
    assert await totals(bench.url) == {"x": 5, "z": 1}
    await bench.due_now()
    await bench.drain.once()
    assert [row[:2] for row in await bench.parked()] == [("x", 2), ("x", 3)]
    await bench.deliver(at([added("y", 1, open=1, amount=7)], 4))
    await bench.due_now()
    await bench.drain.once()
    assert await bench.parked() == []
    assert await totals(bench.url) == {"x": 7, "y": 5, "z": 1}


async def test_a_parked_key_is_tried_after_1_2_4_to_60_seconds(bench: Bench):
    await bench.deliver([added("a", 2, offset=0)])
    pauses = []
    for _ in range(8):
        due = "SELECT extract(epoch FROM due_at - now())::float FROM parked"
        found = await rows(bench.url, due)
        pauses.append(found[0][0])
        await bench.due_now()
        await bench.drain.once()
    for pause, wanted in zip(pauses, [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert wanted - 0.5 < pause <= wanted


async def test_keys_that_wait_too_long_raise_an_alarm(bench: Bench):
    await bench.deliver([added("a", 2, offset=0)])
    await rows(bench.url, "UPDATE parked SET since = now() - interval '601 seconds'")
    await bench.drain.once()
    assert bench.metrics.registry.get_sample_value("jiexu_reader_parked_oldest_seconds") > 600


async def test_a_refusal_by_a_rule_is_kept_with_its_fact(bench: Bench):
    await bench.deliver(at([added("a", 1, 600), added("a", 2, 1), added("a", 3, 0)]))
    found = await rows(bench.url, "SELECT key, sequence, command, rejection, members "
                                  "FROM refused_fact")
    assert [tuple(row) for row in found] == [("a", 2, "Add", "day-is-full", '{"day": 1}')]
    assert await bench.progress() == [(0, 3)]
    assert bench.count("refused") == 1


async def test_an_unreadable_message_becomes_one_dead_letter_and_all_goes_on(bench: Bench):  # F20
    garbage = Raw("counter.totals.v1", 0, 1, b"\xff", b"\x00\x01", (("ce_id", b"\xff"),))
    batch = at([added("a", 1), garbage, spoilt(added("b", 1), None), added("a", 2)])
    await bench.deliver(batch)
    await bench.deliver(batch)  # a replay
    letters = await bench.letters()
    assert [(row["key"], row["sequence"]) for row in letters] == [
        ("counter.totals.v1/0", 1), ("b", 1)]
    told = json.loads(letters[0]["data"])
    assert (told["kind"], told["raw"]["partition"], told["raw"]["offset"]) == ("unreadable", 0, 1)
    assert base64.b64decode(told["raw"]["value"]) == b"\x00\x01"
    assert told["reason"] and "\x00" not in told["reason"]
    assert await totals(bench.url) == {"a": 2}
    assert await bench.parked() == [("b", 1, "unreadable")]


async def test_what_can_be_read_after_an_upgrade_is_drained(make_bench: MakeBench):
    def strict(message: Message) -> tuple[Command, ...]:
        return react_by_adding(replace(message, data={}))

    old: Bench = await make_bench(strict)
    await old.take_up()
    await old.deliver(at([added("a", 1), added("a", 2)]))
    assert await totals(old.url) == {}
    new: Bench = await make_bench()
    await new.take_up()
    await new.drain.once()
    assert await totals(new.url) == {"a": 2}
    assert len(await new.letters()) == 1


async def test_a_huge_unreadable_message_is_cut_in_its_letter(bench: Bench):  # F22
    await bench.deliver([replace(spoilt(added("a", 1), b"x" * 1_000_000), headers=(
        ("big", b"h" * 100_000),))])
    told = json.loads((await bench.letters())[0]["data"])
    assert (told["truncated"], told["size_bytes"]) == (True, 1_000_000)


async def test_a_defect_is_dead_lettered_at_its_fifth_try_and_only_its_key_waits(
    make_bench: MakeBench,
):  # F24
    tries: list[int] = []

    def broken(message: Message) -> tuple[Command, ...]:
        if message.key == "bad":
            tries.append(message.sequence or 0)
            raise ZeroDivisionError("a value that must not be told")
        return react_by_adding(message)

    bench: Bench = await make_bench(broken)
    await bench.take_up()
    records = [added(key, n) for n in (1, 2) for key in ("a", "bad", "b")]
    await bench.deliver(at(records))
    # Once in the batch, to find it; then five times alone.
    assert tries == [1] * 6
    assert await totals(bench.url) == {"a": 2, "b": 2}
    assert await bench.parked() == [("bad", 1, "defect: ZeroDivisionError"), ("bad", 2, "behind")]
    letters = await bench.letters()
    assert [json.loads(row["data"])["reason"] for row in letters] == ["defect: ZeroDivisionError"]
    assert "must not be told" not in letters[0]["data"]
    assert bench.exits == []


async def test_after_the_mend_redrive_loses_nothing(make_bench: MakeBench):  # F24
    def broken(message: Message) -> tuple[Command, ...]:
        if message.key == "bad":
            return (Break(command_id=uuid5(NAMESPACE, str(message.event_id)), actor=COUNTER,
                          at=NOON, counter="broken", where="decide"),)
        return react_by_adding(message)

    old: Bench = await make_bench(broken)
    await old.take_up()
    await old.deliver(at([added(key, n) for n in (1, 2, 3) for key in ("bad", "a")]))
    assert await totals(old.url) == {"a": 3}
    await old.due_now()
    await old.drain.once()
    assert len(await old.letters()) == 1, "one letter, however often it is tried"
    new: Bench = await make_bench()
    await new.take_up()
    await rows(new.url, "UPDATE parked SET due_at = now() + interval '60 s' "
                        "WHERE due_at IS NOT NULL")
    await new.drain.once()
    assert await totals(new.url) == {"a": 3}
    async with reading(new.core.database) as connection:
        assert await redrive(connection, "counter.totals.v1", "bad") == 3
    await new.drain.once()
    assert await totals(new.url) == {"a": 3, "bad": 3}
    async with reading(new.core.database) as connection:
        assert await redrive(connection) == 0


async def test_a_defect_of_the_store_is_found_by_halves(make_bench: MakeBench):  # F24
    def react(message: Message) -> tuple[Command, ...]:
        if message.key == "bad":
            return (Break(command_id=uuid5(NAMESPACE, str(message.event_id)), actor=COUNTER,
                          at=NOON, counter="broken", where="save"),)
        return react_by_adding(message)

    bench: Bench = await make_bench(react)
    await bench.take_up()
    records = [added("a", n) for n in range(1, 12)] + [added("bad", 1)]
    await bench.deliver(at(records + [added("b", n) for n in range(1, 6)]))
    assert await totals(bench.url) == {"a": 11, "b": 5}
    assert [row[0] for row in await bench.parked()] == ["bad"]
    assert await bench.progress() == [(0, 17)]


async def test_too_many_parked_messages_stop_the_reader_until_some_are_done(make_bench: MakeBench):
    limits = Limits(first_pause_seconds=0.001, tick_seconds=0.01, parked_rows=3)
    bench: Bench = await make_bench(limits=limits)
    await bench.take_up()
    await bench.deliver(at([added("a", n) for n in (2, 3, 4)]))
    waiting = asyncio.ensure_future(bench.deliver([added("b", 1, offset=3)]))
    await eventually(lambda: "3 messages are parked" in bench.core.troubles.get("stopped", ""),
                     "the reader says why it stops")
    assert not waiting.done() and await totals(bench.url) == {}
    await rows(bench.url, "DELETE FROM parked")
    await bench.drain.once()
    await asyncio.wait_for(waiting, 30)
    assert await totals(bench.url) == {"b": 1}
    assert not bench.core.troubles


async def test_too_many_dead_letters_stop_the_reader(make_bench: MakeBench):  # F20
    bench: Bench = await make_bench(limits=Limits(tick_seconds=0.01, dead_letters=2))
    await bench.take_up()
    await bench.deliver(at([spoilt(added(key, 1)) for key in "ab"]))
    waiting = asyncio.ensure_future(bench.deliver([added("c", 1, offset=2)]))
    await eventually(lambda: "could not be read" in bench.core.troubles.get("stopped", ""), "stops")
    assert not waiting.done() and await totals(bench.url) == {}
    waiting.cancel()
    await bench.core.close()


async def test_what_nobody_foresaw_ends_the_process_and_acknowledges_nothing(bench: Bench):
    await rows(bench.url, "ALTER TABLE source_key RENAME TO mislaid")
    delivered = asyncio.ensure_future(bench.deliver([added("a", 1)]))
    await asyncio.wait({delivered}, timeout=30)
    assert bench.exits == [70]
    assert delivered.exception() is not None, "the adapter never gets to its commit"
    assert await bench.progress() == [(0, 0)]


async def test_a_message_that_cannot_even_be_parked_ends_the_process(bench: Bench):
    await rows(bench.url, "ALTER TABLE parked ADD CONSTRAINT never CHECK (sequence < 2)")
    delivered = asyncio.ensure_future(bench.deliver([added("a", 2, offset=0)]))
    await asyncio.wait({delivered}, timeout=30)
    assert bench.exits == [70]
    assert await bench.progress() == [(0, 0)]


async def test_a_cancelled_caller_does_not_cut_the_transaction_off(make_bench: MakeBench):
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(CounterDomain):
        async def prepare(self, decided):
            begun.set()
            await go_on.wait()

    bench: Bench = await make_bench(domain=Slow(), limits=FAST)
    await bench.take_up()
    caller = asyncio.ensure_future(bench.deliver([added("a", 1)]))
    await asyncio.wait_for(begun.wait(), 30)
    caller.cancel()
    await asyncio.wait({caller})
    go_on.set()
    await bench.core.close()
    assert await totals(bench.url) == {"a": 1}


async def test_after_close_nothing_is_taken_and_nothing_may_be_acknowledged(bench: Bench):
    await bench.core.close()
    assert await bench.core.handle([added("a", 1)]) is False
    assert await totals(bench.url) == {}


async def test_a_client_that_waits_no_longer_joins_its_group_again(bench: Bench):
    bench.extents.away = True
    taking = asyncio.ensure_future(bench.take_up(partition=1))
    await eventually(lambda: "partitions" in bench.core.troubles, "it waits in place, not ready")
    taking.cancel()
    await asyncio.wait({taking})
    assert bench.leave.is_set()


async def test_two_readers_bury_under_one_key_without_losing_a_letter(make_bench: MakeBench):
    one: Bench = await make_bench()
    two: Bench = await make_bench()
    await one.take_up(partition=0)
    await two.take_up(partition=1)
    bad = [spoilt(added("k", n, partition=n % 2, offset=(n - 1) // 2)) for n in range(1, 9)]
    await asyncio.gather(
        one.deliver([raw for raw in bad if raw.partition == 0]),
        two.deliver([raw for raw in bad if raw.partition == 1]),
    )
    assert [row["sequence"] for row in await one.letters()] == list(range(1, 9))
