"""What would hinder this service from starting here, found without starting it?

``python -m services.X check`` looks at settings, keys, database and broker as a start would, and
prints what it found as JSON; ``jiexu doctor`` asks it of each service of a node.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeVar

from shared.access import BROKER_MEND, shown_until
from shared.clock import wire
from shared.messages import Unavailable
from shared.postgres import Database, DatabaseRefuses, check_schema
from shared.reader.log_view import LogView, NotLetIn
from shared.relay.own_topics import Restored, check_cluster
from shared.roles.parts import Service, gather
from shared.roles.servers import CannotListen, bind
from shared.roles.topics import knock, with_dead_letters
from shared.settings import NEIGHBOURS, ServiceSettings, SettingsAreWrong, load
from shared.signing import KeyFileIsWrong, load_public_key
from shared.working_days import CalendarIsWrong

S = TypeVar("S", bound=ServiceSettings)

RESTORED_MEND: Final = 'it only reads; see "Backup and restore" in docs/operators.md'


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``problem``: what is wrong and how to mend it, or None.

    ``away``: it is not there now; a start would wait for it.
    """

    what: Literal["settings", "files", "database", "broker"]
    problem: str | None = None
    away: bool = False


def check(settings: type[S], assemble: Callable[[S], Service]) -> tuple[Finding, ...]:
    """All findings; those after wrong settings cannot be had."""
    try:
        service = assemble(load(settings))
    except SettingsAreWrong as wrong:
        return tuple(Finding("settings", line) for line in wrong.lines)
    return asyncio.run(_look(service))


def as_json(findings: Iterable[Finding]) -> str:
    """A list of objects {what, problem, away}."""
    return json.dumps([asdict(each) for each in findings], indent=2)


async def _look(service: Service) -> tuple[Finding, ...]:
    return (
        *_addresses(service),
        *await _files(service),
        await _database(service),
        await _broker(service),
    )


def _addresses(service: Service) -> tuple[Finding, ...]:
    """Of any port: those that are set are taken while the service runs."""
    settings = service.settings
    hosts = {"api": settings.api_host, "internal": settings.internal_host}
    if service.federation is not None:
        hosts["federation"], _ = settings.federation_address()
    wrong = []
    for name, host in hosts.items():
        try:
            bind(name, host, 0).close()
        except CannotListen as cannot:
            wrong.append(Finding("settings", str(cannot)))
    return tuple(wrong) or (Finding("settings"),)


async def _files(service: Service) -> tuple[Finding, ...]:
    """What any role would read, and the public keys without which a neighbour is turned away."""
    problems: list[str] = []
    try:
        parts = gather(service, "provision")
        async with parts.http:
            service.domain(parts)
            for use, end in shown_until(service.settings).items():
                if end <= parts.clock.now():
                    name = f"JIEXU_{use.upper()}_CERTIFICATE"
                    problems.append(f"{name} ended at {wire(end)}: put a newer one there")
            for name in NEIGHBOURS:
                load_public_key(service.settings.public_keys / f"service-{name}.pub")
            problems.extend(service.files(parts))
    except (KeyFileIsWrong, CalendarIsWrong) as wrong:
        problems.append(str(wrong))
    return tuple(Finding("files", problem) for problem in problems) or (Finding("files"),)


async def _database(service: Service) -> Finding:
    url = service.settings.dsn()
    async with Database(url, service.name, name=f"{service.name}-check") as database:
        try:
            await database.ping()
        except DatabaseRefuses as refuses:
            return Finding("database", str(refuses))
        except Unavailable as away:
            return Finding("database", str(away), away=True)
        try:
            async with database.reading() as connection:
                await check_cluster(connection)
                await check_schema(connection, service.migrations)
        except Restored as restored:
            return Finding("database", f"{restored}: {RESTORED_MEND}")
        except Unavailable as hindered:
            return Finding("database", str(hindered))
    return Finding("database")


async def _broker(service: Service) -> Finding:
    settings = service.settings
    names = [topic.name for topic in with_dead_letters(service.name, service.topics)]
    try:
        # The client library would ask a port where nobody listens for seconds.
        await asyncio.to_thread(knock, settings.kafka_bootstrap)
        found = await LogView(settings.broker(), settings.node).partitions(names)
    except NotLetIn as refused:
        return Finding("broker", str(refused))
    except Unavailable as away:
        return Finding("broker", str(away), away=True)
    except OSError as away:
        said = f"no broker answers ({away.strerror}): {BROKER_MEND}"
        return Finding("broker", said, away=True)
    missing = sorted(set(names) - found.keys())
    if missing:
        return Finding("broker", f"topic {missing[0]} is not there yet: run the role provision")
    return Finding("broker")
