"""What shapes may a transfer code and a check of identity have?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from services.registry.domain.identity import Secrets
from services.registry.domain.volunteers.events import Hold

MAX_TRIES = 5
CodeStanding = Literal["free", "bound", "spent", "burnt"]
# What a burnt code is burnt by: a newer one, the fifth wrong try, or a withdrawn move.
Over = Literal["spent", "replaced", "burnt", "withdrawn"]
# What she is told of a code of hers.
CodeSeen = Literal["free", "bound", "expired"] | Over
Outcome = Literal["freed", "spent", "burnt"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """A code that was given. ``void``: a newer one took its place.

    ``transfer_id``: the transfer to which it is bound. ``secrets`` is never stored.
    """

    status: Literal["code"] = "code"
    code_id: str
    subject_id: str
    purpose: str
    receiver: str | None
    expires_at: datetime
    holds: tuple[Hold, ...]
    standing: CodeStanding = "free"
    tries: int = 0
    transfer_id: str | None = None
    void: bool = False
    secrets: Secrets | None = field(default=None, repr=False)

    def holds_on(self, day: date) -> tuple[Hold, ...]:
        """The holds that have not run out."""
        return tuple(hold for hold in self.holds if hold.until >= day)

    @property
    def over(self) -> Over | None:
        """By what it came to its end; None while it is free or bound."""
        match self.standing:
            case "spent":
                return "spent"
            case "burnt" if self.void:
                return "replaced"
            case "burnt":
                return "burnt" if self.tries >= MAX_TRIES else "withdrawn"
        return None

    def seen_at(self, at: datetime) -> CodeSeen:
        """What it is now; a bound one stays so, its time was judged when it was shown."""
        if self.over is not None:
            return self.over
        if self.standing == "bound":
            return "bound"
        return "expired" if at >= self.expires_at else "free"


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What was answered for a transfer. ``ended``: how the transfer came out, if it has."""

    status: Literal["check"] = "check"
    transfer_id: str
    answered: Literal["confirmed", "denied"] | None = None
    code_id: str | None = None
    subject_id: str | None = None
    ended: Outcome | None = None
