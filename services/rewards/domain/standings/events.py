"""What has happened to a standing? The order of fields follows the public contract.

``MinutesMoved``, ``PersonNoted``, ``StarNoted``, ``CellsWanted`` and ``TransferEndNoted`` concern
nobody outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.rewards.domain.policies.model import AwardMode
from services.rewards.domain.standings.state import (
    Body,
    CellMinutes,
    Person,
    Star,
)
from shared.messages import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingEvent(Event):
    subject_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lowers:
    """Which star entry a demotion lowers, and why."""

    issuer: str
    entry_id: str
    cause: Literal["revocation", "redemption", "violation"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonNoted(StandingEvent):
    person: Person


@dataclass(frozen=True, kw_only=True, slots=True)
class MinutesMoved(StandingEvent):
    """Differences to add, one per cell; zero differences are left out."""

    differences: tuple[CellMinutes, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingChanged(StandingEvent):
    policy_id: str
    policy_version: int
    eligible_minutes: int
    as_of: date


@dataclass(frozen=True, kw_only=True, slots=True)
class StarBecameEligible(StandingEvent):
    policy_id: str
    policy_version: int
    eligible_minutes: int
    as_of: date
    level: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StarApplied(StandingEvent):
    policy_id: str
    policy_version: int
    level: int
    cutoff_on: date
    basis_minutes: int
    applied_on: date
    due_on: date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StarLapsed(StandingEvent):
    """An open application ended by a move; it may be made again with the same cut-off (R34)."""

    policy_id: str
    level: int
    cutoff_on: date
    transfer_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StarReviewed(StandingEvent):
    policy_id: str
    level: int
    outcome: Literal["pass", "fail"]
    step: str
    reviewed_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StarPublicised(StandingEvent):
    policy_id: str
    level: int
    until: date


@dataclass(frozen=True, kw_only=True, slots=True)
class StarRefused(StandingEvent):
    policy_id: str
    level: int
    refused_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StarDecision(StandingEvent):
    """Everything that the star entry in the dossier will say."""

    award_id: str
    level: int
    name: str
    policy_id: str
    policy_version: int
    basis_minutes: int
    cutoff_on: date
    award_mode: AwardMode
    authority_level: str
    decision_id: str | None
    awarded_on: date
    decided_by: Body
    lowers: Lowers | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StarAwarded(StarDecision):
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class StarDemoted(StarDecision):
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldStarReviewOpened(StandingEvent):
    policy_id: str
    policy_version: int
    level: int
    cause: Literal["revocation", "redemption", "violation"]
    eligible_minutes: int
    minutes_min: int
    opened_on: date


@dataclass(frozen=True, kw_only=True, slots=True)
class StarKept(StandingEvent):
    policy_id: str
    level: int
    kept_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StarNoted(StandingEvent):
    """A star entry of the dossier became known, or stands no more (``stands`` false)."""

    star: Star
    stands: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class StarRecognised(StandingEvent):
    issuer: str
    entry_id: str
    level: int
    award_mode: AwardMode
    star_policy_id: str
    basis_minutes: int
    policy_id: str
    counts_as_level: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardsFrozen(StandingEvent):
    transfer_id: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardsThawed(StandingEvent):
    transfer_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardsDeparted(StandingEvent):
    transfer_id: str
    new_epoch: int
    home: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardsAdopted(StandingEvent):
    """The dossier's table of cells and its stars replace what was known."""

    transfer_id: str
    new_epoch: int
    first_registered_on: date
    cells: tuple[CellMinutes, ...]
    stars: tuple[Star, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CellsWanted(StandingEvent):
    """Own: the table of an adoption is to be fetched before anything else of the subject."""

    transfer_id: str
    new_epoch: int
    first_registered_on: date
    stars: tuple[Star, ...]
    digest: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferEndNoted(StandingEvent):
    """An end was heard before the beginning: that transfer freezes nothing any more."""

    transfer_id: str
