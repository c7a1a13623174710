"""What does a complete small service look like? ``counter``: amounts are added up, per day at most
600; a claim is unique; a move touches two counters and writes one stream that many share.

It has everything that the ledger's schedules need: an aggregate, a second one, streams, a claim
under a unique index, a window that no row holds (the day's additions), jobs, a refusal that waits,
and ways to break. Its tables and their ``Domain`` stand below; ``schema`` makes them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg

from shared.envelope import Topic
from shared.ledger import (
    Answer,
    Cancel,
    Decided,
    Ledger,
    Reach,
    Request,
    Schedule,
    StreamKey,
    Target,
)
from shared.messages import Command, Event, Message, Outgoing, Rejection, Unreadable, system
from shared.postgres import Connection, Database, ledger_tables, reader_tables
from tests.support.counter_rules import (
    DAY_LIMIT,
    Add,
    Added,
    Break,
    Broken,
    ClaimIsTaken,
    Counter,
    CounterIsUnknown,
    DayIsFull,
    Forget,
    Move,
    Moved,
    Remember,
    Remind,
    Reminded,
    ReminderWanted,
    TooLittle,
    decide,
    evolve,
)

__all__ = [
    "COUNTER",
    "DAY_LIMIT",
    "GROUPS",
    "NAMESPACE",
    "NOON",
    "TABLES",
    "TOPICS",
    "TOTALS",
    "Add",
    "Added",
    "Break",
    "Broken",
    "ClaimIsTaken",
    "Counter",
    "CounterDomain",
    "CounterIsUnknown",
    "DayIsFull",
    "Forget",
    "Move",
    "Moved",
    "Remember",
    "Remind",
    "Reminded",
    "ReminderWanted",
    "TooLittle",
    "add",
    "command_id",
    "counter_service",
    "decide",
    "evolve",
    "move",
    "react_by_adding",
    "request",
    "running_counter",
    "schema",
]

TOTALS = "counter.totals.v1"
GROUPS = "counter.groups.v1"
TOPICS = (
    Topic(name=TOTALS, key="counter", public=True, description="what was added to a counter"),
    Topic(name=GROUPS, key="group", public=True, description="moves between counters of a group"),
    Topic(
        name="counter.dead-letters.v1",
        key="source key",
        public=False,
        description="what could not be read",
    ),
)
NOON = datetime(2027, 3, 1, 4, 0, tzinfo=UTC)
COUNTER = system("counter")
NAMESPACE = UUID("7d3f7b6e-1111-5222-8333-444455556666")


# -- the store ------------------------------------------------------------------------------------

TABLES = """
CREATE TABLE addition (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    counter text NOT NULL,
    day integer NOT NULL,
    amount integer NOT NULL CONSTRAINT amounts_are_not_negative CHECK (amount >= 0)
);
CREATE INDEX addition_of_a_day ON addition (counter, day);
CREATE TABLE claim (key text CONSTRAINT claim_once PRIMARY KEY, counter text NOT NULL);
"""


class CounterDomain:
    """The counter service as the ledger meets it."""

    def reach(self, command: Command) -> Reach:
        match command:
            case Move():
                return Reach(
                    targets=(
                        Target("counter", command.origin),
                        Target("counter", command.destination),
                    ),
                    streams=(StreamKey(GROUPS, command.group),),
                )
            case Add(claim=str() as claim):
                return Reach(
                    targets=(Target("counter", command.counter),),
                    streams=(StreamKey(TOTALS, command.counter),),
                    claims=(claim,),
                )
            case Add() | Remind() | Remember() | Forget() | Break():
                return Reach(
                    targets=(Target("counter", command.counter),),
                    streams=(StreamKey(TOTALS, command.counter),),
                )
        raise AssertionError(type(command).__name__)

    async def load(
        self,
        connection: Connection,
        commands: Sequence[Command],
        rows: Mapping[Target, Mapping[str, Any] | None],
    ) -> Mapping[Target, Counter]:
        days: dict[str, dict[int, int]] = {target.id: {} for target in rows}
        additions = [command for command in commands if isinstance(command, Add)]
        for row in await connection.fetch(
            """SELECT a.counter, a.day, sum(a.amount)::bigint AS amount
               FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::integer[])) AS x(counter, day)
               JOIN addition AS a ON a.counter = x.counter AND a.day = x.day
               GROUP BY a.counter, a.day""",
            [command.counter for command in additions],
            [command.day for command in additions],
        ):
            days[row["counter"]][row["day"]] = row["amount"]
        wanted = sorted({command.claim for command in additions if command.claim})
        claims: dict[str, str] = {}
        if wanted:
            found = await connection.fetch(
                "SELECT key, counter FROM claim WHERE key = ANY ($1::text[])", wanted
            )
            claims = {row["key"]: row["counter"] for row in found}
        return {
            target: Counter(
                id=target.id,
                exists=row is not None,
                total=row["total"] if row else 0,
                reminded=row["reminded"] if row else 0,
                days=days[target.id],
                claims=claims,
            )
            for target, row in rows.items()
        }

    def decide(self, states: tuple[Any, ...], command: Command) -> tuple[Event, ...] | Rejection:
        return decide(states, command)

    def belongs(self, event: Event) -> tuple[Target, ...]:
        if isinstance(event, Moved):
            return (Target("counter", event.origin), Target("counter", event.destination))
        return (Target("counter", event.counter),)  # type: ignore[attr-defined]

    def evolve(self, target: Target, state: Counter, event: Event) -> Counter:
        return evolve(target, state, event)

    def encode(self, target: Target, state: Counter) -> Mapping[str, Any]:
        return {"total": state.total, "reminded": state.reminded}

    def outgoing(self, event: Event, decided: Decided) -> Outgoing:
        if isinstance(event, Moved):
            topic, key = GROUPS, event.group
        else:
            topic, key = TOTALS, event.counter  # type: ignore[attr-defined]
        names = {Added: "added", Moved: "moved", Reminded: "reminded"}
        name = names.get(type(event))
        return Outgoing(
            topic=topic if name else None,
            key=key,
            type=f"counter.{name or 'noted'}.v1",
            data=asdict(event),
            occurred_at=decided.command.at,
        )

    def jobs(self, decided: Decided) -> tuple[Schedule | Cancel, ...]:
        command = decided.command
        match command:
            case Remind():
                target = Target("counter", command.counter)
                return (
                    Cancel(kind="remind", target=target),
                    Schedule(
                        kind="remind",
                        target=target,
                        due_at=command.at + timedelta(seconds=command.after_seconds),
                        data={"note": command.note},
                    ),
                )
            case Forget():
                return (Cancel(kind="remind", target=Target("counter", command.counter)),)
        return ()

    async def prepare(self, decided: Sequence[Decided]) -> None:
        """Nothing is signed here."""

    async def save(self, connection: Connection, decided: Sequence[Decided]) -> None:
        events = [event for one in decided for event in one.events]
        added = sorted(
            (event.counter, event.day, event.amount) for event in events if isinstance(event, Added)
        )
        added += [(event.counter, 0, -1) for event in events if isinstance(event, Broken)]
        claims = sorted(
            (event.claim, event.counter)
            for event in events
            if isinstance(event, Added) and event.claim
        )
        if added:
            await connection.execute(
                """INSERT INTO addition (counter, day, amount)
                   SELECT * FROM unnest($1::text[], $2::integer[], $3::integer[])""",
                *(list(column) for column in zip(*added, strict=True)),
            )
        if claims:
            await connection.execute(
                "INSERT INTO claim (key, counter) SELECT * FROM unnest($1::text[], $2::text[])",
                *(list(column) for column in zip(*claims, strict=True)),
            )


# -- facts: the counter read by another service, or by itself in a test ----------------------------


def react_by_adding(message: Message) -> tuple[Command, ...]:
    """What a reader of ``counter.totals.v1`` asks of *its* counters: the same additions, under
    the counter's name with ``copy-`` before it."""
    if message.type != "counter.added.v1":
        return ()
    try:
        counter, amount, day = (message.data[name] for name in ("counter", "amount", "day"))
    except KeyError as missing:
        raise Unreadable(f"{missing.args[0]} is missing") from None
    return (
        Add(
            command_id=uuid5(NAMESPACE, f"{message.event_id} add"),
            actor=COUNTER,
            at=message.time,
            causation_id=str(message.event_id),
            counter=f"copy-{counter}",
            amount=amount,
            day=day,
        ),
    )


