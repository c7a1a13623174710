"""Which topics does rewards read, by which adapter, and how do messages become commands?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.rewards.domain.facts import FACTS
from services.rewards.domain.policy import Origin, react
from shared.messages import Command, Message, Unreadable, system
from shared.reader import Source

_FACTS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(shape) for name, shape in FACTS.items()}
REWARDS = system("rewards")


def sources(node: str) -> tuple[Source, ...]:
    """Policies first; then people, dossiers and transfers as they come."""
    read = reader_of(node)
    return (
        Source("registry.policies.v1", read, adapter="loop", first=True, expects_success=True),
        Source("registry.volunteers.v1", read),
        Source("records.dossiers.v1", read),
        Source("transfer.transfers.v1", read),
    )


def reader_of(node: str) -> Callable[[Message], tuple[Command, ...]]:
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
        origin = Origin(
            node=node,
            actor=REWARDS,
            event_id=message.event_id,
            at=message.time,
            correlation_id=message.correlation_id,
        )
        return react(fact, origin)

    return read
