"""What does transfer read of its neighbours' events? Only these fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class HoldFact:
    """A lawful hold as registry names it."""

    authority: str
    until: date


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityConfirmed:
    """registry: code and identity belong to this subject."""

    transfer_id: str
    subject_id: str
    holds: tuple[HoldFact, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityDenied:
    """registry: they do not; the code of section 7."""

    transfer_id: str
    code: Literal["TR-101", "TR-102", "TR-103", "TR-104", "TR-105"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyPublished:
    """registry: a policy version; transfer keeps those of kind ``transfer_pair``."""

    policy_id: str
    version: int
    kind: str
    jurisdiction: tuple[str, ...]
    effective_from: date
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class VolunteerDied:
    """registry (a later slice tells it): the dossier is closed to moves."""

    subject_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VolunteerSuspended:
    """registry (a later slice tells it): suspended by law until a day."""

    subject_id: str
    authority: str
    until: date


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierFrozen:
    """records: it stands still; its head was signed."""

    transfer_id: str
    subject_id: str
    epoch: int
    log_id: str
    head: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class LateChangeHeld:
    """records: an entry version came while frozen or after the departure."""

    transfer_id: str
    subject_id: str
    issuer: str
    entry_id: str
    version: int
    digest: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierStaged:
    """records: every row is here, where nobody sees it."""

    transfer_id: str
    subject_id: str
    state_digest: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StagingFailed:
    """records: it cannot stage."""

    transfer_id: str
    subject_id: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierAdopted:
    """records: it stands here."""

    transfer_id: str
    subject_id: str
    new_epoch: int
    state_digest: str
    totals: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstQuarantined:
    """The first entry of a supplement that records could not take."""

    issuer: str
    entry_id: str
    version: int
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplementApplied:
    """records: supplement ``k`` of a sender was applied."""

    transfer_id: str
    subject_id: str
    sender: str
    incarnation: int
    k: int
    new: int
    duplicates: int
    quarantined: int
    first_quarantined: FirstQuarantined | None = None


FACTS: Mapping[str, type] = {
    "registry.identity-confirmed.v1": IdentityConfirmed,
    "registry.identity-denied.v1": IdentityDenied,
    "registry.policy-published.v1": PolicyPublished,
    "registry.volunteer-died.v1": VolunteerDied,
    "registry.volunteer-suspended.v1": VolunteerSuspended,
    "records.dossier-frozen.v1": DossierFrozen,
    "records.late-change-held.v1": LateChangeHeld,
    "records.dossier-staged.v1": DossierStaged,
    "records.staging-failed.v1": StagingFailed,
    "records.dossier-adopted.v1": DossierAdopted,
    "records.supplement-applied.v1": SupplementApplied,
}
