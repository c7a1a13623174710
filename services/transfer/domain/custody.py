"""Who keeps a dossier, as far as this city's certificates tell; and how many requests came today.

One aggregate per subject: every decision about a subject's custody is serialised on it, so that
two requests for one dossier are judged one after the other (O3, O12; INV-3, INV-7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """One custody certificate of the chain: epoch, whose custody, the digest of its body."""

    epoch: int
    home: str
    issuer: str
    kind: Literal["genesis", "release", "recovery"]
    digest: str
    transfer_id: str | None = None
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Custody:
    """The chain of one subject as known here, the open transfer, and what stands against a move.

    No link: the dossier was opened here and never moved. ``foreign_epoch`` is the highest epoch
    of any certificate seen for the subject outside the chain (0: none).
    """

    subject_id: str
    links: tuple[Link, ...] = ()
    open_transfer: str | None = None
    open_since: date | None = None
    moved_in_at: datetime | None = None
    moved_in_from: str | None = None
    foreign_epoch: int = 0
    closed: bool = False
    suspended: bool = False

    @property
    def epoch(self) -> int:
        """Of the last certificate here; none: 1."""
        return self.links[-1].epoch if self.links else 1

    def is_home(self, city: str) -> bool:
        """Whether this city keeps the dossier; one that only another city spoke of is not here."""
        return self.links[-1].home == city if self.links else self.foreign_epoch == 0

    def released_by(self, city: str) -> Link | None:
        """This city's own last release, if it was the last link."""
        last = self.links[-1] if self.links else None
        return last if last and last.issuer == city and last.kind == "release" else None

    def knows(self, epoch: int, digest: str) -> bool | None:
        """Whether the chain has this certificate; None: it has none of this epoch."""
        for link in self.links:
            if link.epoch == epoch:
                return link.digest == digest
        return None

    def with_links(self, links: tuple[Link, ...]) -> Custody:
        """The chain with those links added that it lacks, by epoch."""
        missing = tuple(link for link in links if self.knows(link.epoch, link.digest) is None)
        return replace(self, links=tuple(sorted(self.links + missing, key=lambda x: x.epoch)))


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestLog:
    """Running number of the requests at this origin, and today's count of each peer."""

    count: int = 0
    day: date | None = None
    by_peer: Mapping[str, int] = field(default_factory=dict)

    def counted(self, peer: str, day: date) -> RequestLog:
        """With one more request of this peer on this local day."""
        today = dict(self.by_peer) if self.day == day else {}
        today[peer] = today.get(peer, 0) + 1
        return RequestLog(count=self.count + 1, day=day, by_peer=today)

    def of_today(self, peer: str, day: date) -> int:
        """How many requests of this peer were taken on this local day."""
        return self.by_peer.get(peer, 0) if self.day == day else 0
