"""What is read of one log while the windows of a batch are filled?

A need says what the commands of a batch want to see of a dossier; a view is filled by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from services.records.domain.dossiers.state import Known, Row
from services.records.domain.entries import Card, EntryKey, Version

Span = tuple[datetime, datetime]


@dataclass(slots=True)
class Need:
    """What the commands of a batch need of one dossier; needs of one subject are added up.

    ``corrections``: changes whose times depend on the body that they change. ``held``: all that is
    held joins, or may. ``lines``: a freeze may be decided. ``whole``: all entries. ``staged``: the
    logs that are adopted; ``staged_whole``: all their entries, for the order comes twice.
    """

    entries: set[EntryKey] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)
    days: set[date] = field(default_factory=set)
    claims: set[str] = field(default_factory=set)
    claims_of: set[str] = field(default_factory=set)
    organisations: set[str] = field(default_factory=set)
    corrections: list[tuple[EntryKey, Mapping[str, Any]]] = field(default_factory=list)
    held: bool = False
    lines: bool = False
    whole: bool = False
    staged: set[str] = field(default_factory=set)
    staged_whole: bool = False

    def add(self, other: Need) -> None:
        self.entries |= other.entries
        self.spans += other.spans
        self.days |= other.days
        self.claims |= other.claims
        self.claims_of |= other.claims_of
        self.organisations |= other.organisations
        self.corrections += other.corrections
        self.held |= other.held
        self.lines |= other.lines
        self.whole |= other.whole
        self.staged |= other.staged
        self.staged_whole |= other.staged_whole


@dataclass(slots=True)
class View:
    """One log of one dossier while its window is read."""

    subject_id: str
    row: Row
    log_id: str
    longest: int
    count: int
    epoch: int
    need: Need
    node: str
    known: dict[EntryKey, list[Known]] = field(default_factory=lambda: defaultdict(list))
    held: list[Version] = field(default_factory=list)
    cards: dict[EntryKey, Card] = field(default_factory=dict)
    lines: dict[EntryKey, str] | None = None

    def seeds(self) -> list[Span]:
        """Every interval, old or new, that something in this batch may give an entry."""
        found = list(self.need.spans)
        for key in self.need.entries:
            times = [each for known in self.known.get(key, ()) for each in times_of(known.version)]
            times += [each for card in self._card(key) for each in times_of(card.counting)]
            for named, changes in self.need.corrections:
                if named == key:
                    times += [v for v in changes.values() if isinstance(v, datetime)]
            # The hull: one correction after another in this batch stays inside it.
            if times:
                found.append((min(times), max(times)))
        found += [span for version in self.held for span in span_of(version)]
        return found

    def days(self) -> set[date]:
        days = set(self.need.days)
        for key in self.need.entries:
            for known in self.known.get(key, ()):
                days |= {date.fromisoformat(day) for day in known.version.minutes_by_day}
        return days

    def _card(self, key: EntryKey) -> tuple[Card, ...]:
        return (self.cards[key],) if key in self.cards else ()


def times_of(version: Version) -> tuple[datetime, ...]:
    if version.started_at is None or version.ended_at is None:
        return ()
    return version.started_at, version.ended_at


def span_of(version: Version) -> tuple[Span, ...]:
    times = times_of(version)
    return ((times[0], times[1]),) if times else ()
