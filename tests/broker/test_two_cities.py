"""Two cities as real processes, each service of each killed once in the middle of a move (R29–R31).

Afterwards an auditor counts: entries and minutes of both cities against what the clients were
told. Nothing is lost, nothing is doubled, and what was answered stands.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from node.client import Api, ServiceRefused
from node.demo import people as cast
from node.demo.cities import City, make
from node.events import Tail
from node.keys import moment
from node.layout import DATABASE, POSTGRES, SERVICES, Node
from node.postgres import EmbeddedPostgres, binaries
from node.sheets.cells import SHANGHAI
from node.terminal import Failure
from tests.support import auditor
from tests.support.auditor import Journal, Report

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

T = TypeVar("T")
OLD, NEW = "500103", "510104"
BEFORE, MINUTES = 3, 120
# A killed service comes back in seconds; on busy cores, in many. The group waits 10 s for a member.
PATIENCE_SECONDS = 180.0
MOVED = ("moved", "settling", "done")


@dataclass
class Mover:
    """One volunteer, and everything that the cities have told her clients."""

    number: int
    person: cast.Person
    subject: str = ""
    applicant_ref: str = ""
    told: dict[str, int] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)


@dataclass
class World:
    """Both cities, the organisation in the old one, and the people who move."""

    old: City
    new: City
    today: date
    organisation: str = ""

    def api(self, city: City, service: str, actor: str, *roles: str, **more: Any) -> Api:
        return city.api(service, actor, roles, **more)


def patiently(ask: Callable[[], T], what: str) -> T:
    """Ask until it is answered: a service that was killed is away for a while.

    Every POST keeps its Idempotency-Key over the tries, as a careful client does.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except Failure as failure:
            final = isinstance(failure, ServiceRefused) and failure.status not in (503, 404, 409)
            if final or time.monotonic() > deadline:
                raise AssertionError(f"{what}: {failure}") from failure
        time.sleep(0.2)


def until(ask: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := patiently(ask, what)):
        if time.monotonic() > deadline:
            pytest.fail(f"after {PATIENCE_SECONDS:g} s still not: {what}")
        time.sleep(0.1)
    return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    old, new = make(tmp_path / "nodes", random.sample(range(20_000, 30_000, 250), 20))
    cities = (old, new)
    try:
        for city in cities:
            city.start()
        for city in cities:
            city.wait_until_ready(lambda _: None)
        yield World(old, new, datetime.now(SHANGHAI).date())
    finally:
        for city in cities:
            city.ask_to_stop()
        for city in cities:
            city.stop()


def register(world: World, mover: Mover) -> None:
    old = world.old
    mover.subject = world.api(old, "registry", f"login-{mover.number}", "login").post(
        "/volunteers", mover.person.body(OLD, consent(old, OLD, "registration")))["subject_id"]
    county = world.api(old, "registry", "county", f"county_reviewer/{OLD}")
    county.post(f"/volunteers/{mover.subject}/verifications", seen())
    for back in range(BEFORE):
        record(world, mover, back)


def record(world: World, mover: Mover, back: int) -> None:
    """Two hours, recorded and approved by two persons; what was answered is remembered."""
    day = world.today - timedelta(days=3 + back)
    path = f"/dossiers/{mover.subject}"
    recorder = world.api(world.old, "records", "recorder", f"recorder@{world.organisation}")
    approver = world.api(world.old, "records", "approver", f"approver@{world.organisation}")
    key = uuid.uuid4().hex
    body = {
        "organisation_id": world.organisation, "evidence_class": "leader_entry",
        "activity_name": "社区清洁", "place": {"region_code": OLD},
        "started_at": f"{day}T01:00:00Z", "ended_at": f"{day}T03:00:00Z"}
    told = patiently(lambda: recorder.post(f"{path}/services", body, key=key), "an hour recorded")
    entry = told["entry_id"]
    approved = patiently(
        lambda: approver.post(f"{path}/entries/{world.old.node.code}/{entry}/approve",
                              key=f"{key}-approve"), "an hour approved")
    assert approved["state"] == "approved"
    mover.told[entry] = approved["minutes"]


