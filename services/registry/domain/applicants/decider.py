"""May she apply, be proved, be forgotten, and what does she see of her transfer?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.registry.domain import people
from services.registry.domain.applicants.commands import (
    DropCode,
    EndApplication,
    ForgetApplicant,
    NoteTransfer,
    ProveIdentity,
    RegisterApplicant,
    VerifyApplicant,
)
from services.registry.domain.applicants.events import (
    ApplicantForgotten,
    ApplicantRegistered,
    ApplicantVerified,
    ApplicationEnded,
    ApplicationResumed,
    CodeDropped,
    CodeKept,
    TransferStatusNoted,
)
from services.registry.domain.applicants.fold import evolve_transfer
from services.registry.domain.applicants.state import (
    Applicant,
    Applied,
    Ended,
    Linked,
    TransferSeen,
    application,
)
from services.registry.domain.authority import is_system, reviews
from services.registry.domain.logins.decider import taken
from services.registry.domain.logins.events import DocumentTaken, LoginBound, Owner
from services.registry.domain.logins.state import DocumentOwners, Login
from services.registry.domain.rejections import (
    ActorMayNot,
    AlreadyRegisteredHere,
    FieldIsWrong,
    IdentityIsNotVerified,
    LoginIsBound,
    NotFound,
    TransferIsOpen,
    VerificationIsOlder,
)
from services.registry.domain.volunteers.decider import VERIFIED, judge_level
from services.registry.domain.volunteers.permissions import CODE_LIFETIME, given_consents
from shared.clock import local_day
from shared.messages import Event, Rejection

# An application that nobody follows up ends, and one that ended is forgotten, after [P]
UNUSED_FOR = timedelta(days=30)
FORGOTTEN_AFTER = timedelta(days=30)
# Class T is tried again for three days; a day more, and nothing has come of it.
RETRIED_FOR = timedelta(days=4)

Ruling = tuple[Event, ...] | Rejection


def register(
    state: Applicant | None,
    documents: tuple[DocumentOwners | None, ...],
    login: Login | None,
    command: RegisterApplicant,
) -> Ruling:
    """An application opens no dossier and is no registration (domain.md 3.1)."""
    if state is not None:
        return ()
    # A volunteer whose dossier has left this city may want it back.
    if not command.actor.has("login", "volunteer"):
        return ActorMayNot()
    asked = command.asked
    if (no := people.fault(asked, command.at)) is not None:
        return no
    no = taken(documents, applicant_ref=command.applicant_ref)
    if isinstance(no, TransferIsOpen) and login is not None and login.owner is not None:
        mine = login.owner.kind == "applicant" and all(
            owners is None or owners.applicant_ref in (None, login.owner.ref)
            for owners in documents
        )
        return TransferIsOpen(login.owner.ref if mine else None)
    if no is not None:
        return no
    if _is_another_subject(login, documents):
        return LoginIsBound()
    owner = Owner("applicant", command.applicant_ref)
    level, result = people.level(asked), people.result(asked)
    events: list[Event] = [
        ApplicantRegistered(
            applicant_ref=command.applicant_ref,
            registered_on=local_day(command.at),
            residence_region=asked.residence_region,
            age_band=people.band(asked, command.at),
            verification=level,
            checked_at=None,
            login_id=command.login_id,
            documents=asked.keys,
            consents=given_consents(asked, command.at),
            born=asked.person.birth_date,
        )
    ]
    if result is not None:
        events.append(
            ApplicantVerified(
                applicant_ref=command.applicant_ref,
                level=level,
                method="online",
                result=result,
                checked_at=asked.check.checked_at if asked.check else command.at,
            )
        )
    events += (DocumentTaken(document_digest=key.digest, owner=owner) for key in asked.keys)
    if login is None or login.owner is None or login.owner.kind == "applicant":
        events.append(LoginBound(login_id=command.login_id, owner=owner))
    return tuple(events)


def verify(state: Applicant | None, command: VerifyApplicant) -> Ruling:
    """As for a volunteer: ``unavailable`` leaves the level as it is."""
    who = application(state)
    if who is None:
        # A retry that comes after the link or the end has nobody to judge.
        return () if is_system(command.actor) else NotFound()
    if not (is_system(command.actor) or reviews(command.actor, who.residence_region)):
        return NotFound()
    level = judge_level(who.verification, command.level, command.method, command.result)
    if isinstance(level, Rejection):
        return level
    if who.checked_at is not None and command.checked_at < who.checked_at:
        return VerificationIsOlder()
    if command.checked_at == who.checked_at and level == who.verification:
        return ()
    if command.checked_at > command.at:
        return FieldIsWrong("checked_at", "future")
    return (
        ApplicantVerified(
            applicant_ref=command.applicant_ref,
            level=level,
            method=command.method,
            result=command.result,
            checked_at=command.checked_at,
        ),
    )


def prove(
    state: Applicant | None, documents: tuple[DocumentOwners | None, ...], command: ProveIdentity
) -> Ruling:
    """Registry is the judge of the person (protocol.md 6); the proof itself is the edge's."""
    if not is_system(command.actor):
        return ActorMayNot()
    if isinstance(state, Linked):
        return AlreadyRegisteredHere()
    who = application(state)
    if who is None:
        return NotFound()
    if (no := taken(documents, applicant_ref=who.applicant_ref)) is not None:
        return no
    if who.verification not in VERIFIED:
        return IdentityIsNotVerified()
    kept = who.code
    if command.code_id is None and (kept is None or command.at >= kept.until):
        return FieldIsWrong("code", "missing")
    events: list[Event] = []
    if isinstance(state, Ended):
        events.append(ApplicationResumed(applicant_ref=who.applicant_ref))
    owner = Owner("applicant", who.applicant_ref)
    events += (
        DocumentTaken(document_digest=digest, owner=owner)
        for digest, owners in zip(command.documents, documents, strict=True)
        if owners is None or owners.applicant_ref != who.applicant_ref
    )
    if command.code_id is not None and (kept is None or kept.code_id != command.code_id):
        events.append(
            CodeKept(
                applicant_ref=who.applicant_ref,
                code_id=command.code_id,
                until=command.at + CODE_LIFETIME,
            )
        )
    return tuple(events)


