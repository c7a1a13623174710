"""Do two cities in containers keep every hour, whatever is taken from them for a while?

``docker compose up`` alone makes both. The story is told to them; then hours are recorded without
a pause while a container is killed, agents are added, the broker is cut off and PostgreSQL stopped.
At the end everything is taken down, and an auditor counts what lies in the volumes.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from node.demo import people as cast
from node.demo.cast import YUZHONG
from node.demo.chongqing import registration_consent
from node.demo.cities import CODES, City
from node.demo.compose import Compose as Target
from node.demo.reading import DEMO_POLICY
from node.demo.subscriber import Subscriber
from node.directory import read
from node.events import Tail
from node.process import port_is_taken
from node.sheets.cells import SHANGHAI
from tests.support import auditor
from tests.support.auditor import Journal
from tests.support.containers import ROOT, Compose, engine
from tests.support.two_cities import PATIENCE_SECONDS, patiently

pytestmark = [pytest.mark.containers, pytest.mark.timeout(2400)]

CITIES = ("chongqing", "chengdu")
SERVICES = ("registry", "records", "rewards", "transfer")
ROLES = ("api", "agents", "worker")
VOLUNTEERS, MINUTES = 6, 30
OUTAGE_SECONDS = 20.0
# Enough that something is always under way, and not so much that days run out.
PAUSE_SECONDS = 0.1


@pytest.fixture(scope="module")
def compose(engine_at_hand: None) -> Iterator[Compose]:
    """Both cities, from nothing."""
    # No other test takes these: who is stopped and started again finds its ports still free.
    first = next(
        n
        for n in range(60, 100, 2)
        if not any(
            port_is_taken(100 * (n + city) + offset)
            for city in (0, 1)
            for offset in (1, 2, 3, 4, 30, 40)
        )
    )
    found = Compose(
        {
            "COMPOSE_PROJECT_NAME": f"jiexu-test-{secrets.token_hex(3)}",
            "JIEXU_IMAGE": "jiexu:test",
            "CHONGQING_PORTS": str(first),
            "CHENGDU_PORTS": str(first + 1),
        }
    )
    try:
        found.up("--build")
        yield found
    finally:
        found("down", "--volumes", "--timeout", "20")


@pytest.fixture(scope="module")
def pair(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[City]]:
    """How the test speaks to them: as the teller of the story does, from outside."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in compose.environment.items():
            patch.setenv(name, value)
        target = Target(tmp_path_factory.mktemp("outside") / "compose")
        found = [target.city(*names) for names in CODES]
        yield found
        for city in found:
            city.stop()


def test_every_container_is_healthy_and_may_do_nothing_else(compose: Compose) -> None:
    found = {
        one["Config"]["Labels"]["com.docker.compose.service"]: one for one in compose.containers()
    }
    servers = {f"{city}-{name}" for city in CITIES for name in ("kafka", "postgres")}
    services = {
        f"{city}-{service}-{role}" for city in CITIES for service in SERVICES for role in ROLES
    }
    once = {"cities", *(f"{city}-{name}-provision" for city in CITIES for name in SERVICES)}
    assert found.keys() == servers | services | once
    for name, one in found.items():
        state, host = one["State"], one["HostConfig"]
        if name in once:
            assert (state["Status"], state["ExitCode"]) == ("exited", 0), name
        else:
            assert state["Health"]["Status"] == "healthy", name
        assert one["Config"]["User"] not in ("", "0", "root"), name
        assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0, name
        assert name in servers or host["ReadonlyRootfs"], name


def test_a_service_has_its_own_keys_alone(compose: Compose) -> None:
    held = compose(
        "exec",
        "--no-TTY",
        "chengdu-rewards-api",
        "bash",
        "-c",
        "cd /run/jiexu && stat -c '%a %n' keys/* secrets/* && ls directory public && ls /data",
    ).split("\n")
    assert {line for line in held if line.startswith("4")} == {
        "400 keys/digest.key",
        "400 keys/service.key",
        "400 secrets/database.password",
    }
    assert not any("directory.key" in line or "token.key" in line for line in held)


def test_a_service_reaches_no_other_schema(compose: Compose) -> None:
    """One PostgreSQL role a service: what it does not own it does not see (rule of one owner)."""
    tried = compose(
        "exec",
        "--no-TTY",
        "chongqing-rewards-api",
        "python",
        "-c",
        "import asyncio, asyncpg, os, pathlib\n"
        "url = os.environ['JIEXU_DATABASE_URL']\n"
        "word = pathlib.Path(os.environ['JIEXU_DATABASE_PASSWORD_FILE']).read_text().strip()\n"
        "async def ask(table):\n"
        "    connection = await asyncpg.connect(url, password=word)\n"
        "    try: await connection.fetch(f'SELECT 1 FROM {table} LIMIT 1'); print('read')\n"
        "    except asyncpg.InsufficientPrivilegeError: print('refused')\n"
        "asyncio.run(ask('rewards.aggregate')); asyncio.run(ask('records.aggregate'))\n",
    ).split()
    assert tried == ["read", "refused"]


