"""What does ``python -m services.X ROLE`` do, and with which code does it end?"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar, cast, get_args

import structlog
import uvloop

from shared.ledger import Domain, Gate, Ledger
from shared.messages import Unavailable
from shared.postgres import DatabaseRefuses, migrate
from shared.reader.ending import exit_at_once
from shared.relay import Restored, open_when_compared
from shared.roles.check import RESTORED_MEND, as_json, check
from shared.roles.parts import Parts, Service, gather
from shared.roles.permissions import PRINTED, permissions
from shared.roles.process import Process, Role
from shared.roles.servers import CannotListen
from shared.roles.topics import BrokerRefuses, TopicDiffers, create_topics, with_dead_letters
from shared.settings import ServiceSettings, SettingsAreWrong, load
from shared.signing import KeyFileIsWrong
from shared.telemetry import configure_logging, describe
from shared.working_days import CalendarIsWrong

ROLES: Final = (*get_args(Role), "provision", "check", *PRINTED)
EXIT_DEFECT: Final = 1
EXIT_SETTINGS: Final = 2
EXIT_UNAVAILABLE: Final = 5
# As long as a broker and a database need to come up together on a slow machine.
PROVISION_SECONDS: Final = 120.0
# How long the broker is knocked at before we say that it is not there, and knock again.
REACH_SECONDS: Final = 5.0
# How many more objects are made than freed before the collector looks for cycles among them. At
# Python's own 700 a page of an import had it walk through the page, and often through all that is
# loaded, again and again: a sixth of the time (measured). So many take about 10 MB.
ALLOCATIONS_BETWEEN_COLLECTIONS: Final = 50_000
# What an operator mends: a file, a setting, a grant.
_MENDABLE: Final = (
    KeyFileIsWrong,
    CalendarIsWrong,
    TopicDiffers,
    BrokerRefuses,
    DatabaseRefuses,
    CannotListen,
)

S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")
_LOG = structlog.get_logger(__name__)


class NotProvisioned(Exception):
    """Database or broker stayed away as long as provisioning waits; says which."""


def main(
    settings: type[S], assemble: Callable[[S], Service], argv: Sequence[str] | None = None
) -> int:
    """Runs one role and returns the exit code: 0 provisioned, or checked and found right; 1 a
    defect; 2 something that an operator must mend; 5 database or broker are (or stayed) away.

    ``argv`` without the program's name; one word, by default ``serve``. What an operator can mend
    is one sentence on standard error that says what and how. A role that was running ends the
    process itself once everything is closed: threads of the broker's clients, which only wait,
    would keep it for seconds.
    """
    arguments = list(sys.argv[1:] if argv is None else argv) or ["serve"]
    if len(arguments) != 1 or arguments[0] not in ROLES:
        print(f"usage: python -m services.{settings.service} {'|'.join(ROLES)}", file=sys.stderr)
        return EXIT_SETTINGS
    role = arguments[0]
    if role == "check":
        return _check(settings, assemble)
    try:
        service = assemble(load(settings))
        configure_logging(service.name, service.settings.node, service.settings.log_level)
        if role == "provision":
            asyncio.run(provision(service))
        elif role in PRINTED:
            print(asyncio.run(permissions(service, role)))
        else:
            runner().run(_run(service, cast(Role, role)))
            exit_at_once(0)
    except SettingsAreWrong as wrong:
        print("\n".join(wrong.lines), file=sys.stderr)
        return EXIT_SETTINGS
    except _MENDABLE as wrong:
        return _end(role, EXIT_SETTINGS, wrong)
    except NotProvisioned as away:
        return _end(role, EXIT_UNAVAILABLE, f"{settings.service} is not provisioned: {away}")
    except Exception as error:  # noqa: BLE001 - the last resort of the process
        _LOG.critical("process.ends", role=role, error=describe(error))
        exit_at_once(EXIT_DEFECT)
    return 0


def _check(settings: type[S], assemble: Callable[[S], Service]) -> int:
    found = check(settings, assemble)
    print(as_json(found))
    wrong = [each for each in found if each.problem]
    if any(not each.away for each in wrong):
        return EXIT_SETTINGS
    return EXIT_UNAVAILABLE if wrong else 0


def _end(role: str, code: int, why: object) -> int:
    """Tells why, and returns the code; a role that listened ends here, with all that it began."""
    print(why, file=sys.stderr)
    if role in get_args(Role):
        exit_at_once(code)
    return code


async def provision(service: Service) -> None:
    """Migrates the schema, makes the topics, then what the service itself provides; repeatable.

    A database older than what was published gets its schema and topics, so that the roles can
    start and be read, and nothing else; that is told, and is no failure. Raises
    ``NotProvisioned`` with the reason when database or broker stay away.
    """
    settings = service.settings
    url = settings.dsn()
    # First, so that a missing key is told before anything is changed.
    parts = gather(service, "provision")
    domain = service.domain(parts)
    waiting = _Waiting()
    async with parts.http:
        try:
            async with asyncio.timeout(PROVISION_SECONDS):
                revisions = await waiting.reach(
                    lambda: migrate(url, service.name, service.migrations)
                )
                made = await waiting.reach(
                    lambda: asyncio.to_thread(
                        create_topics,
                        settings.broker(),
                        settings.node,
                        with_dead_letters(service.name, service.topics),
                        replication=settings.topic_replication,
                        reach_seconds=REACH_SECONDS,
                    )
                )
                _LOG.info("provisioned", revisions=list(revisions), topics=list(made))
                if service.provision is not None:
                    await _provide(service, parts, domain)
        except TimeoutError:
            why = waiting.reason or "it did not end"
            raise NotProvisioned(
                f"after {PROVISION_SECONDS:g} s {why}; then provision again"
            ) from None


async def _provide(service: Service, parts: Parts, domain: Domain) -> None:
    assert service.provision is not None
    gate = Gate()
    async with parts.database:
        ledger = Ledger(parts.database, domain, gate=gate)
        parts.give_ledger(ledger)
        try:
            names = [topic.name for topic in with_dead_letters(service.name, service.topics)]
            bootstrap = service.settings.broker()
            await open_when_compared(gate, parts.database, bootstrap, parts.node, names)
            await service.provision(parts)
        except Restored as restored:
            _LOG.critical("writes.refused", reason=str(restored), mend=RESTORED_MEND)
        finally:
            await ledger.close()


class _Waiting:
    """Waits for a database or broker that is still starting, and says for what, once."""

    def __init__(self) -> None:
        self.reason: str | None = None

    async def reach(self, work: Callable[[], Awaitable[T]]) -> T:
        """What ``work`` gives as soon as it can; the caller bounds how long."""
        while True:
            try:
                found = await work()
            except DatabaseRefuses:
                raise
            except Unavailable as away:
                if self.reason != str(away):
                    self.reason = str(away)
                    _LOG.warning("provision.waits", reason=self.reason)
                await asyncio.sleep(0.5)
            else:
                self.reason = None
                return found


def runner() -> asyncio.Runner:
    """What a role runs on, once everything is put together.

    uvloop: asyncio's own loop takes two to three times as long to answer a request under load.
    What was made so far stays, and need not be looked at again for cycles.
    """
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS)
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


async def _run(service: Service, role: Role) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Process(service, role).run(stop)
