"""How does a ruling become events: joined to the log, or held where nothing may join?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.evolve import card_after, evolve
from services.records.domain.dossiers.state import (
    MAX_HELD,
    Claim,
    Departed,
    Dossier,
    Frozen,
    Known,
    Present,
)
from services.records.domain.entries import EntryKey, Version
from services.records.domain.overlap import moves
from services.records.domain.rejections import TooManyAreHeld
from shared.messages import Event, Rejection
from shared.working_days import Calendar


@dataclass(frozen=True, slots=True)
class City:
    """Where the dossier is judged: this node's name, and its calendar of working days."""

    node: str
    calendar: Calendar


class Fold:
    """Events that follow from one command, each decided on what the one before left."""

    def __init__(self, dossier: Dossier, city: City) -> None:
        self.events: list[Event] = []
        self.city = city
        self._dossier = dossier
        self._folded = 0

    @property
    def dossier(self) -> Dossier:
        """As the events so far leave it; the last one of a command is mostly asked no more."""
        for event in self.events[self._folded :]:
            self._dossier = evolve(self._dossier, event)
        self._folded = len(self.events)
        return self._dossier

    def put(self, event: Event) -> None:
        self.events.append(event)

    def enter(
        self,
        shape: type[e.EntryEvent],
        version: Version,
        *,
        claims: tuple[Claim, ...] = (),
        freed: tuple[str, ...] = (),
        signed: Mapping[str, Any] | None = None,
        made_here: bool = True,
    ) -> Rejection | None:
        """One version more: joined where the dossier is at home, else held (R30, R31)."""
        row = self.dossier.row
        assert isinstance(row, Present)
        if isinstance(row, Frozen | Departed):
            if row.held >= MAX_HELD:
                return TooManyAreHeld()
            transfer = row.fence_transfer_id if isinstance(row, Frozen) else row.released_by
            self.put(
                e.LateChangeHeld(
                    subject_id=row.subject_id,
                    custody_epoch=row.epoch,
                    version=version,
                    stands=self._highest(version.key) < version.version,
                    signed=signed,
                    made_here=made_here,
                    claims=claims,
                    freed=freed,
                    transfer_id=transfer,
                    held_index=row.held,
                )
            )
            return None
        before = self.dossier.window.cards
        after = {**before, version.key: card_after(self.dossier, version)}
        self.put(
            shape(
                subject_id=row.subject_id,
                custody_epoch=row.epoch,
                version=version,
                stands=self._highest(version.key, "log") < version.version,
                index=row.log.count,
                signed=signed,
                made_here=made_here,
                claims=claims,
                freed=freed,
                moved=moves(before, after, version.key, self.city.node),
            )
        )
        return None

    def _highest(self, key: EntryKey, place: str | None = None) -> int:
        known: tuple[Known, ...] = self.dossier.window.known.get(key, ())
        return max(
            (each.version.version for each in known if place is None or each.place == place),
            default=0,
        )


def event_of(version: Version) -> type[e.EntryEvent]:
    """The event that a version of ours has when it joins, as it would have had when it was made."""
    if version.version == 1:
        return e.EntryRecorded
    if version.state == "revoked":
        return e.EntryRevoked
    if version.state == "rejected" or version.reason_code == "correction_rejected":
        return e.EntryRejected
    if version.state == "publicised":
        return e.EntryShown
    if version.state == "disputed":
        return e.DisputeOpened
    if version.state == "pending" or version.reason_code != "approved":
        return e.EntryCorrected
    return e.EntryApproved


# What arrives has the event of its state (domain.md 3.2, what arrives).
ARRIVED: Mapping[str, type[e.EntryEvent]] = {
    "pending": e.EntryRecorded,
    "publicised": e.EntryShown,
    "approved": e.EntryApproved,
    "rejected": e.EntryRejected,
    "disputed": e.DisputeOpened,
    "revoked": e.EntryRevoked,
}
