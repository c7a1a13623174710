"""What does ``python -m services.X ROLE`` do, and with which code does it end?"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar, cast, get_args

import structlog

from shared.ledger import Gate, Ledger
from shared.messages import Unavailable
from shared.postgres import migrate
from shared.reader.ending import exit_at_once
from shared.relay import open_when_compared
from shared.roles.parts import Service, gather
from shared.roles.permissions import PRINTED, permissions
from shared.roles.process import Process, Role
from shared.roles.topics import BrokerRefuses, TopicDiffers, create_topics, with_dead_letters
from shared.settings import ServiceSettings, SettingsAreWrong, load
from shared.signing import KeyFileIsWrong
from shared.telemetry import configure_logging, describe
from shared.working_days import CalendarIsWrong

ROLES: Final = (*get_args(Role), "provision", *PRINTED)
EXIT_DEFECT: Final = 1
EXIT_SETTINGS: Final = 2
# As long as a broker and a database need to come up together on a slow machine.
PROVISION_SECONDS: Final = 120.0

S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")
_LOG = structlog.get_logger(__name__)


def main(
    settings: type[S], assemble: Callable[[S], Service], argv: Sequence[str] | None = None
) -> int:
    """Runs one role and returns the exit code: 0 provisioned, 1 a defect, 2 wrong settings.

    ``argv`` without the program's name; one word, by default ``serve``. A role that was running
    ends the process itself once everything is closed: threads of the broker's clients, which
    only wait, would keep it for seconds.
    """
    arguments = list(sys.argv[1:] if argv is None else argv) or ["serve"]
    if len(arguments) != 1 or arguments[0] not in ROLES:
        print(f"usage: python -m services.{settings.service} {'|'.join(ROLES)}", file=sys.stderr)
        return EXIT_SETTINGS
    role = arguments[0]
    try:
        service = assemble(load(settings))
        configure_logging(service.name, service.settings.node, service.settings.log_level)
        if role == "provision":
            asyncio.run(provision(service))
        elif role in PRINTED:
            print(asyncio.run(permissions(service, role)))
        else:
            asyncio.Runner().run(_run(service, cast(Role, role)))
            exit_at_once(0)
    except SettingsAreWrong as wrong:
        print("\n".join(wrong.lines), file=sys.stderr)
        return EXIT_SETTINGS
    except (KeyFileIsWrong, CalendarIsWrong, TopicDiffers, BrokerRefuses) as wrong:
        print(wrong, file=sys.stderr)
        return EXIT_SETTINGS
    except Exception as error:  # noqa: BLE001 - the last resort of the process
        _LOG.critical("process.ends", role=role, error=describe(error))
        exit_at_once(EXIT_DEFECT)
    return 0


async def provision(service: Service) -> None:
    """Migrates the schema, makes the topics, then what the service itself provides; repeatable."""
    settings = service.settings
    url = settings.dsn()
    async with asyncio.timeout(PROVISION_SECONDS):
        revisions = await _reached(lambda: migrate(url, service.name, service.migrations))
        made = await _reached(
            lambda: asyncio.to_thread(
                create_topics,
                settings.broker(),
                settings.node,
                with_dead_letters(service.name, service.topics),
                replication=settings.topic_replication,
            )
        )
        _LOG.info("provisioned", revisions=list(revisions), topics=list(made))
        if service.provision is not None:
            await _provide(service)


async def _provide(service: Service) -> None:
    assert service.provision is not None
    parts = gather(service, "provision")
    gate = Gate()
    async with parts.http, parts.database:
        ledger = Ledger(parts.database, service.domain(parts), gate=gate)
        parts.give_ledger(ledger)
        try:
            names = [topic.name for topic in with_dead_letters(service.name, service.topics)]
            bootstrap = service.settings.broker()
            await open_when_compared(gate, parts.database, bootstrap, parts.node, names)
            await service.provision(parts)
        finally:
            await ledger.close()


async def _reached(work: Callable[[], Awaitable[T]]) -> T:
    """Waits for a database or broker that is still starting or busy; the caller bounds how long."""
    while True:
        try:
            return await work()
        except Unavailable as away:
            _LOG.warning("provision.waits", reason=str(away))
            await asyncio.sleep(0.5)


async def _run(service: Service, role: Role) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Process(service, role).run(stop)
