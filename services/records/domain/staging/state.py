"""In which shapes does a staging stand? One per transfer; an order for an ended one is silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from services.records.domain.dossiers.events import CellMinutes
from services.records.domain.dossiers.state import Log
from services.records.domain.entries import EntryKey, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Unheard:
    """Nothing was heard of this transfer."""

    status: Literal["unheard"] = "unheard"
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """What transfer has verified, and what therefore must come out here."""

    transfer_id: str
    subject_id: str
    epoch: int
    root: str
    count: int
    state_digest: str
    first_registered_on: date
    homes: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Bundles are coming in; ``log`` has what is here so far, its totals still empty."""

    status: Literal["staging"] = "staging"
    order: Ordered
    log: Log
    bundles_done: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """All is on disk and adds up; one row makes it the dossier."""

    status: Literal["staged"] = "staged"
    order: Ordered
    log: Log
    cells: tuple[CellMinutes, ...]
    stars: tuple[Version, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    status: Literal["failed"] = "failed"
    order: Ordered
    log: Log
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """The move ended before its release; also if that was heard before the order."""

    status: Literal["discarded"] = "discarded"
    transfer_id: str
    subject_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What was staged is the dossier, or was."""

    status: Literal["adopted"] = "adopted"
    transfer_id: str
    subject_id: str
    state_digest: str
    homes: tuple[str, ...]


Row = Unheard | Staging | Staged | Failed | Discarded | Adopted


@dataclass(frozen=True, slots=True)
class StagingView:
    """A staging before a decision.

    ``known``: of entries that a bundle brings, the versions in this log. ``stored``: digests of
    what stands here already under the keys that it brings.
    """

    row: Row
    known: Mapping[EntryKey, tuple[Version, ...]] = field(default_factory=dict)
    stored: Mapping[tuple[str, str, int], str] = field(default_factory=dict)
