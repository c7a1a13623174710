"""How fast does rewards read a year of dossier events again, into an empty schema?"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from bench import raw
from bench.city import City, Run, wait_for_end
from bench.frame import Bench, Measure, Reach, Result, alternate
from bench.stories import MINUTES, approved, recorded
from bench.streams import CannotBuild, Streams, megabytes
from node.process import free_ports
from services.records.contract.topics import TOPICS as RECORDS_TOPICS
from services.registry.contract.topics import TOPICS as REGISTRY_TOPICS
from services.transfer.contract.topics import TOPICS as TRANSFER_TOPICS
from shared.envelope import encode_headers, full_name, source
from shared.relay.log import Record
from shared.roles.topics import create_topics

NODE = "replay"
TEMPLATE = "replay_template"
SUBJECTS = 3000
POLL_SECONDS = 0.1
RUN_SECONDS = 600.0
THREADS = 2
_NAME = "replay of dossier events into an empty rewards schema"
MEASURES = (
    Measure(
        name=f"{_NAME}, loop, 1 process: beside raw",
        unit="events/s",
        reference="confluent consume of the same topic",
        reach=Reach(of="ratio", at_least=0.05),
    ),
    Measure(
        name=f"{_NAME}, loop, 1 process: beside Faust",
        unit="events/s",
        reference="the same reader with the Faust adapter",
        reach=Reach(of="ratio", at_least=3),
    ),
    Measure(
        name=f"{_NAME}, loop, 2 processes",
        unit="events/s",
        reference="Kafka Streams, exactly_once_v2, 2 threads, the same sums",
        reach=Reach(of="ratio", at_least=0.6),
    ),
    Measure(
        name=f"{_NAME}, loop, 2 processes: memory",
        unit="MB",
        reference="Kafka Streams, the same run",
        reach=Reach(of="ratio", at_most=0.6),
    ),
)


def take(bench: Bench) -> Iterator[Result]:
    """Every run begins with the same database: policies and people, no minute of service."""
    city = bench.city
    count = bench.scaled(300_000, 12_000)
    bench.say(f"publishing {count:,} dossier events")
    stage = Stage(city, count)
    stage.prepare()
    directory = bench.root / "streams"
    directory.mkdir()
    streams, why = _streams(directory)
    sides = {
        "loop": lambda: stage.read("loop", 1, count),
        "raw": lambda: raw.consume(city.kafka.bootstrap, stage.topic, count),
        # Slow and steady: a part of the topic tells its rate.
        "faust": lambda: stage.read("faust", 1, count // 4),
        "two": lambda: stage.read("loop", 2, count),
    }
    if streams is not None:
        sides["streams"] = lambda: stage.run(streams, directory)
    figures = alternate(bench.rounds, sides)
    note = f"{count:,} events of {SUBJECTS:,} people"
    yield Result(measure=MEASURES[0], ours=figures["loop"], reference=figures["raw"], note=note)
    yield Result(measure=MEASURES[1], ours=figures["loop"], reference=figures["faust"], note=note)
    yield Result(
        measure=MEASURES[2], ours=figures["two"], reference=figures.get("streams", ()), not_run=why
    )
    yield Result(
        measure=MEASURES[3],
        ours=stage.memory["two"],
        reference=stage.memory["streams"],
        not_run=why,
        note=f"PostgreSQL besides: {max(stage.memory['postgresql']):.0f} MB",
    )


def _streams(directory: Path) -> tuple[Streams | None, str | None]:
    try:
        return Streams.build(directory), None
    except CannotBuild as problem:
        return None, f"Kafka Streams: {problem}"


@dataclass
class Stage:
    """A node's topics without their services, and a database as it is before the replay."""

    city: City
    count: int
    memory: dict[str, list[float]] = field(
        default_factory=lambda: {"two": [], "streams": [], "postgresql": []}
    )

    @property
    def topic(self) -> str:
        """What is replayed."""
        return full_name(NODE, "records.dossiers.v1")

    def prepare(self) -> None:
        """Topics, policies, people; then the events, in the order of the days."""
        bootstrap = self.city.kafka.bootstrap
        self.city.make_database(TEMPLATE)
        settings = self._settings(TEMPLATE)
        wait_for_end(
            self.city.child(
                "services.rewards", "provision", settings=settings, log="replay-provision"
            ),
            "provision",
            120,
        )
        create_topics(bootstrap, NODE, (*REGISTRY_TOPICS, *RECORDS_TOPICS, *TRANSFER_TOPICS))
        policies = raw.everything(bootstrap, full_name(self.city.node.code, "registry.policies.v1"))
        raw.produce(bootstrap, full_name(NODE, "registry.policies.v1"), policies)
        raw.produce(bootstrap, full_name(NODE, "registry.volunteers.v1"), _people())
        with self.city.running(self._run(TEMPLATE, "faust", 0)):
            self.city.wait(
                lambda: self._passed("registry.volunteers.v1", TEMPLATE) == SUBJECTS,
                "rewards knows the people",
                120,
            )
        raw.produce(bootstrap, self.topic, _events(self.count))
        assert raw.size(bootstrap, self.topic) == self.count

    def read(self, adapter: str, processes: int, until: int) -> float:
        """Events a second from the first batch committed to the last one wanted."""
        name = "replay_run"
        self.city.make_database(name, TEMPLATE)
        ports = free_ports(processes)
        most = {"processes": 0.0, "postgresql": 0.0}
        with self.city.running(*(self._run(name, adapter, port) for port in ports)) as children:
            first: tuple[float, int] | None = None
            deadline = time.monotonic() + RUN_SECONDS
            while True:
                passed, now = self._passed("records.dossiers.v1", name), time.perf_counter()
                if first is None and passed:
                    first = now, passed
                if passed >= until and first is not None:
                    break
                assert time.monotonic() < deadline, f"{passed} of {until} events were read"
                most["processes"] = max(
                    most["processes"], sum(megabytes(child.pid) for child in children)
                )
                time.sleep(POLL_SECONDS)
            assert self.city.postgres.child is not None
            most["postgresql"] = megabytes(self.city.postgres.child.pid)
        if processes == 2:
            self.memory["two"].append(most["processes"])
            self.memory["postgresql"].append(most["postgresql"])
        if until == self.count:
            minutes = self.city.value(_MINUTES, database=name)
            assert minutes == MINUTES * self.count // 2, f"{minutes} minutes stand in the end"
        return (passed - first[1]) / (now - first[0])

    def run(self, streams: Streams, directory: Path) -> float:
        """Events a second of Kafka Streams; every sum it moved stands on its output."""
        output = f"{NODE}.streams.{uuid4().hex[:8]}"
        raw.make_topic(self.city.kafka.bootstrap, output)
        rate, held = streams.run(
            self.city.kafka.bootstrap, self.topic, output, self.count, directory, THREADS
        )
        moved = raw.count_committed(self.city.kafka.bootstrap, output)
        assert moved == self.count // 2, f"{moved} of {self.count // 2} sums were moved"
        self.memory["streams"].append(held)
        return rate

    def _passed(self, topic: str, database: str) -> int:
        return int(
            self.city.value(
                """SELECT coalesce(sum(next_offset), 0) FROM rewards.source_progress
                   WHERE topic = $1""",
                topic,
                database=database,
            )
        )

    def _run(self, database: str, adapter: str, port: int) -> Run:
        return Run(
            "rewards",
            "agents",
            internal_port=port or None,
            settings=self._settings(database) | {"JIEXU_READ_BY": adapter},
        )

    def _settings(self, database: str) -> dict[str, str]:
        return self.city.settings("rewards") | {
            "JIEXU_NODE": NODE,
            "JIEXU_DATABASE_URL": self.city.postgres.url_of(database),
        }


