"""May this login or document be bound to that person, and what follows?"""

from __future__ import annotations

from dataclasses import replace

from services.registry.domain.authority import is_system
from services.registry.domain.logins.commands import ExchangeToken, MoveLogin, ReviseDocument
from services.registry.domain.logins.events import (
    ClaimFailed,
    DocumentFreed,
    DocumentTaken,
    LoginBound,
    LoginEvent,
    Owner,
    TokenIssued,
)
from services.registry.domain.logins.state import ATTEMPTS_AN_HOUR, DocumentOwners, Login
from services.registry.domain.rejections import (
    ActorMayNot,
    AlreadyRegisteredElsewhere,
    AlreadyRegisteredHere,
    TransferIsOpen,
)
from shared.messages import Event, Rejection

Ruling = tuple[Event, ...] | Rejection


def exchange(command: ExchangeToken) -> Ruling:
    """The issuer's token was good: the node's token may be made. Kept for audit."""
    return (TokenIssued(login_id=command.login_id, at=command.at),)


def move_login(state: Login | None, command: MoveLogin) -> Ruling:
    """Only where the login still belongs to that application."""
    if not is_system(command.actor):
        return ActorMayNot()
    if state is None or state.owner != Owner("applicant", command.applicant_ref):
        return ()
    return (LoginBound(login_id=command.login_id, owner=Owner("subject", command.subject_id)),)


def revise_document(state: DocumentOwners | None, command: ReviseDocument) -> Ruling:
    """What a move, a link or the end of an application makes of a document."""
    if not is_system(command.actor):
        return ActorMayNot()
    if command.freed is not None:
        if state is None or state.applicant_ref != command.freed:
            return ()
        return (
            DocumentFreed(document_digest=command.document_digest, applicant_ref=command.freed),
        )
    assert command.owner is not None
    taken_by = DocumentTaken(
        document_digest=command.document_digest,
        owner=command.owner,
        elsewhere=command.elsewhere,
    )
    return () if evolve_document(state, taken_by) == state else (taken_by,)


def taken(
    documents: tuple[DocumentOwners | None, ...], *, applicant_ref: str | None
) -> Rejection | None:
    """Why a registration with these documents is refused; ``applicant_ref``: an application.

    An application is open to her whose dossier departed from here; a registration is not.
    """
    for owners in documents:
        if owners is None:
            continue
        if owners.subject_id is not None and owners.elsewhere is None:
            return AlreadyRegisteredHere()
        if owners.applicant_ref is not None and owners.applicant_ref != applicant_ref:
            return TransferIsOpen()
        if owners.elsewhere is not None and applicant_ref is None:
            return AlreadyRegisteredElsewhere(owners.elsewhere)
    return None


def evolve_login(state: Login | None, event: LoginEvent) -> Login | None:
    """Folding never fails."""
    match event:
        case LoginBound():
            return replace(state or Login(login_id=event.login_id), owner=event.owner)
        case ClaimFailed():
            login = state or Login(login_id=event.login_id)
            return replace(login, failures=(*login.failures, event.at)[-ATTEMPTS_AN_HOUR:])
        case TokenIssued():
            return state or Login(login_id=event.login_id)
    return state


def evolve_document(state: DocumentOwners | None, event: LoginEvent) -> DocumentOwners | None:
    """Folding never fails."""
    match event:
        case DocumentTaken(owner=Owner("applicant", ref)):
            return replace(state or DocumentOwners(), applicant_ref=ref)
        case DocumentTaken(owner=Owner(_, ref)):
            return DocumentOwners(subject_id=ref, elsewhere=event.elsewhere)
        case DocumentFreed():
            return state and replace(state, applicant_ref=None)
    return state
