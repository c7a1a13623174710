"""What does a dossier add up to, and what does its head say? (protocol.md 3.1, 3.2)"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from services.records.domain.dossiers.state import Log, Totals
from services.records.domain.entries import KINDS, Card, EntryKey, Version
from services.records.domain.overlap import sweep
from shared import merkle
from shared.clock import wire


def uncredited(card: Card | None) -> Totals:
    """What an entry adds to the totals, credited minutes apart: these hang on other entries."""
    if card is None:
        return Totals()
    standing = card.standing
    if standing.kind == "service":
        waits = standing.state in ("pending", "publicised")
        return Totals(
            pending_minutes=standing.minutes if waits else 0,
            disputed_minutes=standing.minutes if standing.state == "disputed" else 0,
        )
    if standing.kind == "training":
        return Totals(learning_minutes=standing.counted_minutes)
    if standing.kind == "consumption":
        return Totals(consumed_minutes=standing.counted_minutes)
    return Totals()


def plus(one: Totals, other: Totals, sign: int = 1) -> Totals:
    return Totals(
        credited_minutes=one.credited_minutes + sign * other.credited_minutes,
        pending_minutes=one.pending_minutes + sign * other.pending_minutes,
        disputed_minutes=one.disputed_minutes + sign * other.disputed_minutes,
        learning_minutes=one.learning_minutes + sign * other.learning_minutes,
        consumed_minutes=one.consumed_minutes + sign * other.consumed_minutes,
    )


def totals_of(cards: Iterable[Card], shared: Mapping[EntryKey, int] | None = None) -> Totals:
    """The totals of all standing entries together; ``shared`` where it is known already."""
    every = list(cards)
    covered = sweep(every) if shared is None else shared
    totals = Totals()
    for card in every:
        totals = plus(totals, uncredited(card))
    earned = sum(
        card.counted - covered.get(card.key, 0)
        for card in every
        if card.standing.kind in ("service", "adjustment")
    )
    return plus(totals, Totals(credited_minutes=earned))


def state_line(standing: Version) -> str:
    """One line of the state digest, without its line feed."""
    return (
        f"{standing.issuer} {standing.entry_id} {standing.version} {standing.state} "
        f"{standing.kind} {standing.counted_minutes} {standing.digest}"
    )


def state_digest(lines: Iterable[str]) -> str:
    """SHA-256 over the lines of all standing versions, sorted as bytes; any order will do."""
    raw = sorted(line.encode("utf-8") + b"\n" for line in lines)
    return sha256(b"".join(raw)).hexdigest()


def totals_json(totals: Totals) -> dict[str, int]:
    return {
        "credited_minutes": totals.credited_minutes,
        "pending_minutes": totals.pending_minutes,
        "disputed_minutes": totals.disputed_minutes,
        "learning_minutes": totals.learning_minutes,
        "consumed_minutes": totals.consumed_minutes,
    }


def head_body(
    *,
    subject_id: str,
    epoch: int,
    home: str,
    first_registered_on: date,
    log: Log,
    state_digest: str | None,
    at: datetime,
) -> dict[str, Any]:
    """The body of a head; ``state_digest`` is None in a receipt's, because it costs O(n)."""
    return {
        "v": "head/1",
        "subject_id": subject_id,
        "epoch": epoch,
        "home": home,
        "first_registered_on": first_registered_on.isoformat(),
        "count": log.count,
        "root": merkle.root(log.roots).hex(),
        "totals": totals_json(log.totals),
        "kinds": {kind: log.kinds.get(kind, 0) for kind in KINDS},
        "state_digest": state_digest,
        "at": wire(at),
    }
