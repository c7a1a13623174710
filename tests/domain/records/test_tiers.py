"""Who must approve a long day, and does a database that looks it up find the same? (R4)"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.records.domain import tiers
from services.records.domain.knowledge import PolicyVersion, policy_on, recording_rules
from tests.domain.records import story as w

BODIES = st.sampled_from(tuple(tiers.RANK))
LINES = st.lists(st.integers(1, 1440), max_size=3, unique=True).flatmap(
    lambda bounds: st.tuples(*(BODIES for _ in range(len(bounds) + 1))).map(
        lambda bodies: [
            {"to": to, "body": body}
            for to, body in zip([*sorted(bounds), None], bodies, strict=True)
        ]
    )
)
REGIONS = st.sampled_from(["*", "500000", "500103", "510000", "510100", "510104"])
DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 9))


@st.composite
def versions(draw: st.DrawFn) -> tuple[PolicyVersion, ...]:
    made = {}
    for n in range(draw(st.integers(0, 5))):
        policy = w.recording_policy(n + 1, day_tiers=draw(LINES))
        made[n] = replace(
            policy,
            policy_id=draw(st.sampled_from(["a", "b", "c"])),
            kind=draw(st.sampled_from(["recording", "recording", "minors"])),
            jurisdiction=tuple(draw(st.sets(REGIONS, min_size=1, max_size=2))),
            effective_from=draw(DAYS),
        )
    return tuple(made.values())


@given(
    versions(),
    st.sampled_from(["500103", "500105", "510104", "510105", "510704", "110101"]),
    DAYS,
    st.dictionaries(st.sampled_from(["2026-01-01", "2026-01-02"]), st.integers(1, 1440)),
)
def test_the_reigns_say_of_a_day_what_the_policies_say(
    policies: tuple[PolicyVersion, ...], code: str, day: date, minutes: dict[str, int]
) -> None:
    policy = policy_on(policies, "recording", code, day)
    told = (
        "recorder"
        if policy is None
        else tiers.tier_of(minutes, (), ("amber", "none"), recording_rules(policy))
    )
    of_day = [
        each
        for each in tiers.reigns(policies)
        if code.startswith(each.prefix) and each.since <= day < each.until
    ]
    lines = max(of_day, key=lambda each: len(each.prefix)).lines if of_day else ()
    ranks = [
        rank for above, upto, rank in lines for each in minutes.values() if above < each <= upto
    ]
    assert max(ranks, default=0) == tiers.RANK[told]
