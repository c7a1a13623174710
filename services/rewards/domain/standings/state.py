"""What is known of a subject's standing? One frozen shape per status.

Sums are kept per cell and never as a list of entries; an entry is read nowhere in this service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from services.rewards.domain.policies.model import AwardMode, StarPolicy
from shared.working_days import Calendar


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """The attributes by which a policy may choose minutes. ``own``: this city issued the entry."""

    year: int
    category: str | None
    evidence_class: str | None
    source_system: str | None
    field_code: str | None
    own: bool

    def order(self) -> tuple[int, bool, str, str, str, str]:
        """A total order, so that equal sums are stored alike."""
        return (
            self.year,
            self.own,
            self.category or "",
            self.evidence_class or "",
            self.source_system or "",
            self.field_code or "",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CellMinutes:
    """Credited minutes of one cell; below zero only through adjustments."""

    cell: Cell
    minutes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StarRef:
    """A star entry by its key in the dossier."""

    issuer: str
    entry_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Star:
    """A star that was awarded, here or elsewhere.

    ``entry_id`` is None while records has not yet written the entry of an own award;
    ``award_id`` is None for stars that came with a dossier.
    """

    issuer: str
    own: bool
    entry_id: str | None
    award_id: str | None
    level: int
    policy_id: str
    policy_version: int
    basis_minutes: int
    occurred_on: date
    award_mode: AwardMode
    lowers: StarRef | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """An application for a level, under review. ``due_on`` is None while the year is unknown."""

    policy_id: str
    policy_version: int
    level: int
    cutoff_on: date
    basis_minutes: int
    applied_on: date
    due_on: date | None
    stage: Literal["applied", "passed", "failed", "publicised"] = "applied"
    publicised_until: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldStarReview:
    """A held star whose minutes fell below its threshold; a person keeps or lowers it (R13)."""

    cause: Literal["revocation", "redemption", "violation"]
    level: int
    opened_on: date


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyStanding:
    """Where the subject stands under one star policy. ``announced``: highest level ever reached."""

    policy_version: int
    eligible_minutes: int
    announced: int = 0
    review: HeldStarReview | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """What of the person matters here: where she lives, since when she serves, whether claimed."""

    residence_region: str | None = None
    first_registered_on: date | None = None
    claimed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdings:
    """Sums, stars, applications (one a policy) and standings (one a policy)."""

    cells: tuple[CellMinutes, ...] = ()
    stars: tuple[Star, ...] = ()
    applications: tuple[Application, ...] = ()
    standings: Mapping[str, PolicyStanding] = field(default_factory=dict)

    def application(self, policy_id: str) -> Application | None:
        """The open application under a policy."""
        return next((one for one in self.applications if one.policy_id == policy_id), None)


TransferOutcome = Literal["open", "ended", "released", "active"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Absent:
    """Nothing was heard of this subject, but perhaps of a transfer of it."""

    status: Literal["absent"] = "absent"
    transfers: Mapping[str, TransferOutcome] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """The dossier is here; stars follow its events."""

    status: Literal["home"] = "home"
    epoch: int = 1
    person: Person = Person()
    holdings: Holdings = Holdings()
    transfers: Mapping[str, TransferOutcome] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """A move is under way: sums still move, nothing is awarded and no application is taken."""

    status: Literal["frozen"] = "frozen"
    epoch: int
    transfer_id: str
    person: Person = Person()
    holdings: Holdings = Holdings()
    transfers: Mapping[str, TransferOutcome] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Departed:
    """The dossier lives in another city since ``new_epoch``."""

    status: Literal["departed"] = "departed"
    new_epoch: int
    home: str
    person: Person = Person()
    transfers: Mapping[str, TransferOutcome] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Adopting:
    """A dossier came whose table of cells is being fetched; what follows it must wait.

    ``fence``: the next move's freeze, where it was read before the adoption.
    """

    status: Literal["adopting"] = "adopting"
    new_epoch: int
    transfer_id: str
    fence: str | None = None
    person: Person = Person()
    transfers: Mapping[str, TransferOutcome] = field(default_factory=dict)


Standing = Absent | Home | Frozen | Departed | Adopting


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """The body that runs the node: the deciding authority where no person decides."""

    organisation_id: str
    name: str
    kind: str
    uscc: str | None = None
    filing: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What a decision needs beside the row: policies kept, this city, its calendar."""

    node: str
    body: Body
    policies: tuple[StarPolicy, ...]
    calendar: Calendar

    def policy(self, policy_id: str, version: int) -> StarPolicy | None:
        """One version of a policy, in force or not."""
        return next(
            (
                policy
                for policy in self.policies
                if policy.policy_id == policy_id and policy.version == version
            ),
            None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A standing with the window of its decision; only the standing is stored."""

    standing: Standing
    window: Window

    def region(self) -> str:
        """Where the person lives; unknown: the node's own code."""
        standing = self.standing
        if isinstance(standing, Absent):
            return self.window.node
        return standing.person.residence_region or self.window.node
