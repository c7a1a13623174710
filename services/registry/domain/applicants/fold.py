"""What is an application, and what is shown of a transfer, after an event? Folding never fails."""

from __future__ import annotations

from dataclasses import replace

from services.registry.domain.applicants.events import (
    ApplicantEvent,
    ApplicantForgotten,
    ApplicantRegistered,
    ApplicantVerified,
    ApplicationEnded,
    ApplicationResumed,
    CodeDropped,
    CodeKept,
    TransferStatusNoted,
)
from services.registry.domain.applicants.state import (
    Applicant,
    Applied,
    Ended,
    Forgotten,
    KeptCode,
    Linked,
    TransferSeen,
    application,
)
from services.registry.domain.volunteers.events import SubjectLinked


def evolve(state: Applicant | None, event: ApplicantEvent | SubjectLinked) -> Applicant | None:
    """Folding never fails."""
    if isinstance(event, ApplicantRegistered):
        return Applied(
            applicant_ref=event.applicant_ref,
            registered_on=event.registered_on,
            residence_region=event.residence_region,
            age_band=event.age_band,
            verification=event.verification,
            checked_at=event.checked_at,
            login_id=event.login_id,
            documents=event.documents,
            consents=event.consents,
            born=event.born,
        )
    who = application(state)
    if state is None or who is None:
        return state
    match event:
        case SubjectLinked():
            return Linked(
                applicant_ref=who.applicant_ref,
                subject_id=event.subject_id,
                login_id=who.login_id,
                documents=who.documents,
            )
        case ApplicationEnded():
            return Ended(was=who, ended_on=event.ended_on)
        case ApplicationResumed():
            return who
        case ApplicantForgotten():
            return Forgotten(applicant_ref=who.applicant_ref)
        case ApplicantVerified():
            who = replace(who, verification=event.level, checked_at=event.checked_at)
        case CodeKept():
            who = replace(who, code=KeptCode(code_id=event.code_id, until=event.until))
        case CodeDropped():
            who = replace(who, code=None)
    return replace(state, was=who) if isinstance(state, Ended) else who


def evolve_transfer(seen: TransferSeen | None, event: TransferStatusNoted) -> TransferSeen:
    """What is shown from now on; what an earlier event named is not forgotten."""
    new = TransferSeen(
        transfer_id=event.transfer_id,
        role=event.role,
        rank=event.rank,
        shown=event.shown,
        since=event.since,
        applicant_ref=event.applicant_ref,
        subject_id=event.subject_id,
        other_city=event.other_city,
        due=event.due,
        refusal_class=event.refusal_class,
        code=event.code,
        first_registered_on=event.first_registered_on,
    )
    if seen is None:
        return new
    return replace(
        new,
        applicant_ref=new.applicant_ref or seen.applicant_ref,
        subject_id=new.subject_id or seen.subject_id,
        other_city=new.other_city or seen.other_city,
        due=new.due or seen.due,
        first_registered_on=new.first_registered_on or seen.first_registered_on,
    )
