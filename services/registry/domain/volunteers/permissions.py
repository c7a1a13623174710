"""What may she permit, and to whom may her dossier be shown? Consents, codes, holds."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from services.registry.domain import texts
from services.registry.domain.authority import reviews
from services.registry.domain.codes.events import CodeCancelled
from services.registry.domain.consents import MAX_CONSENTS, Consent, judge
from services.registry.domain.people import Asked
from services.registry.domain.rejections import (
    CodeHasChanged,
    DecisionIsMissing,
    FieldIsWrong,
    GuardianConsentIsMissing,
    NotFound,
    SubjectIsNotClaimed,
    TextHoldsPersonalData,
    TooManyCodes,
    TooManyConsents,
)
from services.registry.domain.volunteers.commands import (
    GiveConsent,
    IssueTransferCode,
    PlaceHold,
    WithdrawConsent,
)
from services.registry.domain.volunteers.events import (
    ConsentGiven,
    ConsentWithdrawn,
    HoldPlaced,
    TransferCodeIssued,
)
from services.registry.domain.volunteers.state import CODES_A_DAY, Volunteer, registration
from shared.clock import local_day
from shared.messages import Event, Rejection

CODE_LIFETIME = timedelta(days=7)
_RECEIVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}", re.ASCII)

Ruling = tuple[Event, ...] | Rejection


def give_consent(state: Volunteer | None, command: GiveConsent) -> Ruling:
    """A permission, under the text in force for its purpose (PIPL Art 23)."""
    known = registration(state)
    if known is None or command.actor.subject_id != command.subject_id:
        return NotFound()
    asked = command.consent
    if (no := judge(asked, command.rules, asked.purpose)) is not None:
        return no
    # It goes out in a public event: a code or an id, so that no name can stand in it.
    if asked.receiver is not None:
        if not _RECEIVER.fullmatch(asked.receiver):
            return FieldIsWrong("receiver", "no_code")
        if texts.holds_personal_data(asked.receiver):
            return TextHoldsPersonalData("receiver")
    day = local_day(command.at)
    if asked.expires_on is not None and asked.expires_on < day:
        return FieldIsWrong("expires_on", "past")
    held = [consent for consent in known.consents if consent.holds_on(day)]
    if any(consent.asked == asked for consent in held):
        return ()
    if len(held) >= MAX_CONSENTS:
        return TooManyConsents(MAX_CONSENTS)
    consent = Consent(
        consent_id=command.consent_id, asked=asked, given_by="subject", given_at=command.at
    )
    return (consent_given(command.subject_id, consent),)


def withdraw_consent(state: Volunteer | None, command: WithdrawConsent) -> Ruling:
    """Ends a permission; again is silence."""
    known = registration(state)
    if known is None or command.actor.subject_id != command.subject_id:
        return NotFound()
    held = next((each for each in known.consents if each.consent_id == command.consent_id), None)
    if held is None:
        return NotFound()
    if held.withdrawn_at is not None:
        return ()
    return (
        ConsentWithdrawn(
            subject_id=command.subject_id,
            consent_id=held.consent_id,
            purpose=held.asked.purpose,
            withdrawn_at=command.at,
        ),
    )


def issue_code(state: Volunteer | None, command: IssueTransferCode) -> Ruling:
    """A code of seven days; at most three a day; the last one alone holds."""
    known = registration(state)
    if known is None or command.actor.subject_id != command.subject_id:
        return NotFound()
    if any(taken.code_id == command.code_id for taken in known.codes):
        return ()
    if not known.claimed:
        return SubjectIsNotClaimed()
    if command.receiver == command.city:
        return FieldIsWrong("receiver", "this_city")
    if command.needs_guardian and not command.guardian_consented:
        return GuardianConsentIsMissing()
    today = local_day(command.at)
    if sum(local_day(taken.issued_at) == today for taken in known.codes) >= CODES_A_DAY:
        return TooManyCodes(CODES_A_DAY)
    if (known.codes[-1].code_id if known.codes else None) != command.previous_code_id:
        return CodeHasChanged()
    issued = TransferCodeIssued(
        subject_id=command.subject_id,
        code_id=command.code_id,
        purpose=command.purpose,
        receiver=command.receiver,
        guardian_consented=command.guardian_consented,
        holds=known.holds,
        issued_at=command.at,
        expires_at=command.at + CODE_LIFETIME,
        secrets=command.secrets,
    )
    if command.previous_code_id is None:
        return (issued,)
    return (issued, CodeCancelled(code_id=command.previous_code_id))


def place_hold(state: Volunteer | None, command: PlaceHold) -> Ruling:
    """A hold by law, with authority and end; the same again is silence."""
    known = registration(state)
    if known is None or not reviews(
        command.actor, known.residence_region, roles=("city_reviewer", "province_reviewer")
    ):
        return NotFound()
    if not command.decision_id.strip():
        return DecisionIsMissing()
    if command.hold.until < local_day(command.at):
        return FieldIsWrong("until", "past")
    if command.hold in known.holds:
        return ()
    if (known.codes[-1].code_id if known.codes else None) != command.code_id:
        return CodeHasChanged()
    return (
        HoldPlaced(
            subject_id=command.subject_id,
            code_id=command.code_id,
            hold=command.hold,
            decision_id=command.decision_id,
        ),
    )


def given_consents(asked: Asked, at: datetime) -> tuple[Consent, ...]:
    """The consents that a registration or an application comes with: her own, and a guardian's."""
    given = []
    if asked.consent is not None:
        given.append(
            Consent(
                consent_id=asked.consent_id, asked=asked.consent, given_by="subject", given_at=at
            )
        )
    if asked.guardian_consent is not None:
        given.append(
            Consent(
                consent_id=asked.guardian_consent_id,
                asked=asked.guardian_consent.asked,
                given_by="guardian",
                given_at=at,
            )
        )
    return tuple(given)


def consent_given(subject_id: str, consent: Consent) -> ConsentGiven:
    """The event of a consent."""
    asked = consent.asked
    return ConsentGiven(
        subject_id=subject_id,
        consent_id=consent.consent_id,
        purpose=asked.purpose,
        receiver=asked.receiver,
        manner=asked.manner,
        data_kinds=asked.data_kinds,
        text_id=asked.text_id,
        text_version=asked.text_version,
        channel=asked.channel,
        expires_on=asked.expires_on,
        given_by=consent.given_by,
        given_at=consent.given_at,
    )
