"""In which shapes does a dossier stand, and what of it does a decision have before it?

The *row* is what the ledger keeps. The *window* is what a decision needs of the entries: never the
whole dossier. ``evolve`` moves both, so several commands of one batch are decided one after another
(architecture.md 3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final, Literal

from services.records.domain.entries import KINDS, Card, EntryKey, Version
from services.records.domain.knowledge import Organisation, PolicyVersion
from shared import merkle

# A frozen dossier takes so many changes: what one transaction joins again (0.83 s, measured).
MAX_HELD: Final = 20_000
# Up to so many leaves fence, state digest and head are one transaction; above, a job.
MAX_LEAVES_AT_ONCE: Final = 20_000

Ending = Literal["aborted", "released", "active"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Minutes over the standing versions (protocol.md 3.1); credited may be negative."""

    credited_minutes: int = 0
    pending_minutes: int = 0
    disputed_minutes: int = 0
    learning_minutes: int = 0
    consumed_minutes: int = 0


NO_KINDS: Final[Mapping[str, int]] = dict.fromkeys(KINDS, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The append-only log of a dossier as its row keeps it: enough to append in O(log n).

    ``frontier``: the roots of the perfect subtrees, largest first, in hex.
    ``longest_seconds``: no interval in it is longer, so what meets a time is found by its start.
    """

    log_id: str
    count: int = 0
    frontier: tuple[str, ...] = ()
    totals: Totals = Totals()
    kinds: Mapping[str, int] = field(default_factory=lambda: NO_KINDS)
    longest_seconds: int = 0

    @property
    def roots(self) -> merkle.Frontier:
        return tuple(bytes.fromhex(each) for each in self.frontier)

    def grown(self, version: Version, seconds: int, totals: Totals | None = None) -> Log:
        """With one leaf more, in O(log n); ``seconds``: how long its entry's interval is.

        ``totals``: those with it; None leaves them as they are.
        """
        leaf = bytes.fromhex(version.digest)
        return replace(
            self,
            count=self.count + 1,
            totals=totals or self.totals,
            frontier=tuple(each.hex() for each in merkle.append(self.count, self.roots, leaf)),
            kinds={**self.kinds, version.kind: self.kinds.get(version.kind, 0) + 1},
            longest_seconds=max(self.longest_seconds, seconds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """No dossier here (yet). What was heard of moves is remembered all the same."""

    status: Literal["absent"] = "absent"
    subject_id: str
    transfer_seen: Mapping[str, Ending] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What every dossier has that is or was at home here.

    ``homes``: the cities known to have been its home; they may issue stars and adjustments.
    ``channels``: of each channel of supplements, the last one applied.
    """

    subject_id: str
    epoch: int
    first_registered_on: date
    log: Log
    homes: tuple[str, ...]
    transfer_seen: Mapping[str, Ending] = field(default_factory=dict)
    channels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home(Present):
    status: Literal["home"] = "home"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen(Present):
    """The fence of ``fence_transfer_id`` is up: what comes is judged and held.

    ``head`` is the head of the freeze point, unsigned; None while a job reckons it.
    """

    status: Literal["frozen"] = "frozen"
    fence_transfer_id: str
    held: int = 0
    head: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Departed(Present):
    """At home elsewhere. ``epoch`` is the one under which it was held here."""

    status: Literal["departed"] = "departed"
    released_by: str
    new_epoch: int
    home: str
    held: int = 0


Row = Absent | Home | Frozen | Departed


@dataclass(frozen=True, slots=True)
class Claim:
    """A fact that an entry stands for; ``content`` is the digest of what was said of it."""

    key: str
    entry_id: str
    subject_id: str
    content: str
    batch_id: str | None = None
    row_no: int | None = None


Place = Literal["log", "held", "past"]


@dataclass(frozen=True, slots=True)
class Known:
    """A version and where it stands: in the log, held since this custody, or in the past.

    ``past``: issued here in an earlier custody, on its way back; neither summed nor lost.
    """

    version: Version
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a decision reads of entries, claims and neighbours.

    ``cards``: entries of the log that a decision may meet. ``known``: every version of the entries
    that commands name, with bodies. ``held``: all versions held, in order of arrival. ``lines``:
    the state lines of the whole log, only where a freeze may be decided. ``whole``: ``cards`` are
    all there are. ``adopted``: by log, the windows of staged logs, for what follows.
    ``taken``: digests of versions stored here under keys that a supplement brings.
    """

    cards: Mapping[EntryKey, Card] = field(default_factory=dict)
    known: Mapping[EntryKey, tuple[Known, ...]] = field(default_factory=dict)
    held: tuple[Version, ...] = ()
    claims: Mapping[str, Claim] = field(default_factory=dict)
    organisations: Mapping[str, Organisation] = field(default_factory=dict)
    policies: tuple[PolicyVersion, ...] = ()
    lines: Mapping[EntryKey, str] | None = None
    whole: bool = False
    adopted: Mapping[str, Window] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dossier:
    """A dossier before a decision: its row, and the window on its entries."""

    row: Row
    window: Window = field(default_factory=Window)

    def over(self, **changes: Any) -> Dossier:
        """With some members of the row changed."""
        return replace(self, row=replace(self.row, **changes))


def held_count(row: Row) -> int:
    return row.held if isinstance(row, Frozen | Departed) else 0
