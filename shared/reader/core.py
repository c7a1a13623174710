"""How does a batch of records become one committed transaction, whatever happens meanwhile?

Nothing escapes ``Core.handle``: a database or broker that is away is waited for in place, a
message that defeats our code is dead-lettered and its key parked, and what nobody foresaw ends the
process before anything is acknowledged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from uuid import uuid4

import structlog

from shared.clock import Clock
from shared.ledger import LedgerApi, Waiting
from shared.messages import Unavailable
from shared.postgres import Database
from shared.reader import store
from shared.reader.ending import EXIT_UNFORESEEN, exit_at_once
from shared.reader.limits import Limits
from shared.reader.log_view import Extent, LogView, Place
from shared.reader.metrics import ReaderMetrics
from shared.reader.plan import DEFECT, WAITS, Defect, Known, Plan, Position, Raw, Source, plan
from shared.reader.settlement import Overtaken, Settlement


class Core:
    """What all adapters of one reader share; belongs to one event loop and one process."""

    def __init__(
        self,
        *,
        service: str,
        sources: Collection[Source],
        ledger: LedgerApi,
        database: Database,
        log_view: LogView,
        clock: Clock,
        metrics: ReaderMetrics,
        limits: Limits,
        die: Callable[[int], None] = exit_at_once,
    ) -> None:
        self.service = service
        self.sources = {source.topic: source for source in sources}
        self.database = database
        self.log_view = log_view
        self.limits = limits
        self.metrics = metrics
        self.log = structlog.get_logger("shared.reader")
        # Why this reader is not ready; the key is what the trouble is with.
        self.troubles: dict[str, str] = {}
        # Partitions that are ours, and those of them whose log was cut before we had read it.
        self.held: set[Place] = set()
        self.cut: dict[Place, str] = {}
        self.locks = {topic: asyncio.Lock() for topic in self.sources}
        # Set when a parked key should be looked at now.
        self.wake = asyncio.Event()
        self.parked_rows = 0
        self.closing = False
        self._owner = uuid4()
        self._ledger = ledger
        self._clock = clock
        self._die = die
        self._holes: set[tuple[Place, int, int]] = set()
        self._leave: dict[str, asyncio.Event] = {}
        self._work: set[asyncio.Future[None]] = set()
        self._dead_letters = 0

    def seat(self, sources: Iterable[Source]) -> asyncio.Event:
        """For one run of an adapter: set when it should leave its group and join it again."""
        leave = asyncio.Event()
        for source in sources:
            self._leave[source.topic] = leave
        return leave

    async def take_up(self, committed: Mapping[Place, int | None]) -> dict[Place, int]:
        """Makes us the one reader of these partitions; returns where each must be read from.

        ``committed`` is what the group's own offsets say. They are a hint only: an acknowledgement
        may have run ahead of the work. So reading begins at the lower of the two, and what was
        done already is passed by sequence. Waits in place while broker or database are away, and
        returns nothing after ``close``.
        """
        try:
            return await self._take_up(committed)
        except asyncio.CancelledError:
            # A client that waits no longer would go on where its group stands.
            for topic in {topic for topic, _ in committed}:
                self.leave(topic, "its partitions could not be taken up in time")
            raise
        except Exception as problem:
            self.unforeseen(problem)
            raise

    async def _take_up(self, committed: Mapping[Place, int | None]) -> dict[Place, int]:
        pause = self.limits.first_pause_seconds
        while not self.closing:
            try:
                extents = await self.log_view.extents(committed)
                async with store.reading(self.database) as connection, connection.transaction():
                    ours = await store.take_up(connection, self._owner, extents)
                self.troubles.pop("partitions", None)
                return self._begin(committed, extents, ours)
            except Unavailable as problem:
                pause = await self.wait_out("partitions", problem, pause)
        return {}

    def _begin(
        self,
        committed: Mapping[Place, int | None],
        extents: Mapping[Place, Extent],
        ours: Mapping[Place, int],
    ) -> dict[Place, int]:
        starts: dict[Place, int] = {}
        for place, extent in extents.items():
            self.held.add(place)
            if ours[place] < extent.start:
                self._report_cut(place, ours[place], extent.start)
            given = committed[place]
            lowest = ours[place] if given is None or given < 0 else min(given, ours[place])
            starts[place] = max(lowest, extent.start)
        self.wake.set()
        return starts

    def give_up(self, places: Iterable[Place]) -> None:
        """These partitions are not ours any more; a batch of them in flight may still commit."""
        self.held.difference_update(places)

    async def handle(self, batch: Sequence[Raw]) -> bool:
        """True when the batch is committed, or another reader has taken over; False after
        ``close``, when nothing of it was done and nothing may be acknowledged.

        Records of a partition come in the order of their offsets. Cancelling the caller does not
        cut the transaction off.
        """
        if self.closing:
            return False
        work = asyncio.ensure_future(self._handle(batch))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        await asyncio.shield(work)
        return True

    async def close(self) -> None:
        """Takes no new batch; those in flight get a moment, then are left to redelivery."""
        self.closing = True
        if self._work:
            await asyncio.wait(set(self._work), timeout=self.limits.close_seconds)
        for work in set(self._work):
            work.cancel()

    def leave(self, topic: str, why: str) -> None:
        """Has the adapter of this topic leave its group and join again."""
        self.log.warning("the reader joins its group again", topic=topic, why=why)
        self._leave[topic].set()

    async def _handle(self, batch: Sequence[Raw]) -> None:
        try:
            topics: dict[str, list[Raw]] = {}
            for raw in batch:
                topics.setdefault(raw.topic, []).append(raw)
            await asyncio.gather(*(self._take(topic, raws) for topic, raws in topics.items()))
        except Exception as problem:
            self.unforeseen(problem)
            raise

    async def _take(self, topic: str, batch: Sequence[Raw]) -> None:
        await self._below_the_ceilings()
        async with self.locks[topic]:
            started = time.perf_counter()
            await self.settle(self.sources[topic], batch)
            self.metrics.took(topic, len(batch), time.perf_counter() - started)

    async def settle(
        self,
        source: Source,
        batch: Sequence[Raw],
        draining: frozenset[str] | None = None,
        held: Mapping[Position, str] | None = None,
    ) -> None:
        """Under its topic's lock: tries until it is committed; cuts it smaller around a defect.

        ``draining``: the keys, when the batch was parked before. ``held``: messages to park, with
        the reason; ``DEFECT`` alone marks what has had its five tries, so that one is enough.
        """
        waiting: dict[Position, str] = dict(held or {})
        failures = overtaken = 0
        pause = self.limits.first_pause_seconds
        while batch := [raw for raw in batch if (source.topic, raw.partition) in self.held]:
            try:
                await self._attempt(source, batch, draining, waiting)
                self.troubles.pop(source.topic, None)
                return
            except _Lost as problem:
                self._drop(source.topic, problem)
                batch = [raw for raw in batch if raw.partition not in problem.partitions]
                continue
            except Unavailable as problem:
                pause = await self.wait_out(source.topic, problem, pause)
                continue
            except Overtaken:
                overtaken += 1
                if overtaken > self.limits.overtakings:
                    raise
                continue
            except _Waits as problem:
                waiting.update(problem.held)
                continue
            except _Unforeseen:
                raise
            except Exception as problem:  # noqa: BLE001 - counted, bisected, dead-lettered below
                failure = problem
            if len(batch) > 1:
                for part in _around(batch, failure):
                    await self.settle(source, part, draining, waiting)
                return
            position = batch[0].position
            if waiting.get(position, "").startswith(f"{DEFECT}:"):
                raise _Unforeseen from failure  # it cannot even be parked
            failures += 1
            cause = failure.cause if isinstance(failure, Defect) else failure
            self.log.error("a message defeats our code", topic=source.topic, position=position,
                           failures=failures, exc_info=cause)
            if failures == self.limits.tries or waiting.get(position) == DEFECT:
                waiting[position] = f"{DEFECT}: {type(cause).__name__}"
            else:
                await asyncio.sleep(self.limits.first_pause_seconds * 2 ** (failures - 1))

    async def _attempt(
        self,
        source: Source,
        batch: Sequence[Raw],
        draining: frozenset[str] | None,
        waiting: Mapping[Position, str],
    ) -> None:
        """One look, one plan, one transaction."""
        stood, known = await self._look(source.topic, batch, draining)
        held = {position: reason for position, reason in waiting.items() if reason != DEFECT}
        todo = plan(source, batch, known, held)
        settlement = Settlement(
            service=self.service,
            owner=self._owner,
            source=source,
            plan=todo,
            expected={n: at.next_offset for n, at in stood.items()},
            now=self._clock.now(),
            draining=draining,
        )
        try:
            await self._ledger.run(todo.commands, settlement)
        except Waiting as problem:
            raise _Waits(
                {
                    todo.origin[command_id][1].position: f"{WAITS}: {refusal.slug()}"
                    for command_id, refusal in problem.refusals.items()
                }
            ) from None
        self._account(source, todo, settlement)

    async def _look(
        self, topic: str, batch: Sequence[Raw], draining: frozenset[str] | None
    ) -> tuple[dict[int, store.Progress], Known]:
        """Where partitions and keys stand; raises ``_Lost`` for those that are not ours."""
        partitions = {raw.partition for raw in batch}
        try:
            async with store.reading(self.database) as connection:
                stood, known = await store.look(connection, topic, batch)
        except Unavailable:
            raise
        except Exception as problem:
            raise _Unforeseen from problem
        lost = {n for n in partitions if n not in stood or stood[n].owner != self._owner}
        if lost:
            raise _Lost(lost, "was taken up by another reader")
        if draining is None:
            self._look_for_holes(topic, batch, stood)
            return stood, known
        # What is being drained does not wait behind itself.
        heads = {key: head for key, head in known.heads.items() if key not in draining}
        return stood, Known(known.last, heads)

    def _look_for_holes(
        self, topic: str, batch: Sequence[Raw], stood: Mapping[int, store.Progress]
    ) -> None:
        """A record beyond the next one was passed over by the client: join again, read it.

        Missing a second time: those offsets hold no records, as a log may have it.
        """
        for partition, at in stood.items():
            first = min(raw.offset for raw in batch if raw.partition == partition)
            hole = ((topic, partition), at.next_offset, first)
            if first > at.next_offset and hole not in self._holes:
                self._holes.add(hole)
                raise _Lost({partition}, f"went on at {first} after {at.next_offset - 1}")

    def _account(self, source: Source, todo: Plan, settlement: Settlement) -> None:
        ended = {
            "repeat": todo.repeats,
            "applied": len(todo.done) - todo.repeats,
            "parked": len(todo.parked) if settlement.draining is None else 0,
            "dead-lettered": settlement.dead,
            "refused": settlement.refused,
        }
        for outcome, count in ended.items():
            self.metrics.passed(source.topic, outcome, count)
        self.parked_rows += ended["parked"]
        self._dead_letters += settlement.dead
        for one in todo.parked:
            if one.due == "now":
                self.wake.set()
            elif one.due == "later" and settlement.draining is None:
                self.log.warning("a key is parked", topic=source.topic, reason=one.reason,
                                 position=one.raw.position)
        for letter in todo.dead if settlement.dead else ():
            self.log.error("a message is dead-lettered", topic=source.topic, kind=letter.kind,
                           reason=letter.reason, position=letter.raw.position)
        if settlement.refused and source.expects_success:
            self.log.error("a rule refused a fact", topic=source.topic, facts=settlement.refused)

    def away(self, what: str, problem: Exception) -> None:
        """Not ready because of this; told once, however long it lasts."""
        if what not in self.troubles:
            self.log.warning("the reader waits", what=what, exc_info=problem)
        self.troubles[what] = f"{what}: {problem}"

    async def wait_out(self, what: str, problem: Unavailable, pause: float) -> float:
        """Not ready for a while; returns the next pause in seconds."""
        self.away(what, problem)
        await asyncio.sleep(pause)
        return min(pause * 2, self.limits.outage_pause_seconds)

    def unforeseen(self, problem: BaseException) -> None:
        """Ends the process at once, without acknowledging anything."""
        self.log.critical("the reader ends its process", exc_info=problem.__cause__ or problem)
        self._die(EXIT_UNFORESEEN)

    async def _below_the_ceilings(self) -> None:
        """Holds in place while too much waits, too much could not be read, or a log was cut."""
        said = False
        while True:
            if self.cut:
                why = next(iter(self.cut.values()))
            elif self.parked_rows >= self.limits.parked_rows:
                why = f"{self.parked_rows} messages are parked; no more are read meanwhile"
            elif self._dead_letters >= self.limits.dead_letters:
                why = f"{self._dead_letters} messages could not be read: mend their source, restart"
            else:
                self.troubles.pop("stopped", None)
                return
            self.troubles["stopped"] = why
            if not said:
                said = True
                self.log.critical("the reader stops", why=why)
            await asyncio.sleep(self.limits.tick_seconds)

    def _drop(self, topic: str, lost: _Lost) -> None:
        """Not ours to write. Where our group still says it is, the group is asked again."""
        for partition in sorted(lost.partitions):
            if (topic, partition) in self.held:
                self.held.discard((topic, partition))
                self.metrics.passed(topic, "fenced", 1)
                self.leave(topic, f"partition {partition} {lost.why}")

    def _report_cut(self, place: Place, read_to: int, begins: int) -> None:
        why = (f"{place[0]}[{place[1]}] was read to {read_to}, but its log begins at {begins}: "
               "let its service publish it again (jiexu republish)")
        self.cut[place] = self.troubles["stopped"] = why
        self.log.critical("records are gone before they were read", why=why)


class _Lost(Exception):
    """These partitions must be taken up again before anything of them is written."""

    def __init__(self, partitions: set[int], why: str) -> None:
        super().__init__(why)
        self.partitions = partitions
        self.why = why


class _Waits(Exception):
    def __init__(self, held: Mapping[Position, str]) -> None:
        self.held = held


class _Unforeseen(Exception):
    """Our own machinery failed, not a message; the cause says how."""


def _around(batch: Sequence[Raw], problem: Exception) -> list[Sequence[Raw]]:
    """The parts to try alone, in order: around the culprit where it is known, else the halves."""
    if isinstance(problem, Defect):
        at = next(n for n, raw in enumerate(batch) if raw is problem.raw)
        parts = [batch[:at], batch[at : at + 1], batch[at + 1 :]]
        return [part for part in parts if part]
    middle = len(batch) // 2
    return [batch[:middle], batch[middle:]]
