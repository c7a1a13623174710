"""A volunteer is registered, claimed, verified, moves away and back; each command three ways."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.registry.domain import rejections as no
from services.registry.domain.applicants.commands import NoteTransfer
from services.registry.domain.consents import ConsentAsked, Rules
from services.registry.domain.documents import Document
from services.registry.domain.logins.events import (
    ClaimFailed,
    DocumentTaken,
    LoginBound,
    Owner,
)
from services.registry.domain.organisations.commands import SanctionOrganisation
from services.registry.domain.people import Contact, Guardian, GuardianConsent
from services.registry.domain.volunteers import commands as c
from services.registry.domain.volunteers import events as e
from services.registry.domain.volunteers.events import Hold
from services.registry.edge.reach import volunteer
from shared.messages import Actor, Grant
from tests.domain.registry import world as w
from tests.domain.registry.world import given, state_after

DAY = date(2027, 3, 1)
HER = Owner("subject", w.LI_HUA)


# -- RegisterVolunteer ---------------------------------------------------------------------------


def test_a_person_is_registered() -> None:  # S1
    given().when(w.register()).emits(
        e.VolunteerRegistered(
            subject_id=w.LI_HUA,
            first_registered_on=DAY,
            residence_region="500103",
            age_band="adult",
            verification="claimed",
            registered_via="self",
            organisation_id=None,
            claimed=True,
        ),
        e.ProfileKept(
            subject_id=w.LI_HUA,
            documents=(w.key(),),
            verification="claimed",
            checked_at=None,
            epoch=1,
        ),
        e.ConsentGiven(
            subject_id=w.LI_HUA,
            consent_id="consent-1",
            purpose="registration",
            receiver=None,
            manner="electronic",
            data_kinds=("profile", "service_records"),
            text_id="consent-registration",
            text_version=1,
            channel="web",
            expires_on=None,
            given_by="subject",
            given_at=w.AT,
        ),
        DocumentTaken(document_digest="digest-123", owner=HER),
        LoginBound(login_id="li-hua", owner=HER),
    )


def test_the_same_again_is_silence() -> None:
    given(*state_after(w.register())).when(w.register()).is_quiet()


@pytest.mark.parametrize(
    "check, level", [("matched", "verified_online"), ("mismatched", "claimed"), (None, "claimed")]
)
def test_a_check_decides_the_level(check: Any, level: str) -> None:  # S3
    registered = given().when(w.register(check=check)).events[0]
    assert isinstance(registered, e.VolunteerRegistered)
    assert registered.verification == level


def test_an_unavailable_check_blocks_nothing() -> None:  # S3
    events = given().when(w.register(check="unavailable")).events
    assert (
        e.VerificationRecorded(
            subject_id=w.LI_HUA,
            level="claimed",
            method="online",
            result="unavailable",
            checked_at=w.AT,
        )
        in events
    )


FIELDS: list[tuple[dict[str, Any], no.Rejection]] = [
    ({"person": replace(w.person(), name="")}, no.FieldIsWrong("name", "length")),
    (
        {"person": replace(w.person(), birth_date=date(2027, 3, 2))},
        no.FieldIsWrong("birth_date", "out_of_range"),
    ),
    ({"residence_region": "500100"}, no.FieldIsWrong("residence_region", "region_code")),
    ({"residence_region": "990101"}, no.FieldIsWrong("residence_region", "region_code")),
    ({"person": replace(w.person(), documents=())}, no.FieldIsWrong("documents", "length")),
    (
        {"person": replace(w.person(), documents=w.person().documents * 2), "keys": (w.key(),) * 2},
        no.FieldIsWrong("documents", "twice"),
    ),
    (
        {"person": replace(w.person(), contact=Contact(phone="12345"))},
        no.FieldIsWrong("contact.phone", "form"),
    ),
    (
        {"person": replace(w.person(), contact=Contact(email="nobody"))},
        no.FieldIsWrong("contact.email", "form"),
    ),
    (
        {"person": replace(w.person(), contact=Contact(address="x" * 201))},
        no.FieldIsWrong("contact.address", "length"),
    ),
    (
        {"person": replace(w.person(), service_skills=("call 13800138000",))},
        no.TextHoldsPersonalData("service_skills"),
    ),
    (
        {"person": replace(w.person(), available_times=("a\x00",))},
        no.FieldIsWrong("available_times", "characters"),
    ),
    (
        {"person": replace(w.person(), documents=(Document("resident_id", "5001"),))},
        no.DocumentNumberIsInvalid("documents.0.number", "length"),
    ),
    (
        {
            "guardian_consent": GuardianConsent(
                asked=w.CONSENT, guardian=Guardian(name="1", relation="father")
            )
        },
        no.FieldIsWrong("guardian_consent.guardian.name", "characters"),
    ),
    (
        {
            "guardian_consent": GuardianConsent(
                asked=w.CONSENT, guardian=Guardian(name="李建国", relation="father", phone="1")
            )
        },
        no.FieldIsWrong("guardian_consent.guardian.phone", "form"),
    ),
    (
        {
            "guardian_consent": GuardianConsent(
                asked=w.CONSENT,
                guardian=Guardian(
                    name="李建国", relation="father", document=Document("taiwan_pass", "1")
                ),
            )
        },
        no.DocumentNumberIsInvalid("guardian_consent.guardian.document", "characters"),
    ),
    ({"consent": None}, no.ConsentIsMissing("registration")),
    (
        {"consent": replace(w.CONSENT, purpose="marketing")},
        no.ConsentIsMissing("registration"),
    ),
    (
        {"consent": replace(w.CONSENT, text_version=2)},
        no.ConsentTextIsStale("consent-registration", 1),
    ),
    ({"rules": Rules()}, no.ConsentTextIsStale(None, None)),
    ({"rules": replace(w.RULES, min_age_years=40)}, no.AgeIsBelowMinimum(40)),
]


@pytest.mark.parametrize("changes, refusal", FIELDS, ids=lambda value: getattr(value, "reason", ""))
def test_what_cannot_be_taken_is_refused(changes: dict[str, Any], refusal: no.Rejection) -> None:
    given().when(w.register(**changes)).is_refused(refusal)


@pytest.mark.parametrize(
    "born, rule, needed",
    [
        (date(2013, 3, 2), "none", True),
        (date(2013, 3, 1), "none", False),
        (date(2013, 3, 1), "consent", True),
        (date(2013, 3, 1), "consent_or_accompaniment", False),
        (date(2009, 3, 2), "consent", True),
        (date(2009, 3, 1), "consent", False),
    ],
)
def test_a_guardian_consents_under_14_always_and_to_17_where_the_rule_says(  # R24, PIPL 31
    born: date, rule: Any, needed: bool
) -> None:
    story = given().when(w.register(born=born, rules=replace(w.RULES, guardian=rule)))
    if needed:
        story.is_refused(no.GuardianConsentIsMissing())
    with_guardian = w.register(
        born=born,
        rules=replace(w.RULES, guardian=rule),
        guardian_consent=w.GUARDIAN_CONSENT,
    )
    assert given().when(with_guardian).events


def test_a_guardians_consent_rests_on_the_text_in_force_too() -> None:
    stale = replace(w.GUARDIAN_CONSENT, asked=replace(w.CONSENT, text_version=7))
    given().when(w.register(born=date(2015, 1, 1), guardian_consent=stale)).is_refused(
        no.ConsentTextIsStale("consent-registration", 1)
    )


def test_a_document_is_one_persons() -> None:  # S1
    story = given(*state_after(w.register()))
    other = w.register(w.WANG, Actor("wang", (Grant("login"),)), "wang")
    story.when(other).is_refused(no.AlreadyRegisteredHere())


def test_a_document_of_an_open_application_is_refused() -> None:
    given(*state_after(w.apply())).when(w.register()).is_refused(no.TransferIsOpen())


def test_a_login_is_one_persons() -> None:
    story = given(*state_after(w.register()))
    story.when(w.register(w.WANG, n=124)).is_refused(no.LoginIsBound())


def test_the_pointer_of_a_departed_dossier_is_told() -> None:
    departed = DocumentTaken(document_digest="digest-123", owner=HER, elsewhere=w.CHENGDU)
    story = given(*state_after(w.register()), departed)
    other = w.register(w.WANG, Actor("wang", (Grant("login"),)), "wang")
    story.when(other).is_refused(no.AlreadyRegisteredElsewhere(w.CHENGDU))


def test_she_may_say_herself_that_she_is_registered_elsewhere() -> None:
    given().when(w.register(registered_elsewhere="330100")).is_refused(
        no.AlreadyRegisteredElsewhere("330100")
    )


@pytest.mark.parametrize("actor", [w.VOLUNTEER, w.OFFICER, Actor("nobody")])
def test_only_a_login_or_a_guardian_registers(actor: Actor) -> None:
    given().when(w.register(actor=actor)).is_refused(no.ActorMayNot())


def test_an_organisation_registers_with_consent_and_the_person_is_unclaimed() -> None:  # S2
    story = given(*state_after(w.organisation()))
    proxy = w.register(actor=w.ADMIN, login_id=None, organisation_id=w.ORGANISATION)
    registered = story.when(proxy).events[0]
    assert isinstance(registered, e.VolunteerRegistered)
    assert (registered.claimed, registered.registered_via) == (False, "organisation")
    without = w.register(actor=w.ADMIN, login_id=None, organisation_id=w.ORGANISATION, consent=None)
    story.when(without).is_refused(no.ConsentIsMissing("registration"))


def test_an_organisation_registers_for_itself_only() -> None:
    story = given(*state_after(w.organisation()))
    foreign = w.register(actor=w.ADMIN, login_id=None, organisation_id="another")
    story.when(foreign).is_refused(no.ActorMayNot())
    proxy = w.register(actor=w.ADMIN, login_id=None, organisation_id=w.ORGANISATION)
    given().when(proxy).is_refused(no.OrganisationIsUnknown())


def test_a_stopped_organisation_registers_nobody() -> None:  # R18
    stop = SanctionOrganisation(
        **w.meta(w.CITY),
        organisation_id=w.ORGANISATION,
        kind="licence_revoked",
        begins=DAY,
        until=None,
        law_article="Art 37",
        decision_id="1",
        public=True,
    )
    proxy = w.register(actor=w.ADMIN, login_id=None, organisation_id=w.ORGANISATION)
    given(*state_after(w.organisation(), stop)).when(proxy).is_refused(no.OrganisationMayNotAct())


def test_a_contradiction_with_the_number_is_a_mismatch() -> None:  # domain.md 5.1
    wrong = replace(w.person(), sex="female")
    events = given().when(w.register(person=wrong, check="matched")).events
    recorded = [each for each in events if isinstance(each, e.VerificationRecorded)]
    assert [(each.result, each.level) for each in recorded] == [("mismatched", "claimed")]


# -- ClaimRegistration ---------------------------------------------------------------------------

BY_PROXY = (
    w.organisation(),
    w.register(actor=w.ADMIN, login_id=None, organisation_id=w.ORGANISATION),
)
WANG = Actor("wang", (Grant("login"),))


def claim(**changes: Any) -> c.ClaimRegistration:
    fields: dict[str, Any] = {
        "subject_id": w.LI_HUA,
        "login_id": "wang",
        "claim_expires_at": w.AT + timedelta(hours=1),
        "key": w.key(),
        "check": "matched",
    }
    actor, at = changes.pop("actor", WANG), changes.pop("at", w.AT)
    return c.ClaimRegistration(**w.meta(actor, at, "claim"), **fields | changes)


def test_she_claims_what_someone_registered_for_her() -> None:  # S2
    given(*state_after(*BY_PROXY)).when(claim()).emits(
        e.RegistrationClaimed(subject_id=w.LI_HUA),
        LoginBound(login_id="wang", owner=HER),
        e.VerificationRecorded(
            subject_id=w.LI_HUA,
            level="verified_online",
            method="online",
            result="matched",
            checked_at=w.AT,
        ),
    )


def test_claimed_again_by_the_same_login_is_silence() -> None:
    given(*state_after(*BY_PROXY, claim())).when(claim()).is_quiet()


def test_a_claim_that_does_not_match_counts() -> None:
    story = given(*state_after(*BY_PROXY))
    failed = ClaimFailed(login_id="wang", at=w.AT)
    story.when(claim(key=w.key(name="王强"))).emits(failed)
    story.when(claim(key=w.key(125))).emits(failed)
    story.and_given(*[failed] * 5).when(claim()).is_refused(no.TooManyAttempts(5))
    hour = w.AT + timedelta(hours=1)
    later = claim(at=hour, claim_expires_at=hour + timedelta(hours=1))
    assert story.and_given(*[failed] * 5).when(later).events


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"claim_expires_at": w.AT}, no.ClaimHasExpired()),
        ({"subject_id": "f" * 32}, no.ClaimHasExpired()),
        ({"check": "unavailable"}, no.IdentityIsNotVerified()),
        ({"check": None}, no.IdentityIsNotVerified()),
        ({"actor": w.OFFICER}, no.ActorMayNot()),
    ],
)
def test_a_claim_is_refused(changes: dict[str, Any], refusal: no.Rejection) -> None:
    given(*state_after(*BY_PROXY)).when(claim(**changes)).is_refused(refusal)


def test_what_is_claimed_is_claimed() -> None:
    given(*state_after(w.register())).when(claim()).is_refused(no.AlreadyClaimed())


def test_a_seen_document_serves_where_no_service_matches() -> None:
    story = given(*state_after(*BY_PROXY, verify()))
    assert story.when(claim(check=None)).events


def test_a_bound_login_claims_nobody_else() -> None:
    other = w.register(w.WANG, WANG, "wang", n=125)
    given(*state_after(*BY_PROXY, other)).when(claim()).is_refused(no.LoginIsBound())


# -- RecordVerification --------------------------------------------------------------------------


def verify(**changes: Any) -> c.RecordVerification:
    fields: dict[str, Any] = {
        "subject_id": w.LI_HUA,
        "level": None,
        "method": "document",
        "result": "matched",
        "checked_at": w.AT,
    }
    actor, at = changes.pop("actor", w.OFFICER), changes.pop("at", w.AT)
    return c.RecordVerification(**w.meta(actor, at, "verify"), **fields | changes)


def verified(level: e.Level, method: e.Method, result: e.CheckResult) -> e.VerificationRecorded:
    return e.VerificationRecorded(
        subject_id=w.LI_HUA, level=level, method=method, result=result, checked_at=w.AT
    )


@pytest.mark.parametrize(
    "before, method, result, level",
    [
        ("claimed", "online", "matched", "verified_online"),
        ("claimed", "document", "matched", "document_seen"),
        ("claimed", "manual", "matched", "document_seen"),
        ("verified_online", "document", "matched", "verified_online"),
        ("claimed", "online", "unavailable", "claimed"),
        ("document_seen", "online", "unavailable", "document_seen"),
        ("verified_online", "online", "mismatched", "claimed"),
        ("document_seen", "online", "mismatched", "document_seen"),
        ("document_seen", "document", "mismatched", "claimed"),
    ],
)
def test_the_level_follows_from_method_and_result(
    before: Any, method: Any, result: Any, level: Any
) -> None:
    story = given(*state_after(w.register()), verified(before, "document", "matched"))
    later = w.AT + timedelta(days=1)
    command = verify(actor=w.SYSTEM, method=method, result=result, checked_at=later, at=later)
    (event,) = story.when(command).events
    assert isinstance(event, e.VerificationRecorded)
    assert event.level == level


def test_the_same_check_again_is_silence() -> None:
    given(*state_after(w.register(), verify())).when(verify()).is_quiet()


def test_a_verification_is_refused() -> None:
    story = given(*state_after(w.register(), verify()))
    story.when(verify(checked_at=w.AT - timedelta(days=1))).is_refused(no.VerificationIsOlder())
    story.when(verify(checked_at=w.AT + timedelta(days=1))).is_refused(
        no.FieldIsWrong("checked_at", "future")
    )
    story.when(verify(level="verified_online")).is_refused(
        no.FieldIsWrong("level", "does_not_follow")
    )
    story.when(verify(actor=w.FAR_OFFICER)).is_refused(no.NotFound())
    given().when(verify()).is_refused(no.NotFound())
    given().when(verify(actor=w.SYSTEM)).is_refused(no.SubjectIsUnknown())


# -- GiveConsent, WithdrawConsent ----------------------------------------------------------------

TO_SCHOOL = ConsentAsked(
    text_id="consent-registration",
    text_version=1,
    channel="web",
    manner="electronic",
    receiver="school-42",
    data_kinds=("service_records",),
)


def give(**changes: Any) -> c.GiveConsent:
    fields: dict[str, Any] = {
        "subject_id": w.LI_HUA,
        "consent_id": "consent-3",
        "consent": TO_SCHOOL,
        "rules": w.RULES,
    }
    return c.GiveConsent(**w.meta(changes.pop("actor", w.VOLUNTEER)), **fields | changes)


def withdraw(consent_id: str = "consent-3", actor: Actor = w.VOLUNTEER) -> c.WithdrawConsent:
    return c.WithdrawConsent(**w.meta(actor), subject_id=w.LI_HUA, consent_id=consent_id)


def test_she_gives_and_withdraws_a_consent_once() -> None:
    story = given(*state_after(w.register()))
    gave = story.when(give())
    assert [type(each) for each in gave.events] == [e.ConsentGiven]
    gave.after.when(replace(give(), consent_id="consent-4")).is_quiet()
    took = gave.after.when(withdraw())
    took.emits(
        e.ConsentWithdrawn(
            subject_id=w.LI_HUA,
            consent_id="consent-3",
            purpose="registration",
            withdrawn_at=w.AT,
        )
    )
    took.after.when(withdraw()).is_quiet()
    assert took.after.when(replace(give(), consent_id="consent-4")).events


@pytest.mark.parametrize(
    "changes, refusal",
    [
        (
            {"consent": replace(TO_SCHOOL, text_version=2)},
            no.ConsentTextIsStale("consent-registration", 1),
        ),
        ({"consent": replace(TO_SCHOOL, purpose="marketing")}, no.ConsentTextIsStale(None, None)),
        (
            {"consent": replace(TO_SCHOOL, expires_on=date(2027, 2, 28))},
            no.FieldIsWrong("expires_on", "past"),
        ),
        ({"actor": w.CITY}, no.NotFound()),
        (
            {"consent": replace(TO_SCHOOL, receiver="school-13800138000")},
            no.TextHoldsPersonalData("receiver"),
        ),
        ({"consent": replace(TO_SCHOOL, receiver="  ")}, no.FieldIsWrong("receiver", "no_code")),
        (
            {"consent": replace(TO_SCHOOL, receiver="裴植物")},
            no.FieldIsWrong("receiver", "no_code"),
        ),
    ],
)
def test_a_consent_is_refused(changes: dict[str, Any], refusal: no.Rejection) -> None:
    given(*state_after(w.register())).when(give(**changes)).is_refused(refusal)


def test_consents_are_bounded() -> None:
    many = [
        replace(give(), consent_id=f"consent-{n}", consent=replace(TO_SCHOOL, receiver=f"body-{n}"))
        for n in range(100)
    ]
    story = given(*state_after(w.register(), *many[:99]))
    story.when(give()).is_refused(no.TooManyConsents(100))


def test_nobody_withdraws_what_is_not_hers() -> None:
    story = given(*state_after(w.register(), give()))
    story.when(withdraw("unknown")).is_refused(no.NotFound())
    story.when(withdraw(actor=w.CITY)).is_refused(no.NotFound())
    given().when(withdraw()).is_refused(no.NotFound())


# -- IssueTransferCode, PlaceHold ----------------------------------------------------------------


def test_a_code_is_issued_and_cancels_the_last() -> None:
    story = given(*state_after(w.register(), w.take_code()))
    story.when(w.take_code()).is_quiet()
    issued, cancelled = story.when(w.take_code(w.OTHER_CODE, w.CODE)).events
    assert isinstance(issued, e.TransferCodeIssued)
    assert issued.expires_at == w.AT + timedelta(days=7)
    assert cancelled.code_id == w.CODE  # type: ignore[attr-defined]


def test_a_code_is_refused() -> None:
    story = given(*state_after(w.register()))
    story.when(w.take_code(actor=w.CITY)).is_refused(no.NotFound())
    ours = w.take_code(receiver="500000")
    story.when(ours).is_refused(no.FieldIsWrong("receiver", "this_city"))
    story.when(w.take_code(needs_guardian=True)).is_refused(no.GuardianConsentIsMissing())
    assert story.when(w.take_code(needs_guardian=True, guardian_consented=True)).events
    story.when(w.take_code(previous="e" * 32)).is_refused(no.CodeHasChanged())
    taken = (w.take_code("1" * 32), w.take_code("2" * 32, "1" * 32))
    three = given(*state_after(w.register(), *taken, w.take_code("3" * 32, "2" * 32)))
    three.when(w.take_code("4" * 32, "3" * 32)).is_refused(no.TooManyCodes(3))
    tomorrow = w.take_code("4" * 32, "3" * 32, at=w.AT + timedelta(days=1))
    assert three.when(tomorrow).events


def test_who_has_not_claimed_gets_no_code() -> None:
    given(*state_after(*BY_PROXY)).when(w.take_code()).is_refused(no.SubjectIsNotClaimed())


def hold(**changes: Any) -> c.PlaceHold:
    fields: dict[str, Any] = {
        "subject_id": w.LI_HUA,
        "code_id": None,
        "hold": Hold("渝中区人民法院", date(2027, 6, 30)),
        "decision_id": "2027-17",
    }
    return c.PlaceHold(**w.meta(changes.pop("actor", w.CITY)), **fields | changes)


def test_a_hold_is_placed_once() -> None:  # TR-305
    story = given(*state_after(w.register()))
    placed = story.when(hold())
    assert [type(each) for each in placed.events] == [e.HoldPlaced]
    placed.after.when(hold()).is_quiet()


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"actor": w.OFFICER}, no.NotFound()),
        ({"decision_id": " "}, no.DecisionIsMissing()),
        ({"hold": Hold("court", date(2027, 2, 28))}, no.FieldIsWrong("until", "past")),
        ({"code_id": w.CODE}, no.CodeHasChanged()),
    ],
)
def test_a_hold_is_refused(changes: dict[str, Any], refusal: no.Rejection) -> None:
    given(*state_after(w.register())).when(hold(**changes)).is_refused(refusal)


# -- MarkDeparted, LinkSubject -------------------------------------------------------------------


def depart(new_epoch: int = 2, transfer_id: str = w.T1) -> c.MarkDeparted:
    return c.MarkDeparted(
        **w.meta(w.SYSTEM, what=f"depart {transfer_id}"),
        subject_id=w.LI_HUA,
        transfer_id=transfer_id,
        home=w.CHENGDU,
        new_epoch=new_epoch,
    )


def link(new_epoch: int = 2, transfer_id: str = w.T2) -> c.LinkSubject:
    return c.LinkSubject(
        **w.meta(w.SYSTEM, what=f"link {transfer_id}"),
        applicant_ref=w.APPLICANT,
        subject_id=w.LI_HUA,
        transfer_id=transfer_id,
        new_epoch=new_epoch,
    )


def test_she_departs_once() -> None:
    story = given(*state_after(w.register(), depart()))
    story.when(depart()).is_quiet()
    given(*state_after(w.register())).when(depart()).emits(
        e.SubjectDeparted(subject_id=w.LI_HUA, transfer_id=w.T1, home=w.CHENGDU, new_epoch=2)
    )
    given().when(depart()).is_refused(no.SubjectIsUnknown())


def test_an_applicant_is_linked_once() -> None:
    story = given(*state_after(w.apply(check="matched")))
    linked = story.when(link())
    assert [type(each) for each in linked.events] == [
        e.SubjectLinked,
        e.ProfileKept,
        e.ConsentGiven,
    ]
    linked.after.when(link()).is_quiet()
    given().when(link()).is_quiet()


def test_who_moved_here_keeps_the_day_of_her_first_registration() -> None:
    came = date(2019, 3, 5)
    told = NoteTransfer(
        **w.meta(w.SYSTEM, what="verified"),
        transfer_id=w.T2,
        role="destination",
        rank=5,
        shown="verifying",
        applicant_ref=w.APPLICANT,
        subject_id=w.LI_HUA,
        other_city=w.CHENGDU,
        due=None,
        refusal_class=None,
        code=None,
        first_registered_on=came,
        ends=False,
    )
    accepted = replace(told, command_id=w.command_id("accepted"), rank=6, first_registered_on=None)
    story = given(*state_after(w.apply(check="matched"), told, accepted, link()))
    assert story.state[volunteer(w.LI_HUA)].first_registered_on == came


def test_an_order_of_an_earlier_custody_moves_nobody() -> None:  # R38, R44
    came_back = (
        w.register(),
        depart(2),
        w.apply(actor=Actor("back", (Grant("login"),)), keys=(w.key(124),)),
        link(3),
    )
    story = given(*state_after(*came_back))
    story.when(depart(2, w.T2)).is_quiet()
    story.when(link(2)).is_quiet()
    assert story.when(depart(4, w.T2)).events


def test_what_is_asked_of_the_departed_is_kept() -> None:
    story = given(*state_after(w.register(), depart()))
    assert story.when(w.take_code()).events
    assert story.when(verify()).events
    assert story.when(give()).events
