"""What does this service read of its neighbours' events? Only the fields that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class VolunteerRegistered:
    subject_id: str
    first_registered_on: date


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganisationTold:
    """Registered or filed."""

    organisation_id: str
    name: str
    kind: str
    uscc: str | None
    filing: Mapping[str, str] | None
    seat_region: str | None
    supervising_body_id: str | None
    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OrganisationSanctioned:
    """``from`` is a word of the language, so the edge reads it into ``begins``."""

    organisation_id: str
    decision_id: str
    kind: str
    begins: date
    until: date | None
    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyPublished:
    policy_id: str
    version: int
    kind: str
    jurisdiction: tuple[str, ...]
    effective_from: date
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DecidedBy:
    organisation_id: str
    name: str
    kind: str
    uscc: str | None = None
    filing: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LowersFact:
    issuer: str
    entry_id: str
    cause: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StarDecided:
    """Awarded, or lowered."""

    subject_id: str
    award_id: str
    level: int
    name: str
    policy_id: str
    policy_version: int
    basis_minutes: int
    cutoff_on: date | None
    award_mode: str
    authority_level: str
    decision_id: str | None
    awarded_on: date
    decided_by: DecidedBy
    lowers: LowersFact | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardsFrozen:
    subject_id: str
    transfer_id: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferEnded:
    """Aborted or refused; ``role`` says on which side of the move this node is."""

    transfer_id: str
    role: Literal["origin", "destination"]
    subject_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierReleased:
    subject_id: str
    transfer_id: str
    epoch: int
    new_epoch: int
    home: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierVerified:
    subject_id: str
    transfer_id: str
    epoch: int
    root: str
    count: int
    state_digest: str
    first_registered_on: date
    homes: tuple[str, ...]
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseReceived:
    subject_id: str
    transfer_id: str
    new_epoch: int
    state_digest: str
    staged_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplementReceived:
    subject_id: str
    transfer_id: str
    sender: str
    incarnation: int
    k: int
    digest: str
    path: str


FACTS: Final[Mapping[str, type[Any]]] = {
    "registry.volunteer-registered.v1": VolunteerRegistered,
    "registry.organisation-registered.v1": OrganisationTold,
    "registry.organisation-filed.v1": OrganisationTold,
    "registry.organisation-sanctioned.v1": OrganisationSanctioned,
    "registry.policy-published.v1": PolicyPublished,
    "rewards.star-awarded.v1": StarDecided,
    "rewards.star-demoted.v1": StarDecided,
    "rewards.rewards-frozen.v1": RewardsFrozen,
    "transfer.transfer-aborted.v1": TransferEnded,
    "transfer.transfer-refused.v1": TransferEnded,
    "transfer.dossier-released.v1": DossierReleased,
    "transfer.dossier-verified.v1": DossierVerified,
    "transfer.release-received.v1": ReleaseReceived,
    "transfer.supplement-received.v1": SupplementReceived,
}
