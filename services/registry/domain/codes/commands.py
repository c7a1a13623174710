"""What may be asked of a code? All of it by the service itself, in reaction to transfer."""

from __future__ import annotations

from dataclasses import dataclass

from services.registry.domain.codes.state import Outcome
from shared.messages import Command


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckIdentity(Command):
    """Another city shows a code and a proof (``transfer-requested``)."""

    transfer_id: str
    code_id: str | None
    proof: str | None
    purpose: str
    origin: str
    destination: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EndCheck(Command):
    """The transfer has ended: released (spent), withdrawn (burnt), or come to nothing (freed)."""

    transfer_id: str
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class SettleCode(Command):
    """The code that was bound to it follows (a job of ``EndCheck``)."""

    code_id: str
    transfer_id: str
    outcome: Outcome


CodeCommand = CheckIdentity | EndCheck | SettleCode
