"""May a person be registered, claimed, verified, moved here or away, and what follows?"""

from __future__ import annotations

from services.registry.domain import people
from services.registry.domain.applicants.state import Applicant, TransferSeen, application
from services.registry.domain.authority import administers, is_system, reviews
from services.registry.domain.logins.decider import taken
from services.registry.domain.logins.events import ClaimFailed, DocumentTaken, LoginBound, Owner
from services.registry.domain.logins.state import ATTEMPTS_AN_HOUR, DocumentOwners, Login
from services.registry.domain.organisations.state import Organisation
from services.registry.domain.rejections import (
    ActorMayNot,
    AlreadyClaimed,
    AlreadyRegisteredElsewhere,
    ClaimHasExpired,
    FieldIsWrong,
    IdentityIsNotVerified,
    LoginIsBound,
    NotFound,
    OrganisationIsUnknown,
    OrganisationMayNotAct,
    SubjectIsUnknown,
    TooManyAttempts,
    VerificationIsOlder,
)
from services.registry.domain.volunteers.commands import (
    ClaimRegistration,
    LinkSubject,
    MarkDeparted,
    RecordVerification,
    RegisterVolunteer,
)
from services.registry.domain.volunteers.events import (
    CheckResult,
    Level,
    Method,
    ProfileKept,
    RegistrationClaimed,
    SubjectDeparted,
    SubjectLinked,
    VerificationRecorded,
    VolunteerRegistered,
)
from services.registry.domain.volunteers.permissions import consent_given, given_consents
from services.registry.domain.volunteers.state import Volunteer, epoch_of, registration
from shared.clock import local_day
from shared.messages import Event, Rejection

VERIFIED: frozenset[Level] = frozenset({"document_seen", "verified_online"})

Ruling = tuple[Event, ...] | Rejection


def register(
    state: Volunteer | None,
    documents: tuple[DocumentOwners | None, ...],
    login: Login | None,
    organisation: Organisation | None,
    command: RegisterVolunteer,
) -> Ruling:
    """A person becomes a volunteer: unique by her documents, with her consent (S1, S2, R21)."""
    if state is not None:
        return ()
    actor, asked = command.actor, command.asked
    by_organisation = command.organisation_id is not None
    if by_organisation:
        if not administers(actor, command.organisation_id):
            return ActorMayNot()
        if organisation is None:
            return OrganisationIsUnknown()
        if organisation.standing == "stopped":
            return OrganisationMayNotAct()
    elif not actor.has("login", "guardian"):
        return ActorMayNot()
    if (no := people.fault(asked, command.at)) is not None:
        return no
    if command.registered_elsewhere is not None:
        return AlreadyRegisteredElsewhere(command.registered_elsewhere)
    if (no := taken(documents, applicant_ref=None)) is not None:
        return no
    if login is not None and login.owner is not None and login.owner.kind == "subject":
        return LoginIsBound()
    owner = Owner("subject", command.subject_id)
    level = people.level(asked)
    result = people.result(asked)
    day = local_day(command.at)
    events: list[Event] = [
        VolunteerRegistered(
            subject_id=command.subject_id,
            first_registered_on=day,
            residence_region=asked.residence_region,
            age_band=people.band(asked, command.at),
            verification=level,
            registered_via="organisation" if by_organisation else "self",
            organisation_id=command.organisation_id,
            claimed=command.login_id is not None,
        ),
        ProfileKept(
            subject_id=command.subject_id,
            documents=asked.keys,
            verification=level,
            checked_at=None,
            epoch=1,
        ),
    ]
    events += (
        consent_given(command.subject_id, consent) for consent in given_consents(asked, command.at)
    )
    if result is not None:
        events.append(
            VerificationRecorded(
                subject_id=command.subject_id,
                level=level,
                method="online",
                result=result,
                checked_at=asked.check.checked_at if asked.check else command.at,
            )
        )
    events += (DocumentTaken(document_digest=key.digest, owner=owner) for key in asked.keys)
    if command.login_id is not None:
        events.append(LoginBound(login_id=command.login_id, owner=owner))
    return tuple(events)


