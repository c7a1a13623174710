"""Do the subscribers that we show keep the ledger's sums, in every language, whatever comes?

Two real cities write the history: hours, a revocation, a move, an hour recorded late by the old
home. Then the log of the old home is made worse than it may ever be: it repeats itself, and says
something new under an epoch that is over.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from node.demo import people as cast
from node.demo.cities import City
from services.records.contract.topics import DOSSIERS
from tests.support.certificates import Authority
from tests.support.secured import SecuredKafka
from tests.support.toolchains import need, npm_project, run
from tests.support.topics import make_topics
from tests.support.two_cities import (
    MINUTES,
    MOVED,
    Mover,
    World,
    apply,
    found_organisation,
    record,
    register,
    running,
    state_of,
    until,
)

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

EXAMPLES = Path(__file__).parents[2] / "examples" / "subscribers"
RUN_SECONDS = 60.0


def python(_: Path) -> list[str]:
    name, pinned = (EXAMPLES / "python" / "requirements.txt").read_text("utf-8").split("==")
    assert importlib.metadata.version(name) == pinned.strip()
    return [sys.executable, str(EXAMPLES / "python" / "subscriber.py")]


def java(folder: Path) -> list[str]:
    need("java", "javac", "mvn")
    copy = folder / "java"
    shutil.copytree(EXAMPLES / "java", copy, ignore=shutil.ignore_patterns("target"))
    run(["mvn", "-q", "-B", "process-classes"], copy)
    target = copy / "target"
    return [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{target}/classes:{target}/lib/*",
        "jiexu.Subscriber",
    ]


def go(folder: Path) -> list[str]:
    need("go")
    program = folder / "subscriber"
    run(["go", "build", "-o", str(program), "."], EXAMPLES / "go")
    return [str(program)]


def node(folder: Path) -> list[str]:
    return ["node", str(npm_project(EXAMPLES / "node", folder / "node") / "subscriber.mjs")]


@dataclass
class History:
    """Two cities, what their ledgers say of each subject, and who moved."""

    world: World
    moved: str
    ledger: dict[str, int]

    @property
    def cities(self) -> tuple[City, City]:
        return self.world.old, self.world.new

    def make_worse(self) -> int:
        """The old home's log says again what it said of her, and one new thing, two epochs old.

        Returns how many repeats there are.
        """
        old = self.world.old
        said = [one for one in log(old) if one.key.decode() == self.moved]
        counting = [one for one in said if json.loads(one.value).get("moved")]
        assert counting, "the old home said nothing that counts"
        stale = dict(counting[-1].headers)
        assert stale["ce_custodyepoch"] == b"1"
        stale["ce_id"] = str(uuid.uuid4()).encode()
        stale["ce_sequence"] = str(1 + max(map(sequence, said))).encode()
        producer = Producer({"bootstrap.servers": old.node.bootstrap, "acks": "all"})
        for one in said:
            producer.produce(one.topic, one.value, one.key, one.partition, headers=one.headers)
        last = counting[-1]
        producer.produce(last.topic, last.value, last.key, last.partition, headers=stale)
        assert producer.flush(30) == 0
        return len(said)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with running(tmp_path_factory.mktemp("cities") / "nodes") as world:
        found_organisation(world)
        people = cast.people(world.today)
        stays, moves = Mover(0, people[0]), Mover(1, people[1])
        for person in (stays, moves):
            register(world, person)
            for back in range(2):
                record(world, person, back)
        revoke(world, stays)
        apply(world, moves)
        until(lambda: state_of(world, moves)["status"] in MOVED, "she has moved")
        record(world, moves, back=2)  # late: by the old home, of a dossier that is not there

        def credited(city: City, person: Mover) -> int:
            login = f"login-{person.number}"
            api = world.api(city, "records", login, "volunteer", subject_id=person.subject)
            minutes: int = api.get("/dossier")["totals"]["credited_minutes"]
            return minutes

        until(lambda: credited(world.new, moves) == 3 * MINUTES, "her late hour has arrived")
        ledger = {
            stays.subject: credited(world.old, stays),
            moves.subject: credited(world.new, moves),
        }
        assert ledger == {stays.subject: MINUTES, moves.subject: 3 * MINUTES}
        until(
            lambda: any(counts(one, moves, MINUTES) for one in log(world.new)), "all is published"
        )
        yield History(world, moves.subject, ledger)


def revoke(world: World, person: Mover) -> None:
    """Her first hour was none."""
    entry = next(iter(person.told))
    recorder = world.api(world.old, "records", "recorder", f"recorder@{world.organisation}")
    path = f"/dossiers/{person.subject}/entries/{world.old.node.code}/{entry}/revoke"
    recorder.post(path, {"reason": "duplicate"})


def log(city: City) -> list[Any]:
    """Every record of the city's dossiers as kafka-python gives it."""
    name = f"{city.node.code}.records.dossiers.v1"
    consumer = KafkaConsumer(bootstrap_servers=city.node.bootstrap, enable_auto_commit=False)
    try:
        parts = [TopicPartition(name, one) for one in consumer.partitions_for_topic(name) or ()]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends, found = consumer.end_offsets(parts), []
        deadline = time.monotonic() + RUN_SECONDS
        while any(consumer.position(part) < ends[part] for part in parts):
            found += [one for came in consumer.poll(500).values() for one in came]
            assert time.monotonic() < deadline, f"could not read {name}"
        return found
    finally:
        consumer.close()


