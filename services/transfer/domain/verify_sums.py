"""What do the standing versions of a log add up to? Totals and state digest, from a scratch.

A scratch holds one row a leaf for the length of one verification and gives them back in the order
that each sum needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Protocol

from services.transfer.domain.credit import Span, credited
from services.transfer.domain.entry_form import Leaf
from services.transfer.domain.events import Totals


class Scratch(Protocol):
    """One row a leaf, for the length of one verification."""

    def add(self, leaves: Sequence[Leaf]) -> int | None:
        """Keeps them in this order up to the first whose key (entry, version) is here already;
        gives that one's position, or None."""
        ...

    def standing(self) -> Iterator[Leaf]:
        """The highest version of each entry, in the order of their state lines (as bytes)."""
        ...

    def spans(self) -> Iterator[Span]:
        """The standing service entries with counted > 0, in order of their rank."""
        ...


class MemoryScratch:
    """A scratch in memory: about 1 KiB a leaf, for dossiers that were read into memory anyway."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, Leaf]] = {}

    def add(self, leaves: Sequence[Leaf]) -> int | None:
        """See ``Scratch``."""
        for position, leaf in enumerate(leaves):
            versions = self._versions.setdefault(leaf.entry_id, {})
            if leaf.version in versions:
                return position
            versions[leaf.version] = leaf
        return None

    def standing(self) -> Iterator[Leaf]:
        """See ``Scratch``. An entry id begins with its issuer; a space sorts before both."""
        found = (versions[max(versions)] for versions in self._versions.values())
        return iter(sorted(found, key=lambda leaf: (leaf.issuer, leaf.entry_id)))

    def spans(self) -> Iterator[Span]:
        """See ``Scratch``."""
        found = []
        for versions in self._versions.values():
            leaf = versions[max(versions)]
            if leaf.kind == "service" and leaf.counted > 0:
                approved = [v for v, other in versions.items() if other.state == "approved"]
                times = versions[max(approved)] if approved else leaf
                found.append(
                    Span(leaf.entry_id, leaf.issuer, leaf.counted, times.started, times.ended)
                )
        return iter(sorted(found, key=lambda span: span.rank))


def sums(scratch: Scratch) -> Totals:
    """The five totals over the standing versions, what overlaps taken off."""
    credit = sum(minutes for _, minutes in credited(scratch.spans()))
    pending = disputed = learning = consumed = 0
    for leaf in scratch.standing():
        match leaf.kind, leaf.state:
            case "service", "pending" | "publicised":
                pending += leaf.minutes
            case "service", "disputed":
                disputed += leaf.minutes
            case "training", _:
                learning += leaf.counted
            case "consumption", _:
                consumed += leaf.counted
            case "adjustment", _:
                credit += leaf.counted
    return Totals(
        credited_minutes=credit,
        pending_minutes=pending,
        disputed_minutes=disputed,
        learning_minutes=learning,
        consumed_minutes=consumed,
    )


def state_digest(scratch: Scratch) -> str:
    """SHA-256 over one line for each standing version, sorted as bytes."""
    state = sha256()
    for leaf in scratch.standing():
        state.update(leaf.state_line)
    return state.hexdigest()
