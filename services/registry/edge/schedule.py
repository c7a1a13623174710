"""Which jobs follow from what was decided? Their handlers are in ``jobs``."""

from __future__ import annotations

from datetime import timedelta

from services.registry.domain.applicants import events as ae
from services.registry.domain.applicants.commands import VerifyApplicant
from services.registry.domain.applicants.decider import FORGOTTEN_AFTER, RETRIED_FOR, UNUSED_FOR
from services.registry.domain.codes import events as ce
from services.registry.domain.volunteers import events as ve
from services.registry.domain.volunteers.commands import RecordVerification
from shared.ledger import Cancel, Decided, Schedule, Target

VERIFY = "verify-person"
END_APPLICATION = "end-application"
FORGET_APPLICANT = "forget-applicant"
FREE_DOCUMENTS = "free-documents"
DROP_CODE = "drop-code"
POINT_DOCUMENTS = "point-documents"
MOVE_PERSON = "move-person"
SETTLE_CODE = "settle-code"

# A real-name service that is away is asked again daily [P]; after a month a human must look.
RETRY_VERIFICATION = timedelta(days=1)
MAX_VERIFICATIONS = 30

Wish = Schedule | Cancel


def jobs_of(decided: Decided) -> tuple[Wish, ...]:
    """In the order of the events: a cancellation before what takes its place."""
    wishes: list[Wish] = []
    for event in decided.events:
        match event:
            case ve.VerificationRecorded():
                target = Target("volunteer", event.subject_id)
                wishes += _verification(target, event.result, decided)
            case ae.ApplicantVerified():
                target = Target("applicant", event.applicant_ref)
                wishes += _verification(target, event.result, decided)
            case ve.SubjectDeparted():
                wishes.append(Schedule(POINT_DOCUMENTS, Target("volunteer", event.subject_id)))
            case ve.SubjectLinked():
                target = Target("applicant", event.applicant_ref)
                wishes += (
                    Cancel(END_APPLICATION, target),
                    Cancel(FORGET_APPLICANT, target),
                    Cancel(VERIFY, target),
                    Schedule(MOVE_PERSON, target),
                )
            case ce.CheckEnded():
                wishes += _settling(event, decided)
            case ae.TransferStatusNoted():
                wishes += _noted(event, decided)
            case _:
                wishes += _application(event, decided)
    return tuple(wishes)


def _verification(target: Target, result: str, decided: Decided) -> tuple[Wish, ...]:
    if result != "unavailable":
        return (Cancel(VERIFY, target),)
    command = decided.command
    attempt = command.attempt if isinstance(command, VerifyApplicant | RecordVerification) else 0
    if attempt >= MAX_VERIFICATIONS:
        return ()
    due = command.at + RETRY_VERIFICATION
    return (Cancel(VERIFY, target), Schedule(VERIFY, target, due, {"attempt": attempt + 1}))


def _application(event: object, decided: Decided) -> tuple[Wish, ...]:
    at = decided.command.at
    match event:
        case ae.ApplicantRegistered():
            target = Target("applicant", event.applicant_ref)
            return (Schedule(END_APPLICATION, target, at + UNUSED_FOR),)
        case ae.CodeKept():
            target = Target("applicant", event.applicant_ref)
            return (Schedule(DROP_CODE, target, event.until, discriminator=event.code_id),)
        case ae.ApplicationResumed():
            target = Target("applicant", event.applicant_ref)
            return (
                Cancel(FORGET_APPLICANT, target),
                Schedule(END_APPLICATION, target, at + UNUSED_FOR),
            )
        case ae.ApplicationEnded():
            target = Target("applicant", event.applicant_ref)
            return (
                Cancel(END_APPLICATION, target),
                Schedule(FREE_DOCUMENTS, target),
                Schedule(FORGET_APPLICANT, target, at + FORGOTTEN_AFTER),
            )
    return ()


def _noted(event: ae.TransferStatusNoted, decided: Decided) -> tuple[Wish, ...]:
    if event.role != "destination" or event.applicant_ref is None:
        return ()
    target = Target("applicant", event.applicant_ref)
    if event.refusal_class == "T":
        due = decided.command.at + RETRIED_FOR
        return (Cancel(END_APPLICATION, target), Schedule(END_APPLICATION, target, due))
    # Under way: nothing ends it but its own outcome.
    return (Cancel(END_APPLICATION, target),)


def _settling(event: ce.CheckEnded, decided: Decided) -> tuple[Wish, ...]:
    check = decided.states[Target("check", event.transfer_id)]
    if check.code_id is None:
        return ()
    data = {"transfer_id": event.transfer_id, "outcome": event.outcome}
    return (Schedule(SETTLE_CODE, Target("code", check.code_id), data=data),)