def apply(world: World, mover: Mover) -> None:
    """A code in the old city, an application in the new one."""
    new = world.new
    strong = world.api(world.old, "registry", f"login-{mover.number}", "volunteer",
                       subject_id=mover.subject, strong=True)
    key = uuid.uuid4().hex
    code = patiently(lambda: strong.post("/transfer-codes", {"purpose": "move"}, key=key), "a code")
    if "code_text" not in code:  # the answer was lost with the process: it is shown once
        code = patiently(lambda: strong.post("/transfer-codes", {"purpose": "move"}), "a new code")
    registry = world.api(new, "registry", f"login-{mover.number}", "login")
    person = mover.person.body(NEW, consent(new, NEW, "registration"))
    mover.applicant_ref = patiently(
        lambda: registry.post("/applicants", person, key=key), "an applicant")["applicant_ref"]
    county = world.api(new, "registry", "county", f"county_reviewer/{NEW}")
    shown = seen()
    patiently(lambda: county.post(f"/applicants/{mover.applicant_ref}/verifications", shown,
                                  key=key), "a document seen")
    transfer = world.api(new, "transfer", f"login-{mover.number}", "login")
    body = {"applicant_ref": mover.applicant_ref, "origin": world.old.node.code,
            "code": code["code_text"], "consent": move_consent(world)}
    patiently(lambda: transfer.post("/transfers", body, key=key), "an application")


def state_of(world: World, mover: Mover) -> dict[str, Any]:
    now: dict[str, Any] = world.api(
        world.new, "transfer", f"login-{mover.number}", "login").get(
            f"/transfers/{mover.applicant_ref}")
    if not mover.states or mover.states[-1] != now["state"]:
        mover.states.append(now["state"])
    assert now["refusal"] is None, now
    return now


def seen() -> dict[str, str]:
    return {"method": "document", "result": "matched", "checked_at": moment(datetime.now(UTC))}


def consent(city: City, region: str, purpose: str) -> dict[str, Any]:
    texts = patiently(lambda: city.api("registry").get(
        "/policies", kind="consent_text", region=region), "texts")["items"]
    text = next(item for item in texts if item["purpose"] == purpose)
    return {"text_id": text["policy_id"], "text_version": text["version"], "channel": "web"}


def move_consent(world: World) -> dict[str, Any]:
    now = datetime.now(UTC)
    registry = world.new.api("registry")
    texts = patiently(lambda: registry.get("/policies", kind="consent_text", region=NEW), "texts")
    text = next(item for item in texts["items"] if item["purpose"] == "transfer")
    whole = patiently(lambda: registry.get(
        f"/policies/{text['policy_id']}/versions/{text['version']}"), "the text")
    return {
        "text_id": text["policy_id"],
        "text_digest": hashlib.sha256(whole["content"]["texts"]["zh"].encode()).hexdigest(),
        "provider": world.old.node.code, "receiver": world.new.node.code, "purpose": "move",
        "kinds": ["service", "training", "commendation", "evaluation", "star", "complaint",
                  "consumption", "donation", "adjustment"], "given_at": moment(now),
        "expires_at": moment(now + timedelta(days=30)), "channel": "web", "guardian": None}


def kill(city: City, service: str) -> None:
    state = json.loads((city.node.run / "state.json").read_text("utf-8"))
    row = next(row for row in state["processes"] if row["name"] == service)
    assert row["pid"] is not None, f"{service} of {city.node.code} was down already"
    os.kill(row["pid"], signal.SIGKILL)


def restarts(city: City) -> dict[str, int]:
    state = json.loads((city.node.run / "state.json").read_text("utf-8"))
    return {row["name"]: row["restarts"] for row in state["processes"]}


