"""Which minutes stand in which cell, and which stars stand? For a whole dossier at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from services.records.domain.dossiers.events import CellMinutes
from services.records.domain.entries import Card, Cell, Version


def cells_of(minutes: Iterable[tuple[Cell | None, int]]) -> tuple[CellMinutes, ...]:
    """Sums per cell, those of nothing left out, in a fixed order."""
    sums: Counter[Cell] = Counter()
    for cell, credited in minutes:
        if cell is not None:
            sums[cell] += credited
    return tuple(
        CellMinutes(cell=cell, minutes=sums[cell])
        for cell in sorted(sums, key=_order)
        if sums[cell]
    )


def stars_of(cards: Iterable[Card]) -> tuple[Version, ...]:
    """The approved star entries, without bodies."""
    stars = [
        card.standing
        for card in cards
        if card.standing.kind == "star" and card.standing.state == "approved"
    ]
    return tuple(sorted(stars, key=lambda each: (each.entry_id[-26:], each.issuer)))


def _order(cell: Cell) -> tuple[str, ...]:
    return (
        f"{cell.year:05d}",
        cell.category or "",
        cell.evidence_class or "",
        cell.source_system or "",
        cell.field_code or "",
        str(cell.own),
    )
