"""How does a dossier change by what has happened? Folding never fails: it has happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.state import (
    Absent,
    Claim,
    Departed,
    Dossier,
    Frozen,
    Home,
    Known,
    Log,
    Present,
    Totals,
    Window,
)
from services.records.domain.entries import Card, Version, card_of
from services.records.domain.heads import plus, state_line, uncredited
from services.records.domain.overlap import interval
from shared.messages import Event


def evolve(dossier: Dossier, event: Event) -> Dossier:
    """The dossier after this event, row and window."""
    row = dossier.row
    match event:
        case e.DossierOpened():
            home = Home(
                subject_id=event.subject_id,
                epoch=event.custody_epoch or 1,
                first_registered_on=event.first_registered_on,
                log=Log(log_id=event.log_id),
                homes=(),
                transfer_seen=row.transfer_seen,
            )
            return replace(dossier, row=home)
        case e.LateChangeHeld():
            return _held(dossier, event)
        case e.EntryEvent():
            return _joined(dossier, event)
        case e.FenceRaised() if isinstance(row, Home):
            return replace(dossier, row=_frozen(row, event.transfer_id, None))
        case e.DossierFrozen() if isinstance(row, Home):
            return replace(dossier, row=_frozen(row, event.transfer_id, event.head))
        case e.DossierFrozen() if isinstance(row, Frozen):
            return dossier.over(head=event.head)
        case e.DossierThawed() if isinstance(row, Frozen):
            return replace(dossier, row=Home(**_kept(_noted(row, event.transfer_id, "aborted"))))
        case e.DossierDeparted() if isinstance(row, Home | Frozen):
            return replace(dossier, row=_departed(row, event))
        case e.EndingNoted():
            return replace(dossier, row=_noted(row, event.transfer_id, event.ending))
        case e.DossierAdopted() if not event.again:
            return _adopted(dossier, event)
        case e.SupplementApplied() if isinstance(row, Present):
            channel = channel_of(event.transfer_id, event.sender, event.incarnation)
            last = max(event.k, row.channels.get(channel, 0))
            return dossier.over(channels={**row.channels, channel: last})
        case _:
            return dossier


def channel_of(transfer_id: str, sender: str, incarnation: int) -> str:
    """The name of a channel of supplements in the row (protocol.md 10)."""
    return f"{transfer_id}/{sender}/{incarnation}"


def card_after(dossier: Dossier, version: Version) -> Card:
    """The entry with this version joined to those that the log holds."""
    known = dossier.window.known.get(version.key, ())
    return card_of([*(each.version for each in known if each.place == "log"), version])


def _joined(dossier: Dossier, event: e.EntryEvent) -> Dossier:
    row, window, version = dossier.row, dossier.window, event.version
    assert isinstance(row, Present)
    card, before = card_after(dossier, version), window.cards.get(version.key)
    totals = plus(plus(row.log.totals, uncredited(before), -1), uncredited(card))
    earned = sum(each.after - each.before for each in event.moved if each.cell is not None)
    span = interval(card)
    log = row.log.grown(
        version,
        span[1] - span[0] if span else 0,
        plus(totals, Totals(credited_minutes=earned)),
    )
    held = tuple(
        each for each in window.held if (each.key, each.version) != (version.key, version.version)
    )
    others = tuple(
        each
        for each in window.known.get(version.key, ())
        if each.version.version != version.version
    )
    lines = window.lines
    if lines is not None:
        lines = {**lines, version.key: state_line(card.standing)}
    window = replace(
        window,
        cards={**window.cards, version.key: card},
        known={**window.known, version.key: (*others, Known(version, "log"))},
        held=held,
        claims=_claims(window.claims, event),
        lines=lines,
    )
    return Dossier(replace(row, log=log), window)


def _held(dossier: Dossier, event: e.LateChangeHeld) -> Dossier:
    row, window, version = dossier.row, dossier.window, event.version
    assert isinstance(row, Frozen | Departed)
    known = window.known.get(version.key, ())
    window = replace(
        window,
        known={**window.known, version.key: (*known, Known(version, "held"))},
        held=(*window.held, version),
        claims=_claims(window.claims, event),
    )
    return Dossier(replace(row, held=row.held + 1), window)


def _claims(claims: Mapping[str, Claim], event: e.EntryEvent) -> Mapping[str, Claim]:
    if not event.claims and not event.freed:
        return claims
    kept = {key: claim for key, claim in claims.items() if key not in event.freed}
    return kept | {claim.key: claim for claim in event.claims}


def _noted(row: Any, transfer_id: str, ending: str) -> Any:
    return replace(row, transfer_seen={**row.transfer_seen, transfer_id: ending})


def _kept(row: Present) -> dict[str, Any]:
    """The members that a dossier keeps from one status to the next."""
    return {
        "subject_id": row.subject_id,
        "epoch": row.epoch,
        "first_registered_on": row.first_registered_on,
        "log": row.log,
        "homes": row.homes,
        "transfer_seen": row.transfer_seen,
        "channels": row.channels,
    }


def _frozen(row: Home, transfer_id: str, head: Mapping[str, Any] | None) -> Frozen:
    return Frozen(**_kept(row), fence_transfer_id=transfer_id, head=head)


def _departed(row: Home | Frozen, event: e.DossierDeparted) -> Departed:
    kept = _kept(_noted(row, event.transfer_id, "released"))
    kept["homes"] = _with(row.homes, event.home)
    return Departed(
        **kept,
        released_by=event.transfer_id,
        new_epoch=event.new_epoch,
        home=event.home,
        held=row.held if isinstance(row, Frozen) else 0,
    )


def _adopted(dossier: Dossier, event: e.DossierAdopted) -> Dossier:
    row = dossier.row
    home = Home(
        subject_id=event.subject_id,
        epoch=event.custody_epoch or 1,
        first_registered_on=event.first_registered_on,
        log=event.log,
        homes=event.homes,
        transfer_seen={**row.transfer_seen, event.transfer_id: "active"},
        channels=row.channels if isinstance(row, Present) else {},
    )
    window = dossier.window.adopted.get(event.log.log_id, Window())
    # Claims and neighbours are the same whichever log is the dossier's.
    return Dossier(
        home,
        replace(
            window,
            claims=dossier.window.claims,
            organisations=dossier.window.organisations,
            policies=dossier.window.policies,
            adopted=dossier.window.adopted,
        ),
    )


def _with(homes: tuple[str, ...], city: str) -> tuple[str, ...]:
    return homes if city in homes else (*homes, city)


def absent(subject_id: str) -> Dossier:
    """A dossier of which nothing has been heard."""
    return Dossier(Absent(subject_id=subject_id))
