"""What has happened to a policy?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from shared.messages import Event

PolicyKind = Literal["star", "recording", "minors", "transfer_pair", "consent_text"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyProposed(Event):
    """The first of two persons asks for a version; it lapses after seven days (own)."""

    policy_id: str
    version: int
    proposal_id: str
    kind: PolicyKind
    jurisdiction: tuple[str, ...]
    effective_from: date
    correction: bool
    source: str
    content: Mapping[str, Any]
    proposed_by: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyPublished(Event):
    """A version holds from ``effective_from`` on. ``content`` is the whole policy document.

    ``jurisdiction``: region codes, each with its subtree; ``"*"`` is everywhere. ``confirmed_by``
    is the second person; ``system:provision`` publishes the packs alone.
    """

    policy_id: str
    version: int
    kind: PolicyKind
    jurisdiction: tuple[str, ...]
    effective_from: date
    correction: bool
    source: str
    content: Mapping[str, Any]
    published_at: datetime
    proposed_by: str
    confirmed_by: str


PolicyEvent = PolicyProposed | PolicyPublished
