"""What stands on disk of a dossier under way, and what does it add up to?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from services.records.domain.dossiers.events import CellMinutes
from services.records.domain.dossiers.state import Totals
from services.records.domain.entries import Card, Cell, EntryKey, Version, read_body
from services.records.domain.heads import plus, state_digest, uncredited
from services.records.domain.overlap import Cover, interval, shared_minutes
from services.records.domain.staging.commands import StageBundle
from services.records.domain.staging.state import Staging, StagingView
from services.records.domain.totting import cells_of, stars_of
from services.records.edge.rows import card_of_row
from shared.postgres import Connection, by_columns

# A page of the one pass over a staged log.
PAGE: Final = 1_000

_STORED = """
    SELECT v.issuer, v.entry_id, v.version, v.digest
    FROM unnest($1::text[], $2::text[], $3::int[]) AS x(issuer, entry_id, version)
    JOIN entry_version AS v ON v.issuer = x.issuer AND v.entry_id = x.entry_id
        AND v.version = x.version
"""
# The log is a column like the others: given once, it would be read whole and then filtered.
_IN_LOG = """
    SELECT DISTINCT v.issuer, v.entry_id, v.version, v.digest, v.signed
    FROM unnest($1::text[], $2::text[], $3::text[]) AS x(log_id, issuer, entry_id)
    JOIN leaf AS l ON l.log_id = x.log_id AND l.issuer = x.issuer AND l.entry_id = x.entry_id
    JOIN entry_version AS v ON v.issuer = l.issuer AND v.entry_id = l.entry_id
        AND v.version = l.version
"""


async def known_in_staging(
    connection: Connection, view: StagingView, command: StageBundle
) -> StagingView:
    """The view with what the decision on this bundle needs."""
    if not isinstance(view.row, Staging) or not command.entries:
        return view
    keys = [(*entry.version.key, entry.version.version) for entry in command.entries]
    stored = dict(view.stored)
    for row in await connection.fetch(_STORED, *by_columns(keys)):
        stored[(row["issuer"], row["entry_id"], row["version"])] = row["digest"]
    log_id = view.row.log.log_id
    entries = sorted({(log_id, *entry.version.key) for entry in command.entries})
    known: dict[EntryKey, tuple[Version, ...]] = dict(view.known)
    for row in await connection.fetch(_IN_LOG, *by_columns(entries)):
        version = read_body(json.loads(row["signed"])["body"], row["digest"])
        known[version.key] = (*known.get(version.key, ()), version)
    return replace(view, known=known, stored=stored)


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What a whole log adds up to."""

    state_digest: str
    totals: Totals
    cells: tuple[CellMinutes, ...]
    stars: tuple[Version, ...]
    shared: Mapping[EntryKey, int]


async def reckon(connection: Connection, log_id: str, node: str) -> Reckoned:
    """One pass in the order of the ULIDs; what is covered so far is all that it keeps of times.

    Memory: one line, and one sum a cell, per entry at most.
    """
    cover, totals = Cover(), Totals()
    lines: list[str] = []
    shared: dict[EntryKey, int] = {}
    cells: dict[EntryKey, Cell] = {}
    minutes: list[tuple[Cell | None, int]] = []
    reducing: list[Card] = []
    stars: list[Card] = []
    after: tuple[str, str] = ("", "")
    while rows := await _page(connection, log_id, after):
        for row in rows:
            card = card_of_row(row["standing"], row["counting"])
            lines.append(row["line"])
            totals = plus(totals, uncredited(card))
            stars += [card] if card.standing.kind == "star" else []
            reducing += [card] if card.standing.kind == "adjustment" else []
            if card.standing.kind != "service":
                continue
            covered = _covered(cover, card)
            if covered:
                shared[card.key] = covered
            cells[card.key] = card.counting.cell(node)
            minutes.append((cells[card.key], card.counted - covered))
        after = (rows[-1]["ulid"], rows[-1]["issuer"])
    for card in reducing:
        reduced = card.standing.reduces
        cell = cells.get(reduced) if reduced else None
        minutes.append((cell or card.counting.cell(node), card.counted))
    earned = sum(each for _, each in minutes)
    return Reckoned(
        state_digest=state_digest(lines),
        totals=plus(totals, Totals(credited_minutes=earned)),
        cells=cells_of(minutes),
        stars=stars_of(stars),
        shared=shared,
    )


def _covered(cover: Cover, card: Card) -> int:
    span = interval(card)
    if span is None:
        return 0
    shared = shared_minutes(card.counted, *span, cover.uncovered(*span))
    cover.add(*span)
    return shared


async def _page(connection: Connection, log_id: str, after: tuple[str, str]) -> Sequence[Any]:
    rows: Sequence[Any] = await connection.fetch(
        """SELECT ulid, issuer, line, standing, counting FROM standing
           WHERE log_id = $1 AND (ulid, issuer) > ($2, $3) ORDER BY ulid, issuer LIMIT $4""",
        log_id,
        *after,
        PAGE,
    )
    return rows