def note(seen: TransferSeen | None, applicant: Applicant | None, command: NoteTransfer) -> Ruling:
    """The highest rank heard stays; one of the same rank only adds what was not known."""
    events: list[Event] = []
    if command.ends and isinstance(applicant, Applied):
        ended_on = local_day(command.at)
        events.append(ApplicationEnded(applicant_ref=applicant.applicant_ref, ended_on=ended_on))
    if seen is None or command.rank > seen.rank:
        events.insert(0, _noted(command))
    elif command.rank == seen.rank:
        merged = _noted(
            replace(
                command,
                at=seen.since,
                shown="withdrawn" if seen.shown == "withdrawn" else command.shown,
                applicant_ref=seen.applicant_ref or command.applicant_ref,
                subject_id=seen.subject_id or command.subject_id,
                other_city=seen.other_city or command.other_city,
                due=seen.due or command.due,
                refusal_class=seen.refusal_class or command.refusal_class,
                code=seen.code or command.code,
                first_registered_on=seen.first_registered_on or command.first_registered_on,
            )
        )
        if evolve_transfer(seen, merged) != seen:
            events.insert(0, merged)
    return tuple(events)


def end(state: Applicant | None, command: EndApplication) -> Ruling:
    """Silence where it has ended, or become a volunteer, meanwhile."""
    if not is_system(command.actor):
        return ActorMayNot()
    if not isinstance(state, Applied):
        return ()
    ended_on = local_day(command.at)
    return (ApplicationEnded(applicant_ref=command.applicant_ref, ended_on=ended_on),)


def drop_code(state: Applicant | None, command: DropCode) -> Ruling:
    """Silence where a newer code has been kept."""
    if not is_system(command.actor):
        return ActorMayNot()
    who = application(state)
    if who is None or who.code is None or command.at < who.code.until:
        return ()
    return (CodeDropped(applicant_ref=command.applicant_ref),)


def forget(state: Applicant | None, command: ForgetApplicant) -> Ruling:
    """Only what has ended is forgotten."""
    if not is_system(command.actor):
        return ActorMayNot()
    if not isinstance(state, Ended):
        return ()
    return (ApplicantForgotten(applicant_ref=command.applicant_ref),)


def _noted(command: NoteTransfer) -> TransferStatusNoted:
    return TransferStatusNoted(
        transfer_id=command.transfer_id,
        role=command.role,
        rank=command.rank,
        shown=command.shown,
        since=command.at,
        applicant_ref=command.applicant_ref,
        subject_id=command.subject_id,
        other_city=command.other_city,
        due=command.due,
        refusal_class=command.refusal_class,
        code=command.code,
        first_registered_on=command.first_registered_on,
    )


def _is_another_subject(login: Login | None, documents: tuple[DocumentOwners | None, ...]) -> bool:
    """Whether the login belongs to a volunteer whose documents these are not."""
    if login is None or login.owner is None or login.owner.kind != "subject":
        return False
    return not any(owners and owners.subject_id == login.owner.ref for owners in documents)
