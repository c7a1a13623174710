"""How often may one caller come? Check 1: a bucket a caller, refilled steadily."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MAX_CALLERS: Final = 10_000
"""Buckets kept; the one that was idle longest is forgotten first (it was full anyway)."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, so many at once."""

    per_second: float
    burst: int


MESSAGES: Final = Rate(per_second=60, burst=120)
BUNDLES: Final = Rate(per_second=10, burst=600)


class Buckets:
    """Token buckets by caller. One process counts for itself."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, caller: str) -> int:
        """0: taken in and counted. Else the whole seconds after which one more is taken."""
        now = self._clock()
        level, since = self._buckets.pop(caller, (float(self._rate.burst), now))
        level = min(self._rate.burst, level + (now - since) * self._rate.per_second)
        wait = 0 if level >= 1 else max(1, math.ceil((1 - level) / self._rate.per_second))
        self._buckets[caller] = (level if wait else level - 1, now)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        return wait
