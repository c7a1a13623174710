"""How many whole minutes is that, and on which local days? (R1, R2, domain.md 3.2 and 5.5)"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.clock import SHANGHAI, local_day


def whole_minutes(started_at: datetime, ended_at: datetime) -> int:
    """One floor per entry, none per sum."""
    return (ended_at - started_at) // timedelta(minutes=1)


def by_day(started_at: datetime, ended_at: datetime, break_minutes: int) -> dict[str, int]:
    """The minutes of each local day, so that they add up to the whole.

    Midnight splits by differences of floors; breaks come off the last day first. Days without
    minutes are left out.
    """
    parts: list[tuple[str, int]] = []
    done, here = 0, started_at
    while here < ended_at:
        day = local_day(here)
        midnight = datetime(day.year, day.month, day.day, tzinfo=SHANGHAI) + timedelta(days=1)
        here = min(midnight, ended_at)
        upto = whole_minutes(started_at, here)
        parts.append((day.isoformat(), upto - done))
        done = upto
    left = break_minutes
    for n in range(len(parts) - 1, -1, -1):
        name, minutes = parts[n]
        taken = min(left, minutes)
        parts[n], left = (name, minutes - taken), left - taken
    return {name: minutes for name, minutes in parts if minutes}
