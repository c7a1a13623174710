"""What may be asked of a standing?

Ids of awards come derived from the command; days are local days, computed from ``at``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.rewards.domain.standings.state import CellMinutes, Star
from shared.messages import Command


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingCommand(Command):
    subject_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NotePerson(StandingCommand):
    """Registry told of the person; what is None is not known from this fact."""

    residence_region: str | None = None
    first_registered_on: date | None = None
    claimed: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecomputeStanding(StandingCommand):
    """Minutes moved (or, with none, a policy began): judge every star policy in force."""

    differences: tuple[CellMinutes, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteStar(StandingCommand):
    """Records told of a star entry. ``stands``: approved and not below a higher version."""

    star: Star
    stands: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyForStar(StandingCommand):
    policy_id: str
    level: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewStar(StandingCommand):
    policy_id: str
    outcome: Literal["pass", "fail"]
    reasons: str
    step: str = "review"


@dataclass(frozen=True, kw_only=True, slots=True)
class ShowStar(StandingCommand):
    policy_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AwardStar(StandingCommand):
    policy_id: str
    decision_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RefuseStar(StandingCommand):
    policy_id: str
    reasons: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RecogniseStar(StandingCommand):
    """An authority at the new home asks for what adoption does by itself where policy says so."""

    policy_id: str
    issuer: str
    entry_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeepStar(StandingCommand):
    policy_id: str
    reasons: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoteStar(StandingCommand):
    policy_id: str
    new_level: int
    cause: Literal["revocation", "redemption", "violation"]
    reasons: str
    decision_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FreezeRewards(StandingCommand):
    transfer_id: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ThawRewards(StandingCommand):
    transfer_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DepartRewards(StandingCommand):
    transfer_id: str
    new_epoch: int
    home: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchCells(StandingCommand):
    """An adoption whose table of cells was too large for an event: it is fetched by digest."""

    transfer_id: str
    new_epoch: int
    first_registered_on: date
    stars: tuple[Star, ...]
    digest: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AdoptRewards(StandingCommand):
    transfer_id: str
    new_epoch: int
    first_registered_on: date
    cells: tuple[CellMinutes, ...]
    stars: tuple[Star, ...]
