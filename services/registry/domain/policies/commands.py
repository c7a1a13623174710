"""What may be asked of a policy?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.registry.domain.policies.events import PolicyKind
from shared.messages import Command


@dataclass(frozen=True, slots=True)
class Document:
    """A version as it will be read: ``content`` is the whole document, checked for its kind."""

    policy_id: str
    version: int
    kind: PolicyKind
    jurisdiction: tuple[str, ...]
    effective_from: date
    correction: bool
    source: str
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposePolicy(Command):
    """The first of two persons (``PublishPolicy``, first POST)."""

    proposal_id: str
    document: Document


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmPolicy(Command):
    """The second (``POST …/confirm``)."""

    policy_id: str
    proposal_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishPolicy(Command):
    """Alone: only ``system:provision``, for the packs that come with the software."""

    document: Document


PolicyCommand = ProposePolicy | ConfirmPolicy | PublishPolicy
