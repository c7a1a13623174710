"""Two cities as real processes, each service of each killed once in the middle of a move (R29–R31).

Afterwards an auditor counts: entries and minutes of both cities against what the clients were
told. Nothing is lost, nothing is doubled, and what was answered stands.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.demo import people as cast
from node.demo.cities import City
from node.events import Tail
from node.layout import DATABASE, POSTGRES, SERVICES, Node
from node.postgres import EmbeddedPostgres, binaries
from tests.support import auditor
from tests.support.auditor import Journal, Report
from tests.support.two_cities import (
    MINUTES,
    MOVED,
    Mover,
    World,
    apply,
    found_organisation,
    patiently,
    record,
    register,
    running,
    state_of,
    until,
)

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

# How often each served before her move.
BEFORE = 3


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path / "nodes") as world:
        yield world


def kill(city: City, service: str) -> None:
    state = json.loads((city.node.run / "state.json").read_text("utf-8"))
    row = next(row for row in state["processes"] if row["name"] == service)
    assert row["pid"] is not None, f"{service} of {city.node.code} was down already"
    os.kill(row["pid"], signal.SIGKILL)


def restarts(city: City) -> dict[str, int]:
    state = json.loads((city.node.run / "state.json").read_text("utf-8"))
    return {row["name"]: row["restarts"] for row in state["processes"]}


def test_each_service_killed_in_the_middle_of_a_move_loses_and_doubles_nothing(
    world: World,
) -> None:
    victims = [(city, service) for service in SERVICES for city in (world.old, world.new)]
    found_organisation(world)
    movers = [
        Mover(number, person)
        for number, person in enumerate(cast.people(world.today)[: len(victims)])
    ]
    for mover in movers:
        register(world, mover)
        for back in range(BEFORE):
            record(world, mover, back)

    for mover, (city, service) in zip(movers, victims, strict=True):
        apply(world, mover)
        now = patiently(lambda mover=mover: state_of(world, mover), "a status")  # type: ignore[misc]
        assert now["status"] not in MOVED, "the move was over before anything was killed"
        kill(city, service)
        record(world, mover, BEFORE)  # in the middle of the move: held, then forwarded

    for mover in movers:
        until(
            lambda mover=mover: state_of(world, mover)["status"] in MOVED,  # type: ignore[misc]
            f"mover {mover.number} has moved; seen {mover.states}",
        )
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
    planted = {
        form
        for person in people
        for text in (person.name, person.number)
        for form in (text, json.dumps(text)[1:-1])
    }
    tail = Tail(city.node.code, city.node.bootstrap, from_beginning=True)
    events, quiet = [], 0
    while quiet < 4:
        came = tail.poll()
        events += [json.dumps(seen.as_json(), ensure_ascii=False) for seen in came]
        quiet = 0 if came else quiet + 1
    tail.close()
    dump = subprocess.run(
        [str(binaries() / "pg_dump"), "--dbname", postgres(city.node, DATABASE)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
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
    return {
        key["kid"]: bytes.fromhex(key["public"])
        for node in document["body"]["nodes"]
        for key in node["keys"]
        if "entry" in key["uses"]
    }


def audit(world: World, mover: Mover) -> None:
    """Both cities' books of one mover, against what her clients were told."""
    expected = sum(mover.told.values())
    assert expected == MINUTES * (BEFORE + 1)
    new = world.api(
        world.new, "records", f"login-{mover.number}", "volunteer", subject_id=mover.subject
    )
    until(
        lambda: new.get("/dossier")["totals"]["credited_minutes"] == expected,
        f"mover {mover.number} has {expected} minutes in the new city",
    )
    found = new.get("/dossier")
    entries = new.pages(f"/dossiers/{mover.subject}/entries")
    assert sorted(entry["entry_id"] for entry in entries) == sorted(mover.told)
    assert {entry["entry_id"]: entry["credited_minutes"] for entry in entries} == mover.told
    assert {entry["issuer"] for entry in entries} == {world.old.node.code}
    assert (found["status"], found["epoch"], found["home"]) == ("home", 2, world.new.node.code)
    old = world.api(
        world.old, "records", f"login-{mover.number}", "volunteer", subject_id=mover.subject
    ).get("/dossier")
    assert (old["status"], old["home"]) == ("departed", world.new.node.code)
