"""What is a volunteer's registration after an event? Folding never fails: it has happened."""

from __future__ import annotations

from dataclasses import replace

from services.registry.domain.consents import Consent, ConsentAsked
from services.registry.domain.volunteers.events import (
    ConsentGiven,
    ConsentWithdrawn,
    HoldPlaced,
    ProfileKept,
    RegistrationClaimed,
    SubjectDeparted,
    SubjectLinked,
    TransferCodeIssued,
    VerificationRecorded,
    VolunteerEvent,
    VolunteerRegistered,
)
from services.registry.domain.volunteers.state import (
    CODES_A_DAY,
    CodeTaken,
    Departed,
    Registered,
    Volunteer,
    registration,
)


def evolve(state: Volunteer | None, event: VolunteerEvent) -> Volunteer | None:
    """The state with this event folded in; an event of somebody unknown leaves None."""
    match event:
        case VolunteerRegistered():
            return Registered(
                subject_id=event.subject_id,
                first_registered_on=event.first_registered_on,
                residence_region=event.residence_region,
                age_band=event.age_band,
                verification=event.verification,
                checked_at=None,
                registered_via=event.registered_via,
                organisation_id=event.organisation_id,
                claimed=event.claimed,
            )
        case SubjectLinked():
            return _linked(registration(state), event)
        case SubjectDeparted():
            known = registration(state)
            return known and Departed(
                was=known,
                transfer_id=event.transfer_id,
                home=event.home,
                new_epoch=event.new_epoch,
            )
    if isinstance(state, Departed):
        return replace(state, was=_within(state.was, event))
    return state and _within(state, event)


def _within(state: Registered, event: VolunteerEvent) -> Registered:
    match event:
        case ProfileKept():
            return replace(
                state,
                documents=event.documents,
                verification=event.verification,
                checked_at=event.checked_at,
                epoch=event.epoch,
                first_registered_on=event.first_registered_on or state.first_registered_on,
            )
        case VerificationRecorded():
            return replace(state, verification=event.level, checked_at=event.checked_at)
        case RegistrationClaimed():
            return replace(state, claimed=True)
        case ConsentGiven():
            return replace(state, consents=(*state.consents, _consent(event)))
        case ConsentWithdrawn():
            consents = tuple(
                replace(each, withdrawn_at=event.withdrawn_at)
                if each.consent_id == event.consent_id
                else each
                for each in state.consents
            )
            return replace(state, consents=consents)
        case TransferCodeIssued():
            taken = CodeTaken(code_id=event.code_id, issued_at=event.issued_at)
            return replace(state, codes=(*state.codes, taken)[-CODES_A_DAY:])
        case HoldPlaced():
            return replace(state, holds=(*state.holds, event.hold))
    return state


def _linked(known: Registered | None, event: SubjectLinked) -> Registered:
    if known is not None:
        return replace(
            known,
            residence_region=event.residence_region,
            age_band=event.age_band,
            claimed=True,
        )
    return Registered(
        subject_id=event.subject_id,
        first_registered_on=None,
        residence_region=event.residence_region,
        age_band=event.age_band,
        verification="none",
        checked_at=None,
        registered_via="self",
        organisation_id=None,
        claimed=True,
    )


def _consent(event: ConsentGiven) -> Consent:
    asked = ConsentAsked(
        text_id=event.text_id,
        text_version=event.text_version,
        channel=event.channel,
        manner=event.manner,
        purpose=event.purpose,
        receiver=event.receiver,
        data_kinds=event.data_kinds,
        expires_on=event.expires_on,
    )
    return Consent(
        consent_id=event.consent_id,
        asked=asked,
        given_by=event.given_by,
        given_at=event.given_at,
    )
