"""Does rewards, on a real database, do what its rules say, through its API and its facts?"""

from __future__ import annotations

import base64
import json
from uuid import uuid4

import pytest

from services.rewards.domain.facts import FACTS
from services.rewards.domain.standings import commands as c
from shared.jobs import Job
from shared.ledger import Target
from shared.messages import Grant, Rejection
from tests.domain.rewards import world as w
from tests.edge.rewards.conftest import (
    EXAMPLES,
    Rewards,
    entry_fact,
    policy_fact,
    volunteer_fact,
)
from tests.support.api import assert_routes_obey_roles

COUNTY = Grant("county_reviewer", region="500103")
BASE = f"/standings/{w.LI_HUA}/policies/cn-default"


def key() -> dict[str, str]:
    return {"idempotency-key": str(uuid4())}


async def registered(rewards: Rewards, minutes: int = 6_000) -> None:
    await rewards.hears("registry.policy-published.v1", policy_fact("cn-default"))
    await rewards.hears("registry.volunteer-registered.v1", volunteer_fact())
    await rewards.hears("records.entry-approved.v1", entry_fact(minutes))


async def test_a_star_by_application_from_the_first_minute_to_the_award(rewards: Rewards):  # S18
    await registered(rewards)
    async with (
        rewards.client("volunteer", subject_id=w.LI_HUA) as herself,
        rewards.client(COUNTY, actor_id="reviewer-1") as reviewer,
    ):
        before = (await herself.get("/standing")).json()["policies"][0]
        assert (before["level"], before["missing_minutes"], before["next_level"]) == (0, 0, 1)
        answer = await herself.post(
            "/applications", json={"policy_id": "cn-default", "level": 1}, headers=key()
        )
        assert (answer.status_code, answer.json()["due_on"]) == (201, "2026-06-15")
        waiting = (await reviewer.get("/applications?stage=applied")).json()["items"]
        assert [one["subject_id"] for one in waiting] == [w.LI_HUA]
        review = {"outcome": "pass", "reasons": "符合要求"}
        assert (
            await reviewer.post(f"{BASE}/review", json=review, headers=key())
        ).status_code == 200
        await run_jobs(rewards)
        shown = (await reviewer.get("/applications")).json()["items"][0]
        assert (shown["stage"], shown["publicised_until"]) == ("publicised", "2026-06-08")
        award = {"decision_id": "decision-7"}
        early = await reviewer.post(f"{BASE}/award", json=award, headers=key())
        assert early.status_code == 409
        assert early.json()["type"] == "urn:jiexu:problem:publicity-is-running"
        rewards.clock.advance(w.days(8) - w.NOON)
        async with rewards.client(COUNTY, actor_id="reviewer-1") as later:
            given = await later.post(f"{BASE}/award", json=award, headers=key())
        assert given.status_code == 201 and given.json()["level"] == 1
    async with rewards.client("volunteer", subject_id=w.LI_HUA) as herself:
        after = (await herself.get("/standing")).json()
    assert (after["policies"][0]["level"], after["policies"][0]["missing_minutes"]) == (1, 12_000)
    reasons = await rewards.rows("SELECT kind, reasons FROM decision_reason")
    assert reasons == [{"kind": "ReviewStar", "reasons": "符合要求"}]
    told = await rewards.rows("SELECT data::text AS data FROM event")
    assert not any("符合要求" in row["data"] for row in told)


async def run_jobs(rewards: Rewards) -> None:
    """Runs what is due, as the worker does."""
    for row in await rewards.rows(
        "SELECT * FROM job WHERE state = 'waiting' AND due_at <= $1 ORDER BY due_at",
        rewards.clock.now(),
    ):
        job = Job(
            id=row["id"],
            kind=row["kind"],
            target=Target(row["target_kind"], row["target_id"]),
            data=json.loads(row["data"]),
            due_at=row["due_at"],
            attempts=1,
            correlation_id=row["correlation_id"],
        )
        commands = await rewards.jobs()[job.kind](job)
        for number, command in enumerate(commands, start=1):
            ends = job.id if number == len(commands) else None
            outcome = await rewards.ledger.submit(command, job=ends)
            assert not isinstance(outcome, Rejection), outcome


async def test_an_automatic_star_rises_with_the_event(rewards: Rewards):
    await rewards.hears("registry.policy-published.v1", policy_fact("demo-automatic"))
    await rewards.hears("registry.volunteer-registered.v1", volunteer_fact())
    followed = await rewards.hears("records.entry-approved.v1", entry_fact(600))
    assert followed == ["MinutesMoved", "StarBecameEligible", "StarAwarded"]
    published = await rewards.rows(
        "SELECT type, sequence FROM event WHERE topic = 'rewards.awards.v1' ORDER BY sequence"
    )
    assert published == [
        {"type": "rewards.star-became-eligible.v1", "sequence": 1},
        {"type": "rewards.star-awarded.v1", "sequence": 2},
    ]


