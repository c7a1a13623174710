"""given / when / then over all of registry's aggregates, and the people of its stories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from services.registry.domain.applicants.commands import RegisterApplicant
from services.registry.domain.codes.commands import CheckIdentity
from services.registry.domain.consents import ConsentAsked, Rules, TextInForce
from services.registry.domain.documents import Document
from services.registry.domain.identity import Secrets, identity_bytes, proof
from services.registry.domain.idnumbers import check_character
from services.registry.domain.organisations.commands import RegisterOrganisation
from services.registry.domain.people import (
    Asked,
    Check,
    Contact,
    Guardian,
    GuardianConsent,
    Person,
)
from services.registry.domain.policies.commands import Document as PolicyDocument
from services.registry.domain.volunteers.commands import IssueTransferCode, RegisterVolunteer
from services.registry.domain.volunteers.events import CheckResult, DocumentKey
from services.registry.edge import ledger_side
from services.registry.edge.reach import targets_of
from shared.ledger import Target
from shared.messages import Actor, Command, Event, Grant, Rejection, system
from tests.support.given import Story

AT = datetime(2027, 3, 1, 2, 0, tzinfo=UTC)
LI_HUA, WANG, APPLICANT = "1" * 32, "2" * 32, "a" * 32
ORGANISATION = "0" * 31 + "1"
T1, T2 = "1" * 64, "2" * 64
CODE, OTHER_CODE = "c" * 32, "d" * 32
CHENGDU = "510100"

LOGIN = Actor("li-hua", (Grant("login"),))
VOLUNTEER = Actor("li-hua", (Grant("volunteer"),), LI_HUA)
GUARDIAN = Actor("mother", (Grant("guardian"),))
ADMIN = Actor("admin", (Grant("org_admin", organisation_id=ORGANISATION),))
OFFICER = Actor("officer", (Grant("county_reviewer", region="500103"),))
FAR_OFFICER = Actor("far", (Grant("county_reviewer", region="500105"),))
CITY = Actor("city", (Grant("city_reviewer", region="500000"),))
CITY_2 = Actor("city-2", (Grant("city_reviewer", region="500000"),))
SYSTEM = system("registry")

State = Mapping[Target, Any]
TEXT = TextInForce("consent-registration", 1, "registration")
RULES = Rules(texts=(TEXT,), guardian="consent")
CONSENT = ConsentAsked(
    text_id="consent-registration", text_version=1, channel="web", manner="electronic"
)


def decide(state: State, command: Command) -> tuple[Event, ...] | Rejection:
    """As the ledger would: the states of the command's targets, in their order."""
    before = {target: state.get(target) for target in targets_of(command)}
    return ledger_side.decide(tuple(before.values()), command)


def evolve(state: State, event: Event) -> State:
    """Every aggregate that the event belongs to."""
    after = dict(state)
    for target in ledger_side.belongs(event):
        after[target] = ledger_side.evolve(target, after.get(target), event)
    return after


given = Story(decide, evolve, {}).given


def command_id(what: str) -> UUID:
    return uuid5(NAMESPACE_OID, what)


def meta(actor: Actor, at: datetime = AT, what: str = "command") -> dict[str, Any]:
    return {"command_id": command_id(what), "actor": actor, "at": at}


def number(n: int = 123, born: date = date(1990, 1, 1)) -> str:
    first = f"500103{born:%Y%m%d}{n:03d}"
    return first + check_character(first)


def key(n: int = 123, name: str = "李华") -> DocumentKey:
    return DocumentKey("resident_id", f"digest-{n}", f"named-{n}-{name}")


def person(n: int = 123, name: str = "李华", born: date = date(1990, 1, 1)) -> Person:
    return Person(
        name=name,
        sex="male" if n % 2 else "female",
        birth_date=born,
        documents=(Document("resident_id", number(n, born)),),
        contact=Contact(phone="13800138000"),
    )