def test_each_service_killed_in_the_middle_of_a_move_loses_and_doubles_nothing(
        world: World) -> None:
    victims = [(city, service) for service in SERVICES for city in (world.old, world.new)]
    county = world.api(world.old, "registry", "county", f"county_reviewer/{OLD}")
    world.organisation = county.post("/organisations", {
        "name": "渝中区晨光志愿服务协会", "kind": "social_group", "seat_region": OLD,
        "uscc": cast.credit_code("51", "500199", 1), "scope": "社区服务",
        "established_on": "2019-03-05", "charity": True,
        "direct_category": "charity"})["organisation_id"]
    movers = [Mover(number, person)
              for number, person in enumerate(cast.people(world.today)[:len(victims)])]
    for mover in movers:
        register(world, mover)

    for mover, (city, service) in zip(movers, victims, strict=True):
        apply(world, mover)
        now = patiently(lambda mover=mover: state_of(world, mover), "a status")  # type: ignore[misc]
        assert now["status"] not in MOVED, "the move was over before anything was killed"
        kill(city, service)
        record(world, mover, BEFORE)  # in the middle of the move: held, then forwarded

    for mover in movers:
        until(lambda mover=mover: state_of(world, mover)["status"] in MOVED,  # type: ignore[misc]
              f"mover {mover.number} has moved; seen {mover.states}")
    for city in (world.old, world.new):
        assert all(restarts(city)[service] >= 1 for service in SERVICES)
    for mover in movers:
        audit(world, mover)
    report = books(world, movers)
    assert report.wrong == []
    assert set(report.homes.values()) == {world.new.node.code}
    assert report.credited_minutes == len(movers) * MINUTES * (BEFORE + 1)
    assert report.entries == len(movers) * (BEFORE + 1)
    for city in (world.old, world.new):
        nothing_personal(city, [mover.person for mover in movers])


def nothing_personal(city: City, people: list[cast.Person]) -> None:
    """No planted name or number in topics, logs or a dump of the whole database (R55)."""
    planted = {form for person in people for text in (person.name, person.number)
               for form in (text, json.dumps(text)[1:-1])}
    tail = Tail(city.node.code, city.node.bootstrap, from_beginning=True)
    events, quiet = [], 0
    while quiet < 4:
        came = tail.poll()
        events += [json.dumps(seen.as_json(), ensure_ascii=False) for seen in came]
        quiet = 0 if came else quiet + 1
    tail.close()
    dump = subprocess.run(
        [str(binaries() / "pg_dump"), "--dbname", postgres(city.node, DATABASE)],
        capture_output=True, text=True, check=True, timeout=120).stdout
    logs = [path.read_text("utf-8", "replace") for path in city.node.logs.glob("*.log*")]
    assert len(events) > 50 and len(dump) > 50_000 and len(logs) >= 6
    for what, texts in (("topics", events), ("logs", logs), ("dump", [dump])):
        found = {value for value in planted for text in texts if value in text}
        assert not found, f"{what} of {city.node.code} hold personal values"


def books(world: World, movers: list[Mover]) -> Report:
    """The auditor's count from the tables of both cities: nothing is asked of a service."""
    journal = Journal()
    for mover in movers:
        for entry, minutes in mover.told.items():
            journal.note(mover.subject, entry, "approved", minutes)
    urls = {city.node.code: postgres(city.node, DATABASE) for city in (world.old, world.new)}
    return asyncio.run(auditor.audit(urls, entry_keys(world.old), journal))


def postgres(node: Node, database: str) -> str:
    return EmbeddedPostgres(node.home / "postgres", node.port(POSTGRES)).url_of(database)


def entry_keys(city: City) -> dict[str, bytes]:
    """By kid every city's entry keys, from the signed directory."""
    document = json.loads(Path(city.node.directory).read_text("utf-8"))
    return {key["kid"]: bytes.fromhex(key["public"])
            for node in document["body"]["nodes"] for key in node["keys"]
            if "entry" in key["uses"]}


def audit(world: World, mover: Mover) -> None:
    """Both cities' books of one mover, against what her clients were told."""
    expected = sum(mover.told.values())
    assert expected == MINUTES * (BEFORE + 1)
    new = world.api(world.new, "records", f"login-{mover.number}", "volunteer",
                    subject_id=mover.subject)
    until(lambda: new.get("/dossier")["totals"]["credited_minutes"] == expected,
          f"mover {mover.number} has {expected} minutes in the new city")
    found = new.get("/dossier")
    entries = new.pages(f"/dossiers/{mover.subject}/entries")
    assert sorted(entry["entry_id"] for entry in entries) == sorted(mover.told)
    assert {entry["entry_id"]: entry["credited_minutes"] for entry in entries} == mover.told
    assert {entry["issuer"] for entry in entries} == {world.old.node.code}
    assert (found["status"], found["epoch"], found["home"]) == ("home", 2, world.new.node.code)
    old = world.api(world.old, "records", f"login-{mover.number}", "volunteer",
                    subject_id=mover.subject).get("/dossier")
    assert (old["status"], old["home"]) == ("departed", world.new.node.code)
