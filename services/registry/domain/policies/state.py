"""What shape has a policy? Its versions, and the proposal that waits for a second person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.registry.domain.policies.events import PolicyKind, PolicyProposed


@dataclass(frozen=True, slots=True)
class Version:
    """A published version; ``digest`` of its document tells an equal one from another."""

    version: int
    effective_from: date
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Versions count from 1 without gaps; none is ever taken back."""

    status: Literal["policy"] = "policy"
    policy_id: str
    kind: PolicyKind
    versions: tuple[Version, ...] = ()
    proposal: PolicyProposed | None = None