def sequence(record: Any) -> int:
    return int(dict(record.headers)["ce_sequence"])


def counts(record: Any, person: Mover, minutes: int) -> bool:
    """Whether this event of hers added so many minutes."""
    moved = json.loads(record.value).get("moved") or ()
    more = sum(each["after"] - each["before"] for each in moved)
    return record.key.decode() == person.subject and more == minutes


def asking(program: Sequence[str], cities: Sequence[City], state: Path) -> list[str]:
    """The command, but for when to stop."""
    named = [["--city", f"{city.node.code}={city.node.bootstrap}"] for city in cities]
    return [*program, *itertools.chain(*named), "--state", str(state)]


def to_the_end(command: Sequence[str]) -> Any:
    done = subprocess.run(
        [*command, "--until-end"], capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def follow_and_kill(command: Sequence[str], totals: dict[str, int]) -> None:
    """Let it go on until it has told these totals; then it is killed, without a word."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        limit = threading.Timer(RUN_SECONDS, process.kill)
        limit.start()
        assert process.stdout is not None and process.stderr is not None
        last = None
        for line in process.stdout:
            last = json.loads(line)["totals"]
            if last == totals:
                process.kill()
                break
        limit.cancel()
        assert last == totals, process.stderr.read()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """A broker that asks who comes."""
    folder = tmp_path_factory.mktemp("secured")
    broker = SecuredKafka(folder / "kafka", Authority(folder))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module", params=[python, java, go, node], ids=lambda build: build.__name__)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs the subscriber of one language, built; skipped without its tools."""
    build: Callable[[Path], list[str]] = request.param
    return build(tmp_path_factory.mktemp(build.__name__))


def test_a_subscriber_keeps_the_ledgers_sums(
    program: list[str], history: History, tmp_path: Path
) -> None:
    kept = asking(program, history.cities, tmp_path / "kept")
    unmoved = {"totals": history.ledger, "taken": 0}

    follow_and_kill(kept, history.ledger)
    assert to_the_end(kept) == {**unmoved, "repeats": 0, "older_homes": 0}

    repeats = history.make_worse()
    assert to_the_end(kept) == {**unmoved, "repeats": repeats, "older_homes": 1}

    everything = sum(len(log(city)) for city in history.cities)
    replayed = to_the_end([*kept, "--replay"])
    assert replayed == {**unmoved, "repeats": everything, "older_homes": 0}

    for order in (history.cities, history.cities[::-1]):
        anew = asking(program, order, tmp_path / f"anew-{order[0].node.code}")
        assert to_the_end(anew)["totals"] == history.ledger


def test_a_subscriber_that_is_asked_wrongly_says_how_to_ask(
    program: list[str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [*program, "--city", "nowhere", "--state", str(tmp_path / "kept")],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode != 0
    assert "CODE=HOST:PORT" in done.stderr
    assert "Traceback" not in done.stderr and "at jiexu" not in done.stderr


def test_a_subscriber_is_let_in_where_the_broker_asks_who_comes(
    program: list[str], secured: SecuredKafka, node_name: str, tmp_path: Path
) -> None:
    secured.publish_hours(node_name, "one", 90)
    reader = secured.make_reader(f"{node_name}-reader", DOSSIERS.on(node_name), tmp_path)
    # A password for the shell that is not this city's: its own, under its code, comes first.
    guessed = tmp_path / "guessed"
    guessed.write_text("guessed", "ascii")
    secret = {f"KAFKA_PASSWORD_FILE_{node_name}": reader.pop("PASSWORD_FILE")}
    told = {f"KAFKA_{name}": value for name, value in reader.items()}
    told["KAFKA_PASSWORD_FILE"] = str(guessed)

    def ask(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        at = f"{node_name}={secured.servers('SASL_SSL')}"
        return subprocess.run(
            [*program, "--city", at, "--state", str(tmp_path / "kept"), "--until-end"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    for wrong, said in (
        ({"KAFKA_SECURITY": "TLS"}, "KAFKA_SECURITY is none of PLAINTEXT, SSL, SASL_"),
        ({"KAFKA_USERNAME": ""}, f"KAFKA_USERNAME is missing for city {node_name}"),
    ):
        done = ask(told | secret | wrong)
        assert done.returncode == 1 and said in done.stderr, done.stderr
        assert "Traceback" not in done.stderr and "at jiexu" not in done.stderr
    done = ask(told | secret)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["totals"] == {"one": 90}


def publish(bootstrap: str, node: str, subject: str, sequences: Sequence[int]) -> None:
    """One approval of an hour of hers under each of these numbers."""
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in sequences:
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(uuid.uuid4()),
            "ce_source": f"/nodes/{node}/records",
            "ce_type": "records.entry-approved.v1",
            "ce_subject": subject,
            "ce_time": "2027-03-01T02:00:00Z",
            "ce_sequence": str(number),
            "ce_custodyepoch": "1",
            "content-type": "application/json",
        }
        data = {"moved": [{"cell": {"year": 2027}, "before": 0, "after": 60}]}
        producer.produce(
            DOSSIERS.on(node), json.dumps(data), subject, headers=list(headers.items())
        )
    assert producer.flush(30) == 0


def cut(bootstrap: str, node: str, before: int) -> None:
    """The broker forgets what stands below this offset of the one partition."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.delete_records({TopicPartition(DOSSIERS.on(node), 0): before})
    finally:
        admin.close()


def miss(state: Path) -> None:
    """It remembers the offset that it has reached, and neither the last event nor its hour."""
    if state.read_bytes().startswith(b"SQLite"):
        with contextlib.closing(sqlite3.connect(state)) as database, database:
            database.execute("UPDATE sequence SET last = last - 1 WHERE key = 'one'")
            database.execute("UPDATE subject SET minutes = minutes - 60 WHERE subject_id = 'one'")
        return
    kept = json.loads(state.read_bytes())
    for each in kept["sequences"].values():
        if "one" in each:
            each["one"] -= 1
    kept["minutes"]["one"] -= 60
    state.write_text(json.dumps(kept), "utf-8")


@dataclass
class Reading:
    """A subscriber of a city with one partition, and what it says."""

    bootstrap: str
    node: str
    state: Path
    program: list[str]

    def __call__(self) -> subprocess.CompletedProcess[str]:
        at = f"{self.node}={self.bootstrap}"
        return subprocess.run(
            [*self.program, "--city", at, "--state", str(self.state), "--until-end"],
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    def totals(self) -> Any:
        done = self()
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["totals"]


@pytest.fixture
def reading(program: list[str], kafka_bootstrap: str, node_name: str, tmp_path: Path) -> Reading:
    make_topics(kafka_bootstrap, node_name, [DOSSIERS], partitions=1)
    return Reading(kafka_bootstrap, node_name, tmp_path / "kept", program)


def test_a_subscriber_that_missed_an_event_reads_again_from_the_start(reading: Reading) -> None:
    publish(reading.bootstrap, reading.node, "one", [1, 2, 3])
    assert reading.totals() == {"one": 180}
    miss(reading.state)
    publish(reading.bootstrap, reading.node, "one", [4])

    done = reading()

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "totals": {"one": 240}, "taken": 4, "repeats": 0, "older_homes": 0
    }  # fmt: skip
    assert len(done.stderr.splitlines()) == 1
    assert "sequence 4 follows 2, something was missed: reading again" in done.stderr
    assert reading().stderr == ""


def test_a_subscriber_that_goes_on_reads_every_city_again(reading: Reading) -> None:
    """The gap is one city's alone, while the other has nothing new to say."""
    other = f"{reading.node}o"
    make_topics(reading.bootstrap, other, [DOSSIERS], partitions=1)
    publish(reading.bootstrap, other, "two", [1])
    publish(reading.bootstrap, reading.node, "one", [1, 2, 3])
    named = [["--city", f"{code}={reading.bootstrap}"] for code in (other, reading.node)]
    command = [*reading.program, *itertools.chain(*named), "--state", str(reading.state)]
    follow_and_kill(command, {"one": 180, "two": 60})
    assert reading.totals() == {"one": 180, "two": 60}
    miss(reading.state)
    publish(reading.bootstrap, reading.node, "one", [4])
    follow_and_kill(command, {"one": 240, "two": 60})


def test_a_subscriber_says_that_a_gap_stands_in_the_log_itself(reading: Reading) -> None:
    """A new one, and one that had read on: neither tells totals, neither reads for ever."""
    publish(reading.bootstrap, reading.node, "one", [1])
    assert reading.totals() == {"one": 60}
    publish(reading.bootstrap, reading.node, "one", [3])
    for _ in range(2):
        done = reading()
        assert done.returncode == 1 and done.stdout == ""
        assert len(done.stderr.splitlines()) == 2
        assert "sequence 3 follows 1, something was missed in the log itself" in done.stderr
        assert "totals cannot be known" in done.stderr


@pytest.mark.parametrize("read", [0, 1])
def test_a_subscriber_says_that_a_log_was_cut_above_what_it_has_read(
    reading: Reading, read: int
) -> None:
    """Also where nothing is left of a key, and so no gap in its numbers."""
    publish(reading.bootstrap, reading.node, "one", [1])
    if read:
        assert reading.totals() == {"one": 60}
    publish(reading.bootstrap, reading.node, "gone", [1])
    publish(reading.bootstrap, reading.node, "one", [2])
    cut(reading.bootstrap, reading.node, before=2)

    done = reading()

    assert done.returncode == 1 and done.stdout == ""
    assert f"begins at 2, we have read to {read}: what stood between was cut" in done.stderr
    assert "totals cannot be known" in done.stderr


def test_a_subscriber_goes_on_where_only_what_it_has_read_was_cut(reading: Reading) -> None:
    publish(reading.bootstrap, reading.node, "one", [1, 2])
    assert reading.totals() == {"one": 120}
    publish(reading.bootstrap, reading.node, "one", [3])
    publish(reading.bootstrap, reading.node, "later", [1])
    cut(reading.bootstrap, reading.node, before=2)
    assert reading.totals() == {"one": 180, "later": 60}
