"""An application: made, verified, proved, ended, forgotten; and what she sees of her move."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.registry.domain import rejections as no
from services.registry.domain.applicants import commands as c
from services.registry.domain.applicants import events as e
from services.registry.domain.logins.commands import ReviseDocument
from services.registry.domain.logins.events import DocumentTaken, LoginBound, Owner
from services.registry.domain.volunteers.commands import LinkSubject
from shared.messages import Actor, Grant
from tests.domain.registry import world as w
from tests.domain.registry.world import given, state_after

HERS = Owner("applicant", w.APPLICANT)
OTHER = "b" * 32
COUNTER = Actor("counter", (Grant("login"),))


def verify(**changes: Any) -> c.VerifyApplicant:
    fields: dict[str, Any] = {
        "applicant_ref": w.APPLICANT,
        "level": None,
        "method": "document",
        "result": "matched",
        "checked_at": w.AT,
    }
    actor, at = changes.pop("actor", w.OFFICER), changes.pop("at", w.AT)
    return c.VerifyApplicant(**w.meta(actor, at, "verify"), **fields | changes)


def prove(**changes: Any) -> c.ProveIdentity:
    fields: dict[str, Any] = {
        "applicant_ref": w.APPLICANT,
        "transfer_id": w.T1,
        "code_id": w.CODE,
        "documents": ("digest-123",),
        "code_key": b"k" * 32,
    }
    actor, at = changes.pop("actor", w.SYSTEM), changes.pop("at", w.AT)
    return c.ProveIdentity(**w.meta(actor, at, f"prove {at}"), **fields | changes)


def end(actor: Actor = w.SYSTEM) -> c.EndApplication:
    return c.EndApplication(**w.meta(actor, what="end"), applicant_ref=w.APPLICANT)


def forget(actor: Actor = w.SYSTEM) -> c.ForgetApplicant:
    return c.ForgetApplicant(**w.meta(actor, what="forget"), applicant_ref=w.APPLICANT)


def drop(at_days: int = 7, actor: Actor = w.SYSTEM) -> c.DropCode:
    at = w.AT + timedelta(days=at_days)
    return c.DropCode(**w.meta(actor, at, "drop"), applicant_ref=w.APPLICANT)


def link() -> LinkSubject:
    return LinkSubject(
        **w.meta(w.SYSTEM, what="link"),
        applicant_ref=w.APPLICANT,
        subject_id=w.LI_HUA,
        transfer_id=w.T1,
        new_epoch=2,
    )


def note(**changes: Any) -> c.NoteTransfer:
    fields: dict[str, Any] = {
        "transfer_id": w.T1,
        "role": "destination",
        "rank": 1,
        "shown": "applied",
        "applicant_ref": w.APPLICANT,
        "subject_id": None,
        "other_city": w.CHENGDU,
        "due": date(2027, 3, 15),
        "refusal_class": None,
        "code": None,
        "first_registered_on": None,
        "ends": False,
    }
    return c.NoteTransfer(**w.meta(w.SYSTEM, changes.pop("at", w.AT)), **fields | changes)


# -- RegisterApplicant ---------------------------------------------------------------------------


def test_she_applies_and_is_no_volunteer_yet() -> None:
    applied = given().when(w.apply())
    assert [type(each) for each in applied.events] == [
        e.ApplicantRegistered,
        DocumentTaken,
        LoginBound,
    ]
    applied.after.when(w.apply()).is_quiet()


def test_a_check_that_was_made_is_recorded() -> None:
    events = given().when(w.apply(check="unavailable")).events
    assert isinstance(events[1], e.ApplicantVerified)
    assert (events[1].level, events[1].result) == ("claimed", "unavailable")


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"consent": None}, no.ConsentIsMissing("registration")),
        ({"born": date(2015, 1, 1)}, no.GuardianConsentIsMissing()),
        ({"residence_region": "x"}, no.FieldIsWrong("residence_region", "region_code")),
        ({"actor": w.OFFICER}, no.ActorMayNot()),
    ],
)
def test_an_application_is_refused_as_a_registration_is(
    changes: dict[str, Any], refusal: no.Rejection
) -> None:
    given().when(w.apply(**changes)).is_refused(refusal)


def test_whoever_is_registered_here_merges_first() -> None:  # R39, S30
    story = given(*state_after(w.register()))
    story.when(w.apply(actor=COUNTER)).is_refused(no.AlreadyRegisteredHere())


def test_whose_dossier_departed_from_here_may_apply_to_come_back() -> None:
    departed = DocumentTaken(
        document_digest="digest-123",
        owner=Owner("subject", w.LI_HUA),
        elsewhere=w.CHENGDU,
    )
    story = given(*state_after(w.register()), departed)
    events = story.when(w.apply(actor=w.VOLUNTEER)).events
    # Her login stays hers.
    assert [type(each) for each in events] == [e.ApplicantRegistered, DocumentTaken]


def test_one_application_a_person_at_a_time() -> None:
    story = given(*state_after(w.apply()))
    story.when(w.apply(OTHER)).is_refused(no.TransferIsOpen(w.APPLICANT))
    story.when(w.apply(OTHER, actor=COUNTER)).is_refused(no.TransferIsOpen())


def test_the_login_of_a_volunteer_applies_for_nobody_else() -> None:
    story = given(*state_after(w.register()))
    story.when(w.apply(actor=w.VOLUNTEER, n=125)).is_refused(no.LoginIsBound())


# -- RecordVerification of an applicant ----------------------------------------------------------


def test_an_applicant_is_verified() -> None:
    story = given(*state_after(w.apply()))
    done = story.when(verify())
    done.emits(
        e.ApplicantVerified(
            applicant_ref=w.APPLICANT,
            level="document_seen",
            method="document",
            result="matched",
            checked_at=w.AT,
        )
    )
    done.after.when(verify()).is_quiet()


def test_a_verification_of_an_applicant_is_refused() -> None:
    story = given(*state_after(w.apply(), verify()))
    story.when(verify(checked_at=w.AT - timedelta(days=1))).is_refused(no.VerificationIsOlder())
    story.when(verify(checked_at=w.AT + timedelta(days=1))).is_refused(
        no.FieldIsWrong("checked_at", "future")
    )
    story.when(verify(level="none")).is_refused(no.FieldIsWrong("level", "does_not_follow"))
    story.when(verify(actor=w.FAR_OFFICER)).is_refused(no.NotFound())
    given().when(verify()).is_refused(no.NotFound())
    given().when(verify(actor=w.SYSTEM)).is_quiet()


# -- ProveIdentity -------------------------------------------------------------------------------


def test_a_proof_keeps_the_code_for_further_attempts() -> None:  # protocol.md 6
    story = given(*state_after(w.apply(), verify()))
    proved = story.when(prove())
    proved.emits(
        e.CodeKept(applicant_ref=w.APPLICANT, code_id=w.CODE, until=w.AT + timedelta(days=7))
    )
    proved.after.when(prove()).is_quiet()
    proved.after.when(prove(code_id=None, code_key=None)).is_quiet()
    late = prove(code_id=None, code_key=None, at=w.AT + timedelta(days=7))
    proved.after.when(late).is_refused(no.FieldIsWrong("code", "missing"))


def test_a_proof_is_refused() -> None:
    given().when(prove()).is_refused(no.NotFound())
    given(*state_after(w.apply())).when(prove()).is_refused(no.IdentityIsNotVerified())
    story = given(*state_after(w.apply(), verify()))
    story.when(prove(code_id=None)).is_refused(no.FieldIsWrong("code", "missing"))
    story.when(prove(actor=w.LOGIN)).is_refused(no.ActorMayNot())
    registered = DocumentTaken(document_digest="digest-123", owner=Owner("subject", w.LI_HUA))
    story.and_given(registered).when(prove()).is_refused(no.AlreadyRegisteredHere())
    elsewhere = DocumentTaken(document_digest="digest-123", owner=Owner("applicant", OTHER))
    story.and_given(elsewhere).when(prove()).is_refused(no.TransferIsOpen())
    linked = given(*state_after(w.apply(), verify(), link()))
    linked.when(prove()).is_refused(no.AlreadyRegisteredHere())


def test_an_application_that_ended_is_taken_up_again() -> None:
    free = ReviseDocument(
        **w.meta(w.SYSTEM, what="free"), document_digest="digest-123", freed=w.APPLICANT
    )
    story = given(*state_after(w.apply(), verify(), end(), free))
    assert [type(each) for each in story.when(prove()).events] == [
        e.ApplicationResumed,
        DocumentTaken,
        e.CodeKept,
    ]


# -- EndApplication, DropCode, ForgetApplicant ---------------------------------------------------


def test_an_application_ends_and_is_forgotten_once() -> None:
    story = given(*state_after(w.apply()))
    story.when(forget()).is_quiet()
    ended = story.when(end())
    ended.emits(e.ApplicationEnded(applicant_ref=w.APPLICANT, ended_on=date(2027, 3, 1)))
    ended.after.when(end()).is_quiet()
    forgotten = ended.after.when(forget())
    forgotten.emits(e.ApplicantForgotten(applicant_ref=w.APPLICANT))
    forgotten.after.when(forget()).is_quiet()
    forgotten.after.when(prove()).is_refused(no.NotFound())


def test_who_became_a_volunteer_is_not_forgotten() -> None:
    story = given(*state_after(w.apply(), link()))
    story.when(end()).is_quiet()
    story.when(forget()).is_quiet()
    story.when(drop()).is_quiet()


def test_a_kept_code_is_dropped_after_seven_days() -> None:
    story = given(*state_after(w.apply(), verify(), prove()))
    story.when(drop(6)).is_quiet()
    dropped = story.when(drop(7))
    dropped.emits(e.CodeDropped(applicant_ref=w.APPLICANT))
    dropped.after.when(drop(8)).is_quiet()


@pytest.mark.parametrize("command", [end(w.LOGIN), forget(w.LOGIN), drop(7, w.LOGIN)])
def test_only_the_service_itself_ends_forgets_and_drops(command: Any) -> None:
    given(*state_after(w.apply())).when(command).is_refused(no.ActorMayNot())


# -- NoteTransfer --------------------------------------------------------------------------------


def test_the_highest_rank_stays() -> None:  # protocol.md 12
    story = given(*state_after(w.apply()))
    first = story.when(note())
    assert [type(each) for each in first.events] == [e.TransferStatusNoted]
    first.after.when(note()).is_quiet()
    high = first.after.when(note(rank=6, shown="verifying", due=None))
    assert high.events
    high.after.when(note(rank=3, shown="moving")).is_quiet()


def test_what_ends_a_move_ends_the_application_of_the_destination() -> None:
    story = given(*state_after(w.apply()))
    refused = note(rank=8, shown="refused", refusal_class="R", ends=True)
    assert [type(each) for each in story.when(refused).events] == [
        e.TransferStatusNoted,
        e.ApplicationEnded,
    ]
    origin = replace(refused, role="origin", ends=False)
    assert [type(each) for each in story.when(origin).events] == [e.TransferStatusNoted]


def test_the_same_rank_adds_only_what_was_not_known() -> None:
    withdrawn = note(rank=8, shown="withdrawn", code="TR-501", due=None)
    later = w.AT + timedelta(hours=1)
    refused = note(rank=8, shown="refused", refusal_class="F", at=later)
    (added,) = given(*state_after(withdrawn)).when(refused).events
    assert isinstance(added, e.TransferStatusNoted)
    assert (added.shown, added.code, added.refusal_class) == ("withdrawn", "TR-501", "F")
    assert (added.since, added.due) == (w.AT, date(2027, 3, 15))