def asked(
    n: int = 123, born: date = date(1990, 1, 1), check: CheckResult | None = None, **changes: Any
) -> Asked:
    made = Asked(
        person=person(n, born=born),
        keys=(key(n),),
        residence_region="500103",
        consent=CONSENT,
        guardian_consent=None,
        consent_id="consent-1",
        guardian_consent_id="consent-2",
        check=None if check is None else Check(result=check, checked_at=AT),
        rules=RULES,
    )
    return replace(made, **changes)


GUARDIAN_CONSENT = GuardianConsent(
    asked=CONSENT, guardian=Guardian(name="李建国", relation="father")
)


def register(
    subject_id: str = LI_HUA,
    actor: Actor = LOGIN,
    login_id: str | None = "li-hua",
    organisation_id: str | None = None,
    registered_elsewhere: str | None = None,
    at: datetime = AT,
    **of_person: Any,
) -> RegisterVolunteer:
    return RegisterVolunteer(
        **meta(actor, at, f"register {subject_id}"),
        subject_id=subject_id,
        asked=asked(**of_person),
        login_id=login_id,
        organisation_id=organisation_id,
        registered_elsewhere=registered_elsewhere,
    )


def apply(
    applicant_ref: str = APPLICANT, actor: Actor = LOGIN, at: datetime = AT, **of_person: Any
) -> RegisterApplicant:
    return RegisterApplicant(
        **meta(actor, at, f"apply {applicant_ref}"),
        applicant_ref=applicant_ref,
        asked=asked(**of_person),
        login_id=actor.actor_id,
    )


def organisation(**changes: Any) -> RegisterOrganisation:
    fields: dict[str, Any] = {
        "organisation_id": ORGANISATION,
        "name": "渝中区邻里志愿服务队",
        "kind": "social_group",
        "uscc": "51500199MJX000018W",
        "uscc_key": "51500199MJX000018W",
        "seat_region": "500103",
        "scope": "社区服务",
        "established_on": date(2019, 3, 5),
        "charity": True,
        "supervising_body_id": None,
        "direct_category": "charity",
    }
    return RegisterOrganisation(**meta(changes.pop("actor", OFFICER)), **fields | changes)


# As the vault would tell them of her: a batch may read them there.
IDENTITY = identity_bytes("李华", "RIC", number())
SECRETS = Secrets(b"k" * 32, (IDENTITY,))


def take_code(
    code_id: str = CODE, previous: str | None = None, at: datetime = AT, **changes: Any
) -> IssueTransferCode:
    fields: dict[str, Any] = {
        "subject_id": LI_HUA,
        "city": "500000",
        "code_id": code_id,
        "previous_code_id": previous,
        "purpose": "move",
        "receiver": None,
        "needs_guardian": False,
        "guardian_consented": False,
        "secrets": SECRETS,
    }
    actor = changes.pop("actor", VOLUNTEER)
    return IssueTransferCode(**meta(actor, at, f"code {code_id}"), **fields | changes)


def check_identity(transfer_id: str = T1, at: datetime = AT, **changes: Any) -> CheckIdentity:
    """Chengdu shows the code and the identity that it is for."""
    fields: dict[str, Any] = {
        "transfer_id": transfer_id,
        "code_id": CODE,
        "proof": proof(SECRETS.key, transfer_id, "500000", CHENGDU, IDENTITY),
        "purpose": "move",
        "origin": "500000",
        "destination": CHENGDU,
    }
    return CheckIdentity(**meta(SYSTEM, at, f"check {transfer_id}"), **fields | changes)


def policy(version: int = 1, effective_from: date = date(1990, 1, 1), **changes: Any) -> Any:
    fields: dict[str, Any] = {
        "policy_id": "consent-registration",
        "version": version,
        "kind": "consent_text",
        "jurisdiction": ("*",),
        "effective_from": effective_from,
        "correction": False,
        "source": "",
        "content": {"version": version},
    }
    return PolicyDocument(**fields | changes)


def state_after(*commands: Command) -> list[Event]:
    """The events of these commands, one after another; none may be refused."""
    state: State = {}
    events: list[Event] = []
    for command in commands:
        decided = decide(state, command)
        assert not isinstance(decided, Rejection), decided
        for event in decided:
            state = evolve(state, event)
            events.append(event)
    return events
