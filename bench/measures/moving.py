"""How long does a dossier of 2,000 leaves take from one idle city to another?"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from bench import sheets
from bench.city import BASE_PORTS, Failed, people
from bench.frame import Bench, Measure, Reach, Result
from node import importing, verify
from node.client import Api
from node.demo import cities
from node.demo.cities import City
from node.demo.people import Person, credit_code
from node.keys import moment
from shared.clock import SHANGHAI

YUZHONG, JINJIANG = "500103", "510104"
KINDS = [
    "service",
    "training",
    "commendation",
    "evaluation",
    "star",
    "complaint",
    "consumption",
    "donation",
    "adjustment",
]
MOVE_SECONDS = 120.0
APPROVAL_SECONDS = 600.0
_NAME = "transfer of a dossier between two idle nodes"
VERIFIED = "verification of the same dossier alone"
MEASURES = (
    Measure(
        name=f"{_NAME}: the slowest",
        unit="s",
        reference=VERIFIED,
        reach=Reach(of="ours", at_most=10),
    ),
    Measure(
        name=f"{_NAME}: the median", unit="s", reference=VERIFIED, reach=Reach(of="ours", at_most=4)
    ),
)


def take(bench: Bench) -> Iterator[Result]:
    """From the application until the destination says that it is hers; one after the other."""
    count, leaves = bench.scaled(20, 2), bench.scaled(2000, 400)
    chongqing, chengdu = cities.make(bench.root / "moving", BASE_PORTS)
    try:
        for city in (chongqing, chengdu):
            city.start()
        for city in (chongqing, chengdu):
            city.wait_until_ready(lambda _: None)
        move = Move(chongqing, chengdu, people(0, count))
        bench.say(f"writing {count} dossiers of {leaves} leaves")
        move.register()
        move.fill(bench.root / "moving.xlsx", leaves // 2)
        seconds = [move.one(index) for index in range(count)]
        alone = [move.verified(index, leaves) for index in range(bench.rounds)]
    finally:
        for city in (chongqing, chengdu):
            city.ask_to_stop()
        for city in (chongqing, chengdu):
            city.stop()
    note = f"{count} transfers of {leaves} leaves, one after the other"
    yield Result(measure=MEASURES[0], ours=[max(seconds)], reference=[median(alone)], note=note)
    yield Result(measure=MEASURES[1], ours=[median(seconds)], reference=[median(alone)], note=note)


@dataclass
class Move:
    """Two cities, and the people who leave the first for the second."""

    origin: City
    destination: City
    people: list[Person]
    organisation: str = ""

    def __post_init__(self) -> None:
        self.subjects: list[str] = []

    def register(self) -> None:
        """An organisation; people who register themselves and are seen by the county."""
        county = self.origin.api("registry", "reviewer-origin", [f"county_reviewer/{YUZHONG}"])
        told = county.post(
            "/organisations",
            {
                "name": "渝中区晨光志愿服务协会",
                "kind": "social_group",
                "seat_region": YUZHONG,
                "uscc": credit_code("51", "500199", 1),
                "scope": "社区服务",
                "established_on": "2019-03-05",
                "charity": True,
                "direct_category": "charity",
            },
        )
        self.organisation = told["organisation_id"]
        consent = _registration_consent(self.origin, YUZHONG)
        for index, person in enumerate(self.people):
            told = self.origin.api("registry", f"login-{index}", ["login"]).post(
                "/volunteers", person.body(YUZHONG, consent)
            )
            self.subjects.append(told["subject_id"])
            county.post(f"/volunteers/{told['subject_id']}/verifications", _seen())

    def fill(self, path: Path, services_each: int) -> None:
        """Every person's services by one sheet, approved: two leaves each."""
        sheets.write(
            path, self.people, services_each, datetime.now(UTC).astimezone(SHANGHAI).date()
        )
        recorder = self._records("recorder")
        sheet = importing.read(path)
        batch = importing.open_batch(recorder, sheet, self.organisation)
        done = batch.send(sheet, lambda _: None).count()
        assert done["imported"] == len(sheet.rows), dict(done)
        batch.close(sheet)
        self._records("approver").post(f"/batches/{batch.batch_id}/approve")
        deadline = time.monotonic() + APPROVAL_SECONDS
        goal = sheets.MINUTES * services_each
        for index in range(len(self.people)):
            while self._credited(self.origin, index) < goal:
                if time.monotonic() > deadline:
                    raise Failed("the batch was not approved in time")
                time.sleep(0.5)

    def one(self, index: int) -> float:
        """Seconds from the application to the move's end; her minutes are the same there."""
        subject, person = self.subjects[index], self.people[index]
        code = self._hers(self.origin, "registry", index).post(
            "/transfer-codes", {"purpose": "move", "receiver": self.destination.node.code}
        )
        login = [f"login-{index}", ["login"]]
        registry = self.destination.api("registry", *login)  # type: ignore[arg-type]
        applicant = registry.post(
            "/applicants", person.body(JINJIANG, _registration_consent(self.destination, JINJIANG))
        )["applicant_ref"]
        self.destination.api(
            "registry", "reviewer-destination", [f"county_reviewer/{JINJIANG}"]
        ).post(f"/applicants/{applicant}/verifications", _seen())
        transfer = self.destination.api("transfer", *login)  # type: ignore[arg-type]
        wish = {
            "applicant_ref": applicant,
            "origin": self.origin.node.code,
            "code": code["code_text"],
            "consent": self._consent(),
        }
        before = self._credited(self.origin, index)
        begun = time.perf_counter()
        transfer.post("/transfers", wish)
        while True:
            now = transfer.get(f"/transfers/{applicant}")
            seconds = time.perf_counter() - begun
            if now["status"] in ("moved", "settling", "done"):
                break
            if now["refusal"] is not None or seconds > MOVE_SECONDS:
                raise Failed(f"the dossier did not move: {now['state']} {now['refusal']}")
            time.sleep(0.02)
        assert now["subject_id"] == subject
        assert self._credited(self.destination, index) == before, "minutes were lost"
        return seconds

    def verified(self, index: int, leaves: int) -> float:
        """Seconds that the destination's verifier needs for her exported dossier."""
        export = self._hers(self.destination, "transfer", index).get(
            f"/exports/{self.subjects[index]}"
        )
        node = self.destination.node
        directory = verify.directory_of(Path(node.directory), node.directory_keys)
        begun = time.perf_counter()
        judged = verify.judge(export, directory)
        seconds = time.perf_counter() - begun
        assert judged.code is None and judged.verdict.count == leaves, judged.as_json()
        return seconds

    def _records(self, role: str) -> Api:
        return self.origin.api("records", f"staff-{role}", [f"{role}@{self.organisation}"])

    def _hers(self, city: City, service: str, index: int) -> Api:
        return city.api(
            service,
            f"login-{index}",
            ["volunteer", "login"],
            subject_id=self.subjects[index],
            strong=True,
        )

    def _credited(self, city: City, index: int) -> int:
        return int(self._hers(city, "records", index).get("/dossier")["totals"]["credited_minutes"])

    def _consent(self) -> dict[str, Any]:
        registry = self.destination.api("registry")
        texts = registry.get("/policies", kind="consent_text", region=JINJIANG)["items"]
        text = next(item for item in texts if item["purpose"] == "transfer")
        whole = registry.get(f"/policies/{text['policy_id']}/versions/{text['version']}")
        now = datetime.now(UTC)
        return {
            "text_id": text["policy_id"],
            "text_digest": hashlib.sha256(whole["content"]["texts"]["zh"].encode()).hexdigest(),
            "provider": self.origin.node.code,
            "receiver": self.destination.node.code,
            "purpose": "move",
            "given_at": moment(now),
            "kinds": KINDS,
            "expires_at": moment(now + timedelta(days=30)),
            "channel": "web",
            "guardian": None,
        }


def _seen() -> dict[str, str]:
    return {"method": "document", "result": "matched", "checked_at": moment(datetime.now(UTC))}


def _registration_consent(city: City, region: str) -> dict[str, Any]:
    texts = city.api("registry").get("/policies", kind="consent_text", region=region)["items"]
    text = next(item for item in texts if item["purpose"] == "registration")
    return {"text_id": text["policy_id"], "text_version": text["version"], "channel": "web"}
