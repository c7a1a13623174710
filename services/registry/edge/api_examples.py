"""What do answers look like in the API documents? One example a route; a test checks them all."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

import yaml

SUBJECT: Final = "3f1e8f3f8d0b4c1f9a57d1c2b3a49586"
APPLICANT: Final = "65b2ce054cf80e9f1ca5c6edb487e95a"
CONSENT: Final = "9b0c6f1e2d3a4b5c8d7e6f5a4b3c2d1e"
ORGANISATION: Final = "0f6a2d6c4b7e4e0f8a3f5c1d2e9b7a60"

Responses = dict[int | str, dict[str, Any]]


def _answer(status: int, value: Any) -> Responses:
    return {status: {"description": "好 · OK", "content": {"application/json": {"example": value}}}}


_REGISTRATION: Final = {
    "subject_id": SUBJECT,
    "status": "registered",
    "first_registered_on": "2027-03-01",
    "residence_region": "500103",
    "age_band": "adult",
    "verification": "verified_online",
    "registered_via": "self",
    "organisation_id": None,
    "claimed": True,
    "home": None,
}
_PROFILE: Final = {
    "name": "李华",
    "sex": "male",
    "birth_date": "1990-01-01",
    "documents": [{"type": "resident_id", "number": "5****************2"}],
    "contact": {"phone": "138******00", "email": None, "address": None},
    "service_skills": ["first_aid"],
    "service_categories": [],
    "available_times": [],
}
_CONSENT: Final = {
    "consent_id": CONSENT,
    "purpose": "registration",
    "receiver": None,
    "manner": "electronic",
    "data_kinds": ["profile", "service_records"],
    "text_id": "consent-registration",
    "text_version": 1,
    "channel": "web",
    "expires_on": None,
    "given_by": "subject",
    "given_at": "2027-03-01T02:00:00Z",
    "withdrawn_at": None,
}
_TRANSFER: Final = {
    "transfer_id": "c6cffe876cab5f931d8217f359186251f7368d1c230f373fa57be245f7c92ad6",
    "role": "destination",
    "other_city": "500000",
    "status": "checking",
    "zh": "审核中",
    "en": "Being checked",
    "since": "2027-03-01T02:00:00Z",
    "due": "2027-03-15",
    "class": None,
    "code": None,
}
_APPLICATION: Final = {
    "applicant_ref": APPLICANT,
    "status": "applied",
    "subject_id": None,
    "residence_region": "510104",
    "age_band": "adult",
    "verification": "verified_online",
    "registered_on": "2027-03-01",
}
_ORGANISATION: Final = {
    "organisation_id": ORGANISATION,
    "name": "渝中区邻里志愿服务队",
    "kind": "social_group",
    "uscc": "51500199MJX000018W",
    "filing": None,
    "seat_region": "500103",
    "scope": "社区服务",
    "established_on": "2019-03-05",
    "charity": True,
    "supervising_body_id": None,
    "status": "active",
}
_POLICY: Final = {
    "policy_id": "cn-default",
    "version": 1,
    "kind": "star",
    "jurisdiction": ["*"],
    "effective_from": "2012-10-23",
    "source": "Ministry of Civil Affairs 2012 志愿服务记录办法",
    "purpose": None,
}


def _page(item: Any) -> dict[str, Any]:
    return {"items": [item], "next": None}


REGISTERED = _answer(201, {"id": SUBJECT, **_REGISTRATION})
CLAIMED = _answer(200, _REGISTRATION)
MINE = _answer(200, {**_REGISTRATION, "profile": _PROFILE})
CONSENTS = _answer(200, _page(_CONSENT))
TRANSFERS = _answer(200, _page(_TRANSFER))
CONSENT_GIVEN = _answer(201, _CONSENT)
CONSENT_WITHDRAWN = _answer(200, {**_CONSENT, "withdrawn_at": "2027-04-01T02:00:00Z"})
CODE = _answer(
    201,
    {
        "id": "2eabbe0357430e8e15d97c67e5d51e1e",
        "code_text": "621P2-DKNTV-1XNPM-C3YXK-2FQ4DV",
        "purpose": "move",
        "receiver": "510100",
        "expires_at": "2027-03-08T02:00:00Z",
    },
)
CODES = _answer(
    200,
    _page(
        {
            "code_id": "2eabbe0357430e8e15d97c67e5d51e1e",
            "purpose": "move",
            "receiver": "510100",
            "issued_at": "2027-03-01T02:00:00Z",
            "expires_at": "2027-03-08T02:00:00Z",
            "state": "free",
            "zh": "可以使用。请在到期前交给新城市。",
            "en": "Good. Give it to the new city before it expires.",
            "wrong_tries": 1,
            "wrong_tries_allowed": 5,
            "requests": 1,
            "tries": [
                {
                    "at": "2027-03-02T02:00:00Z",
                    "city": "330100",
                    "outcome": "other_city",
                    "zh": "转移码是为另一城市取的。请为该城市重新取码。",
                    "en": "The code is for another city. Take one for the city that you apply to.",
                }
            ],
        }
    ),
)
TO_VERIFY = _answer(
    200,
    _page(
        {
            "ref": SUBJECT,
            "kind": "subject",
            "residence_region": "500103",
            "verification": "claimed",
            "last_result": "unavailable",
            "by_hand": False,
            "registered_at": "2027-03-01T02:00:00Z",
        }
    ),
)
REGISTRATION = _answer(200, _REGISTRATION)
VERIFIED = _answer(201, {**_REGISTRATION, "verification": "document_seen"})
HELD = _answer(201, {"subject_id": SUBJECT, "until": "2027-06-30"})
APPLIED = _answer(201, {"id": APPLICANT, **_APPLICATION})
APPLICATIONS = _answer(200, _page(_APPLICATION))
APPLICATION = _answer(200, {**_APPLICATION, "transfers": [_TRANSFER]})
_CREATED: Final = {
    "id": ORGANISATION,
    "organisation_id": ORGANISATION,
    "name": "渝中区邻里志愿服务队",
    "kind": "social_group",
    "registration": "registered",
    "status": "active",
}
ORGANISATION_REGISTERED = _answer(201, _CREATED)
ORGANISATION_FILED = _answer(201, {**_CREATED, "registration": "filed"})
SANCTIONED = _answer(201, {**_CREATED, "status": "stopped"})
ORGANISATIONS = _answer(200, _page(_ORGANISATION))
ORGANISATION_SHOWN = _answer(200, _ORGANISATION)
_PROPOSED: Final = {
    "id": CONSENT,
    "proposal_id": CONSENT,
    "policy_id": "demo-automatic",
    "version": 1,
    "expires_at": "2027-03-08T02:00:00Z",
}
PROPOSED = _answer(202, _PROPOSED)
PROPOSAL = _answer(200, {**_PROPOSED, "kind": "star", "proposed_by": "officer-zhou"})
PUBLISHED = _answer(
    200, {"policy_id": "demo-automatic", "version": 1, "effective_from": "2020-01-01"}
)
POLICIES = _answer(200, _page(_POLICY))
POLICY = _answer(
    200,
    {
        "policy_id": "cq-minors",
        "version": 1,
        "effective_from": "2015-10-01",
        "published_at": "2027-03-01T02:00:00Z",
        "content": {"policy_id": "cq-minors", "kind": "minors", "version": 1},
    },
)
TOKEN = _answer(
    201,
    {
        "id": "login-1f3870be274f6c49b3e31a0c6728957f",
        "access_token": "eyJhbGciOiJFZERTQSJ9…",
        "token_type": "Bearer",
        "expires_in": 900,
        "subject_id": None,
        "applicant_ref": None,
        "roles": [{"role": "login", "organisation_id": None, "region": None}],
    },
)


def policy_body() -> dict[str, Any]:
    """A whole document as the body of a proposal: the pack's own rule for minors, next version."""
    text = files("services.registry").joinpath("policies", "CQ", "cq-minors.yaml")
    document = yaml.safe_load(text.read_text("utf-8"))
    document |= {"version": 2, "effective_from": "2030-01-01"}
    return {"minors": {"summary": "未成年人规则 · rules for minors", "value": document}}
