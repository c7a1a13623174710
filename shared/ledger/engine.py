"""What happens between a batch's first reading and its commit, and when it is lost in between?

Commands that travel together (``departures``) are one batch. It commits whole, or is read and
decided again in a *new* transaction, under advisory locks: deciding again inside a transaction
that has written would keep an id older than the change it follows, and the relay would publish out
of order (decisions/0001).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from shared.ledger.batch import Attempt
from shared.ledger.deciding import answer_rows
from shared.ledger.departures import Departures
from shared.ledger.entries import ClaimTwice, Entry, Plan
from shared.ledger.gate import Gate
from shared.ledger.rows import Lost, write
from shared.ledger.types import (
    Attachment,
    Conflict,
    Defect,
    Domain,
    Outcome,
    Request,
    Waiting,
)
from shared.messages import Command, Rejection, Unavailable
from shared.postgres import Connection, Database, advisory_key, as_unavailable, is_outage
from shared.postgres.database import CONNECT_SECONDS
from shared.telemetry import describe

ROUNDS_UNDER_LOCKS: Final = 3
STICKY_SECONDS: Final = 5.0
STICKY_LIMIT: Final = 4096
OUTAGE_PAUSES_SECONDS: Final = (0.05, 0.25, 1.0)

_LOG = logging.getLogger(__name__)
_CONTENTION: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
_LOCK: Final = "SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k"


class Ledger:
    """The ledger of one service in one process; see ``LedgerApi`` for what may be asked of it.

    Belongs to the loop it is first used on. ``wake`` is called after each commit that wrote
    events or jobs, with ``event`` and ``job`` as they apply; by default NOTIFY on the schema's
    channel, outside the transaction and coalesced.
    """

    def __init__(
        self,
        database: Database,
        domain: Domain,
        *,
        gate: Gate | None = None,
        wake: Callable[[set[str]], None] | None = None,
    ) -> None:
        self.gate = gate or Gate()
        self._database = database
        self._domain = domain
        self._departures = Departures(self._settle, self._whole)
        self._sticky: dict[str, float] = {}
        self._wake = wake or self._notify
        self._to_notify: set[str] = set()
        self._notifying: asyncio.Task[None] | None = None

    async def submit(
        self, command: Command, *, request: Request | None = None, job: UUID | None = None
    ) -> Outcome:
        """Through group commit; ``job``: that row is done in the same transaction.

        Raises ``Unavailable`` (database away, contended beyond bounds, queue full, gate closed)
        and ``Defect``, or what ``decide`` or the store raised.
        """
        self.gate.check()
        entry = Entry.of(self._domain, command, request, job)
        return (await self._departures.enqueue([entry], None))[0]

    async def run(
        self, commands: Sequence[Command], attachment: Attachment
    ) -> Mapping[UUID, Outcome]:
        """A batch that commits whole, with its attachment.

        Raises ``Waiting`` (a refusal that waits: nothing was written), ``Conflict`` (the
        attachment's own guard failed again and again: another reader went on), ``Unavailable``,
        or the defect, after two tries; ``ClaimTwice`` where two of its commands name one claim
        and the first took it: they belong in two batches.
        """
        self.gate.check()
        entries = [Entry.of(self._domain, command, None, None) for command in commands]
        outcomes = await self._departures.enqueue(entries, attachment)
        return {
            command.command_id: outcome for command, outcome in zip(commands, outcomes, strict=True)
        }

    async def rehearse(self, commands: Sequence[Command]) -> Mapping[UUID, Outcome]:
        """Decides as ``submit`` would, one after another, and writes nothing."""
        entries = [Entry.of(self._domain, command, None, None) for command in commands]
        attempt = self._attempt(entries, None)
        try:
            async with self._database.ledger.acquire(timeout=CONNECT_SECONDS) as connection:
                reading = await attempt.read(connection)
        except Exception as error:
            if is_outage(error):
                raise as_unavailable(error) from error
            raise
        plan = attempt.decide(reading, rehearsal=True)
        for place, first in plan.repeats.items():
            plan.outcomes[place] = plan.outcomes[first]
        return {
            entry.command.command_id: outcome
            for entry, outcome in zip(entries, _all(plan), strict=True)
        }

    async def close(self) -> None:
        """Waits for what is in the queue and in flight, at most as long as statements may take."""
        await self._departures.empty()
        if self._notifying is not None:
            await asyncio.wait({self._notifying})

    # -- rounds ---------------------------------------------------------------------------------

    async def _settle(
        self, entries: list[Entry], *, split: bool = False
    ) -> list[Outcome | Exception]:
        """The outcome of each command; one that cannot be kept does not spoil the others."""
        try:
            return list(await self._rounds(entries, None, split=split))
        except Unavailable as away:
            return [away] * len(entries)
        except Exception as error:  # noqa: BLE001 - told to the one command that causes it
            if len(entries) == 1:
                return [_told(error)]
        half = len(entries) // 2
        first = await self._settle(entries[:half], split=True)
        return first + await self._settle(entries[half:], split=True)

    async def _whole(self, entries: list[Entry], attachment: Attachment | None) -> list[Outcome]:
        try:
            return await self._rounds(entries, attachment)
        except (Lost, asyncpg.PostgresError) as error:
            raise _told(error) from None

    async def _rounds(
        self, entries: list[Entry], attachment: Attachment | None, *, split: bool = False
    ) -> list[Outcome]:
        """One optimistic try, then under locks; raises what the last try met."""
        everything = frozenset[str]().union(*(entry.keys for entry in entries))
        locks = everything if split else self._sticky_of(everything)
        conflicts = outages = defects = 0
        while True:
            try:
                return await self._once(entries, attachment, locks)
            except (Waiting, ClaimTwice):
                raise
            except Exception as error:
                if is_outage(error):
                    if outages == len(OUTAGE_PAUSES_SECONDS):
                        raise as_unavailable(error) from error
                    await asyncio.sleep(OUTAGE_PAUSES_SECONDS[outages])
                    outages += 1
                    continue
                if isinstance(error, (Conflict, *_CONTENTION)):
                    conflicts += 1
                    # Of a half: once, then it is halved again; the last one alone has its three.
                    bound = 1 if split and len(entries) > 1 else ROUNDS_UNDER_LOCKS + (not split)
                    if conflicts >= bound:
                        raise
                else:
                    # Perhaps decided on reads that did not belong together; a second time it is so.
                    defects += 1
                    if defects == 2:
                        raise
                changed = error.keys if isinstance(error, Lost) and error.keys else everything
                self._stick(changed)
                locks = locks | changed

    async def _once(
        self, entries: list[Entry], attachment: Attachment | None, locks: frozenset[str]
    ) -> list[Outcome]:
        attempt = self._attempt(entries, attachment)
        pool = self._database.ledger
        if locks:
            async with (
                pool.acquire(timeout=CONNECT_SECONDS) as connection,
                connection.transaction(),
            ):
                await self._lock(connection, locks)
                plan = attempt.decide(await attempt.read(connection))
                await self._prepare(plan, entries, attachment)
                await self._write(connection, plan, entries, attachment)
        else:
            async with pool.acquire(timeout=CONNECT_SECONDS) as connection:
                reading = await attempt.read(connection)
            plan = attempt.decide(reading)
            await self._prepare(plan, entries, attachment)
            if plan.rows or attachment is not None:
                async with (
                    pool.acquire(timeout=CONNECT_SECONDS) as connection,
                    connection.transaction(),
                ):
                    await self._write(connection, plan, entries, attachment)
        self._committed(plan)
        return _all(plan)

    def _attempt(self, entries: Sequence[Entry], attachment: Attachment | None) -> Attempt:
        return Attempt(self._domain, entries, attachment)

    async def _lock(self, connection: Connection, keys: frozenset[str]) -> None:
        # Sorted, in a statement of its own; advisory locks draw no transaction id.
        numbers = sorted({advisory_key(self._database.schema, key) for key in keys})
        await connection.execute(_LOCK, numbers)

    async def _prepare(
        self, plan: Plan, entries: Sequence[Entry], attachment: Attachment | None
    ) -> None:
        if attachment is not None:
            waiting = {
                entry.command.command_id: outcome
                for entry, outcome in zip(entries, plan.outcomes, strict=True)
                if isinstance(outcome, Rejection) and outcome.waits
            }
            if waiting:
                raise Waiting(waiting)
        if plan.decided:
            await self._domain.prepare(plan.decided)
        answer_rows(plan, entries)

    async def _write(
        self,
        connection: Connection,
        plan: Plan,
        entries: Sequence[Entry],
        attachment: Attachment | None,
    ) -> None:
        if plan.rows:
            await write(connection, plan.rows)
        if plan.decided:
            await self._domain.save(connection, plan.decided)
        if attachment is not None:
            outcomes = zip(entries, _all(plan), strict=True)
            await attachment.write(
                connection, {entry.command.command_id: outcome for entry, outcome in outcomes}
            )

    def _sticky_of(self, keys: frozenset[str]) -> frozenset[str]:
        if not self._sticky:
            return frozenset()
        now = time.monotonic()
        return frozenset(key for key in keys if self._sticky.get(key, 0.0) > now)

    def _stick(self, keys: Iterable[str]) -> None:
        now = time.monotonic()
        if len(self._sticky) > STICKY_LIMIT:
            self._sticky = {key: end for key, end in self._sticky.items() if end > now}
        for key in keys:
            if len(self._sticky) <= STICKY_LIMIT:
                self._sticky[key] = now + STICKY_SECONDS

    # -- after the commit -----------------------------------------------------------------------

    def _committed(self, plan: Plan) -> None:
        kinds = set()
        if plan.rows.events:
            kinds.add("event")
        if plan.rows.jobs:
            kinds.add("job")
        if kinds:
            self._wake(kinds)

    def _notify(self, kinds: set[str]) -> None:
        self._to_notify |= kinds
        if self._notifying is None or self._notifying.done():
            self._notifying = asyncio.ensure_future(self._send_notifications())

    async def _send_notifications(self) -> None:
        while self._to_notify:
            kinds, self._to_notify = sorted(self._to_notify), set()
            try:
                async with self._database.ledger.acquire(timeout=CONNECT_SECONDS) as connection:
                    await connection.execute(
                        "SELECT pg_notify($1, x) FROM unnest($2::text[]) AS x",
                        self._database.channel,
                        kinds,
                    )
            except Exception as error:  # noqa: BLE001 - nothing is lost: relay and jobs poll
                if not is_outage(error):
                    _LOG.error("no wake could be sent: %s", describe(error))
                return


def _all(plan: Plan) -> list[Outcome]:
    outcomes = [outcome for outcome in plan.outcomes if outcome is not None]
    if len(outcomes) != len(plan.outcomes):
        raise Defect("a command of the batch has no outcome")
    return outcomes


def _told(error: Exception) -> Exception:
    """What the caller learns of a command that could not be kept: no value of any row."""
    if isinstance(error, (Lost, *_CONTENTION)):
        return Unavailable("others changed the same records again and again")
    if isinstance(error, asyncpg.PostgresError):
        where = error.constraint_name or error.table_name or "a statement"
        told = Defect(f"{type(error).__name__} ({error.sqlstate}) at {where}")
        told.__suppress_context__ = True
        return told
    return error
