"""Bodies are registered, filed, sanctioned; each command three ways."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from services.registry.domain import rejections as no
from services.registry.domain.organisations import commands as c
from services.registry.domain.organisations import events as e
from services.registry.domain.organisations.events import Filing
from services.registry.domain.people import Contact
from tests.domain.registry import world as w
from tests.domain.registry.world import given, organisation, state_after

OFFICE = Filing("渝中区解放碑街道办事处", "渝中备〔2026〕015号")


def file(**changes: Any) -> c.FileOrganisation:
    fields: dict[str, Any] = {
        "organisation_id": "f" * 32,
        "name": "解放碑社区志愿服务队",
        "kind": "grassroots_team",
        "filing": OFFICE,
        "seat_region": "500103",
        "scope": "社区服务",
        "established_on": date(2026, 5, 4),
        "charity": False,
        "supervising_body_id": w.ORGANISATION,
    }
    return c.FileOrganisation(**w.meta(changes.pop("actor", w.OFFICER)), **fields | changes)


def sanction(**changes: Any) -> c.SanctionOrganisation:
    fields: dict[str, Any] = {
        "organisation_id": w.ORGANISATION,
        "kind": "stop_and_rectify",
        "begins": date(2027, 3, 1),
        "until": date(2027, 8, 1),
        "law_article": "Order 685 Art 37",
        "decision_id": "cq-2027-0042",
        "public": True,
    }
    return c.SanctionOrganisation(**w.meta(changes.pop("actor", w.OFFICER)), **fields | changes)


def test_a_body_is_registered_once() -> None:
    done = given().when(organisation(uscc="51500199 mjx000018w"))
    done.emits(
        e.OrganisationRegistered(
            organisation_id=w.ORGANISATION,
            name="渝中区邻里志愿服务队",
            kind="social_group",
            uscc="51500199MJX000018W",
            filing=None,
            seat_region="500103",
            scope="社区服务",
            established_on=date(2019, 3, 5),
            charity=True,
            supervising_body_id=None,
        )
    )
    done.after.when(organisation()).is_quiet()
    other = organisation(organisation_id="9" * 32)
    done.after.when(other).is_refused(no.UsccIsTaken(w.ORGANISATION))


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"uscc": "51500199MJX000018X"}, no.UsccIsInvalid("uscc", "check_character")),
        ({"uscc": "1"}, no.UsccIsInvalid("uscc", "length")),
        ({"direct_category": None}, no.KindNeedsSupervisor("social_group")),
        ({"kind": "unit_internal_group"}, no.KindNeedsSupervisor("unit_internal_group")),
        ({"kind": "grassroots_team"}, no.FieldIsWrong("kind", "is_filed")),
        ({"seat_region": "500100"}, no.ActorMayNot()),
        ({"actor": w.FAR_OFFICER}, no.ActorMayNot()),
        ({"actor": w.ADMIN}, no.ActorMayNot()),
        ({"name": ""}, no.FieldIsWrong("name", "length")),
        ({"name": "队" * 101}, no.FieldIsWrong("name", "length")),
        ({"scope": "电话 13800138000"}, no.TextHoldsPersonalData("scope")),
        ({"established_on": date(2027, 3, 2)}, no.FieldIsWrong("established_on", "out_of_range")),
        ({"established_on": date(1899, 1, 1)}, no.FieldIsWrong("established_on", "out_of_range")),
        ({"supervising_body_id": ""}, no.FieldIsWrong("supervising_body_id", "length")),
        (
            {"responsible_person": c.Responsible(name="")},
            no.FieldIsWrong("responsible_person.name", "length"),
        ),
        (
            {"responsible_person": c.Responsible(name="赵敏", contact=Contact(phone="1"))},
            no.FieldIsWrong("responsible_person.contact.phone", "form"),
        ),
    ],
)
def test_a_registration_is_refused(changes: dict[str, Any], refusal: no.Rejection) -> None:
    given().when(organisation(**changes)).is_refused(refusal)


@pytest.mark.parametrize(
    "changes",
    [
        {"direct_category": None, "supervising_body_id": "8" * 32},
        {"kind": "public_service_body", "direct_category": None},
        {"actor": w.CITY},
    ],
)
def test_a_registration_is_taken(changes: dict[str, Any]) -> None:
    assert given().when(organisation(**changes)).events


def test_a_body_is_filed_once() -> None:
    done = given().when(file())
    assert [type(each) for each in done.events] == [e.OrganisationFiled]
    done.after.when(file()).is_quiet()
    done.after.when(file(organisation_id="9" * 32)).is_refused(no.FilingIsTaken("f" * 32))
    other = Filing(OFFICE.office, "渝中备〔2026〕016号")
    assert done.after.when(file(organisation_id="9" * 32, filing=other)).events


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"actor": w.FAR_OFFICER}, no.ActorMayNot()),
        ({"filing": Filing("", "1")}, no.FieldIsWrong("filing_office", "length")),
        ({"filing": Filing("office", "1\x00")}, no.FieldIsWrong("filing_number", "characters")),
        ({"supervising_body_id": ""}, no.FieldIsWrong("supervising_body_id", "length")),
    ],
)
def test_a_filing_is_refused(changes: dict[str, Any], refusal: no.Rejection) -> None:
    given().when(file(**changes)).is_refused(refusal)


def test_two_filings_never_share_a_key() -> None:
    assert c.filing_key(Filing("a", "b1")) != c.filing_key(Filing("ab", "1"))


@pytest.mark.parametrize(
    "kind, status",
    [
        ("warning", "active"),
        ("correction_by", "active"),
        ("fine_fen", "active"),
        ("return_pay", "active"),
        ("stop_and_rectify", "stopped"),
        ("licence_revoked", "stopped"),
    ],
)
def test_a_sanction_stops_a_body_or_does_not(kind: Any, status: str) -> None:  # R18
    (event,) = given(*state_after(organisation())).when(sanction(kind=kind)).events
    assert isinstance(event, e.OrganisationSanctioned)
    assert event.status == status


def test_a_warning_after_a_stop_lets_nobody_go_on() -> None:
    story = given(*state_after(organisation(), sanction()))
    (event,) = story.when(sanction(kind="warning", decision_id="2")).events
    assert isinstance(event, e.OrganisationSanctioned)
    assert event.status == "stopped"


def test_the_same_decision_again_is_silence() -> None:
    given(*state_after(organisation(), sanction())).when(sanction()).is_quiet()


@pytest.mark.parametrize(
    "changes, refusal",
    [
        ({"decision_id": "  "}, no.DecisionIsMissing()),
        ({"until": date(2027, 2, 1)}, no.FieldIsWrong("until", "before_from")),
        ({"law_article": ""}, no.FieldIsWrong("law_article", "length")),
        ({"law_article": "13800138000"}, no.TextHoldsPersonalData("law_article")),
        ({"actor": w.FAR_OFFICER}, no.ActorMayNot()),
        ({"organisation_id": "nobody"}, no.NotFound()),
    ],
)
def test_a_sanction_is_refused(changes: dict[str, Any], refusal: no.Rejection) -> None:
    given(*state_after(organisation())).when(sanction(**changes)).is_refused(refusal)
