"""Which timer runs in which state, from when, how often? Section 12 as data.

A timer is a job; each firing of a repeated one is a new row, ``n`` counted up. Leaving the states
in which a timer runs cancels it; a firing that comes too late finds no row and is silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from services.transfer.domain.case import PairPolicy, Terms
from services.transfer.domain.destination_guards import LAPSE
from services.transfer.domain.destination_steps import REQUEST_LIFE
from services.transfer.domain.events import Role
from services.transfer.domain.state import State
from shared.clock import local_day

FREEZE = timedelta(minutes=10)
VERIFY = timedelta(hours=1)
STAGE = timedelta(hours=2)
DOUBT = timedelta(minutes=5)
ADOPT = timedelta(minutes=5)
ACTIVATE_FIRST = timedelta(minutes=5)
ACTIVATE_MOST = timedelta(hours=6)
DAILY = timedelta(days=1)
REVIEW_WORKING_DAYS = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """What the due date of a timer may depend on."""

    state: Any
    at: datetime
    n: int
    terms: Terms
    pair: PairPolicy


Due = Callable[[Moment], datetime]


@dataclass(frozen=True, kw_only=True, slots=True)
class Timer:
    """One timer of one side: the states in which it runs, when it is due, whether it repeats."""

    name: str
    role: Role
    states: tuple[str, ...]
    due: Due
    repeats: bool = False
    answered: bool | None = None
    """Destination, Requested: only before (False) or after (True) M2."""

    def runs_in(self, state: State | None) -> bool:
        """Whether it runs while the move stands so."""
        if state is None or state.course.role != self.role or state.status not in self.states:
            return False
        if self.answered is None:
            return True
        return (getattr(state, "review_due", None) is not None) == self.answered


def _after(span: timedelta) -> Due:
    return lambda m: m.at + span


def _working_days(days: Callable[[Moment], int]) -> Due:
    def due(m: Moment) -> datetime:
        return m.terms.end_of(m.terms.working_day(local_day(m.at), days(m)))

    return due


def _review_due(m: Moment) -> datetime:
    day: date = m.state.review_due
    return m.terms.end_of(day)


def _ceiling(m: Moment) -> int:
    return m.pair.ceiling_working_days


def _activate(m: Moment) -> datetime:
    doubled: int = 2 ** min(m.n - 1, 16)
    return m.at + min(ACTIVATE_FIRST * doubled, ACTIVATE_MOST)


def _residual(m: Moment) -> datetime:
    end: datetime = m.state.residual_at
    return end if m.n == 1 else max(end, m.at + DAILY)


def _offer_end(m: Moment) -> datetime:
    end: datetime = m.state.offer.expires_at
    return end


TIMERS: tuple[Timer, ...] = (
    Timer(
        name="review",
        role="origin",
        states=("Requested",),
        due=_working_days(lambda m: REVIEW_WORKING_DAYS),
    ),
    Timer(name="review-target", role="origin", states=("Requested",), due=_review_due),
    Timer(name="review-ceiling", role="origin", states=("Requested",), due=_working_days(_ceiling)),
    Timer(name="freeze", role="origin", states=("Admitted", "Frozen"), due=_after(FREEZE)),
    Timer(name="offer", role="origin", states=("Offered",), due=_offer_end),
    Timer(name="activate", role="origin", states=("Released",), due=_activate, repeats=True),
    Timer(name="residual", role="origin", states=("Settling",), due=_residual, repeats=True),
    Timer(name="close", role="origin", states=("Closing",), due=_after(DAILY), repeats=True),
    Timer(
        name="request",
        role="destination",
        states=("Requested",),
        due=_after(REQUEST_LIFE),
        answered=False,
    ),
    Timer(
        name="review-target",
        role="destination",
        states=("Requested",),
        due=_review_due,
        answered=True,
    ),
    Timer(
        name="review-ceiling",
        role="destination",
        states=("Requested",),
        due=_working_days(_ceiling),
        answered=True,
    ),
    Timer(name="verify", role="destination", states=("Verifying",), due=_after(VERIFY)),
    Timer(name="stage", role="destination", states=("Staging",), due=_after(STAGE)),
    Timer(
        name="lapse",
        role="destination",
        states=("Receiving", "Verifying", "Staging"),
        due=lambda m: _offer_end(m) - LAPSE,
    ),
    Timer(
        name="doubt",
        role="destination",
        states=("Accepted", "InDoubt"),
        due=_after(DOUBT),
        repeats=True,
    ),
    Timer(
        name="adopt", role="destination", states=("Activating",), due=_after(ADOPT), repeats=True
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Set:
    """A timer to be set: its name, when it is due, the number of this firing."""

    name: str
    due_at: datetime
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a step does to the timers of its move."""

    set: tuple[Set, ...] = ()
    cancelled: tuple[str, ...] = ()


def plan(
    before: State | None,
    after: State | None,
    *,
    at: datetime,
    fired: tuple[str, int] | None,
    terms: Terms,
    pair: PairPolicy,
) -> Plan:
    """The timers that begin, go on or end. ``fired``: the timer whose firing this was, its n."""
    begun: list[Set] = []
    ended: list[str] = []
    for timer in TIMERS:
        was, runs = timer.runs_in(before), timer.runs_in(after)
        number = 1
        if was and not runs:
            ended.append(timer.name)
            continue
        if not runs:
            continue
        if was:
            restarted = timer.name == "residual" and _residual_moved(before, after)
            again = fired is not None and fired[0] == timer.name and timer.repeats
            if not (again or restarted):
                continue
            number = fired[1] + 1 if again and fired is not None else 1
        moment = Moment(state=after, at=at, n=number, terms=terms, pair=pair)
        begun.append(Set(name=timer.name, due_at=timer.due(moment), n=number))
    return Plan(set=tuple(begun), cancelled=tuple(ended))


def _residual_moved(before: State | None, after: State | None) -> bool:
    return getattr(before, "residual_at", None) != getattr(after, "residual_at", None)
