"""Do both adapters deliver every record of a real broker, whatever stands on it?"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import replace

import faust
import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from shared.envelope import full_name
from shared.messages import Command, Message
from shared.reader import Raw, Source, redrive
from shared.reader.store import reading
from tests.broker.reader.conftest import LIMITS, World
from tests.support.counter import GROUPS, TOTALS, react_by_adding
from tests.support.infrastructure import eventually
from tests.support.reading import (
    added,
    additions,
    all_added,
    make_topics,
    publish,
    rows,
    spoilt,
    totals,
)

pytestmark = pytest.mark.broker


async def read_to_the_end(world: World) -> None:
    """Every partition that the reader holds stands where its log ends."""
    consumer = Consumer({"bootstrap.servers": world.bootstrap, "group.id": "witness"})
    name = full_name(world.node, TOTALS)
    ends = {
        n: consumer.get_watermark_offsets(TopicPartition(name, n), timeout=10)[1] for n in range(4)
    }
    consumer.close()

    async def stands() -> bool:
        found = await rows(
            world.url, "SELECT partition, next_offset FROM source_progress WHERE topic = $1", TOTALS
        )
        return {row[0]: row[1] for row in found} == ends

    await eventually(stands, "all partitions are read to their ends", seconds=30)


async def commit_offset(world: World, reader_topic: str, offset: int) -> None:
    """Sets what the group's own offsets say, as an operator or a client's mistake would."""
    group = f"{world.node}.counter.{world.adapter}"
    partitions = [TopicPartition(full_name(world.node, reader_topic), n, offset) for n in range(4)]
    admin = AdminClient({"bootstrap.servers": world.bootstrap})

    async def empty() -> bool:
        try:
            asked = admin.alter_consumer_group_offsets(
                [ConsumerGroupTopicPartitions(group, partitions)])
            done = await asyncio.wrap_future(asked[group])
        except Exception as problem:  # noqa: BLE001 - the group may still have its last member
            return "UNKNOWN_MEMBER" not in str(problem) and "NON_EMPTY" not in str(problem)
        return all(one.error is None for one in done.topic_partitions)

    await eventually(empty, "the group's offsets are set")


@pytest.mark.parametrize("adapter", ["loop"], indirect=True)
@pytest.mark.parametrize(
    ("bounds", "at_most"), [({"bulk_messages": 30}, 30), ({"bulk_bytes": 1}, 1)]
)
async def test_a_bulk_is_bounded_by_its_messages_and_by_its_bytes(
    world: World, bounds: dict[str, int], at_most: int
):
    publish(world.bootstrap, world.node, [added(f"k{n % 10}", 1 + n // 10) for n in range(200)])
    sizes: list[int] = []
    async with world.reading(limits=replace(LIMITS, batch_messages=20, **bounds)) as reader:
        handle = reader.core.handle

        async def seen(batch: Sequence[Raw]) -> bool:
            sizes.append(len(batch))
            return await handle(batch)

        reader.core.handle = seen  # type: ignore[method-assign]
        await all_added(world.url, 200)
    assert max(sizes) == at_most


@pytest.mark.parametrize("adapter", ["faust"], indirect=True)
async def test_a_faust_app_that_has_ended_hears_nothing_of_the_next_one(world: World):
    publish(world.bootstrap, world.node, [added("a", 1)])
    async with world.reading():
        await all_added(world.url, 1)
    # By address: the next app at the same one would call whoever is left.
    assert not any(faust.App.on_partitions_revoked._filter_receivers.values())


async def test_every_record_is_read_once_in_order_and_the_reader_stops_at_once(world: World):
    records = [added(f"k{n % 50}", 1 + n // 50) for n in range(2000)]
    publish(world.bootstrap, world.node, records)
    async with world.reading() as reader:
        await all_added(world.url, 2000)
        await eventually(lambda: reader.why_not_ready() == (), "ready")
        started = time.monotonic()
    assert time.monotonic() - started < 2.0
    assert await totals(world.url) == {f"k{n}": 40 for n in range(50)}
    assert await additions(world.url) == 2000
    assert await rows(world.url, "SELECT * FROM parked") == []


async def test_poison_is_dead_lettered_and_the_partition_goes_on(world: World):  # F20, INV-13
    good = [added(f"k{n % 8}", 1 + n // 8) for n in range(80)]
    huge = replace(added("huge", 1), value=b"[" * 600_000)
    deep = spoilt(added("deep", 1), b'{"a":' * 40 + b"1" + b"}" * 40)
    poison = [
        spoilt(added("null", 1), None),
        spoilt(added("empty", 1), b""),
        spoilt(added("cut", 1), b'{"counter": "cu'),
        spoilt(added("utf8", 1), b'{"counter": "\xff\xfe"}'),
        spoilt(added("random", 1), os.urandom(200)),
        spoilt(added("list", 1), b"[1, 2]"),
        huge,
        deep,
        replace(added("x", 1), key=None),
        replace(added("x", 1), key=b"\xff\x00\xfe"),
        replace(added("x", 1), headers=()),
        replace(added("x", 1), headers=(("ce_sequence", b"minus one"),)),
        Raw(TOTALS, 0, 0, None, None, ()),
    ]
    mixed = [record for n, one in enumerate(good) for record in [one, *poison[n : n + 1]]]
    publish(world.bootstrap, world.node, mixed)
    async with world.reading():
        await all_added(world.url, 80)
        await read_to_the_end(world)
        # The next of a key after a poisoned one waits behind it; the others go on.
        publish(world.bootstrap, world.node, [added("cut", 2), added("k0", 11)])
        await all_added(world.url, 81)
        await read_to_the_end(world)
    letters = await rows(
        world.url,
        "SELECT data::json->'raw'->>'offset' AS place, data::json->>'reason' AS reason "
        "FROM event WHERE topic = 'counter.dead-letters.v1'",
    )
    assert len(letters) == len(poison) and all(row["reason"] for row in letters)
    parked = await rows(world.url, "SELECT key, sequence FROM parked ORDER BY 1, 2")
    named = ("null", "empty", "cut", "utf8", "random", "list", "huge", "deep")
    assert [tuple(row) for row in parked] == sorted([(key, 1) for key in named] + [("cut", 2)])


async def test_a_new_group_an_offset_reset_and_a_replay_from_zero_do_no_harm(world: World):  # F30
    records = [added(f"k{n % 5}", 1 + n // 5) for n in range(100)]
    publish(world.bootstrap, world.node, records)
    async with world.reading():
        await all_added(world.url, 100)
    await commit_offset(world, TOTALS, 0)
    publish(world.bootstrap, world.node, [added("late", 1)])
    async with world.reading():
        await all_added(world.url, 101)
    await rows(world.url, "DELETE FROM source_progress")
    publish(world.bootstrap, world.node, [*records, added("late", 2)])  # published again as well
    async with world.reading():
        await all_added(world.url, 102)
        await read_to_the_end(world)
    assert await totals(world.url) == {**{f"k{n}": 20 for n in range(5)}, "late": 2}
    assert await additions(world.url) == 102
    assert await rows(world.url, "SELECT * FROM parked") == []


async def test_an_acknowledgement_ahead_of_the_work_loses_nothing(world: World):  # F30
    publish(world.bootstrap, world.node, [added("a", n) for n in range(1, 11)])
    async with world.reading():
        await all_added(world.url, 10)
    publish(world.bootstrap, world.node, [added("a", n) for n in range(11, 21)])
    await commit_offset(world, TOTALS, 20)  # none of the last ten has been done
    async with world.reading():
        await all_added(world.url, 20)
    assert await totals(world.url) == {"a": 20}


async def test_a_gap_waits_and_closes_on_a_real_topic(world: World):
    publish(world.bootstrap, world.node, [added("a", 1), added("a", 3), added("b", 1)])
    async with world.reading():
        await all_added(world.url, 2)
        await read_to_the_end(world)
        assert await totals(world.url) == {"a": 1, "b": 1}
        publish(world.bootstrap, world.node, [added("a", 2)])
        await all_added(world.url, 4)
    assert await totals(world.url) == {"a": 3, "b": 1}


async def test_a_planted_defect_parks_its_key_and_redrive_after_the_mend_loses_nothing(
    world: World,
):  # F24
    def broken(message: Message) -> tuple[Command, ...]:
        if message.key == "bad":
            raise ZeroDivisionError
        return react_by_adding(message)

    records = [added(key, n) for n in range(1, 11) for key in ("a", "bad", "b")]
    publish(world.bootstrap, world.node, records)
    async with world.reading(broken):
        await all_added(world.url, 20)
        await read_to_the_end(world)
    async with world.reading() as reader:
        async with reading(reader.core.database) as connection:
            await redrive(connection, TOTALS, "bad")
        await all_added(world.url, 30)
    assert await totals(world.url) == {"a": 10, "b": 10, "bad": 10}
    letters = await rows(world.url, "SELECT 1 FROM event WHERE topic = 'counter.dead-letters.v1'")
    assert len(letters) == 1


async def test_a_topic_that_appears_later_is_read(world: World):
    sources = [
        Source(TOTALS, react_by_adding, world.adapter),  # type: ignore[arg-type]
        Source(GROUPS, react_by_adding, world.adapter),  # type: ignore[arg-type]
    ]
    async with world.reading(sources=sources):
        publish(world.bootstrap, world.node, [added("a", 1)])
        await all_added(world.url, 1)
        make_topics(world.bootstrap, world.node, GROUPS)
        publish(world.bootstrap, world.node, [replace(added("b", 1), topic=GROUPS)])
        await all_added(world.url, 2)


async def test_a_topic_made_anew_is_read_again_and_harms_nothing(world: World):  # F31
    records = [added("a", n) for n in range(1, 6)]
    publish(world.bootstrap, world.node, records)
    async with world.reading():
        await all_added(world.url, 5)
    admin = AdminClient({"bootstrap.servers": world.bootstrap})
    name = full_name(world.node, TOTALS)
    await asyncio.wrap_future(admin.delete_topics([name])[name])

    def gone() -> bool:
        return name not in admin.list_topics(timeout=10).topics

    await eventually(gone, "the topic is deleted")
    make_topics(world.bootstrap, world.node, TOTALS)
    publish(world.bootstrap, world.node, [*records, added("a", 6)])
    async with world.reading():
        await all_added(world.url, 6)
    assert await totals(world.url) == {"a": 6}


async def test_a_client_that_delivers_nothing_joins_again_by_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """What was taken off on its way never comes; the reader notices that it stands still."""
    limits = replace(LIMITS, stall_seconds=1.0)
    async with world.reading(limits=limits) as reader:
        publish(world.bootstrap, world.node, [added("a", 1)])
        await all_added(world.url, 1)
        handle = reader.core.handle

        async def mislay(batch):
            monkeypatch.setattr(reader.core, "handle", handle)
            return True

        monkeypatch.setattr(reader.core, "handle", mislay)
        publish(world.bootstrap, world.node, [added("a", 2)])
        await all_added(world.url, 2)
    assert await totals(world.url) == {"a": 2}


async def test_first_sources_are_read_to_their_end_before_the_others_join(world: World):
    make_topics(world.bootstrap, world.node, GROUPS)
    seen: list[str] = []

    def note(message: Message) -> tuple[Command, ...]:
        seen.append(message.topic)
        return react_by_adding(message)

    publish(world.bootstrap, world.node, [added("a", n) for n in range(1, 4)])
    publish(world.bootstrap, world.node,
            [replace(added(f"p{n}", 1), topic=GROUPS) for n in range(300)])
    sources = [
        Source(TOTALS, note, world.adapter),  # type: ignore[arg-type]
        Source(GROUPS, note, world.adapter, first=True),  # type: ignore[arg-type]
    ]
    async with world.reading(sources=sources) as reader:
        assert "first sources have not been read yet" in reader.why_not_ready()
        await all_added(world.url, 303)
        await eventually(lambda: reader.why_not_ready() == (), "ready once it has read them")
    assert seen.index(TOTALS) == 300, "every policy was here before the first entry"
    marks = await rows(world.url, "SELECT topic, bool_and(caught_up_at IS NOT NULL) FROM "
                                  "source_progress GROUP BY topic ORDER BY topic")
    assert [tuple(row) for row in marks] == [(GROUPS, True), (TOTALS, False)]
