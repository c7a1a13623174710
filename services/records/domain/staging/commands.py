"""What may be asked of a staging? All by this node's own services and jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.records.domain.dossiers.events import CellMinutes
from services.records.domain.dossiers.state import Totals
from services.records.domain.entries import EntryKey, Version
from shared.messages import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class StageDossier(Command):
    """Transfer has verified a dossier; ``path`` names the list of its plain bundles."""

    subject_id: str
    transfer_id: str
    epoch: int
    root: str
    count: int
    state_digest: str
    first_registered_on: date
    homes: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedEntry:
    """One signed entry of a bundle, as its issuer signed it."""

    signed: Mapping[str, Any]
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBundle(Command):
    """Bundle ``n`` (from 0) of ``bundles``; at most 500 leaves."""

    subject_id: str
    transfer_id: str
    n: int
    bundles: int
    entries: tuple[StagedEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishStaging(Command):
    """What a job reckoned from the staged rows, in one pass in the order of the ULIDs."""

    subject_id: str
    transfer_id: str
    state_digest: str
    totals: Totals
    cells: tuple[CellMinutes, ...]
    stars: tuple[Version, ...]
    shared: Mapping[EntryKey, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailStaging(Command):
    """It cannot be staged: the bytes are not what transfer said they are."""

    subject_id: str
    transfer_id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardStaging(Command):
    """The move was aborted or refused."""

    subject_id: str | None
    transfer_id: str


StagingCommand = StageDossier | StageBundle | FinishStaging | FailStaging | DiscardStaging
