"""Policies by two persons, version after version; and which of them holds where and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.registry.domain import rejections as no
from services.registry.domain.authority import PROVISION
from services.registry.domain.policies import commands as c
from services.registry.domain.policies import events as e
from services.registry.domain.policies.decider import Published, in_force
from shared.messages import Actor, Grant
from tests.domain.registry import world as w
from tests.domain.registry.world import given, policy, state_after

PROVISIONER = Actor(PROVISION, (Grant("system"),))
TOMORROW = date(2027, 3, 2)


def propose(document: c.Document | None = None, **changes: Any) -> c.ProposePolicy:
    actor, at = changes.pop("actor", w.CITY), changes.pop("at", w.AT)
    return c.ProposePolicy(
        **w.meta(actor, at, f"propose {at}"),
        proposal_id=changes.pop("proposal_id", "p" * 32),
        document=document or policy(**changes),
    )


def confirm(**changes: Any) -> c.ConfirmPolicy:
    actor, at = changes.pop("actor", w.CITY_2), changes.pop("at", w.AT)
    return c.ConfirmPolicy(
        **w.meta(actor, at, f"confirm {at}"),
        policy_id="consent-registration",
        proposal_id=changes.pop("proposal_id", "p" * 32),
    )


def publish(document: c.Document | None = None, **changes: Any) -> c.PublishPolicy:
    actor = changes.pop("actor", PROVISIONER)
    return c.PublishPolicy(**w.meta(actor), document=document or policy(**changes))


def test_the_second_person_publishes() -> None:
    story = given(*state_after(propose()))
    done = story.when(confirm())
    (event,) = done.events
    assert isinstance(event, e.PolicyPublished)
    assert (event.proposed_by, event.confirmed_by) == ("city", "city-2")
    assert (event.version, event.published_at) == (1, w.AT)
    done.after.when(confirm()).is_refused(no.ProposalHasLapsed())


def test_the_proposer_does_not_confirm() -> None:
    given(*state_after(propose())).when(confirm(actor=w.CITY)).is_refused(
        no.SecondPersonIsMissing()
    )


def test_a_confirmation_is_refused() -> None:
    story = given(*state_after(propose()))
    given().when(confirm()).is_refused(no.NotFound())
    story.when(confirm(proposal_id="q" * 32)).is_refused(no.ProposalHasLapsed())
    story.when(confirm(at=w.AT + timedelta(days=7))).is_refused(no.ProposalHasLapsed())
    story.when(confirm(actor=w.OFFICER)).is_refused(no.ActorMayNot())
    replaced = given(*state_after(propose(), propose(proposal_id="q" * 32)))
    replaced.when(confirm()).is_refused(no.ProposalHasLapsed())


def test_the_day_is_judged_again_at_the_confirmation() -> None:
    second = propose(policy(2, TOMORROW))
    story = given(*state_after(publish(), second))
    late = confirm(at=w.AT + timedelta(days=1))
    story.when(late).is_refused(no.EffectiveDateIsPast(date(2027, 3, 3)))


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"version": 3, "effective_from": TOMORROW}, no.VersionIsNotNext(2)),
        ({"version": 1}, no.VersionIsNotNext(2)),
        (
            {"version": 2, "effective_from": date(2027, 3, 1)},
            no.EffectiveDateIsPast(TOMORROW),
        ),
        (
            {"version": 2, "effective_from": TOMORROW, "correction": True},
            no.EffectiveDateIsPast(date(2027, 3, 1)),
        ),
        (
            {"version": 2, "effective_from": TOMORROW, "kind": "minors"},
            no.ContentIsInvalid("kind", "differs"),
        ),
        (
            {"version": 2, "effective_from": TOMORROW, "jurisdiction": ("510000",)},
            no.ActorMayNot(),
        ),
    ],
)
def test_a_proposal_is_refused(changes: dict[str, Any], refusal: no.Rejection) -> None:
    given(*state_after(publish())).when(propose(**changes)).is_refused(refusal)


@pytest.mark.parametrize(
    "actor",
    [
        w.OFFICER,
        w.ADMIN,
        Actor("x", (Grant("city_reviewer"),)),
        Actor("x", (Grant("city_reviewer", region="500103"),)),
    ],
)
def test_who_governs_no_city_makes_no_rules(actor: Actor) -> None:
    given().when(propose(actor=actor)).is_refused(no.ActorMayNot())


def test_a_first_version_may_lie_in_the_past_and_a_correction_begins_today() -> None:
    assert given().when(propose(effective_from=date(1990, 1, 1))).events
    today = policy(2, date(2027, 3, 1), correction=True)
    assert given(*state_after(publish())).when(propose(today)).events


def test_the_packs_are_published_alone_and_once() -> None:
    done = given().when(publish())
    assert [type(each) for each in done.events] == [e.PolicyPublished]
    done.after.when(publish()).is_quiet()
    changed = publish(policy(content={"version": 1, "other": True}))
    done.after.when(changed).is_refused(no.VersionIsNotNext(2))


def test_nobody_else_publishes_alone() -> None:
    given().when(publish(actor=w.CITY)).is_refused(no.SecondPersonIsMissing())


def shelf(policy_id: str, version: int, day: date, *jurisdiction: str) -> Published:
    return Published(policy_id, version, "minors", jurisdiction or ("*",), day)


ONE = shelf("cn", 1, date(1990, 1, 1))
TWO = shelf("cn", 2, date(2020, 1, 1))
CORRECTED = replace(TWO, version=3)
CITY_RULE = shelf("cq", 1, date(2015, 10, 1), "500000")
COUNTY_RULE = shelf("yz", 1, date(2015, 10, 1), "500103", "510000")


@pytest.mark.parametrize(
    "day, place, found",
    [
        (date(1989, 12, 31), "500103", ()),
        (date(2015, 9, 30), "500103", (ONE,)),
        (date(2015, 10, 1), "500103", (COUNTY_RULE, CITY_RULE, ONE)),
        (date(2015, 10, 1), "500105", (CITY_RULE, ONE)),
        (date(2020, 1, 1), "510104", (COUNTY_RULE, CORRECTED)),
        (date(2020, 1, 1), "t12345", (CORRECTED,)),
    ],
)
def test_the_narrowest_place_and_the_latest_day_decide(  # R48, S37
    day: date, place: str, found: tuple[Published, ...]
) -> None:
    assert in_force((ONE, TWO, CORRECTED, CITY_RULE, COUNTY_RULE), day, place) == found
