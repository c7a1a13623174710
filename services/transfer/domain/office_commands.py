"""What may be asked apart from any move? Custody, a subject's end, policies, barriers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from shared.messages import Command


@dataclass(frozen=True, kw_only=True, slots=True)
class SignGenesis(Command):
    """An export was asked for: a dossier opened here gets its first certificate if it has none."""

    subject_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseSubject(Command):
    """registry: the volunteer died or was suspended; an open transfer is told by a job."""

    subject_id: str
    cause: Literal["died", "suspended", "resumed"]
    authority: str | None = None
    until: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NotePolicy(Command):
    """registry published a version of a transfer_pair policy; this service keeps a copy."""

    policy_id: str
    version: int
    kind: str
    jurisdiction: tuple[str, ...]
    effective_from: date
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class RaiseBarrier(Command):
    """A peer was restored: nothing of a lower incarnation of it is heard any more (11 (a))."""

    city: str
    incarnation: int
