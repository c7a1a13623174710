"""Is a published star policy kept once, whole, and are all subjects judged from its first day?"""

from __future__ import annotations

from uuid import uuid5

import pytest

from services.rewards.domain.policies import keeping as k
from services.rewards.domain.policies.model import region_holds
from tests.domain.rewards import world as w

HEAD = {"command_id": uuid5(w.SPACE, "keep"), "actor": w.SYSTEM, "at": w.NOON}


def keep(policy_id: str = "cn-default", version: int = 1) -> k.KeepPolicy:
    content = w.DOCUMENTS[policy_id] | {"version": version}
    return k.KeepPolicy(**HEAD, policy_id=policy_id, version=version, content=content)


def test_a_version_is_kept_once():
    (event,) = k.decide(k.KeptPolicy(), keep())
    kept = k.evolve(k.KeptPolicy(), event)
    assert kept.versions == (1,)
    assert k.decide(kept, keep()) == ()


def test_a_policy_with_a_key_that_is_not_evaluated_names_it():
    refused = k.decide(k.KeptPolicy(), keep("cd-longquanyi-like"))
    assert refused == k.PolicyIsNotSupported(
        policy_id="cd-longquanyi-like", version=1, path="basis.subtract_redeemed"
    )


@pytest.mark.parametrize(("after", "events"), [("a" * 32, 1), (None, 0)])
def test_a_page_of_subjects_asks_for_the_next_until_there_is_none(after, events):
    kept = k.KeptPolicy(versions=(1,))
    advance = k.AdvancePolicy(**HEAD, policy_id="cn-default", version=1, after=after)
    ruling = k.decide(kept, advance)
    assert len(ruling) == events
    for event in ruling:
        assert k.evolve(kept, event) == kept


def test_a_version_not_kept_judges_nobody():
    advance = k.AdvancePolicy(**HEAD, policy_id="cn-default", version=2, after="a" * 32)
    assert k.decide(k.KeptPolicy(versions=(1,)), advance) == ()


@pytest.mark.parametrize(
    ("code", "region", "held"),
    [
        ("*", "500103", True),
        ("500000", "500103", True),
        ("500103", "500103", True),
        ("510100", "510104", True),
        ("510100", "510000", False),
        ("500000", "510104", False),
    ],
)
def test_a_region_holds_by_prefix(code, region, held):
    assert region_holds(code, region) is held