def claim(state: Volunteer | None, login: Login | None, command: ClaimRegistration) -> Ruling:
    """She proves to be the one whom someone registered (S2). A failed try counts: an event."""
    known = registration(state)
    if not command.actor.has("login", "volunteer"):
        return ActorMayNot()
    if command.at >= command.claim_expires_at or known is None:
        return ClaimHasExpired()
    mine = Owner("subject", command.subject_id)
    if login is not None and login.owner == mine and known.claimed:
        return ()
    if login is not None and login.failures_since(command.at) >= ATTEMPTS_AN_HOUR:
        return TooManyAttempts(ATTEMPTS_AN_HOUR)
    if not any(key.matches(command.key) for key in known.documents):
        return (ClaimFailed(login_id=command.login_id, at=command.at),)
    if command.check != "matched" and known.verification not in VERIFIED:
        return IdentityIsNotVerified()
    if known.claimed:
        return AlreadyClaimed()
    if login is not None and login.owner is not None and login.owner.kind == "subject":
        return LoginIsBound()
    events: list[Event] = [
        RegistrationClaimed(subject_id=command.subject_id),
        LoginBound(login_id=command.login_id, owner=mine),
    ]
    if command.check == "matched" and known.verification != "verified_online":
        events.append(
            VerificationRecorded(
                subject_id=command.subject_id,
                level="verified_online",
                method="online",
                result="matched",
                checked_at=command.at,
            )
        )
    return tuple(events)


def record_verification(state: Volunteer | None, command: RecordVerification) -> Ruling:
    """A check was answered; ``unavailable`` leaves the level as it is (S3)."""
    known = registration(state)
    if known is None:
        return SubjectIsUnknown() if is_system(command.actor) else NotFound()
    if not (is_system(command.actor) or reviews(command.actor, known.residence_region)):
        return NotFound()
    level = judge_level(known.verification, command.level, command.method, command.result)
    if isinstance(level, Rejection):
        return level
    if known.checked_at is not None and command.checked_at < known.checked_at:
        return VerificationIsOlder()
    if command.checked_at == known.checked_at and level == known.verification:
        return ()
    if command.checked_at > command.at:
        return FieldIsWrong("checked_at", "future")
    return (
        VerificationRecorded(
            subject_id=command.subject_id,
            level=level,
            method=command.method,
            result=command.result,
            checked_at=command.checked_at,
        ),
    )


def judge_level(
    held: Level, asked: Level | None, method: Method, result: CheckResult
) -> Level | FieldIsWrong:
    """The level that follows; one that is asked for must be it."""
    follows: Level
    if result == "unavailable":
        follows = held
    elif result == "mismatched":
        # An officer who held the document in her hands outweighs a list that does not match.
        follows = held if method == "online" and held == "document_seen" else "claimed"
    else:
        follows = "verified_online" if method == "online" else "document_seen"
        if follows == "document_seen" and held == "verified_online":
            follows = held
    if asked is not None and asked != follows:
        return FieldIsWrong("level", "does_not_follow")
    return follows


def mark_departed(state: Volunteer | None, command: MarkDeparted) -> Ruling:
    """The dossier went to ``home``; an older epoch than the one known changes nothing."""
    if state is None:
        return SubjectIsUnknown()
    # She may have come back since: an order of an earlier custody changes nothing.
    if command.new_epoch <= epoch_of(state):
        return ()
    return (
        SubjectDeparted(
            subject_id=command.subject_id,
            transfer_id=command.transfer_id,
            home=command.home,
            new_epoch=command.new_epoch,
        ),
    )


def link(
    state: Volunteer | None,
    applicant: Applicant | None,
    seen: TransferSeen | None,
    command: LinkSubject,
) -> Ruling:
    """The applicant is this subject; it opens no dossier: adoption has."""
    who = application(applicant)
    if who is None or (state is not None and command.new_epoch <= epoch_of(state)):
        return ()
    events: list[Event] = [
        SubjectLinked(
            applicant_ref=command.applicant_ref,
            subject_id=command.subject_id,
            residence_region=who.residence_region,
            age_band=who.band_on(local_day(command.at)),
            transfer_id=command.transfer_id,
        ),
        ProfileKept(
            subject_id=command.subject_id,
            documents=who.documents,
            verification=who.verification,
            checked_at=who.checked_at,
            epoch=command.new_epoch,
            first_registered_on=None if seen is None else seen.first_registered_on,
        ),
    ]
    events += (consent_given(command.subject_id, consent) for consent in who.consents)
    return tuple(events)
