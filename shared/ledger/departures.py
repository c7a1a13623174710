"""Which commands travel together, and when does a batch leave?

Group commit: commands gather while earlier batches commit, two in flight, no linger. A key is in
one batch in flight at a time, and nobody passes another who waits for the same key.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from shared.ledger.entries import Entry
from shared.ledger.rows import key_of
from shared.ledger.types import Attachment, Outcome
from shared.messages import Unavailable

BATCHES_IN_FLIGHT: Final = 2
WHOLE_BATCHES_IN_FLIGHT: Final = 4
COMMANDS_PER_BATCH: Final = 128
# About two seconds of work at 4,000 commands/s; more only lengthens everybody's wait.
QUEUE_LIMIT: Final = 8192

Settle = Callable[[list[Entry]], Awaitable[list[Outcome | Exception]]]
RunWhole = Callable[[list[Entry], Attachment | None], Awaitable[list[Outcome]]]


@dataclass(slots=True)
class _Ticket:
    """What waits in the queue: one command of ``submit``, or the whole batch of ``run``."""

    entries: list[Entry]
    keys: frozenset[str]
    claims: frozenset[str]
    done: asyncio.Future[list[Outcome]]
    attachment: Attachment | None = None


@dataclass(slots=True)
class _Flights:
    keys: set[str] = field(default_factory=set)
    batches: int = 0
    whole: int = 0
    called: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Departures:
    """The queue of one ledger. ``settle`` gives each command of a batch its own outcome or error;
    ``run_whole`` commits a batch whole or raises."""

    def __init__(self, settle: Settle, run_whole: RunWhole) -> None:
        self._settle = settle
        self._run_whole = run_whole
        self._queue: deque[_Ticket] = deque()
        self._flights = _Flights()

    async def enqueue(self, entries: list[Entry], attachment: Attachment | None) -> list[Outcome]:
        if len(self._queue) >= QUEUE_LIMIT:
            raise Unavailable("too many commands are waiting", retry_after_seconds=2)
        keys = frozenset[str]().union(*(entry.keys for entry in entries))
        done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        claims = frozenset(key_of(claim) for entry in entries for claim in entry.reach.claims)
        self._queue.append(_Ticket(entries, keys, claims, done, attachment))
        self._take_off_soon()
        return await done

    def _take_off_soon(self) -> None:
        # Not a linger: whoever is ready in this turn of the loop comes along, where otherwise the
        # first of those just answered would leave alone.
        if not self._flights.called:
            self._flights.called = True
            asyncio.get_running_loop().call_soon(self._take_off)

    def _take_off(self) -> None:
        """Starts what may start: no key of it is in flight, and nobody who came before waits for
        one of its keys."""
        self._flights.called = False
        while self._queue and self._board():
            pass

    def _board(self) -> bool:
        free_flights = BATCHES_IN_FLIGHT - self._flights.batches
        # Two batches of half the size: one decides while the database writes the other.
        room = min(COMMANDS_PER_BATCH, -(-len(self._queue) // free_flights)) if free_flights else 0
        batch, whole, left = self._chosen(room)
        if batch and left and room < COMMANDS_PER_BATCH:
            taken = frozenset[str]().union(*(ticket.keys for ticket in batch))
            if all(not taken.isdisjoint(ticket.keys) for ticket in left):
                # All wait for these (the rows of one import, say): they come along instead.
                batch, whole, left = self._chosen(COMMANDS_PER_BATCH)
        self._queue = left
        for ticket in whole:
            self._flights.whole += 1
            self._fly(self._fly_whole(ticket), ticket.keys)
        if batch:
            self._flights.batches += 1
            keys = frozenset[str]().union(*(ticket.keys for ticket in batch))
            self._fly(self._fly_batch(batch), keys)
        return bool(batch or whole)

    def _chosen(self, room: int) -> tuple[list[_Ticket], list[_Ticket], deque[_Ticket]]:
        """Who may start now: a batch of at most ``room``, whole batches, and who waits."""
        blocked = set(self._flights.keys)
        batch: list[_Ticket] = []
        whole: list[_Ticket] = []
        left: deque[_Ticket] = deque()
        for ticket in self._queue:
            if ticket.done.cancelled():
                continue
            free = blocked.isdisjoint(ticket.keys)
            if free and ticket.attachment is None and len(batch) < room:
                batch.append(ticket)
                # Commands of one batch may share aggregates and streams, which ``evolve`` moves
                # between them; a claim is a window of its own for each, so it comes once.
                blocked |= ticket.claims
            elif (
                free
                and ticket.attachment is not None
                and self._flights.whole + len(whole) < WHOLE_BATCHES_IN_FLIGHT
                and all(ticket.keys.isdisjoint(other.keys) for other in batch)
            ):
                whole.append(ticket)
                blocked |= ticket.keys
            else:
                blocked |= ticket.keys
                left.append(ticket)
        return batch, whole, left

    def _fly(self, flight: Coroutine[Any, Any, None], keys: frozenset[str]) -> None:
        self._flights.keys |= keys
        task = asyncio.ensure_future(flight)
        self._flights.tasks.add(task)

        def landed(task: asyncio.Task[None]) -> None:
            self._flights.tasks.discard(task)
            self._flights.keys -= keys
            self._take_off_soon()

        task.add_done_callback(landed)

    async def _fly_batch(self, batch: list[_Ticket]) -> None:
        try:
            results = await self._settle([ticket.entries[0] for ticket in batch])
            for ticket, result in zip(batch, results, strict=True):
                _land(ticket, [result] if not isinstance(result, BaseException) else result)
        except BaseException as error:
            for ticket in batch:
                _land(ticket, error)
            raise
        finally:
            self._flights.batches -= 1

    async def _fly_whole(self, ticket: _Ticket) -> None:
        try:
            _land(ticket, await self._run_whole(ticket.entries, ticket.attachment))
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the batch
            _land(ticket, error)
        finally:
            self._flights.whole -= 1

    async def empty(self) -> None:
        """Returns when nothing is in the queue or in flight."""
        while self._queue or self._flights.tasks:
            if self._flights.tasks:
                await asyncio.wait(set(self._flights.tasks))
            else:
                await asyncio.sleep(0)


def _land(ticket: _Ticket, result: list[Outcome] | BaseException) -> None:
    if ticket.done.done():
        return
    if isinstance(result, BaseException):
        ticket.done.set_exception(result)
    else:
        ticket.done.set_result(result)
