"""How long after a POST does the star standing show it, at 100 requests a second?

An open loop: a request is due every 10 ms, whatever became of those before; its time runs from
when it was due until rewards has committed the standing that its GET reads.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from statistics import quantiles
from typing import Any

import asyncpg

from bench import raw
from bench.city import City, Run
from bench.frame import Bench, Measure, Reach, Result, alternate
from bench.hours import Hours
from bench.load import Connection, ask_all, post
from bench.measures.recording import PEOPLE, SPARE

RATE = 100.0
WARM_SECONDS = 3.0
CONNECTIONS = 16
LATE_SECONDS = 30.0
RAW_TOPIC = "bench.round-trips"
RAW = "produce → consume of one Kafka message"
_NAME = "POST → star standing visible, 100 requests/s"
MEASURES = (
    Measure(
        name=f"{_NAME}, Faust: median", unit="ms", reference=RAW, reach=Reach(of="ours", at_most=20)
    ),
    Measure(
        name=f"{_NAME}, Faust: p99", unit="ms", reference=RAW, reach=Reach(of="ours", at_most=50)
    ),
    Measure(
        name=f"{_NAME}, loop: p99", unit="ms", reference=RAW, reach=Reach(of="ours", at_most=20)
    ),
)


def take(bench: Bench) -> Iterator[Result]:
    """Records and rewards run whole, as in a node; approvals are what moves a standing."""
    city = bench.city
    city.populate(PEOPLE + SPARE, bench.say)
    seconds = bench.scaled(10, 3)
    needed = round(RATE * (WARM_SECONDS + seconds)) * bench.rounds * 2
    bench.say(f"recording {needed} entries to approve")
    approvals = iter(_record(city, needed))
    raw.make_topic(city.kafka.bootstrap, RAW_TOPIC)
    seen: dict[str, list[list[float]]] = defaultdict(list)

    def side(name: str, run: Any) -> Any:
        def measured() -> float:
            found = run()
            seen[name].append(found)
            return float(_p(found, 50))

        return measured

    alternate(
        bench.rounds,
        {
            "faust": side("faust", lambda: _run(city, "faust", approvals, seconds)),
            "raw": side("raw", lambda: _raw(city, seconds)),
            "loop": side("loop", lambda: _run(city, "loop", approvals, seconds)),
        },
    )
    for measure, name, percent in zip(
        MEASURES, ("faust", "faust", "loop"), (50, 99, 99), strict=True
    ):
        yield Result(
            measure=measure,
            ours=[_p(run, percent) for run in seen[name]],
            reference=[_p(run, percent) for run in seen["raw"]],
            note=f"{len(seen[name][0])} requests a run",
        )


def _p(values: list[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _raw(city: City, seconds: float) -> list[float]:
    topic = f"{RAW_TOPIC}.{time.monotonic_ns()}"
    raw.make_topic(city.kafka.bootstrap, topic)
    return raw.round_trips(city.kafka.bootstrap, topic, RATE, WARM_SECONDS + seconds)[
        round(RATE * WARM_SECONDS) :
    ]


def _record(city: City, count: int) -> list[tuple[str, str]]:
    """So many entries that await approval: (subject, path of the approval)."""
    hours = Hours(city, 0, PEOPLE, given=PEOPLE * 2000)
    subjects = [city.subjects[n % PEOPLE] for n in range(count)]
    with city.running(Run("records", "api")):
        told = ask_all(city.api_port("records"), islice(hours.requests(), count), clients=64)
    return [
        (subject, f"/dossiers/{subject}/entries/{one['issuer']}/{one['entry_id']}/approve")
        for subject, one in zip(subjects, told, strict=True)
    ]


def _run(
    city: City, adapter: str, approvals: Iterator[tuple[str, str]], seconds: float
) -> list[float]:
    """Milliseconds from due to visible of every request after the warming up."""
    settings = city.settings("rewards") | {"JIEXU_READ_BY": adapter}
    with city.running("records", Run("rewards", settings=settings)):
        city.wait(lambda: city.value(BEHIND) == 0, "rewards has read what was recorded", 300)
        chosen = list(islice(approvals, round(RATE * (WARM_SECONDS + seconds))))
        return asyncio.run(_Loop(city, chosen).run())[round(RATE * WARM_SECONDS) :]


BEHIND = """SELECT count(*) FROM records.stream AS s LEFT JOIN rewards.source_key AS k
             ON k.topic = s.topic AND k.key = s.key
             WHERE s.topic = 'records.dossiers.v1'
               AND k.last_sequence IS DISTINCT FROM s.last_sequence"""


@dataclass
class _Loop:
    """One open loop. Sums and sequence of a subject commit together, so that the sequence tells
    when the standing can be seen; in the end the sums themselves are looked at."""

    city: City
    approvals: list[tuple[str, str]]
    idle: list[Connection] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    waiting: dict[tuple[str, int], int] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)

    async def run(self) -> list[float]:
        url = self.city.database_url
        watching = await asyncpg.connect(url)
        try:
            rows = await watching.fetch(
                "SELECT key, last_sequence FROM records.stream WHERE topic = $1",
                "records.dossiers.v1",
            )
            self.last = {row["key"]: row["last_sequence"] for row in rows}
            before = await self._minutes(watching)
            self.idle = [
                await Connection.to(self.city.api_port("records")) for _ in range(CONNECTIONS)
            ]
            woken = asyncio.Event()
            await watching.add_listener("jiexu_rewards", lambda *_: woken.set())
            sending = asyncio.create_task(self._send())
            await self._watch(watching, woken, sending)
            await sending
            moved = await self._minutes(watching) - before
            assert moved == 120 * len(self.approvals), f"standings moved by {moved} minutes"
            return [1000 * self.seen[n] for n in range(len(self.approvals))]
        finally:
            for connection in self.idle:
                connection.close()
            await watching.close()

    async def _minutes(self, one: asyncpg.Connection[Any]) -> int:
        found = await one.fetchval(
            """SELECT coalesce(sum((cell->>'minutes')::bigint), 0) FROM rewards.aggregate,
               jsonb_array_elements(state->'holdings'->'cells') AS cell
               WHERE kind = 'standing'"""
        )
        return int(found)

    async def _send(self) -> None:
        token = self.city.approver
        self.began = time.perf_counter()
        asked = []
        for n, (subject, path) in enumerate(self.approvals):
            await asyncio.sleep(max(0.0, self._due(n) - time.perf_counter()))
            # Every approval is one event of its subject, and they are sent in this order.
            self.last[subject] += 1
            self.waiting[subject, self.last[subject]] = n
            asked.append(asyncio.create_task(self._ask(post(path, {}, token))))
        await asyncio.gather(*asked)

    def _due(self, n: int) -> float:
        return self.began + n / RATE

    async def _ask(self, request: bytes) -> None:
        connection = (
            self.idle.pop() if self.idle else await Connection.to(self.city.api_port("records"))
        )
        status, body = await connection.ask(request)
        assert status == 201, f"{status}: {body[:300]!r}"
        self.idle.append(connection)

    async def _watch(
        self, one: asyncpg.Connection[Any], woken: asyncio.Event, sending: asyncio.Task[None]
    ) -> None:
        ended = None
        while self.waiting or not sending.done():
            try:
                # A wake may be lost: then 5 ms are the most that we add.
                async with asyncio.timeout(0.005):
                    await woken.wait()
            except TimeoutError:
                pass
            woken.clear()
            if self.waiting:
                await self._look(one)
            if sending.done():
                ended = ended or time.monotonic()
                assert time.monotonic() - ended < LATE_SECONDS, "some standings never moved"

    async def _look(self, one: asyncpg.Connection[Any]) -> None:
        rows = await one.fetch(
            """SELECT key, last_sequence FROM rewards.source_key
               WHERE topic = 'records.dossiers.v1' AND key = ANY ($1::text[])""",
            list({subject for subject, _ in self.waiting}),
        )
        now = time.perf_counter()
        stood = {row["key"]: row["last_sequence"] for row in rows}
        for (subject, sequence), n in list(self.waiting.items()):
            if stood.get(subject, 0) >= sequence:
                self.seen[n] = now - self._due(n)
                del self.waiting[subject, sequence]
