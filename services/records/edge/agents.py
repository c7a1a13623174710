"""Which topics does records read, by which adapter, and how do messages become commands?"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from services.records.domain.facts import FACTS
from services.records.domain.policy import Origin, react
from shared.messages import Command, Message, Unreadable, system
from shared.reader import Source

_FACTS: dict[str, TypeAdapter[Any]] = {name: TypeAdapter(shape) for name, shape in FACTS.items()}
RECORDS = system("records")


def sources(salt_key: bytes) -> tuple[Source, ...]:
    """Policies and organisations first; then people, stars and moves as they come."""
    read = reader_of(salt_key)
    return (
        Source("registry.policies.v1", read, adapter="loop", first=True, expects_success=True),
        Source("registry.organisations.v1", read, adapter="loop", first=True, expects_success=True),
        Source("registry.volunteers.v1", read),
        Source("rewards.awards.v1", read, expects_success=True),
        Source("transfer.transfers.v1", read, expects_success=True),
    )


def reader_of(salt_key: bytes) -> Callable[[Message], tuple[Command, ...]]:
    """A message → the commands it leads to; types that are not ours to read lead to none.

    ``salt_key``: this service's own secret, from which the salt of an entry that a fact makes is
    derived: nobody else can guess it, and a repeat makes the same.
    """

    def salt(command_id: UUID) -> str:
        return hmac.new(salt_key, b"entry-salt\n" + command_id.bytes, sha256).hexdigest()[:32]

    def read(message: Message) -> tuple[Command, ...]:
        shape = _FACTS.get(message.type)
        if shape is None:
            return ()
        data = dict(message.data)
        if "from" in data:
            data["begins"] = data.pop("from")
        try:
            fact = shape.validate_python(data)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise Unreadable(f"{message.type}: {place}") from None
        origin = Origin(
            actor=RECORDS,
            event_id=message.event_id,
            at=message.time,
            correlation_id=message.correlation_id,
            salt=salt,
        )
        return react(fact, origin)

    return read
