"""How fast does the relay drain committed events, beside a producer of the same bytes?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from bench import raw
from bench.city import City, wait_for_end
from bench.frame import Bench, Measure, Reach, Result, alternate
from bench.stories import approved
from shared.envelope import encode_headers, source
from shared.relay.log import Record

SUBJECTS = 2000
DRAIN_SECONDS = 300.0
MEASURES = (
    Measure(
        name="relay draining committed events",
        unit="events/s",
        reference="confluent produce of the same bytes, acks=all, idempotent",
        reach=Reach(of="ratio", at_least=0.3),
    ),
)
# As the service writes them, a transaction for each thousand.
_FILL = """
    INSERT INTO event (incarnation, topic, key, sequence, event_id, type, data, actor_id,
        custody_epoch, occurred_at)
    SELECT 1, 'records.dossiers.v1', lpad((n % $3)::text, 32, '0'), 1 + n / $3,
        gen_random_uuid(), 'records.entry-approved.v1',
        replace($4, 'SUBJECT', lpad((n % $3)::text, 32, '0')), 'bench', 1, now()
    FROM generate_series($1::integer, $2::integer) AS n
"""


def take(bench: Bench) -> Iterator[Result]:
    """Real rows in a schema of records, the real relay in a process of its own."""
    city = bench.city
    count = bench.scaled(100_000, 20_000)
    data = json.dumps(approved("SUBJECT", 1, 1), ensure_ascii=False, separators=(",", ":"))
    same = [_record(data, n) for n in range(count)]
    number = iter(range(1, 100))
    figures = alternate(
        bench.rounds,
        {
            "ours": lambda: _drain(city, f"drain{next(number)}", count, data),
            "raw": lambda: count / _produce(city, same),
        },
    )
    yield Result(
        measure=MEASURES[0],
        ours=figures["ours"],
        reference=figures["raw"],
        note=f"{count:,} events of {len(data.encode())} bytes",
    )


def _record(data: str, n: int) -> Record:
    subject = f"{n % SUBJECTS:032d}"
    return Record(
        topic="records.dossiers.v1",
        key=subject.encode(),
        value=data.replace("SUBJECT", subject).encode(),
        headers=encode_headers(
            source=source("500000", "records"),
            event_id=uuid4(),
            type="records.entry-approved.v1",
            subject=subject,
            time=datetime.now(UTC),
            sequence=1 + n // SUBJECTS,
            custody_epoch=1,
        ),
        event_id=UUID(int=n),
    )


def _produce(city: City, records: list[Record]) -> float:
    topic = f"bench.produced.{uuid4().hex}"
    raw.make_topic(city.kafka.bootstrap, topic)
    seconds = raw.produce(city.kafka.bootstrap, topic, records)
    assert raw.size(city.kafka.bootstrap, topic) == len(records)
    return seconds


def _drain(city: City, name: str, count: int, data: str) -> float:
    """Events a second from the relay's start to the cursor's move behind the last."""
    settings = {
        "BENCH_DATABASE_URL": city.make_database(name),
        "BENCH_BOOTSTRAP": city.kafka.bootstrap,
        "BENCH_NODE": name,
    }
    wait_for_end(
        city.child("bench.draining", "make", settings=settings, log=f"{name}-make"),
        "making the schema",
        60,
    )

    async def fill(one: asyncpg.Connection[Any]) -> None:
        await one.execute("SET search_path = records")
        for first in range(0, count, 1000):
            await one.execute(_FILL, first, min(first + 1000, count) - 1, SUBJECTS, data)

    city.within(fill, name)
    child = city.child("bench.draining", "drain", settings=settings, log=name)
    wait_for_end(child, "the relay", DRAIN_SECONDS)
    stored = raw.size(city.kafka.bootstrap, f"{name}.records.dossiers.v1")
    assert stored == count, f"{stored} of {count} events are on the topic"
    city.drop_database(name)
    return count / float(child.log_tail(1))
