"""What is every command, event, fact and refusal made of? Pure: no clock, no I/O, no framework."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

Nature = Literal["rule", "authority", "field", "absent"]
Terms = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Grant:
    """One role that a token gives: for an organisation, for a region (GB/T 2260), or at large."""

    role: str
    organisation_id: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: the token's subject, what it grants, and whose own records are meant.

    ``subject_id`` is set for volunteers, and for staff who serve too.
    """

    actor_id: str
    grants: tuple[Grant, ...] = ()
    subject_id: str | None = None

    def holding(self, *roles: str) -> Iterator[Grant]:
        """The grants of any of these roles."""
        return (grant for grant in self.grants if grant.role in roles)

    def has(self, *roles: str) -> bool:
        """Whether any of these roles is granted, wherever."""
        return any(True for _ in self.holding(*roles))


def system(service: str) -> Actor:
    """The actor of what a service does by itself: a reaction to a fact, or a job."""
    return Actor(actor_id=f"system:{service}", grants=(Grant("system"),))


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A wish, in the imperative. Everything that ``decide`` may not make itself comes with it.

    ``command_id`` makes it take effect once (see ``shared.ids``); ``at`` is an aware UTC instant.
    ``causation_id`` is the event, request or job that led to it; ``correlation_id`` joins a whole
    conversation.
    """

    command_id: UUID
    actor: Actor
    at: datetime
    causation_id: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What has happened, in the past tense. It names its aggregate; folding it never fails."""


@dataclass(frozen=True)
class Rejection:
    """A rule that says no to this caller; answered and forgotten, judged again when repeated.

    ``waits``: a fact of a neighbour is not here yet, so the same command may succeed later.
    ``nature`` says what kind of no it is; only the edge turns it into a status. ``zh`` and ``en``
    say the reason in one sentence and the remedy in the next; they may name fields as ``{field}``.
    ``terms``: of each field that holds a code, the Chinese of its codes, which ``zh`` says in
    their place. No field may hold a personal value.
    """

    waits: ClassVar[bool] = False
    nature: ClassVar[Nature] = "rule"
    zh: ClassVar[str]
    en: ClassVar[str]
    terms: ClassVar[Terms] = {}

    @classmethod
    def slug(cls) -> str:
        """``DossierIsFrozen`` → ``dossier-is-frozen``: the last part of the problem type."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def members(self) -> dict[str, Any]:
        """The fields of this refusal, as extension members of its problem document."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Message:
    """One event as it was read from a topic: the envelope opened, the data still plain JSON.

    ``topic`` is the name without the node's prefix; ``sequence`` counts per (topic, key) from 1
    and is ``None`` only on topics that outsiders write.
    """

    topic: str
    key: str
    sequence: int | None
    event_id: UUID
    source: str
    type: str
    time: datetime
    data: Mapping[str, Any]
    correlation_id: str | None = None
    causation_id: str | None = None
    custody_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event as the outside will read it.

    ``topic`` without the node's prefix; ``None`` for what concerns nobody outside (the row is kept
    for audit, without a sequence).
    """

    topic: str | None
    key: str
    type: str
    data: Mapping[str, Any]
    occurred_at: datetime
    custody_epoch: int | None = None


class Unreadable(Exception):
    """Bytes that cannot become a message or a fact. Its text names a field or reason, no value."""


class Unavailable(Exception):
    """A neighbour, the broker or the database is away for now: the caller should try again."""

    def __init__(self, reason: str, retry_after_seconds: int = 1) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds
