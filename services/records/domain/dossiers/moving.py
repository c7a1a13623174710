"""How does a dossier leave, come back, and arrive? (protocol.md 7)

Orders come from events of different topics, in any order. What has ended is remembered, so that a
late order is silence; an order carried out before is answered again and changes nothing.
"""

from __future__ import annotations

from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.folding import ARRIVED, City, Fold, event_of
from services.records.domain.dossiers.recording import Ruling
from services.records.domain.dossiers.state import (
    MAX_LEAVES_AT_ONCE,
    Absent,
    Departed,
    Dossier,
    Frozen,
    Home,
)
from services.records.domain.entries import EntryKey
from services.records.domain.heads import head_body, state_digest, totals_of
from services.records.domain.overlap import cell_of, sweep
from services.records.domain.rejections import (
    DossierExists,
    DossierIsElsewhere,
    EpochIsStale,
    FencedByAnother,
)
from services.records.domain.staging.state import Adopted, Staged, StagingView
from services.records.domain.totting import cells_of, stars_of
from shared.ids import job_id


def open_dossier(dossier: Dossier, command: c.OpenDossier, city: City) -> Ruling:
    if not isinstance(dossier.row, Absent):
        return DossierExists()
    return (
        e.DossierOpened(
            subject_id=command.subject_id,
            custody_epoch=1,
            first_registered_on=command.first_registered_on,
            log_id=job_id(command.command_id, "log", command.subject_id).hex,
        ),
    )


def freeze(dossier: Dossier, command: c.FreezeDossier, city: City) -> Ruling:
    """Rewards has frozen: from here nothing joins. A fence is never overwritten (B34)."""
    row = dossier.row
    if isinstance(row, Absent | Departed) or command.epoch != row.epoch:
        return ()
    if command.transfer_id in row.transfer_seen:
        return ()
    fold = Fold(dossier, city)
    if isinstance(row, Frozen):
        if row.fence_transfer_id == command.transfer_id:
            return (_frozen_again(row),) if row.head is not None else ()
        # Rewards froze again only after it had read that the other move was aborted.
        refused = _thaw(fold, row.fence_transfer_id)
        assert refused is None
    frozen = fold.dossier
    assert isinstance(frozen.row, Home)
    lines = frozen.window.lines
    if frozen.row.log.count > MAX_LEAVES_AT_ONCE or lines is None:
        fold.put(
            e.FenceRaised(
                subject_id=command.subject_id,
                custody_epoch=command.epoch,
                transfer_id=command.transfer_id,
            )
        )
        return tuple(fold.events)
    fold.put(_frozen(frozen.row, command, city, state_digest(lines.values())))
    return tuple(fold.events)


def finish_freeze(dossier: Dossier, command: c.FinishFreeze, city: City) -> Ruling:
    """The job of a large dossier is done; too late, if the fence is gone."""
    row = dossier.row
    if not isinstance(row, Frozen) or row.fence_transfer_id != command.transfer_id:
        return ()
    if row.head is not None:
        return ()
    return (_frozen(row, command, city, command.state_digest),)


def thaw(dossier: Dossier, command: c.ThawDossier, city: City) -> Ruling:
    """The move was aborted: held versions get their leaves, in order of arrival, in one step."""
    row = dossier.row
    if isinstance(row, Frozen) and row.fence_transfer_id == command.transfer_id:
        fold = Fold(dossier, city)
        refused = _thaw(fold, command.transfer_id)
        return refused if refused is not None else tuple(fold.events)
    seen = row.transfer_seen.get(command.transfer_id)
    if seen == "released" and isinstance(row, Departed):
        # Never both: an alarm, and custody stays where the release put it.
        return DossierIsElsewhere(row.home)
    if seen is not None:
        return ()
    return (
        e.EndingNoted(
            subject_id=command.subject_id,
            custody_epoch=None if isinstance(row, Absent) else row.epoch,
            transfer_id=command.transfer_id,
            ending="aborted",
        ),
    )


def depart(dossier: Dossier, command: c.DepartDossier, city: City) -> Ruling:
    row = dossier.row
    if isinstance(row, Absent):
        return EpochIsStale(0)
    if row.transfer_seen.get(command.transfer_id) == "released":
        again = isinstance(row, Departed) and row.released_by == command.transfer_id
        return (_departed(command),) if again else ()
    if command.epoch < row.epoch or isinstance(row, Departed):
        return ()
    if command.epoch != row.epoch:
        return EpochIsStale(row.epoch)
    if isinstance(row, Frozen) and row.fence_transfer_id != command.transfer_id:
        return FencedByAnother(row.fence_transfer_id)
    return (_departed(command),)


