"""Has a client stopped delivering without a word, though its broker is there and has more?"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, NamedTuple

# A client that joins again and is slow to deliver must not be told to join again for ever: each
# try without a message has twice as long, up to 16 times (8 minutes where the first is 30 s).
LONGEST: Final = 16


class _Stood(NamedTuple):
    where: Hashable
    since: float
    patience: float


class Stalls:
    """Notices sources that stand still while there is something to read."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stood: dict[str, _Stood] = {}

    def stands(self, topic: str, where: Hashable, behind: bool, now: float) -> bool:
        """Whether ``topic`` has stood at ``where``, with more to read, for the whole time.

        ``now`` in seconds of a monotonic clock. True once; then the time begins again and is twice
        as long, until ``where`` changes.
        """
        stood = self._stood.get(topic) or _Stood(None, now, self._seconds)
        if not behind:
            stood = stood._replace(since=now)
        elif stood.where != where:
            stood = _Stood(where, now, self._seconds)
        stalled = now - stood.since >= stood.patience
        if stalled:
            patience = min(2 * stood.patience, LONGEST * self._seconds)
            stood = stood._replace(since=now, patience=patience)
        self._stood[topic] = stood
        return stalled
