"""What of an event goes out, under which name and in which shape? (contract/)

The body of an entry, its salt, names and texts stay here: a summary goes out (domain.md 3.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from services.records.contract import shapes
from services.records.contract.types import RECORDED, SHAPES
from services.records.domain.dossiers import events as e
from services.records.domain.entries import Cell, Version
from services.records.domain.heads import totals_json
from services.records.domain.overlap import Moved
from services.records.domain.staging import events as s
from shared.canonical import canonical, digest
from shared.messages import Event

OBJECTS: Final = "/internal/v1/objects/"
# More cells than this go under a digest: an event stays small.
MAX_CELLS_IN_EVENT: Final = 500

_ADAPTERS: Final = {name: TypeAdapter(shape) for name, shape in SHAPES.items()}
_ENTRY_EVENTS: Final[Mapping[type[Event], str]] = {
    e.EntryShown: "records.entry-shown.v1",
    e.EntryApproved: "records.entry-approved.v1",
    e.EntryRejected: "records.entry-rejected.v1",
    e.EntryCorrected: "records.entry-corrected.v1",
    e.EntryRevoked: "records.entry-revoked.v1",
    e.DisputeOpened: "records.dispute-opened.v1",
    e.LateChangeHeld: "records.late-change-held.v1",
}
_OTHERS: Final[Mapping[type[Event], str]] = {
    e.DossierOpened: "records.dossier-opened.v1",
    e.DossierFrozen: "records.dossier-frozen.v1",
    e.DossierThawed: "records.dossier-thawed.v1",
    e.DossierDeparted: "records.dossier-departed.v1",
    e.DossierAdopted: "records.dossier-adopted.v1",
    e.StagingMissing: "records.staging-missing.v1",
    e.SupplementApplied: "records.supplement-applied.v1",
    s.DossierStaged: "records.dossier-staged.v1",
    s.StagingFailed: "records.staging-failed.v1",
    s.StagingDiscarded: "records.staging-discarded.v1",
}
# On no topic: rows of the event table, kept for audit.
OWN: Final[Mapping[type[Event], str]] = {
    e.FenceRaised: "records.fence-raised.v1",
    e.EndingNoted: "records.ending-noted.v1",
    e.SupplementTaken: "records.supplement-taken.v1",
    e.EntryQuarantined: "records.entry-quarantined.v1",
    e.QuarantineEnded: "records.quarantine-ended.v1",
    s.StagingBegun: "records.staging-begun.v1",
    s.BundleStaged: "records.bundle-staged.v1",
    s.StagingForestalled: "records.staging-forestalled.v1",
}


def name_of(event: Event) -> str:
    """Its type on the wire, or in the event table alone."""
    if isinstance(event, e.EntryRecorded):
        return RECORDED[event.version.kind]
    shape = type(event)
    return _ENTRY_EVENTS.get(shape) or _OTHERS.get(shape) or OWN[shape]


def is_public(event: Event) -> bool:
    """Whether it goes on a topic at all."""
    return type(event) not in OWN


def data_of(event: Event, signed_head: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The data of an event as JSON; ``signed_head`` of a freeze."""
    name = name_of(event)
    if isinstance(event, e.EntryEvent):
        return _entry(name, event)
    match event:
        case e.DossierFrozen():
            assert signed_head is not None
            told: dict[str, Any] = {
                "transfer_id": event.transfer_id,
                "epoch": event.custody_epoch,
                "log_id": event.log_id,
                "head": signed_head,
            }
        case e.DossierOpened():
            told = {
                "first_registered_on": event.first_registered_on,
                "custody_epoch": event.custody_epoch,
                "log_id": event.log_id,
            }
        case e.DossierAdopted():
            told = _adopted(event)
        case e.SupplementApplied():
            told = _supplement(event)
        case e.DossierThawed():
            told = {"transfer_id": event.transfer_id, "epoch": event.custody_epoch}
        case e.DossierDeparted():
            told = {
                "transfer_id": event.transfer_id,
                "new_epoch": event.new_epoch,
                "home": event.home,
            }
        case _:
            return _plain(event, name)
    shape = SHAPES[name](subject_id=_subject(event), **told)
    return _written(name, shape)


def summary_of(version: Version, *, stands: bool, moved: tuple[Moved, ...] = ()) -> dict[str, Any]:
    """The fact summary of a version, as shape members."""
    only = shapes.BY_KIND.get(version.kind, frozenset())
    labels = {name: value for name, value in version.labels.items() if name in only}
    lowers = labels.get("lowers")
    if lowers is not None:
        labels["lowers"] = shapes.LowersData(**lowers)
    return {
        "issuer": version.issuer,
        "entry_id": version.entry_id,
        "version": version.version,
        "kind": version.kind,
        "state": version.state,
        "stands": stands,
        "minutes": version.minutes,
        "counted_minutes": version.counted_minutes,
        "moved": tuple(
            shapes.MovedData(
                issuer=each.issuer,
                entry_id=each.entry_id,
                cell=cell_data(each.cell) if each.cell else None,
                before=each.before,
                after=each.after,
            )
            for each in moved
        ),
        "occurred_on": version.occurred_on,
        "minutes_by_day": version.minutes_by_day,
        "organisation_id": version.organisation_id,
        "region_code": version.region_code,
        "late": version.late,
        "digest": version.digest,
        **labels,
    }