def test_the_story_holds_and_nothing_is_lost(
    compose: Compose, pair: list[City], tmp_path: Path
) -> None:
    told = subprocess.run(
        [
            sys.executable,
            "-m",
            "node.demo",
            "--target",
            "compose",
            "--exit",
            "--data",
            str(tmp_path / "demo"),
        ],
        cwd=ROOT,
        env=compose.environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]
    assert " passed, 0 failed" in told.stdout

    again = subprocess.run(
        [
            sys.executable,
            "-m",
            "node.demo",
            "--target",
            "compose",
            "--exit",
            "--data",
            str(tmp_path / "again"),
        ],
        cwd=ROOT,
        env={**compose.environment, "LANG": "en_US.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert again.returncode == 3
    assert "know volunteers already" in again.stdout + again.stderr

    desk = Desk(pair[0])
    with Hours(desk) as hours:
        hours.go_on()
        kill_and_start(compose, "chongqing-records-api", hours)
        kill_and_start(compose, "chongqing-rewards-agents", hours)
        compose.up(
            "--no-recreate", "--scale", "chongqing-records-agents=3", "chongqing-records-agents"
        )
        compose.until_healthy("chongqing-records-agents", 3)
        hours.go_on()
        cut_off(compose, "chongqing-kafka", hours)
        stop_for_a_while(compose, "chongqing-postgres", hours)
        hours.go_on()
    desk.reconcile()
    expected = {subject: MINUTES * len(entries) for subject, entries in desk.told.items()}
    assert heard(pair[0], expected) == expected

    before = books(compose, pair, desk)
    assert before.wrong == []
    compose("down", "--timeout", "20", seconds=300)
    compose.up("chongqing-postgres", "chengdu-postgres")
    after = books(compose, pair, desk)
    assert (after.entries, after.credited_minutes, after.homes, after.wrong) == (
        before.entries,
        before.credited_minutes,
        before.homes,
        [],
    )


class Desk:
    """An organisation in 重庆 that records and approves hours, and what it was told of them."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.today: date = datetime.now(SHANGHAI).date()
        county = city.api("registry", "county", [f"county_reviewer/{YUZHONG}"])
        self.organisation = county.post(
            "/organisations",
            {
                "name": "渝中区长明志愿服务协会",
                "kind": "social_group",
                "seat_region": YUZHONG,
                "uscc": cast.credit_code("51", "500199", 77),
                "scope": "社区服务",
                "established_on": "2019-03-05",
                "charity": True,
                "direct_category": "charity",
            },
        )["organisation_id"]
        consent = registration_consent(city, YUZHONG)
        self.told: dict[str, list[str]] = {}
        for number, person in enumerate(cast.people(self.today, "510199")[:VOLUNTEERS]):
            told = city.api("registry", f"faults-{number}", ["login"]).post(
                "/volunteers", person.body(YUZHONG, consent)
            )
            self.told[told["subject_id"]] = []
        self._subjects = list(self.told)
        self._next = 0

    def record(self) -> None:
        """Half an hour, recorded and approved by two persons."""
        number, self._next = self._next, self._next + 1
        subject = self._subjects[number % VOLUNTEERS]
        slot = number // VOLUNTEERS
        # Twelve half-hours a day, a quarter of an hour apart: none overlaps, no day is long.
        begins = datetime.combine(
            self.today - timedelta(days=3 + slot // 12), datetime.min.time(), UTC
        ) + timedelta(minutes=45 * (slot % 12))
        key = uuid.uuid4().hex
        path = f"/dossiers/{subject}"
        body = {
            "organisation_id": self.organisation,
            "evidence_class": "leader_entry",
            "activity_name": "社区清洁",
            "place": {"region_code": YUZHONG},
            "started_at": f"{begins:%Y-%m-%dT%H:%M:%SZ}",
            "ended_at": f"{begins + timedelta(minutes=MINUTES):%Y-%m-%dT%H:%M:%SZ}",
        }
        entry = patiently(
            lambda: self._api("recorder").post(f"{path}/services", body, key=key),
            "an hour recorded",
        )["entry_id"]
        told = patiently(
            lambda: self._api("approver").post(
                f"{path}/entries/500000/{entry}/approve", key=f"{key}-approve"
            ),
            "an hour approved",
        )
        assert (told["state"], told["minutes"]) == ("approved", MINUTES)
        self.told[subject].append(entry)

    def reconcile(self) -> None:
        """Records and rewards say what the desk was told."""
        for subject, entries in self.told.items():
            expected = MINUTES * len(entries)
            assert expected > 0
            own = {
                service: self.city.api(service, "her", ["volunteer"], subject_id=subject)
                for service in ("records", "rewards")
            }
            until(
                lambda own=own: own["records"].get("/dossier")["totals"]["credited_minutes"],
                expected,
                "minutes in records",
            )
            until(
                lambda own=own: next(
                    one["eligible_minutes"]
                    for one in own["rewards"].get("/standing")["policies"]
                    if one["policy_id"] == DEMO_POLICY
                ),
                expected,
                "minutes in rewards",
            )

    def _api(self, role: str) -> Any:
        return self.city.api("records", f"faults-{role}", [f"{role}@{self.organisation}"])


class Hours:
    """Records one after the other until it is left; what goes wrong there goes wrong here."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ended = threading.Event()
        self._problem: BaseException | None = None
        self.count = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Hours:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(2 * PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "an hour is still being recorded"
        if self._problem is not None:
            raise self._problem

    def go_on(self, more: int = 8) -> None:
        """Waits until so many more were recorded."""
        goal, deadline = self.count + more, time.monotonic() + PATIENCE_SECONDS
        while self.count < goal:
            assert self._problem is None and time.monotonic() < deadline, (
                f"{self.count} of {goal} hours: {self._problem!r}"
            )
            time.sleep(0.1)

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._desk.record()
                self.count += 1
                self._ended.wait(PAUSE_SECONDS)
        except BaseException as problem:  # noqa: BLE001 - told to the test's own thread
            self._problem = problem


def kill_and_start(compose: Compose, service: str, hours: Hours) -> None:
    """SIGKILL, then as an operator starts it again."""
    compose("kill", "--signal", "KILL", service)
    assert compose.containers(service)[0]["State"]["ExitCode"] == 137
    compose("start", service)
    compose.until_healthy(service)
    hours.go_on()


def cut_off(compose: Compose, service: str, hours: Hours) -> None:
    """Its network is taken away; the APIs go on taking commands, for the database is the truth."""
    one = compose.containers(service)[0]
    network = next(iter(one["NetworkSettings"]["Networks"]))
    engine("network", "disconnect", "--force", network, one["Id"])
    try:
        before, ends = hours.count, time.monotonic() + OUTAGE_SECONDS
        hours.go_on()
        while time.monotonic() < ends:
            time.sleep(0.1)
        assert hours.count > before
    finally:
        engine("network", "connect", "--alias", service, network, one["Id"])
    compose.until_healthy(service)


def stop_for_a_while(compose: Compose, service: str, hours: Hours) -> None:
    """Nothing is taken meanwhile, and nothing is answered that was not."""
    compose("stop", service)
    ends = time.monotonic() + OUTAGE_SECONDS
    begun = hours.count
    while time.monotonic() < ends:
        time.sleep(0.1)
    # At most the one that was on its way.
    assert hours.count <= begun + 1
    compose("start", service)
    compose.until_healthy(service)


def heard(city: City, expected: dict[str, int]) -> dict[str, int]:
    """What a subscriber reckons from the public topic, read from its beginning."""
    stranger, tail = Subscriber(), Tail(city.node.code, city.node.bootstrap, from_beginning=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while time.monotonic() < deadline:
            for seen in tail.poll():
                stranger.take(seen)
            found = {subject: stranger.minutes(subject) for subject in expected}
            if found == expected:
                break
    finally:
        tail.close()
    return found


def books(compose: Compose, pair: list[City], desk: Desk) -> auditor.Report:
    """The auditor's count from the tables of both cities: nothing is asked of a service."""
    urls = {}
    for name, city in zip(CITIES, pair, strict=True):
        password = compose.file(f"{name}-postgres", "/docker-entrypoint-initdb.d/password").strip()
        port = compose("port", f"{name}-postgres", "5432").strip()
        urls[city.node.code] = f"postgresql://postgres:{password}@{port}/jiexu"
    listed = read(Path(pair[0].node.directory))["body"]["nodes"]
    keys = {
        key["kid"]: bytes.fromhex(key["public"])
        for node in listed
        for key in node["keys"]
        if "entry" in key["uses"]
    }
    journal = Journal()
    for subject, entries in desk.told.items():
        for entry in entries:
            journal.note(subject, entry, "approved", MINUTES)
    report = asyncio.run(auditor.audit(urls, keys, journal))
    # The story's own hours are counted by the story; the auditor still checks their books.
    told = "entries that nobody submitted"
    report.wrong = [
        line
        for line in report.wrong
        if not (line.endswith(told) and line.partition(":")[0] not in desk.told)
    ]
    return report


def until(ask: Callable[[], int], expected: int, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := patiently(ask, what)) != expected:
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: {found}, not {expected}")
        time.sleep(0.2)
