"""How many minutes of an entry does no earlier one cover? Arithmetic over entries, no command.

``credited`` = counted − ``shared`` (domain.md 3.2, protocol.md 3.1). The same versions give the
same figures at every city, in whatever order they came (R3, INV-2, INV-11).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.records.domain.entries import Card, Cell, EntryKey


@dataclass(frozen=True, slots=True)
class Moved:
    """One entry whose credited minutes changed; ``cell`` is None for kinds without cells."""

    issuer: str
    entry_id: str
    cell: Cell | None
    before: int
    after: int


class Cover:
    """Which seconds are covered so far: disjoint spans in order, none touching the next."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def uncovered(self, start: int, end: int) -> int:
        """The seconds of [start, end) that are not covered yet."""
        first, last = self._meeting(start, end)
        covered = sum(
            min(self._ends[n], end) - max(self._starts[n], start) for n in range(first, last)
        )
        return end - start - covered

    def add(self, start: int, end: int) -> None:
        first, last = self._meeting(start, end)
        if first < last:
            start = min(start, self._starts[first])
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def _meeting(self, start: int, end: int) -> tuple[int, int]:
        # Spans that touch are joined as well, so the lists stay as short as they can be.
        return bisect_left(self._ends, start), bisect_right(self._starts, end)


def interval(card: Card) -> tuple[int, int] | None:
    """The seconds from start to end that can cover and be covered, or None."""
    counting = card.counting
    if (
        card.standing.kind != "service"
        or card.counted <= 0
        or counting.started_at is None
        or counting.ended_at is None
    ):
        return None
    return _second(counting.started_at), _second(counting.ended_at)


def shared_minutes(counted: int, start: int, end: int, uncovered: int) -> int:
    """min(counted, ⌊t/60⌋ − ⌊u/60⌋): never more is credited than whole minutes uncovered."""
    return min(counted, (end - start) // 60 - uncovered // 60)


def sweep(cards: Iterable[Card]) -> dict[EntryKey, int]:
    """The shared minutes, where there are any, of all these entries taken together."""
    cover = Cover()
    found: dict[EntryKey, int] = {}
    for card in sorted(cards, key=lambda each: each.order):
        span = interval(card)
        if span is None:
            continue
        shared = shared_minutes(card.counted, *span, cover.uncovered(*span))
        cover.add(*span)
        if shared:
            found[card.key] = shared
    return found


def credited(card: Card, cards: Iterable[Card]) -> int:
    """Its counted minutes less those that earlier ones of ``cards`` cover.

    ``cards`` must hold every earlier entry that meets it; more do no harm.
    """
    span = interval(card)
    if span is None:
        return card.counted
    cover = Cover()
    for other in cards:
        theirs = interval(other)
        if theirs is not None and other.order < card.order and _meet(span, theirs):
            cover.add(*theirs)
    return card.counted - shared_minutes(card.counted, *span, cover.uncovered(*span))


def covered_by(card: Card, cards: Iterable[Card]) -> tuple[EntryKey, ...]:
    """The earlier entries that it shares seconds with, in their order."""
    span = interval(card)
    if span is None:
        return ()
    found = []
    for other in cards:
        theirs = interval(other)
        if theirs is not None and other.order < card.order and _overlap(span, theirs):
            found.append(other)
    return tuple(each.key for each in sorted(found, key=lambda each: each.order))


def moves(
    before: Mapping[EntryKey, Card], after: Mapping[EntryKey, Card], changed: EntryKey, node: str
) -> tuple[Moved, ...]:
    """What a change of one entry does to credited minutes: to it, to later ones, to adjustments.

    Both maps hold the entries that its interval, old or new, meets, and those that these meet.
    """
    touched = [changed]
    old, new = before.get(changed), after[changed]
    spans = [span for card in (old, new) if card and (span := interval(card)) is not None]
    later = [
        card
        for key, card in after.items()
        if key != changed
        and card.order > new.order
        and (span := interval(card)) is not None
        and any(_overlap(span, each) for each in spans)
    ]
    touched += [card.key for card in sorted(later, key=lambda each: each.order)]
    if old is None or old.counting.cell(node) != new.counting.cell(node):
        touched += sorted(
            key for key, card in after.items() if card.standing.reduces == changed and key in before
        )
    found: list[Moved] = []
    for key in touched:
        was, now = before.get(key), after[key]
        found += _items(
            key,
            cell_of(was, before, node) if was else cell_of(now, after, node),
            credited(was, before.values()) if was else 0,
            cell_of(now, after, node),
            credited(now, after.values()),
        )
    return tuple(found)


def cell_of(card: Card, cards: Mapping[EntryKey, Card], node: str) -> Cell | None:
    """Where its credited minutes stand; an adjustment's are where those that it reduces stand."""
    if card.standing.kind == "service":
        return card.counting.cell(node)
    if card.standing.kind != "adjustment":
        return None
    reduced = cards.get(card.standing.reduces) if card.standing.reduces else None
    # The entry that it reduces may come later: until then it stands in a cell of its own.
    return (reduced or card).counting.cell(node)


def _items(
    key: EntryKey, old_cell: Cell | None, before: int, new_cell: Cell | None, after: int
) -> list[Moved]:
    if old_cell == new_cell:
        return [Moved(*key, new_cell, before, after)] if before != after else []
    pairs = ((old_cell, before, 0), (new_cell, 0, after))
    return [Moved(*key, cell, was, now) for cell, was, now in pairs if was != now]


def _meet(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _second(instant: datetime) -> int:
    return int(instant.timestamp())