def cell_data(cell: Cell) -> shapes.CellData:
    return shapes.CellData(
        year=cell.year,
        category=cell.category,
        evidence_class=cell.evidence_class,
        source_system=cell.source_system,
        field_code=cell.field_code,
        own=cell.own,
    )


def cells_json(cells: tuple[e.CellMinutes, ...]) -> list[dict[str, Any]]:
    """A table of cells as readers take it."""
    return [
        {
            "cell": {
                "year": each.cell.year,
                "category": each.cell.category,
                "evidence_class": each.cell.evidence_class,
                "source_system": each.cell.source_system,
                "field_code": each.cell.field_code,
                "own": each.cell.own,
            },
            "minutes": each.minutes,
        }
        for each in cells
    ]


def large_cells(event: Event) -> tuple[str, bytes] | None:
    """Digest and bytes of a table of cells that is too large for its event, else None."""
    if not isinstance(event, e.DossierAdopted) or len(event.cells) <= MAX_CELLS_IN_EVENT:
        return None
    table = cells_json(event.cells)
    return digest(table), canonical(table)


def _entry(name: str, event: e.EntryEvent) -> dict[str, Any]:
    version = event.version
    more: dict[str, Any] = {}
    if isinstance(event, e.LateChangeHeld):
        more = {"transfer_id": event.transfer_id, "path": OBJECTS + version.digest}
    shape = SHAPES[name](
        subject_id=event.subject_id,
        due_on=version.due_on,
        review_tier=version.review_tier,
        reason_code=version.reason_code,
        **summary_of(version, stands=event.stands, moved=event.moved),
        **more,
    )
    return _without_others(_written(name, shape), version.kind)


def _adopted(event: e.DossierAdopted) -> dict[str, Any]:
    large = large_cells(event)
    cells = tuple(
        shapes.CellMinutes(cell=cell_data(each.cell), minutes=each.minutes) for each in event.cells
    )
    summary: TypeAdapter[shapes.FactSummary] = TypeAdapter(shapes.FactSummary)
    return {
        "transfer_id": event.transfer_id,
        "new_epoch": event.custody_epoch,
        "state_digest": event.state_digest,
        "count": event.log.count,
        "totals": shapes.TotalsData(**totals_json(event.totals)),
        "cells": None if large else cells,
        "cells_digest": large[0] if large else None,
        "cells_path": OBJECTS + large[0] if large else None,
        "stars": tuple(
            _without_others(
                summary.dump_python(
                    shapes.FactSummary(**summary_of(star, stands=True)), mode="json"
                ),
                "star",
            )
            for star in event.stars
        ),
        "first_registered_on": event.first_registered_on,
    }


def _supplement(event: e.SupplementApplied) -> dict[str, Any]:
    first = event.first_quarantined
    return {
        "transfer_id": event.transfer_id,
        "sender": event.sender,
        "incarnation": event.incarnation,
        "k": event.k,
        "new": event.new,
        "duplicates": event.duplicates,
        "quarantined": event.quarantined,
        "first_quarantined": shapes.QuarantinedData(
            issuer=first.issuer, entry_id=first.entry_id, version=first.version, code=first.code
        )
        if first
        else None,
    }


def _plain(event: Any, name: str) -> dict[str, Any]:
    """Events whose members are their data; of our own, what is neither body nor bytes."""
    if name in SHAPES:
        members = SHAPES[name].__dataclass_fields__
        return _written(name, SHAPES[name](**{each: getattr(event, each) for each in members}))
    told: dict[str, Any] = {}
    for member in event.__dataclass_fields__:
        value = getattr(event, member)
        if isinstance(value, str | int | None):
            told[member] = value
    if isinstance(event, s.BundleStaged):
        told["leaves"] = len(event.entries)
    return told


def _written(name: str, shape: Any) -> dict[str, Any]:
    written: dict[str, Any] = _ADAPTERS[name].dump_python(shape, mode="json")
    return written


def _without_others(data: dict[str, Any], kind: str) -> dict[str, Any]:
    """Members of other kinds are absent; those of its own kind are there, if only as null."""
    only = shapes.BY_KIND.get(kind, frozenset())
    return {
        name: value
        for name, value in data.items()
        if name not in shapes.ONLY_BY_KIND or name in only
    }


def _subject(event: Any) -> str:
    subject: str = event.subject_id
    return subject
