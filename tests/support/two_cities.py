"""How do people serve in one real city and move to another? Two nodes as processes, over HTTP."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from node.client import Api, ServiceRefused
from node.demo import people as cast
from node.demo.cities import City, make
from node.keys import moment
from node.sheets.cells import SHANGHAI
from node.terminal import Failure
from tests.support.infrastructure import base_ports

T = TypeVar("T")
OLD, NEW = "500103", "510104"
# Of one record().
MINUTES = 120
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
    """Ask, patiently, until the answer is true; fails naming ``what``."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := patiently(ask, what)):
        if time.monotonic() > deadline:
            pytest.fail(f"after {PATIENCE_SECONDS:g} s still not: {what}")
        time.sleep(0.1)
    return found


@contextmanager
def running(root: Path) -> Iterator[World]:
    """Both cities, made anew below ``root``, ready; stopped afterwards."""
    old, new = make(root, base_ports())
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


def found_organisation(world: World) -> None:
    """A recorder in the old city, for whom all of these volunteers serve."""
    county = world.api(world.old, "registry", "county", f"county_reviewer/{OLD}")
    world.organisation = county.post(
        "/organisations",
        {
            "name": "渝中区晨光志愿服务协会",
            "kind": "social_group",
            "seat_region": OLD,
            "uscc": cast.credit_code("51", "500199", 1),
            "scope": "社区服务",
            "established_on": "2019-03-05",
            "charity": True,
            "direct_category": "charity",
        },
    )["organisation_id"]


def register(world: World, mover: Mover) -> None:
    """She registers in the old city, her document seen."""
    old = world.old
    mover.subject = world.api(old, "registry", f"login-{mover.number}", "login").post(
        "/volunteers", mover.person.body(OLD, consent(old, OLD, "registration"))
    )["subject_id"]
    county = world.api(old, "registry", "county", f"county_reviewer/{OLD}")
    county.post(f"/volunteers/{mover.subject}/verifications", seen())


def record(world: World, mover: Mover, back: int) -> None:
    """Two hours, recorded and approved by two persons; what was answered is remembered."""
    day = world.today - timedelta(days=3 + back)
    path = f"/dossiers/{mover.subject}"
    recorder = world.api(world.old, "records", "recorder", f"recorder@{world.organisation}")
    approver = world.api(world.old, "records", "approver", f"approver@{world.organisation}")
    key = uuid.uuid4().hex
    body = {
        "organisation_id": world.organisation,
        "evidence_class": "leader_entry",
        "activity_name": "社区清洁",
        "place": {"region_code": OLD},
        "started_at": f"{day}T01:00:00Z",
        "ended_at": f"{day}T03:00:00Z",
    }
    told = patiently(lambda: recorder.post(f"{path}/services", body, key=key), "an hour recorded")
    entry = told["entry_id"]
    approved = patiently(
        lambda: approver.post(
            f"{path}/entries/{world.old.node.code}/{entry}/approve", key=f"{key}-approve"
        ),
        "an hour approved",
    )
    assert approved["state"] == "approved"
    mover.told[entry] = approved["minutes"]


def apply(world: World, mover: Mover) -> None:
    """A code in the old city, an application in the new one."""
    new = world.new
    strong = world.api(
        world.old,
        "registry",
        f"login-{mover.number}",
        "volunteer",
        subject_id=mover.subject,
        strong=True,
    )
    key = uuid.uuid4().hex
    code = patiently(lambda: strong.post("/transfer-codes", {"purpose": "move"}, key=key), "a code")
    if "code_text" not in code:  # the answer was lost with the process: it is shown once
        code = patiently(lambda: strong.post("/transfer-codes", {"purpose": "move"}), "a new code")
    registry = world.api(new, "registry", f"login-{mover.number}", "login")
    person = mover.person.body(NEW, consent(new, NEW, "registration"))
    mover.applicant_ref = patiently(
        lambda: registry.post("/applicants", person, key=key), "an applicant"
    )["applicant_ref"]
    county = world.api(new, "registry", "county", f"county_reviewer/{NEW}")
    shown = seen()
    patiently(
        lambda: county.post(f"/applicants/{mover.applicant_ref}/verifications", shown, key=key),
        "a document seen",
    )
    transfer = world.api(new, "transfer", f"login-{mover.number}", "login")
    body = {
        "applicant_ref": mover.applicant_ref,
        "origin": world.old.node.code,
        "code": code["code_text"],
        "consent": move_consent(world),
    }
    patiently(lambda: transfer.post("/transfers", body, key=key), "an application")


def state_of(world: World, mover: Mover) -> dict[str, Any]:
    """Her transfer, as the new city tells it; nothing may have refused it."""
    now: dict[str, Any] = world.api(world.new, "transfer", f"login-{mover.number}", "login").get(
        f"/transfers/{mover.applicant_ref}"
    )
    if not mover.states or mover.states[-1] != now["state"]:
        mover.states.append(now["state"])
    assert now["refusal"] is None, now
    return now


def seen() -> dict[str, str]:
    return {"method": "document", "result": "matched", "checked_at": moment(datetime.now(UTC))}


def consent(city: City, region: str, purpose: str) -> dict[str, Any]:
    texts = patiently(
        lambda: city.api("registry").get("/policies", kind="consent_text", region=region), "texts"
    )["items"]
    text = next(item for item in texts if item["purpose"] == purpose)
    return {"text_id": text["policy_id"], "text_version": text["version"], "channel": "web"}


def move_consent(world: World) -> dict[str, Any]:
    now = datetime.now(UTC)
    registry = world.new.api("registry")
    texts = patiently(lambda: registry.get("/policies", kind="consent_text", region=NEW), "texts")
    text = next(item for item in texts["items"] if item["purpose"] == "transfer")
    whole = patiently(
        lambda: registry.get(f"/policies/{text['policy_id']}/versions/{text['version']}"),
        "the text",
    )
    return {
        "text_id": text["policy_id"],
        "text_digest": hashlib.sha256(whole["content"]["texts"]["zh"].encode()).hexdigest(),
        "provider": world.old.node.code,
        "receiver": world.new.node.code,
        "purpose": "move",
        "kinds": [
            "service",
            "training",
            "commendation",
            "evaluation",
            "star",
            "complaint",
            "consumption",
            "donation",
            "adjustment",
        ],
        "given_at": moment(now),
        "expires_at": moment(now + timedelta(days=30)),
        "channel": "web",
        "guardian": None,
    }
