"""What time is it, and how is an instant written and read?

The domain reads no clock: instants arrive in commands. From here it may use only the pure
functions (``wire``, ``read``, ``local_day``, ``SHANGHAI``).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from shared.messages import Unreadable

SHANGHAI = ZoneInfo("Asia/Shanghai")

_TWO = "([0-9]{2})"
_WIRE = re.compile(rf"([0-9]{{4}})-{_TWO}-{_TWO}T{_TWO}:{_TWO}:{_TWO}(\.[0-9]{{1,6}})?Z", re.ASCII)


class Clock(Protocol):
    """Gives the present instant, aware and in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's clock, cut to milliseconds: what a ULID and an envelope can hold."""

    def now(self) -> datetime:
        instant = datetime.now(UTC)
        return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


class FixedClock:
    """A clock that moves only when told to; for tests and simulations."""

    def __init__(self, instant: datetime) -> None:
        if instant.tzinfo is None:
            raise ValueError("a clock needs an aware instant")
        self._instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        return self._instant

    def advance(self, by: timedelta) -> None:
        """Moves forward; a clock that goes back is set by making another."""
        if by < timedelta(0):
            raise ValueError("a fixed clock only goes forward")
        self._instant += by


def wire(instant: datetime) -> str:
    """``2027-03-01T02:00:00Z``: UTC, whole seconds (a fraction is dropped); protocol.md 2.1."""
    return _utc(instant).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def wire_exact(instant: datetime) -> str:
    """Like ``wire``, with the fraction where there is one (``2027-03-01T02:00:00.125Z``)."""
    whole = wire(instant)
    micro = _utc(instant).microsecond
    if not micro:
        return whole
    digits = f"{micro:06d}"
    return f"{whole[:-1]}.{digits[:3] if digits.endswith('000') else digits}Z"


def read(text: str) -> datetime:
    """The instant of ``wire`` or ``wire_exact``; raises ``Unreadable`` for anything else."""
    match = _WIRE.fullmatch(text)
    if match is None:
        raise Unreadable("time is not of the form 2027-03-01T02:00:00Z")
    try:
        # The form is known: no second parser, which took a tenth of a reader's time.
        instant = datetime(*map(int, match.groups()[:6]), tzinfo=UTC)  # type: ignore[arg-type, misc]
    except ValueError:
        raise Unreadable("time is no real instant") from None
    return instant.replace(microsecond=int(match[7][1:].ljust(6, "0"))) if match[7] else instant


def local_day(instant: datetime) -> date:
    """The day in Asia/Shanghai of an instant (domain.md 5.5)."""
    return instant.astimezone(SHANGHAI).date()


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant must be aware")
    return instant.astimezone(UTC)
