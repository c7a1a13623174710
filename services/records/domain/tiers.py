"""Who must approve a long day? (R4, domain.md 3.2: daily tiers, judged at approval)"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

from services.records.domain.entries import Card, EntryKey
from services.records.domain.knowledge import (
    Organisation,
    PolicyVersion,
    RecordingRules,
    TierBody,
    holds,
    policy_on,
    prefix_of,
    recording_rules,
)
from shared.messages import Actor

RANK: Final[Mapping[TierBody, int]] = {
    "recorder": 0,
    "parent_organisation": 1,
    "higher_authority": 2,
}
# More than all that a person was ever said to have done in a day.
LONGEST_MINUTES: Final = 2**31 - 1
REVIEWERS: Final = ("county_reviewer", "city_reviewer", "province_reviewer")


def minutes_on(day: str, cards: Iterable[Card], leaving_out: EntryKey) -> int:
    """Counted minutes of a local day over all that is known here, adjustments and one entry aside.

    Overlap is not taken off: the tier asks how long a day was claimed to be.
    """
    return sum(
        card.counting.minutes_by_day.get(day, 0)
        for card in cards
        if card.key != leaving_out and card.counted > 0 and card.standing.kind == "service"
    )


def tier_of(
    days: Mapping[str, int], cards: Iterable[Card], leaving_out: EntryKey, rules: RecordingRules
) -> TierBody:
    """The highest tier that one of the entry's days reaches with it; a sum without days: none."""
    known = tuple(cards)
    highest: TierBody = "recorder"
    for day, minutes in days.items():
        whole = minutes + minutes_on(day, known, leaving_out)
        body = next(body for to, body in rules.tiers if to is None or whole <= to)
        if RANK[body] > RANK[highest]:
            highest = body
    return highest


@dataclass(frozen=True, slots=True)
class Reign:
    """The tiers in force ``since`` a day until before another, where a code begins so.

    Of the reigns of a day the longest prefix decides; none, or one without lines: the recorder.
    A day of more than ``above`` and at most ``upto`` minutes has the line's rank.
    """

    prefix: str
    since: date
    until: date
    lines: tuple[tuple[int, int, int], ...]


def reigns(policies: Sequence[PolicyVersion]) -> Iterator[Reign]:
    """``policy_on`` and ``tier_of`` for every code and day at once, as a database can look it up.

    The narrowest region of any version that holds a code is held by the same regions as the code.
    """
    known = [each for each in policies if each.kind == "recording"]
    turns = sorted({date.min, date.max, *(each.effective_from for each in known)})
    for region in sorted({region for each in known for region in each.jurisdiction}):
        for since, until in pairwise(turns):
            policy = policy_on(known, "recording", region, since)
            lines = () if policy is None else tuple(_lines(recording_rules(policy)))
            yield Reign("" if region == "*" else prefix_of(region), since, until, lines)


def _lines(rules: RecordingRules) -> Iterator[tuple[int, int, int]]:
    above = -1
    for to, body in rules.tiers:
        yield above, (LONGEST_MINUTES if to is None else to), RANK[body]
        above = above if to is None else to


def may_approve(actor: Actor, tier: TierBody, recorder: Organisation, region: str) -> bool:
    """Whether this actor is of the body that the tier asks for, or of one above it."""
    if tier == "recorder":
        return _approves_for(actor, recorder.organisation_id)
    supervising = recorder.supervising_body_id
    if tier == "parent_organisation" and supervising is not None:
        # A reviewer of the place is above it, and may as well.
        return _approves_for(actor, supervising) or reviews(actor, region)
    return reviews(actor, region)


def reviews(actor: Actor, region: str, *roles: str) -> bool:
    """Whether a reviewer's region holds this code; a grant without a region holds none."""
    return any(
        grant.region is not None and holds(grant.region, region)
        for grant in actor.holding(*(roles or REVIEWERS))
    )


def _approves_for(actor: Actor, organisation_id: str) -> bool:
    return any(grant.organisation_id == organisation_id for grant in actor.holding("approver"))