def adopt(dossier: Dossier, staging: StagingView, command: c.AdoptDossier, city: City) -> Ruling:
    """One row, whatever the size: the staged log becomes the dossier's."""
    row = dossier.row
    if row.transfer_seen.get(command.transfer_id) == "active":
        if isinstance(row, Home | Frozen) and row.epoch == command.new_epoch:
            return (_adopted_again(dossier, staging, command, city),)
        return ()
    if isinstance(row, Home | Frozen) and row.epoch >= command.new_epoch:
        return EpochIsStale(row.epoch)
    if isinstance(row, Departed) and row.new_epoch >= command.new_epoch:
        return EpochIsStale(row.new_epoch)
    staged = staging.row
    if not isinstance(staged, Staged) or staged.order.state_digest != command.state_digest:
        return (
            e.StagingMissing(
                subject_id=command.subject_id,
                custody_epoch=None,
                transfer_id=command.transfer_id,
            ),
        )
    return (
        e.DossierAdopted(
            subject_id=command.subject_id,
            custody_epoch=command.new_epoch,
            transfer_id=command.transfer_id,
            staged_by=command.staged_by,
            state_digest=command.state_digest,
            log=staged.log,
            totals=staged.log.totals,
            cells=staged.cells,
            stars=staged.stars,
            first_registered_on=staged.order.first_registered_on,
            homes=staged.order.homes,
        ),
    )


def _thaw(fold: Fold, transfer_id: str) -> Ruling | None:
    row = fold.dossier.row
    assert isinstance(row, Frozen)
    held = fold.dossier.window.held
    fold.put(
        e.DossierThawed(subject_id=row.subject_id, custody_epoch=row.epoch, transfer_id=transfer_id)
    )
    for version in held:
        ours = version.issuer == fold.city.node
        shape = event_of(version) if ours else ARRIVED[version.state]
        refused = fold.enter(shape, version, made_here=False)
        if refused is not None:
            return refused
    return None


def _frozen(
    row: Home | Frozen, command: c.FreezeDossier | c.FinishFreeze, city: City, digest: str
) -> e.DossierFrozen:
    return e.DossierFrozen(
        subject_id=row.subject_id,
        custody_epoch=row.epoch,
        transfer_id=command.transfer_id,
        log_id=row.log.log_id,
        head=head_body(
            subject_id=row.subject_id,
            epoch=row.epoch,
            home=city.node,
            first_registered_on=row.first_registered_on,
            log=row.log,
            state_digest=digest,
            at=command.at,
        ),
    )


def _frozen_again(row: Frozen) -> e.DossierFrozen:
    assert row.head is not None
    return e.DossierFrozen(
        subject_id=row.subject_id,
        custody_epoch=row.epoch,
        transfer_id=row.fence_transfer_id,
        log_id=row.log.log_id,
        head=row.head,
    )


def _departed(command: c.DepartDossier) -> e.DossierDeparted:
    return e.DossierDeparted(
        subject_id=command.subject_id,
        custody_epoch=command.epoch,
        transfer_id=command.transfer_id,
        new_epoch=command.new_epoch,
        home=command.home,
    )


def _adopted_again(
    dossier: Dossier, staging: StagingView, command: c.AdoptDossier, city: City
) -> e.DossierAdopted:
    """What stands now, for its cells replace what the reader has; the digest is the adopted one."""
    row, cards = dossier.row, dossier.window.cards
    assert isinstance(row, Home | Frozen)
    adopted = staging.row
    digest = adopted.state_digest if isinstance(adopted, Adopted) else command.state_digest
    shared: dict[EntryKey, int] = sweep(cards.values())
    return e.DossierAdopted(
        subject_id=command.subject_id,
        custody_epoch=row.epoch,
        transfer_id=command.transfer_id,
        staged_by=command.staged_by,
        state_digest=digest,
        log=row.log,
        totals=totals_of(cards.values(), shared),
        cells=cells_of(
            (cell_of(card, cards, city.node), card.counted - shared.get(key, 0))
            for key, card in cards.items()
        ),
        stars=stars_of(cards.values()),
        first_registered_on=row.first_registered_on,
        homes=row.homes,
        again=True,
    )
