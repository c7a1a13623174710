"""What has happened to a transfer code, and what did a check of identity say?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.registry.domain.codes.state import Over
from services.registry.domain.volunteers.events import Hold
from shared.messages import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityConfirmed(Event):
    """Code and identity match; the code is bound to this transfer."""

    transfer_id: str
    subject_id: str
    holds: tuple[Hold, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class IdentityDenied(Event):
    """They do not (TR-102, whatever the cause), or another transfer is under way (TR-301)."""

    transfer_id: str
    code: str


TryOutcome = (
    Over
    | Literal["matched", "under_way", "identity_differs", "other_city", "other_purpose", "expired"]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeTried(Event):
    """``city`` showed a code: what came of it, for her alone whose code it is (own).

    ``matched``: it is bound to the transfer. Against a code that still stood the try counts.
    """

    code_id: str
    transfer_id: str
    city: str
    outcome: TryOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeCancelled(Event):
    """A newer code took this one's place (own)."""

    code_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeSettled(Event):
    """The transfer that a code was bound to has ended (own)."""

    code_id: str
    transfer_id: str
    outcome: Literal["freed", "spent", "burnt"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckEnded(Event):
    """The transfer that this check was made for has ended (own)."""

    transfer_id: str
    outcome: Literal["freed", "spent", "burnt"]


CodeEvent = (
    IdentityConfirmed | IdentityDenied | CodeTried | CodeCancelled | CodeSettled | CheckEnded
)
