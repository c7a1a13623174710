"""``jiexu status`` of a node that runs, and what it says of what has gone wrong."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import psutil
import pytest

from node import moves
from node.demo import people as cast
from node.demo.cities import City, make
from node.keys import moment
from node.sheets.cells import SHANGHAI
from node.terminal import Exit
from services.registry.domain.identity import code_text
from services.transfer.domain.state import State
from tests.support.infrastructure import base_ports
from tests.support.reading import added, publish, spoilt

PROJECT = Path(__file__).parents[2]
CHECKS = "registry.checks.v1"
CONFIRMED = "registry.identity-confirmed.v1"
REGION = "510104"


def test_every_state_that_is_not_over_is_asked_for() -> None:
    known = {each.__dataclass_fields__["status"].default for each in get_args(State)}
    assert set(moves.OPEN_STATES) == known - {"Closed", "Refused", "Aborted"}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """Chengdu alone, with two of its services; Chongqing is in the directory and is down."""
    _, city = make(tmp_path_factory.mktemp("status") / "nodes", base_ports())
    try:
        city.start(["registry", "transfer"])
        city.wait_until_ready(lambda _: None)
        yield city
    finally:
        city.stop()


def jiexu(city: City, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "node.cli", "status", "-n", city.node.code, *arguments],
        capture_output=True, text=True, cwd=PROJECT, timeout=120, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "LANG": "en_US.UTF-8",
             "COLUMNS": "200", "JIEXU_DATA": str(city.node.home.parent)})


def told(city: City) -> dict[str, Any]:
    done = jiexu(city, "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (Exit.DONE if found["ready"] else Exit.NODE_STATE), done.stderr
    return found


def of(found: dict[str, Any], service: str) -> dict[str, Any]:
    [row] = [row for row in found["behind"] if row["service"] == service]
    return dict(row)


def eventually(city: City, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while True:
        found = told(city)
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def apply(city: City, number: int) -> str:
    """Somebody of Chongqing applies here; the id of her move."""
    person = list(cast.people(datetime.now(SHANGHAI).date()))[number]
    registry = city.api("registry")
    texts = registry.get("/policies", kind="consent_text", region=REGION)["items"]
    joining, moving = (next(text for text in texts if text["purpose"] == purpose)
                       for purpose in ("registration", "transfer"))
    whole = registry.get(f"/policies/{moving['policy_id']}/versions/{moving['version']}")
    login = city.api("registry", f"login-{number}", ["login"])
    applicant = login.post("/applicants", person.body(REGION, {
        "text_id": joining["policy_id"], "text_version": joining["version"],
        "channel": "web"}))["applicant_ref"]
    now = datetime.now(UTC)
    city.api("registry", "county", [f"county_reviewer/{REGION}"]).post(
        f"/applicants/{applicant}/verifications",
        {"method": "document", "result": "matched", "checked_at": moment(now)})
    answer: dict[str, Any] = city.api("transfer", f"login-{number}", ["login"]).post("/transfers", {
        "applicant_ref": applicant, "origin": "500000", "code": code_text(os.urandom(16)),
        "consent": {
            "text_id": moving["policy_id"],
            "text_digest": hashlib.sha256(whole["content"]["texts"]["zh"].encode()).hexdigest(),
            "provider": "500000", "receiver": city.node.code, "purpose": "move",
            "kinds": ["service", "training", "commendation", "evaluation", "star", "complaint",
                      "consumption", "donation", "adjustment"],
            "given_at": moment(now), "expires_at": moment(now + timedelta(days=30)),
            "channel": "web", "guardian": None}})
    return str(answer["transfer_id"])


@pytest.mark.broker
@pytest.mark.timeout(600)
def test_an_open_move_says_whose_turn_it_is(city: City) -> None:
    assert told(city)["transfers"] == {"open": [], "more": False}
    assert "no open moves" in jiexu(city).stdout
    transfer_id = apply(city, 0)
    [move] = told(city)["transfers"]["open"]
    assert (move["transfer_id"], move["role"], move["state"], move["whose_turn"]) == (
        transfer_id, "destination", "Requested", "500000")
    shown = jiexu(city).stdout
    assert "open moves (1)" in shown and transfer_id in shown


@pytest.mark.broker
@pytest.mark.timeout(600)
def test_what_cannot_be_read_and_what_waits_are_counted(city: City) -> None:
    before = of(told(city), "transfer")
    assert before["ready"]
    assert (before["parked_keys"], before["parked_seconds"], before["dead_letters"]) == (0, 0, 0)
    publish(city.node.bootstrap, city.node.code, [
        spoilt(added("a", 1, topic=CHECKS, type=CONFIRMED)),
        added("b", 3, topic=CHECKS, type=CONFIRMED)])
    found = of(eventually(city, lambda found: of(found, "transfer")["parked_keys"] == 2),
               "transfer")
    assert (found["dead_letters"], found["parked_messages"]) == (1, 2)
    assert found["parked_seconds"] > 0
    assert found["unread"][CHECKS] == 0
    assert of(told(city), "registry")["dead_letters"] == 0


@pytest.mark.broker
@pytest.mark.timeout(600)
def test_while_the_broker_hangs_the_outbox_is_told_all_the_same(city: City) -> None:
    [broker] = [row["pid"] for row in told(city)["processes"] if row["name"] == "kafka"]
    process = psutil.Process(broker)
    process.suspend()
    try:
        person = list(cast.people(datetime.now(SHANGHAI).date()))[1]
        texts = city.api("registry").get("/policies", kind="consent_text", region=REGION)["items"]
        text = next(each for each in texts if each["purpose"] == "registration")
        city.api("registry", "login-1", ["login"]).post("/volunteers", person.body(REGION, {
            "text_id": text["policy_id"], "text_version": text["version"], "channel": "web"}))
        row = of(eventually(city, lambda found: not found["ready"]), "registry")
    finally:
        process.resume()
    assert row["unread"] is None
    assert row["unpublished"] >= 2 and row["unpublished_seconds"] > 0
    after = of(eventually(city, lambda found: of(found, "registry")["unpublished"] == 0),
               "registry")
    assert after["unpublished_seconds"] == 0 and after["unread"] is not None


@pytest.mark.broker
@pytest.mark.timeout(600)
def test_a_service_that_hangs_is_not_ready_and_its_database_is_told_all_the_same(
        city: City) -> None:
    [pid] = [row["pid"] for row in told(city)["processes"] if row["name"] == "transfer"]
    os.kill(pid, signal.SIGSTOP)
    try:
        found = eventually(city, lambda found: not found["ready"])
    finally:
        os.kill(pid, signal.SIGCONT)
    assert not of(found, "transfer")["ready"] and of(found, "registry")["ready"]
    assert found["transfers"] is None
    eventually(city, lambda found: bool(found["ready"]))
