"""Which topics does transfer read, by which adapter, and how do messages become commands?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.transfer.domain.facts import FACTS
from services.transfer.domain.policy import Origin, react
from shared.clock import Clock
from shared.messages import Command, Message, Unreadable, system
from shared.reader import Source

_FACTS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(shape) for name, shape in FACTS.items()}
TRANSFER = system("transfer")


def sources(clock: Clock) -> tuple[Source, ...]:
    """Policies first; then registry's checks and people, and what records tells of dossiers."""
    read = reader_of(clock)
    return (
        Source("registry.policies.v1", read, adapter="loop", first=True, expects_success=True),
        Source("registry.checks.v1", read),
        Source("registry.volunteers.v1", read),
        Source("records.dossiers.v1", read),
    )


def reader_of(clock: Clock) -> Callable[[Message], tuple[Command, ...]]:
    """A message → the commands it leads to; types that are not ours to read lead to none."""

    def read(message: Message) -> tuple[Command, ...]:
        shape = _FACTS.get(message.type)
        if shape is None:
            return ()
        try:
            fact = shape.validate_python(message.data)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise Unreadable(f"{message.type}: {place}") from None
        origin = Origin(event_id=message.event_id, at=clock.now(), actor=TRANSFER)
        return react(fact, origin)

    return read