async def test_a_policy_that_is_not_evaluated_is_refused_whole(rewards: Rewards):
    with pytest.raises(AssertionError, match="PolicyIsNotSupported"):
        await rewards.hears("registry.policy-published.v1", policy_fact("cd-longquanyi-like"))
    assert await rewards.rows("SELECT * FROM star_policy") == []


async def test_a_policy_that_begins_later_judges_everybody_on_its_day(rewards: Rewards):  # R48
    await registered(rewards)
    lower = [
        dict(one, minutes_min=one["minutes_min"] // 10)
        for one in w.DOCUMENTS["demo-automatic"]["levels"]
    ]
    fact = policy_fact("demo-automatic", effective_from="2026-07-01", levels=lower)
    await rewards.hears("registry.policy-published.v1", fact)
    await run_jobs(rewards)
    assert await rewards.rows("SELECT 1 FROM event WHERE type = 'rewards.star-awarded.v1'") == []
    rewards.clock.advance(w.days(40) - w.NOON)
    await run_jobs(rewards)
    awarded = await rewards.rows("SELECT data FROM event WHERE type = 'rewards.star-awarded.v1'")
    assert [json.loads(row["data"])["level"] for row in awarded] == [5]


async def test_a_standing_is_seen_by_its_own_person_and_the_reviewers_of_her_region(
    rewards: Rewards,
):
    await registered(rewards)
    async with rewards.client(Grant("county_reviewer", region="500112")) as elsewhere:
        foreign = await elsewhere.get(f"/standings/{w.LI_HUA}")
        unknown = await elsewhere.get(f"/standings/{'0' * 32}")
        assert (await elsewhere.get("/applications")).json()["items"] == []
    assert foreign.status_code == unknown.status_code == 404
    assert {**foreign.json(), "instance": ""} == {**unknown.json(), "instance": ""}
    async with rewards.client(COUNTY) as reviewer:
        assert (await reviewer.get(f"/standings/{w.LI_HUA}")).status_code == 200
    async with rewards.client("volunteer", subject_id="0" * 32) as other:
        assert (await other.get("/standing")).status_code == 404


async def test_the_same_application_again_gets_the_same_answer(rewards: Rewards):
    await registered(rewards)
    headers = key()
    body = {"policy_id": "cn-default", "level": 1}
    async with rewards.client("volunteer", subject_id=w.LI_HUA, actor_id="li-hua") as herself:
        first = await herself.post("/applications", json=body, headers=headers)
        again = await herself.post("/applications", json=body, headers=headers)
        other = await herself.post("/applications", json={**body, "level": 2}, headers=headers)
    assert first.json() == again.json() and again.headers["idempotent-replayed"] == "true"
    assert other.json()["type"] == "urn:jiexu:problem:command-id-reused"


async def test_a_refusal_tells_the_reason_and_the_remedy_in_the_language_asked_for(
    rewards: Rewards,
):
    await registered(rewards, minutes=5_990)
    body = {"policy_id": "cn-default", "level": 1}
    async with rewards.client("volunteer", subject_id=w.LI_HUA) as herself:
        english = await herself.post("/applications", json=body, headers=key())
        chinese = await herself.post(
            "/applications", json=body, headers=key() | {"accept-language": "zh"}
        )
    assert english.json()["detail"] == "10 minutes are missing. Apply when they have been served."
    assert chinese.json()["detail"] == "服务时间尚差 10 分钟。请在补足后再申请。"
    assert english.json()["missing"] == 10


async def test_levels_of_a_region_hide_small_groups(rewards: Rewards):
    await rewards.hears("registry.policy-published.v1", policy_fact("demo-automatic"))
    for number in range(12):
        subject = f"{number:032x}"
        await rewards.hears("registry.volunteer-registered.v1", volunteer_fact(True, subject))
        minutes = 600 if number < 11 else 10
        await rewards.hears("records.entry-approved.v1", entry_fact(minutes, 0, subject))
    async with rewards.client(COUNTY) as reviewer:
        answer = await reviewer.get("/levels?policy_id=demo-automatic&region=500103")
    assert answer.json()["levels"] == [
        {"level": 0, "people": None},
        {"level": 1, "people": 11},
    ]


async def test_lists_are_paged(rewards: Rewards):
    await registered(rewards)
    await rewards.hears("registry.policy-published.v1", policy_fact("demo-automatic"))
    async with rewards.client("volunteer") as anyone:
        first = (await anyone.get("/policies?limit=1")).json()
        second = (await anyone.get(f"/policies?limit=1&after={first['next']}")).json()
    assert [one["policy_id"] for one in first["items"] + second["items"]] == [
        "cn-default",
        "demo-automatic",
    ]
    assert second["next"] is None


async def test_a_cursor_of_another_list_is_a_wrong_field(rewards: Rewards):
    async with rewards.client(COUNTY) as reviewer:
        for path, position in (
            ("/policies", ["cn-default"]),
            ("/policies", ["cn-default", 2**40]),
            ("/applications", ["yesterday", "", ""]),
            ("/held-star-reviews", [1]),
        ):
            after = base64.urlsafe_b64encode(json.dumps(position).encode()).rstrip(b"=").decode()
            answer = await reviewer.get(f"{path}?after={after}")
            assert (answer.status_code, answer.json()["field"]) == (422, "after"), (path, position)


async def test_every_route_obeys_the_roles_of_the_token(rewards: Rewards):
    roles = ["volunteer", "recorder", "approver", "county_reviewer", "auditor", "login"]
    tried = await assert_routes_obey_roles(
        rewards.app, rewards.surroundings, roles, public=frozenset({"GET /policies"})
    )
    assert tried > 80


async def test_a_departed_standing_leaves_the_lists(rewards: Rewards):
    await registered(rewards)
    freeze = {"subject_id": w.LI_HUA, "transfer_id": "1" * 64, "epoch": 1}
    assert await rewards.hears("transfer.transfer-admitted.v1", freeze) == ["RewardsFrozen"]
    release = freeze | {"new_epoch": 2, "home": "510100"}
    assert await rewards.hears("transfer.dossier-released.v1", release) == ["RewardsDeparted"]
    assert await rewards.rows("SELECT * FROM standing") == []
    async with rewards.client("volunteer", subject_id=w.LI_HUA) as herself:
        shown = (await herself.get("/standing")).json()
    assert (shown["status"], shown["home"]) == ("departed", "510100")
    epochs = await rewards.rows(
        "SELECT custody_epoch FROM event WHERE type = 'rewards.rewards-departed.v1'"
    )
    assert epochs == [{"custody_epoch": 1}]


@pytest.mark.parametrize("name", sorted(FACTS))
async def test_the_owners_released_examples_are_read(rewards: Rewards, name: str):
    owner = name.split(".")[0]
    data = json.loads((EXAMPLES / owner / "contract" / "examples" / f"{name}.json").read_text())
    if data.get("kind") in ("registration", "consent_text", "recording"):
        data["kind"] = "recording"
    await rewards.hears(name, data)


async def test_adjustments_reduce_the_cell_of_the_entry_they_name(rewards: Rewards):
    await registered(rewards)
    fact = entry_fact(-30) | {"kind": "adjustment"}
    assert await rewards.hears("records.adjustment-recorded.v1", fact) == [
        "MinutesMoved",
        "StandingChanged",
    ]


async def test_an_unknown_command_is_a_defect(rewards: Rewards):
    with pytest.raises(TypeError):
        rewards.domain.reach(object())  # type: ignore[arg-type]


async def test_a_large_table_of_cells_is_fetched_under_its_digest(rewards: Rewards):
    data = json.loads(
        (EXAMPLES / "records/contract/examples/records.dossier-adopted.v1.json").read_text()
    )
    cells = data["cells"]
    raw = json.dumps(cells).encode()
    import hashlib

    digest = hashlib.sha256(raw).hexdigest()
    data |= {"cells": None, "cells_digest": digest, "cells_path": f"/internal/v1/objects/{digest}"}
    assert await rewards.hears("records.dossier-adopted.v1", data) == ["CellsWanted"]
    waiting = await rewards.ledger.submit(w.served(5))
    assert isinstance(waiting, Rejection) or data["subject_id"] != w.LI_HUA

    class Records:
        async def get_bytes(self, path: str) -> bytes:
            assert path == data["cells_path"]
            return raw

    from services.rewards.edge.jobs import handlers

    job_row = (await rewards.rows("SELECT * FROM job WHERE kind = 'fetch-cells'"))[0]
    job = Job(
        id=job_row["id"],
        kind="fetch-cells",
        target=Target("standing", data["subject_id"]),
        data=json.loads(job_row["data"]),
        due_at=job_row["due_at"],
        attempts=1,
    )
    commands = await handlers(rewards.database, Records, rewards.clock)["fetch-cells"](job)
    assert [type(command) for command in commands] == [c.AdoptRewards]
    outcome = await rewards.ledger.submit(commands[0], job=job.id)
    assert not isinstance(outcome, Rejection)
    state = next(iter(outcome.states.values())).standing
    assert [one.minutes for one in state.holdings.cells] == [95]
