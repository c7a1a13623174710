"""How many minutes does each entry credit, so that overlapping time counts once?

Arithmetic over the set of versions, never a decision: the same entries give the same figures at
every city, in whatever order they came.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A service entry that counts. ``started`` and ``ended`` (seconds) are those of its highest
    approved version, or of the standing one where none is in the log; both None: unknown."""

    entry_id: str
    issuer: str
    counted: int
    started: int | None
    ended: int | None

    @property
    def rank(self) -> tuple[str, str]:
        """Order of recording: the ULID, ties by issuer."""
        return self.entry_id[-26:], self.issuer


class Covered:
    """The union of intervals seen so far, in seconds: 16 bytes for each gapless stretch."""

    def __init__(self) -> None:
        self._starts = array("q")
        self._ends = array("q")

    def add(self, started: int, ended: int) -> int:
        """Adds [started, ended) and gives how many of its seconds none before it covered."""
        first = bisect_left(self._ends, started)
        last = bisect_right(self._starts, ended)
        already = sum(
            max(0, min(self._ends[n], ended) - max(self._starts[n], started))
            for n in range(first, last)
        )
        if first < last:
            low, high = min(started, self._starts[first]), max(ended, self._ends[last - 1])
        else:
            low, high = started, ended
        self._starts[first:last] = array("q", [low])
        self._ends[first:last] = array("q", [high])
        return ended - started - already


def credited(spans: Iterable[Span]) -> Iterator[tuple[Span, int]]:
    """Each span with its credited minutes; ``spans`` come in order of their ``rank``.

    shared = min(counted, ⌊t / 60⌋ − ⌊u / 60⌋), t the seconds of the interval, u those that no
    interval before it covers; unknown intervals share nothing.
    """
    covered = Covered()
    for span in spans:
        shared = 0
        if span.started is not None and span.ended is not None and span.counted > 0:
            seconds = span.ended - span.started
            uncovered = covered.add(span.started, span.ended)
            shared = min(span.counted, seconds // 60 - uncovered // 60)
        yield span, span.counted - shared
