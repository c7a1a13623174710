"""Has a client stopped delivering without a word, though its broker is there and has more?"""

from __future__ import annotations

from collections.abc import Hashable


class Stalls:
    """Notices sources that stand still while there is something to read."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[str, tuple[Hashable, float]] = {}

    def stands(self, topic: str, where: Hashable, behind: bool, now: float) -> bool:
        """Whether ``topic`` has stood at ``where``, with more to read, for the whole time.

        ``now`` in seconds of a monotonic clock. True once; then the time begins again.
        """
        last, since = self._since.get(topic, (None, now))
        if not behind or last != where:
            since = now
        stalled = now - since >= self._seconds
        self._since[topic] = (where, now if stalled else since)
        return stalled
