"""What has happened to a staging? ``DossierStaged`` and its like are on the dossier's topic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.records.domain.dossiers.events import CellMinutes
from services.records.domain.dossiers.state import Log
from services.records.domain.entries import EntryKey, Version
from services.records.domain.staging.commands import StagedEntry
from services.records.domain.staging.state import Ordered
from shared.messages import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingEvent(Event):
    transfer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingBegun(StagingEvent):
    """*Own.* A job reads the bundles, one by one."""

    order: Ordered
    log_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleStaged(StagingEvent):
    """*Own.* The leaves of one bundle stand in the staged log."""

    n: int
    bundles: int
    first_index: int
    log: Log
    entries: tuple[StagedEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DossierStaged(StagingEvent):
    """All is on disk, recomputed and equal. ``shared`` is None when it is only said again."""

    subject_id: str
    state_digest: str
    count: int
    log: Log
    cells: tuple[CellMinutes, ...]
    stars: tuple[Version, ...]
    shared: Mapping[EntryKey, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingFailed(StagingEvent):
    subject_id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingDiscarded(StagingEvent):
    """``log_id``: what is taken away; None where nothing had been staged, or it is said again."""

    subject_id: str
    log_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingForestalled(StagingEvent):
    """*Own.* The move ended before the order to stage came; the order will be silence."""
