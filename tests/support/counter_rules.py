"""What is true of the counter? Commands, events, refusals and states; pure, as a domain room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.ledger import Target
from shared.messages import Command, Event, Rejection

DAY_LIMIT = 600


# -- commands, events, refusals -------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Add(Command):
    """Adds to a counter (opened by its first addition), perhaps under a claim of its own."""

    counter: str
    amount: int
    day: int = 1
    claim: str | None = None
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Move(Command):
    """Takes from one counter what another gets; both must be there."""

    group: str
    origin: str
    destination: str
    amount: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Remind(Command):
    """Schedules a reminder, after so many seconds; a new one takes the old one's place."""

    counter: str
    after_seconds: int = 0
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remember(Command):
    """What a reminder's job asks for."""

    counter: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Forget(Command):
    """No reminder is wanted any more."""

    counter: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Break(Command):
    """A planted defect: ``decide`` raises, or ``save`` meets a constraint."""

    counter: str
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Added(Event):
    counter: str
    amount: int
    day: int
    total: int
    claim: str | None = None
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved(Event):
    group: str
    origin: str
    destination: str
    amount: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Reminded(Event):
    counter: str
    times: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReminderWanted(Event):
    counter: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken(Event):
    counter: str


@dataclass(frozen=True)
class DayIsFull(Rejection):
    zh = "第 {day} 天已满。"
    en = "Day {day} is full."

    day: int


@dataclass(frozen=True)
class ClaimIsTaken(Rejection):
    zh = "已被 {by} 占用。"
    en = "Taken by {by}."

    by: str


@dataclass(frozen=True)
class TooLittle(Rejection):
    zh = "不够。"
    en = "There is too little."


@dataclass(frozen=True)
class CounterIsUnknown(Rejection):
    waits = True
    zh = "尚无此计数器。"
    en = "There is no such counter yet."

    counter: str


# -- state: the row, and the window that a decision needs -----------------------------------------


@dataclass(frozen=True, slots=True)
class Counter:
    """``days`` and ``claims`` are the window: no row holds them."""

    id: str
    exists: bool = False
    total: int = 0
    reminded: int = 0
    days: Mapping[int, int] = None  # type: ignore[assignment]
    claims: Mapping[str, str] = None  # type: ignore[assignment]


def decide(states: tuple[Counter, ...], command: Command) -> tuple[Event, ...] | Rejection:
    state = states[0]
    match command:
        case Add():
            by = state.claims.get(command.claim) if command.claim else None
            if by is not None:
                return ClaimIsTaken(by=by)
            if state.days.get(command.day, 0) + command.amount > DAY_LIMIT:
                return DayIsFull(day=command.day)
            if command.amount == 0:
                return ()
            return (
                Added(
                    counter=command.counter,
                    amount=command.amount,
                    day=command.day,
                    total=state.total + command.amount,
                    claim=command.claim,
                    text=command.text,
                ),
            )
        case Move():
            for one in states:
                if not one.exists:
                    return CounterIsUnknown(counter=one.id)
            if state.total < command.amount:
                return TooLittle()
            return (
                Moved(
                    group=command.group,
                    origin=command.origin,
                    destination=command.destination,
                    amount=command.amount,
                ),
            )
        case Remind():
            return (ReminderWanted(counter=command.counter),)
        case Remember():
            return (Reminded(counter=command.counter, times=state.reminded + 1),)
        case Forget():
            return ()
        case Break():
            if command.where == "decide":
                raise AssertionError("a planted defect")
            return (Broken(counter=command.counter),)
    raise AssertionError(type(command).__name__)


def evolve(target: Target, state: Counter, event: Event) -> Counter:
    match event:
        case Added():
            days = {**state.days, event.day: state.days.get(event.day, 0) + event.amount}
            claims = {**state.claims, event.claim: event.counter} if event.claim else state.claims
            return replace(state, exists=True, total=event.total, days=days, claims=claims)
        case Moved():
            change = event.amount * ((target.id == event.destination) - (target.id == event.origin))
            return replace(state, total=state.total + change)
        case Reminded():
            return replace(state, exists=True, reminded=event.times)
        case _:
            return replace(state, exists=True)
