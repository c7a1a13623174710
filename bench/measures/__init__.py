"""What is measured? One module a measure, in the order in which they are taken."""

from __future__ import annotations

from types import ModuleType

from bench.measures import (
    growth,
    importing,
    latency,
    moving,
    processes,
    recording,
    relay,
    replay,
    resting,
)

# Latency first: what later measures record would have to be read before it.
MODULES: tuple[ModuleType, ...] = (
    latency,
    importing,
    recording,
    processes,
    relay,
    replay,
    moving,
    resting,
    growth,
)
