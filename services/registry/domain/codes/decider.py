"""Is this the person whom the code is for? Uniform in answer and in work (protocol.md 6)."""

from __future__ import annotations

from dataclasses import replace
from hmac import compare_digest

from services.registry.domain.authority import is_system
from services.registry.domain.codes.commands import CheckIdentity, EndCheck, SettleCode
from services.registry.domain.codes.events import (
    CheckEnded,
    CodeCancelled,
    CodeEvent,
    CodeSettled,
    CodeTried,
    IdentityConfirmed,
    IdentityDenied,
    TryOutcome,
)
from services.registry.domain.codes.state import MAX_TRIES, Check, Code, CodeStanding
from services.registry.domain.identity import Secrets
from services.registry.domain.identity import proof as proof_of
from services.registry.domain.people import MAX_DOCUMENTS
from services.registry.domain.rejections import ActorMayNot
from services.registry.domain.volunteers.events import HoldPlaced, TransferCodeIssued
from shared.clock import local_day
from shared.messages import Event, Rejection

# Whatever does not match is answered with this one code, so that a code cannot be felt out.
NO_MATCH = "TR-102"
UNDER_WAY = "TR-301"
_DUMMY = Secrets(key=bytes(32), identities=())

Ruling = tuple[Event, ...] | Rejection


def check(state: Check | None, code: Code | None, command: CheckIdentity) -> Ruling:
    """Confirmed: the code is bound. Denied: the try counts, and at the fifth the code is burnt."""
    if not is_system(command.actor):
        return ActorMayNot()
    if state is not None and (state.answered is not None or state.ended is not None):
        return ()
    equal = _proves(code, command)
    if code is None:
        return (IdentityDenied(transfer_id=command.transfer_id, code=NO_MATCH),)
    outcome = _outcome(code, command, equal=equal)
    tried = CodeTried(
        code_id=code.code_id,
        transfer_id=command.transfer_id,
        city=command.destination,
        outcome=outcome,
    )
    if outcome != "matched":
        said = UNDER_WAY if outcome == "under_way" else NO_MATCH
        return (tried, IdentityDenied(transfer_id=command.transfer_id, code=said))
    confirmed = IdentityConfirmed(
        transfer_id=command.transfer_id,
        subject_id=code.subject_id,
        holds=code.holds_on(local_day(command.at)),
    )
    return (tried, confirmed)


def _outcome(code: Code, command: CheckIdentity, *, equal: bool) -> TryOutcome:
    """The true cause; only she reads it, the other city hears of a match or of none."""
    if code.over is not None:
        return code.over
    if command.at >= code.expires_at:
        return "expired"
    if code.void:
        return "replaced"
    if code.purpose != command.purpose:
        return "other_purpose"
    if code.receiver not in (None, command.destination):
        return "other_city"
    if not equal:
        return "identity_differs"
    return "under_way" if code.standing == "bound" else "matched"


def end(state: Check | None, command: EndCheck) -> Ruling:
    """One outcome a transfer; one not yet asked about is remembered."""
    if not is_system(command.actor):
        return ActorMayNot()
    if state is not None and state.ended is not None:
        return ()
    return (CheckEnded(transfer_id=command.transfer_id, outcome=command.outcome),)


def settle(code: Code | None, command: SettleCode) -> Ruling:
    """Only the transfer that holds the code settles it."""
    if not is_system(command.actor):
        return ActorMayNot()
    if code is None or code.transfer_id != command.transfer_id:
        return ()
    outcome = command.outcome
    if outcome == "freed" and (code.standing == "burnt" or code.void):
        outcome = "burnt"
    return (CodeSettled(code_id=code.code_id, transfer_id=command.transfer_id, outcome=outcome),)


def evolve_check(state: Check | None, event: CodeEvent) -> Check | None:
    """Folding never fails."""
    match event:
        case IdentityConfirmed():
            known = state or Check(transfer_id=event.transfer_id)
            return replace(known, answered="confirmed", subject_id=event.subject_id)
        case IdentityDenied():
            known = state or Check(transfer_id=event.transfer_id)
            return replace(known, answered="denied")
        case CodeTried(outcome="matched"):
            known = state or Check(transfer_id=event.transfer_id)
            return replace(known, code_id=event.code_id)
        case CheckEnded():
            known = state or Check(transfer_id=event.transfer_id)
            return replace(known, ended=event.outcome)
    return state


def evolve_code(
    code: Code | None, event: CodeEvent | TransferCodeIssued | HoldPlaced
) -> Code | None:
    """Folding never fails."""
    if isinstance(event, TransferCodeIssued):
        return Code(
            code_id=event.code_id,
            subject_id=event.subject_id,
            purpose=event.purpose,
            receiver=event.receiver,
            expires_at=event.expires_at,
            holds=event.holds,
            secrets=event.secrets,
        )
    if code is None:
        return None
    match event:
        case HoldPlaced():
            return replace(code, holds=(*code.holds, event.hold))
        case CodeTried(outcome="matched"):
            return replace(code, standing="bound", transfer_id=event.transfer_id)
        case CodeTried(outcome="under_way" | "expired"):
            return code
        case CodeTried() if code.over is None:
            tries = code.tries + 1
            return replace(code, tries=tries, standing=_after(code, tries))
        case CodeCancelled():
            # Burnt while bound ends nothing; it is only not freed afterwards.
            if code.over is not None:
                return code
            void = replace(code, void=True)
            return void if code.standing == "bound" else replace(void, standing="burnt")
        case CodeSettled(outcome="freed"):
            return replace(code, standing="free", transfer_id=None)
        case CodeSettled(outcome="spent"):
            return replace(code, standing="spent")
        case CodeSettled():
            return replace(code, standing="burnt")
    return code


def _after(code: Code, tries: int) -> CodeStanding:
    return "burnt" if tries >= MAX_TRIES else code.standing


def _proves(code: Code | None, command: CheckIdentity) -> bool:
    """The same work for a code that is unknown as for one that is: a fixed number of proofs."""
    secrets = code.secrets if code is not None and code.secrets is not None else _DUMMY
    identities = (*secrets.identities, *(b"",) * MAX_DOCUMENTS)[:MAX_DOCUMENTS]
    # Bytes: a proof that is no ASCII must not be a defect.
    shown = (command.proof or "").encode()
    equal = False
    for place, identity in enumerate(identities):
        made = proof_of(
            secrets.key, command.transfer_id, command.origin, command.destination, identity
        )
        same = compare_digest(made.encode(), shown) and place < len(secrets.identities)
        equal = equal or same
    return equal