_MINUTES = """
    SELECT sum((cell->>'minutes')::bigint)::bigint
    FROM rewards.aggregate, jsonb_array_elements(state->'holdings'->'cells') AS cell
    WHERE kind = 'standing'
"""


def _subject(index: int) -> str:
    return f"{index:032x}"


def _people() -> list[Record]:
    return [
        _record(
            "registry",
            "registry.volunteers.v1",
            "registry.volunteer-registered.v1",
            _subject(index),
            1,
            {
                "subject_id": _subject(index),
                "first_registered_on": "2025-01-01",
                "residence_region": "500103",
                "age_band": "adult",
                "verification": "claimed",
                "registered_via": "self",
                "organisation_id": None,
                "claimed": True,
            },
        )
        for index in range(SUBJECTS)
    ]


def _events(count: int) -> list[Record]:
    """Recorded, then approved, one service of every person after the other."""
    made = []
    for n in range(count // 2):
        index, service = n % SUBJECTS, n // SUBJECTS
        subject = _subject(index)
        for step, (type_, data) in enumerate(
            (
                ("records.service-recorded.v1", recorded(subject, service, index)),
                ("records.entry-approved.v1", approved(subject, service, index)),
            )
        ):
            made.append(
                _record(
                    "records", "records.dossiers.v1", type_, subject, 1 + 2 * service + step, data
                )
            )
    return made


def _record(
    service: str, topic: str, type_: str, subject: str, sequence: int, data: object
) -> Record:
    id_ = uuid4()
    headers = encode_headers(
        source=source(NODE, service),
        event_id=id_,
        type=type_,
        subject=subject,
        time=datetime.now(UTC),
        sequence=sequence,
        custody_epoch=1,
    )
    value = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    return Record(topic, subject.encode(), value, headers, id_)