# -- making one -----------------------------------------------------------------------------------


async def schema(url: str, name: str = "counter") -> None:
    """Makes the counter's schema with its ledger and reader tables."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f'CREATE SCHEMA "{name}"')
            await connection.execute(f'SET LOCAL search_path TO "{name}"')
            await connection.execute(ledger_tables() + reader_tables() + TABLES)
    finally:
        await connection.close()


@asynccontextmanager
async def counter_service(
    url: str, name: str = "counter"
) -> AsyncIterator[tuple[Database, Ledger]]:
    """The counter's database and ledger on a fresh schema, closed afterwards."""
    await schema(url, name)
    async with running_counter(url, name) as service:
        yield service


@asynccontextmanager
async def running_counter(
    url: str, name: str = "counter", domain: CounterDomain | None = None, **kwargs: Any
) -> AsyncIterator[tuple[Database, Ledger]]:
    """One more process's worth of the service on a schema that stands already."""
    async with Database(url, name) as database:
        ledger = Ledger(database, domain or CounterDomain(), **kwargs)
        try:
            yield database, ledger
        finally:
            await ledger.close()


def command_id(name: str) -> UUID:
    """The id of a command by a readable name."""
    return uuid5(NAMESPACE, name)


def add(counter: str, amount: int, name: str | None = None, **kwargs: Any) -> Add:
    """An addition whose command id follows from its name (else from what it says)."""
    name = name or f"add {counter} {amount} {sorted(kwargs.items())}"
    return Add(
        command_id=command_id(name),
        actor=COUNTER,
        at=NOON,
        counter=counter,
        amount=amount,
        **kwargs,
    )


def move(group: str, origin: str, destination: str, amount: int, name: str | None = None) -> Move:
    name = name or f"move {group} {origin} {destination} {amount}"
    return Move(
        command_id=command_id(name),
        actor=COUNTER,
        at=NOON,
        group=group,
        origin=origin,
        destination=destination,
        amount=amount,
    )


def request(body: str, *, secret: bool = False) -> Request:
    """A request whose digest is its body and whose answer tells the first counter's total."""

    def respond(decided: Decided) -> Answer:
        state = next(iter(decided.states.values()))
        return Answer(201, {"id": state.id, "total": state.total, "code": "sesame"})

    return Request(digest=body.encode(), respond=respond, secret=secret)
