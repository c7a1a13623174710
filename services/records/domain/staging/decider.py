"""What follows from each order at each stage of a staging? (protocol.md 7)"""

from __future__ import annotations

from dataclasses import replace

from services.records.domain.dossiers.events import DossierAdopted
from services.records.domain.dossiers.state import Log
from services.records.domain.entries import EntryKey, Version, card_of
from services.records.domain.overlap import interval
from services.records.domain.staging import commands as c
from services.records.domain.staging import events as e
from services.records.domain.staging.state import (
    Adopted,
    Discarded,
    Failed,
    Ordered,
    Staged,
    Staging,
    StagingView,
    Unheard,
)
from shared import merkle
from shared.ids import job_id
from shared.messages import Event

SAME_KEY_OTHER_CONTENT = "TR-411"
COUNT_DIFFERS = "TR-402"
ROOT_DIFFERS = "TR-403"
STATE_DIGEST_DIFFERS = "TR-413"


def decide(view: StagingView, command: c.StagingCommand) -> tuple[Event, ...]:
    """Events or silence: an order of our own services is never refused, at worst it is late."""
    row = view.row
    match row, command:
        case Unheard(), c.StageDossier():
            return (_begun(command),)
        case Staged(), c.StageDossier():
            return (_staged_again(row),)
        case Failed(), c.StageDossier():
            return (_failed(row.order, row.code),)
        case Staging(), c.StageBundle() if command.n == row.bundles_done:
            return (_bundle(view, row, command),)
        case Staging(), c.FinishStaging():
            return (_finished(row, command),)
        case Staging(), c.FailStaging():
            return (_failed(row.order, command.code),)
        case Unheard(), c.DiscardStaging():
            return (e.StagingForestalled(transfer_id=row.transfer_id),)
        case Staging() | Staged() | Failed(), c.DiscardStaging():
            order = row.order
            return (
                e.StagingDiscarded(
                    transfer_id=order.transfer_id,
                    subject_id=order.subject_id,
                    log_id=row.log.log_id,
                ),
            )
        case Discarded(), c.DiscardStaging() if row.subject_id is not None:
            return (
                e.StagingDiscarded(
                    transfer_id=row.transfer_id, subject_id=row.subject_id, log_id=None
                ),
            )
        case _:
            return ()


def evolve(view: StagingView, event: Event) -> StagingView:
    row = view.row
    match event:
        case e.StagingBegun():
            begun = Staging(order=event.order, log=Log(log_id=event.log_id))
            return replace(view, row=begun)
        case e.BundleStaged() if isinstance(row, Staging):
            return _with_bundle(view, row, event)
        case e.DossierStaged() if isinstance(row, Staging):
            staged = Staged(order=row.order, log=event.log, cells=event.cells, stars=event.stars)
            return replace(view, row=staged)
        case e.StagingFailed() if isinstance(row, Staging):
            return replace(view, row=Failed(order=row.order, log=row.log, code=event.code))
        case e.StagingDiscarded():
            gone = Discarded(transfer_id=event.transfer_id, subject_id=event.subject_id)
            return replace(view, row=gone)
        case e.StagingForestalled():
            return replace(view, row=Discarded(transfer_id=event.transfer_id, subject_id=None))
        case DossierAdopted() if isinstance(row, Staged):
            return replace(
                view,
                row=Adopted(
                    transfer_id=row.order.transfer_id,
                    subject_id=row.order.subject_id,
                    state_digest=row.order.state_digest,
                    homes=row.order.homes,
                ),
            )
        case _:
            return view


def _begun(command: c.StageDossier) -> e.StagingBegun:
    order = Ordered(
        transfer_id=command.transfer_id,
        subject_id=command.subject_id,
        epoch=command.epoch,
        root=command.root,
        count=command.count,
        state_digest=command.state_digest,
        first_registered_on=command.first_registered_on,
        homes=command.homes,
        path=command.path,
    )
    log_id = job_id(command.command_id, "log", command.subject_id).hex
    return e.StagingBegun(transfer_id=command.transfer_id, order=order, log_id=log_id)


def _bundle(view: StagingView, row: Staging, command: c.StageBundle) -> Event:
    seen = dict(view.stored)
    log, known = row.log, dict(view.known)
    for entry in command.entries:
        version = entry.version
        key = (*version.key, version.version)
        if seen.get(key, version.digest) != version.digest or _in_log(known, version):
            # A key stands once in a log, and never with two contents (check 8).
            return _failed(row.order, SAME_KEY_OTHER_CONTENT)
        seen[key] = version.digest
        known[version.key] = (*known.get(version.key, ()), version)
        span = interval(card_of(known[version.key]))
        log = log.grown(version, span[1] - span[0] if span else 0)
    return e.BundleStaged(
        transfer_id=command.transfer_id,
        n=command.n,
        bundles=command.bundles,
        first_index=row.log.count,
        log=log,
        entries=command.entries,
    )


def _in_log(known: dict[EntryKey, tuple[Version, ...]], version: Version) -> bool:
    return any(each.version == version.version for each in known.get(version.key, ()))


def _finished(row: Staging, command: c.FinishStaging) -> Event:
    if row.log.count != row.order.count:
        return _failed(row.order, COUNT_DIFFERS)
    if merkle.root(row.log.roots).hex() != row.order.root:
        return _failed(row.order, ROOT_DIFFERS)
    if command.state_digest != row.order.state_digest:
        return _failed(row.order, STATE_DIGEST_DIFFERS)
    return e.DossierStaged(
        transfer_id=row.order.transfer_id,
        subject_id=row.order.subject_id,
        state_digest=command.state_digest,
        count=row.log.count,
        log=replace(row.log, totals=command.totals),
        cells=command.cells,
        stars=command.stars,
        shared=command.shared,
    )


def _staged_again(row: Staged) -> e.DossierStaged:
    return e.DossierStaged(
        transfer_id=row.order.transfer_id,
        subject_id=row.order.subject_id,
        state_digest=row.order.state_digest,
        count=row.log.count,
        log=row.log,
        cells=row.cells,
        stars=row.stars,
        shared=None,
    )


def _failed(order: Ordered, code: str) -> e.StagingFailed:
    return e.StagingFailed(transfer_id=order.transfer_id, subject_id=order.subject_id, code=code)


def _with_bundle(view: StagingView, row: Staging, event: e.BundleStaged) -> StagingView:
    known, stored = dict(view.known), dict(view.stored)
    for entry in event.entries:
        version = entry.version
        known[version.key] = (*known.get(version.key, ()), version)
        stored[(*version.key, version.version)] = version.digest
    row = replace(row, log=event.log, bundles_done=row.bundles_done + 1)
    return StagingView(row, known, stored)
