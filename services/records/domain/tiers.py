"""Who must approve a long day? (R4, domain.md 3.2: daily tiers, judged at approval)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from services.records.domain.entries import Card, EntryKey
from services.records.domain.knowledge import Organisation, RecordingRules, TierBody, holds
from shared.messages import Actor

RANK: Final[Mapping[TierBody, int]] = {
    "recorder": 0,
    "parent_organisation": 1,
    "higher_authority": 2,
}
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
