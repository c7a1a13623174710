"""How is transfer put together? The only file that knows everyone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import asyncpg
from fastapi import APIRouter, FastAPI
from prometheus_client import Counter

from services.transfer.contract.topics import TOPICS
from services.transfer.domain.case import Office
from services.transfer.edge import agents, api, internal
from services.transfer.edge.alarms import ALARMS
from services.transfer.edge.answering import Answers
from services.transfer.edge.applying import Desk
from services.transfer.edge.courier import Courier
from services.transfer.edge.deciding import TransferDomain
from services.transfer.edge.directory import DirectoryFile, DirectoryIsWrong, pinned_keys
from services.transfer.edge.exporting import Exports
from services.transfer.edge.federation import Wire, federation_app
from services.transfer.edge.fetching import Fetcher
from services.transfer.edge.inbox import StoredInbox
from services.transfer.edge.jobs import Handlers, Works
from services.transfer.edge.keys import Signers, Wrapping
from services.transfer.edge.outbox import StoredOutbox
from services.transfer.edge.peers import Peers
from services.transfer.edge.queries import Queries
from services.transfer.edge.questions import Questions
from services.transfer.edge.records import Records
from services.transfer.edge.registry import Registry
from services.transfer.edge.store import (
    Moves,
    StoredBundles,
    StoredJournal,
    StoredNode,
    StoredSerials,
    sweep_refused,
)
from services.transfer.edge.terms import WorkingTerms, YearAlarms
from services.transfer.edge.watching import Watch
from services.transfer.settings import Settings
from shared.jobs import JobHandler
from shared.messages import Unavailable
from shared.roles import Chore, Parts, Service
from shared.telemetry import describe

# Until there is a directory every message of another city is answered 503.
DIRECTORY_RETRY_SECONDS: Final = 1.0
MIGRATIONS: Final = Path(__file__).parent / "edge" / "migrations"


def assemble(settings: Settings) -> Service:
    """The service, with nothing built yet."""
    return Service(
        name="transfer",
        settings=settings,
        topics=TOPICS,
        migrations=MIGRATIONS,
        domain=lambda parts: house_of(parts).domain,
        api=lambda parts: house_of(parts).api(),
        internal=lambda parts: house_of(parts).internal(),
        sources=lambda parts: agents.sources(parts.clock),
        jobs=lambda parts: house_of(parts).jobs(),
        federation=lambda parts: house_of(parts).federation(),
        chores=lambda parts: house_of(parts).chores(),
        files=lambda parts: house_of(parts).files(),
    )


def _mend(wrong: DirectoryIsWrong) -> str:
    return f"JIEXU_DIRECTORY: {wrong}; take it from the federation's office again"


def _is_unprovisioned(error: Exception) -> bool:
    """The schema is not there yet: provisioning is still to come."""
    return isinstance(error, asyncpg.UndefinedTableError | asyncpg.InvalidSchemaNameError)


def house_of(parts: Parts) -> House:
    house = parts.kept.get("house")
    if house is None:
        house = parts.kept["house"] = House(parts)
        if parts.role != "provision":
            # Every process goes by its own copy of the directory, whatever its role.
            parts.beside.append(asyncio.get_running_loop().create_task(house.keep_directory()))
    assert isinstance(house, House)
    return house


@dataclass(frozen=True)
class House:
    """Everything of one process, each piece made when it is first needed."""

    parts: Parts

    @property
    def settings(self) -> Settings:
        found: Settings = self.parts.settings
        return found

    @property
    def city(self) -> str:
        return self.parts.node

    @cached_property
    def domain(self) -> TransferDomain:
        # Made now: a metric that appears with its first event tells nothing of the time before.
        silence, alarms = self._silence, self._alarms
        return TransferDomain(
            Office(
                city=self.city,
                incarnation=1,
                signer=self.signers,
                terms=WorkingTerms(self.parts.calendar, YearAlarms(self.journal)),
                limits=self.settings.limits(),
                daily_requests_per_peer=self.settings.daily_requests_per_peer,
            ),
            count_silence=lambda *pair: silence.labels(*pair).inc(),
            count_alarm=lambda kind: alarms.labels(kind).inc(),
        )

    @cached_property
    def _silence(self) -> Counter:
        return self.parts.metrics.counter(
            "moves_unlisted", "Inputs that no row of the tables lists.", "role", "state", "input"
        )

    @cached_property
    def _alarms(self) -> Counter:
        counter = self.parts.metrics.counter("alarms", "Alarms raised.", "kind")
        # From the start, so that the first of a kind is a rise from 0.
        for kind in ALARMS:
            counter.labels(kind)
        return counter

    @cached_property
    def signers(self) -> Signers:
        return Signers.of(self.city, self.parts.keys)

    @cached_property
    def wrapping(self) -> Wrapping:
        return Wrapping.of(self.parts.keys)

    @cached_property
    def journal(self) -> StoredJournal:
        return StoredJournal(self.parts.database, lambda kind: self._alarms.labels(kind).inc())

    @cached_property
    def directory(self) -> DirectoryFile:
        return DirectoryFile(
            self.settings.directory,
            pinned_keys(self.settings.directory_keys),
            threshold=self.settings.directory_threshold,
            clock=self.parts.clock,
            serials=StoredSerials(self.parts.database),
            journal=self.journal,
        )

    async def keep_directory(self) -> None:
        """Takes the directory as soon as the database answers, then looks for newer ones."""
        told: str | None = None
        while True:
            try:
                await self.directory.load()
                break
            except DirectoryIsWrong as wrong:
                # At each look: what was counted before the first scrape alone would not ring.
                self._alarms.labels("directory-is-wrong").inc()
                if told != str(wrong):
                    told = str(wrong)
                    self.parts.log.critical("directory.wrong", reason=_mend(wrong))
            except Exception as error:
                if not isinstance(error, Unavailable) and not _is_unprovisioned(error):
                    self.parts.log.critical("directory.failed", error=describe(error))
                    raise
            await asyncio.sleep(DIRECTORY_RETRY_SECONDS)
        await self.directory.keep_fresh()

    def files(self) -> tuple[str, ...]:
        """Reads keys and directory as the roles do; what is wrong with the latter."""
        _ = self.wrapping
        try:
            self.directory.look()
        except DirectoryIsWrong as wrong:
            return (_mend(wrong),)
        return ()

    @cached_property
    def peers(self) -> Peers:
        return Peers(
            self.directory.current,
            allow_private=self.settings.allow_private_peers,
            tls=self.settings.peer_tls(),
        )

    @cached_property
    def questions(self) -> Questions:
        return Questions(
            city=self.city,
            peers=self.peers,
            directory=self.directory.current,
            clock=self.parts.clock,
            message_key=self.signers.message,
        )

    @cached_property
    def moves(self) -> Moves:
        return Moves(self.parts.database)

    @cached_property
    def bundles(self) -> StoredBundles:
        return StoredBundles(self.parts.database)

    @cached_property
    def node(self) -> StoredNode:
        return StoredNode(self.parts.database, lambda: self.parts.ledger.gate.reason)

    @cached_property
    def inbox(self) -> StoredInbox:
        return StoredInbox(
            self.parts.database, lambda: self.parts.ledger, self.directory.current, self.city
        )

    @cached_property
    def records(self) -> Records:
        return Records(lambda: self.parts.neighbour("records"))

    @cached_property
    def registry(self) -> Registry:
        return Registry(lambda: self.parts.neighbour("registry"))

    def api(self) -> FastAPI:
        desk = Desk(
            city=self.city,
            database=self.parts.database,
            directory=self.directory,
            registry=self.registry,
            wrapping=self.wrapping,
        )
        return api.build(
            self.parts,
            lambda: self.parts.ledger,
            desk,
            Queries(self.parts.database, self.parts.clock),
            Exports(
                self.parts.node,
                lambda: self.parts.ledger,
                self.moves,
                self.records,
                self.parts.clock,
            ),
        )

    def internal(self) -> APIRouter:
        return internal.router(self.parts.database, self.wrapping)

    def federation(self) -> FastAPI:
        counter = self.parts.metrics.counter(
            "federation_answers", "Answers to other cities.", "endpoint", "outcome"
        )
        return federation_app(
            Wire(
                city=self.city,
                message_key=self.signers.message,
                clock=self.parts.clock,
                directory=self.directory,
                inbox=self.inbox,
                transfers=self.inbox,
                bundles=self.bundles,
                status=Answers(
                    self.parts.database, lambda: self.parts.ledger, self.moves, self.parts.clock
                ),
                node=self.node,
                journal=self.journal,
                count=lambda endpoint, outcome: counter.labels(endpoint, outcome).inc(),
                mutual_tls=self.settings.mutual_tls,
            )
        )

    def jobs(self) -> Mapping[str, JobHandler]:
        works = Works(
            clock=self.parts.clock,
            moves=self.moves,
            bundles=self.bundles,
            wrapping=self.wrapping,
            directory=self.directory,
            records=self.records,
            registry=self.registry,
            fetcher=Fetcher(self.peers, self.questions, self.parts.clock),
            questions=self.questions,
            journal=self.journal,
            node=self.node,
            city=self.city,
        )
        return Handlers(works).of()

    def chores(self) -> tuple[Chore, ...]:
        outbox = StoredOutbox(self.parts.database)
        courier = Courier(
            outbox=outbox,
            peers=self.peers,
            directory=self.directory,
            journal=self.journal,
            clock=self.parts.clock,
            message_key=self.signers.message,
        )

        async def deliver() -> None:
            async with outbox.awake():
                await courier.run()

        async def sweep() -> None:
            await sweep_refused(self.parts.database, self.parts.clock)

        watch = Watch(
            self.city,
            self.parts.database,
            self.directory,
            self.parts.clock,
            self.parts.metrics,
        )
        return (Chore("courier", deliver), Chore("sweep", sweep), Chore("watch", watch.run))
