"""Two small services as real processes: ``counter`` takes additions over HTTP, ``tally`` reads its
topic and adds the same to counters of its own.

    python -m tests.support.toy counter serve
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from shared.auth import require
from shared.envelope import Topic
from shared.internal_http import calls_from
from shared.jobs import Job, JobHandler
from shared.ledger import Answer, Decided, Reach, StreamKey
from shared.messages import Actor, Command, Event, Outgoing
from shared.problems import not_found
from shared.reader.plan import Source
from shared.requests import CommandContext, command, new_app, submit
from shared.roles import Parts, Service, main
from shared.settings import ServiceSettings
from shared.signing import write_private_key, write_public_key
from tests.support.counter import (
    COUNTER,
    TOPICS,
    TOTALS,
    Add,
    CounterDomain,
    Remember,
    react_by_adding,
)

MIGRATIONS = Path(__file__).with_name("toy_migrations")


class CounterSettings(ServiceSettings):
    service: ClassVar[str] = "counter"


class TallySettings(ServiceSettings):
    service: ClassVar[str] = "tally"


class Addition(BaseModel):
    model_config = ConfigDict(extra="forbid")
    amount: Annotated[int, Field(ge=0, le=600)]
    day: Annotated[int, Field(ge=1, le=31)] = 1


class TallyDomain(CounterDomain):
    """A counter that writes topics of its own."""

    def reach(self, command: Command) -> Reach:
        found = super().reach(command)
        streams = tuple(StreamKey(_own(stream.topic), stream.key) for stream in found.streams)
        return replace(found, streams=streams)

    def outgoing(self, event: Event, decided: Decided) -> Outgoing:
        found = super().outgoing(event, decided)
        return replace(found, topic=found.topic and _own(found.topic))


def counter(settings: CounterSettings) -> Service:
    return Service(
        name="counter",
        settings=settings,
        topics=TOPICS,
        migrations=MIGRATIONS,
        domain=lambda parts: CounterDomain(),
        api=_api,
        internal=_internal,
        sources=lambda parts: (),
        jobs=_jobs,
        provision=_first_addition,
    )


def tally(settings: TallySettings) -> Service:
    return Service(
        name="tally",
        settings=settings,
        topics=tuple(_own_topic(topic) for topic in TOPICS),
        migrations=MIGRATIONS,
        domain=lambda parts: TallyDomain(),
        api=_api,
        sources=lambda parts: (Source(TOTALS, react_by_adding, adapter="loop", first=True),),
        jobs=_jobs,
    )


def _api(parts: Parts) -> FastAPI:
    app = new_app(parts, title=parts.service, description="A counter for tests.")
    router = APIRouter(prefix="/v1")

    @router.post("/counters/{counter}/additions", status_code=201)
    async def add(
        counter: str, body: Addition, context: Annotated[CommandContext, Depends(command("adder"))]
    ) -> Response:
        wish = Add(**context.meta(), counter=counter, amount=body.amount, day=body.day)
        return await submit(parts.ledger, wish, context, _total)

    @router.get("/counters/{counter}")
    async def total(counter: str, actor: Annotated[Actor, Depends(require("adder"))]) -> Any:
        return await _look_up(parts, counter)

    app.include_router(router)
    return app


def _internal(parts: Parts) -> APIRouter:
    router = APIRouter()

    @router.get("/counters/{counter}")
    async def total(counter: str, caller: Annotated[str, Depends(calls_from("tally"))]) -> Any:
        return await _look_up(parts, counter) | {"caller": caller}

    return router


async def _look_up(parts: Parts, counter: str) -> dict[str, Any]:
    async with parts.database.reading() as connection:
        amount = await connection.fetchval(
            "SELECT sum(amount)::bigint FROM addition WHERE counter = $1", counter
        )
    if amount is None:
        raise not_found()
    return {"id": counter, "total": amount}


def _total(decided: Decided) -> Answer:
    state = next(iter(decided.states.values()))
    return Answer(201, {"id": state.id, "total": state.total})


def _jobs(parts: Parts) -> Mapping[str, JobHandler]:
    async def remind(job: Job) -> Sequence[Command]:
        return (
            Remember(command_id=job.id, actor=COUNTER, at=parts.clock.now(), counter=job.target.id),
        )

    return {"remind": remind}


async def _first_addition(parts: Parts) -> None:
    from uuid import uuid5

    from tests.support.counter import NAMESPACE

    await parts.ledger.submit(
        Add(
            command_id=uuid5(NAMESPACE, "provision"),
            actor=COUNTER,
            at=parts.clock.now(),
            counter="provisioned",
            amount=1,
        )
    )


def _own(topic: str) -> str:
    return topic.replace("counter.", "tally.", 1)


def _own_topic(topic: Topic) -> Topic:
    return replace(topic, name=_own(topic.name))


def write_keys(directory: Path, services: Sequence[str]) -> Ed25519PrivateKey:
    """``keys/<service>/`` and ``keys/public/`` as a node has them; returns the token key."""
    public = directory / "keys/public"
    public.mkdir(parents=True)
    token = Ed25519PrivateKey.generate()
    write_public_key(public / "token.pub", token.public_key())
    for service in services:
        own = directory / "keys" / service
        own.mkdir()
        key = Ed25519PrivateKey.generate()
        write_private_key(own / "service.key", key)
        write_private_key(own / "digest.key", b"d" * 32)
        write_public_key(public / f"service-{service}.pub", key.public_key())
    return token


def environment(
    directory: Path, service: str, *, node: str, database: str, bootstrap: str, **more: str
) -> dict[str, str]:
    """The variables of one service whose keys ``write_keys`` wrote."""
    return {
        "JIEXU_NODE": node,
        "JIEXU_DATABASE_URL": database,
        "JIEXU_KAFKA_BOOTSTRAP": bootstrap,
        "JIEXU_KEYS": str(directory / "keys" / service),
        "JIEXU_PUBLIC_KEYS": str(directory / "keys/public"),
        "JIEXU_KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        **more,
    }


def run(arguments: Sequence[str]) -> int:
    """``counter ROLE`` or ``tally ROLE``; returns the exit code."""
    name, *rest = arguments
    if name == "counter":
        return main(CounterSettings, counter, rest)
    return main(TallySettings, tally, rest)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
