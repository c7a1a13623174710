"""Policies: packs at provision, two persons, versions and days; consents under texts in force."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.registry.domain.rejections import ContentIsInvalid
from services.registry.edge import packs
from services.registry.edge.policy_models import judge
from shared.messages import Grant
from tests.edge.registry.conftest import CITY, Registry, person, slug

EXAMPLES = Path(__file__).parents[2] / "data" / "star_policy_examples.yaml"


def examples() -> dict[str, dict[str, Any]]:
    documents = yaml.safe_load_all(EXAMPLES.read_text("utf-8"))
    return {each["policy_id"]: json.loads(json.dumps(each, default=str)) for each in documents}


DEMO = examples()["demo-automatic"]


def text(version: int, effective_from: str, **changes: Any) -> dict[str, Any]:
    """A version of the text for registrations."""
    return {
        "policy_id": "consent-registration",
        "kind": "consent_text",
        "version": version,
        "jurisdiction": ["*"],
        "effective_from": effective_from,
        "purpose": "registration",
        "texts": {"zh": "我同意。", "en": "I agree."},
    } | changes


async def proposed(registry: Registry, document: dict[str, Any], actor_id: str = "zhou") -> Any:
    async with registry.client(CITY, actor_id=actor_id) as city:
        return await registry.post(city, "/policies", document)


async def confirmed(registry: Registry, proposal: Any, actor_id: str = "wu") -> Any:
    body = proposal.json()
    path = f"/policies/{body['policy_id']}/proposals/{body['proposal_id']}/confirm"
    async with registry.client(CITY, actor_id=actor_id) as city:
        return await registry.post(city, path)


async def test_the_packs_are_published_once(registry: Registry) -> None:
    events = await registry.events("policy-published")
    published = [json.loads(each["data"]) for each in events]
    assert [each["policy_id"] for each in published] == [
        "cn-default",
        "cn-minors",
        "cn-recording",
        "consent-registration",
        "consent-transfer",
        "pair-default",
        "cq-minors",
    ]
    assert {each["confirmed_by"] for each in published} == {"system:provision"}
    assert {each["topic"] for each in events} == {"registry.policies.v1"}
    registry.clock.advance(timedelta(days=3))
    await packs.publish(registry.parts.ledger, registry.clock)
    assert len(await registry.events("policy-published")) == 7


async def test_the_default_star_policy_is_the_published_model() -> None:
    shipped = next(each for each in packs.contents() if each["policy_id"] == "cn-default")
    assert shipped == examples()["cn-default"]


async def test_two_persons_publish(registry: Registry) -> None:
    proposal = await proposed(registry, DEMO)
    assert proposal.status_code == 202, proposal.text
    assert proposal.json()["expires_at"] == "2027-03-08T02:00:00Z"
    path = f"/policies/demo-automatic/proposals/{proposal.json()['proposal_id']}"
    async with registry.client(CITY, actor_id="wu") as second:
        assert (await second.get(path)).json()["content"] == DEMO
    alone = await confirmed(registry, proposal, "zhou")
    assert (alone.status_code, slug(alone)) == (409, "second-person-is-missing")
    done = await confirmed(registry, proposal)
    assert done.status_code == 200, done.text
    event = json.loads((await registry.events("policy-published"))[-1]["data"])
    assert (event["proposed_by"], event["confirmed_by"]) == ("zhou", "wu")
    assert event["content"] == DEMO
    assert slug(await confirmed(registry, proposal)) == "proposal-has-lapsed"


async def test_a_proposal_lives_seven_days_or_until_the_next(registry: Registry) -> None:
    first = await proposed(registry, DEMO)
    second = await proposed(registry, DEMO | {"source": "another"})
    assert slug(await confirmed(registry, first)) == "proposal-has-lapsed"
    registry.clock.advance(timedelta(days=7))
    assert slug(await confirmed(registry, second)) == "proposal-has-lapsed"


async def test_what_may_not_be_published_is_named(registry: Registry) -> None:
    for document, status, expected in (
        (DEMO | {"version": 2}, 409, "version-is-not-next"),
        (text(2, "2027-03-01"), 409, "effective-date-is-past"),
        (text(2, "2027-02-28", correction=True), 409, "effective-date-is-past"),
        (DEMO | {"jurisdiction": ["510000"]}, 403, "actor-may-not"),
        (DEMO | {"kind": "stars"}, 422, "content-is-invalid"),
    ):
        answer = await proposed(registry, document)
        assert (answer.status_code, slug(answer)) == (status, expected)


async def test_a_county_reviewer_makes_no_rules(registry: Registry) -> None:
    async with registry.client(Grant("county_reviewer", region="500103")) as county:
        answer = await registry.post(county, "/policies", DEMO)
    assert (answer.status_code, slug(answer)) == (403, "actor-may-not")


async def test_the_day_is_judged_again_when_the_second_person_confirms(registry: Registry) -> None:
    proposal = await proposed(registry, text(2, "2027-03-02"))
    assert proposal.status_code == 202
    registry.clock.advance(timedelta(days=1))
    assert slug(await confirmed(registry, proposal)) == "effective-date-is-past"


async def test_the_version_of_the_day_decides(registry: Registry) -> None:  # R48, S37
    await confirmed(registry, await proposed(registry, text(2, "2027-03-02")))
    async with registry.client("login", actor_id="one") as one:
        today = await registry.post(one, "/volunteers", person())
    assert today.status_code == 201, today.text
    registry.clock.advance(timedelta(days=1))
    async with registry.client("login", actor_id="two") as two:
        stale = await registry.post(two, "/volunteers", person(124, name="王芳"))
        current = {"text_id": "consent-registration", "text_version": 2}
        fresh = await registry.post(two, "/volunteers", person(124, name="王芳", consent=current))
    assert (slug(stale), stale.json()["version"]) == ("consent-text-is-stale", 2)
    assert fresh.status_code == 201
    async with registry.client() as anybody:
        before = (await anybody.get("/policies?kind=consent_text&on=2027-03-01")).json()["items"]
        after = (await anybody.get("/policies?kind=consent_text&on=2027-03-02")).json()["items"]
    versions = [{each["policy_id"]: each["version"] for each in found} for found in (before, after)]
    assert versions == [
        {"consent-registration": 1, "consent-transfer": 1},
        {"consent-registration": 2, "consent-transfer": 1},
    ]


async def test_a_correction_begins_on_its_day(registry: Registry) -> None:
    document = text(2, "2027-03-01", correction=True)
    done = await confirmed(registry, await proposed(registry, document))
    assert done.status_code == 200, done.text


async def test_the_narrowest_place_comes_first(registry: Registry) -> None:
    async with registry.client() as anybody:

        async def minors(query: str) -> list[str]:
            answer = await anybody.get(f"/policies?kind=minors&{query}")
            return [each["policy_id"] for each in answer.json()["items"]]

        assert await minors("region=500103") == ["cq-minors", "cn-minors"]
        assert await minors("region=510104") == ["cn-minors"]
        assert await minors("region=500103&on=2015-09-30") == ["cn-minors"]
        whole = await anybody.get("/policies/cq-minors/versions/1")
        missing = await anybody.get("/policies/cq-minors/versions/2")
    assert whole.json()["content"]["guardian"] == "consent_or_accompaniment"
    assert slug(missing) == "not-found"


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(DEMO)
    place: Any = document
    *parents, last = path.split(".")
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(
    "path, value, told",
    [
        ("levels.1.minutes_min", 600, "levels"),
        ("levels.1.level", 3, "levels"),
        ("levels.0.minutes_min", "600", "levels.0.minutes_min"),
        ("levels.0.minutes_min", 600.5, ""),
        ("basis.measure", "points", "basis.measure"),
        ("basis.measure", "annual_minutes", "basis.year"),
        ("review.human_required", False, "review.human_required"),
        ("recognition.lower_on_move", True, "recognition.lower_on_move"),
        ("window", {"kind": "sometimes"}, "window.kind"),
        ("jurisdiction", ["500100"], "jurisdiction"),
        ("effective_from", "2020-13-01", "effective_from"),
        ("publicity", ..., "publicity"),
        ("quality.misspelt", True, "quality"),
        ("version", 0, "version"),
        ("source", "x" * 210_000, ""),
    ],
)
def test_a_fault_of_the_content_is_told_with_its_path(path: str, value: Any, told: str) -> None:
    judged = judge(changed(path, value))
    assert isinstance(judged, ContentIsInvalid)
    assert judged.path == told


async def test_a_fault_is_answered_with_its_path(registry: Registry) -> None:
    answer = await proposed(registry, changed("levels.0.minutes_min", "600"))
    assert (answer.status_code, slug(answer)) == (422, "content-is-invalid")
    assert answer.json()["path"] == "levels.0.minutes_min"


@pytest.mark.parametrize("name", examples())
def test_every_example_of_a_star_policy_fits_the_model(name: str) -> None:
    assert judge(examples()[name]).content == examples()[name]  # type: ignore[union-attr]


# -- consents ------------------------------------------------------------------------------------

GIVEN = {
    "purpose": "registration",
    "receiver": "school-42",
    "data_kinds": ["service_records"],
    "text_id": "consent-registration",
    "text_version": 1,
    "expires_on": "2027-12-31",
}


async def test_a_consent_is_given_and_withdrawn_once(registry: Registry) -> None:
    async with registry.client("login", actor_id="li-hua") as login:
        made = await registry.post(login, "/volunteers", person())
    subject = made.json()["subject_id"]
    async with registry.client("volunteer", actor_id="li-hua", subject_id=subject) as volunteer:
        given = await registry.post(volunteer, "/volunteers/me/consents", GIVEN)
        again = await registry.post(volunteer, "/volunteers/me/consents", GIVEN)
        stale = await registry.post(
            volunteer, "/volunteers/me/consents", GIVEN | {"text_version": 2}
        )
        unknown = await registry.post(
            volunteer, "/volunteers/me/consents", GIVEN | {"purpose": "marketing"}
        )
        past = await registry.post(
            volunteer, "/volunteers/me/consents", GIVEN | {"expires_on": "2027-02-28"}
        )
        path = f"/volunteers/me/consents/{given.json()['consent_id']}/withdraw"
        withdrawn = await registry.post(volunteer, path)
        twice = await registry.post(volunteer, path)
        nobody = await registry.post(volunteer, f"/volunteers/me/consents/{'0' * 32}/withdraw")
        held = (await volunteer.get("/volunteers/me/consents")).json()["items"]
        all_ = (await volunteer.get("/volunteers/me/consents?in_force=false")).json()["items"]
    assert given.status_code == 201, given.text
    assert again.json()["consent_id"] == given.json()["consent_id"]
    assert slug(stale) == "consent-text-is-stale"
    assert slug(unknown) == "consent-text-is-stale"
    assert slug(past) == "field-is-wrong"
    assert withdrawn.json()["withdrawn_at"] == "2027-03-01T02:00:00Z"
    assert twice.status_code == 200
    assert slug(nobody) == "not-found"
    assert (len(held), len(all_)) == (1, 2)
    assert len(await registry.events("consent-withdrawn")) == 1


async def test_policies_come_page_by_page(registry: Registry) -> None:
    async with registry.client("login") as anybody:
        whole = (await anybody.get("/policies")).json()["items"]
        read: list[dict[str, Any]] = []
        after = ""
        while True:
            answer = (await anybody.get(f"/policies?limit=2{after}")).json()
            assert len(answer["items"]) <= 2
            read += answer["items"]
            if answer["next"] is None:
                break
            after = f"&after={answer['next']}"
        assert read == whole and len(whole) > 2
        for wrong in ("&after=garbage", "&limit=0", "&limit=201"):
            assert (await anybody.get(f"/policies?a=1{wrong}")).status_code == 422
