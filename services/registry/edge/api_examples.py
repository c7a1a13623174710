"""What do answers look like in the API documents? One example a route, or one a variant.

The tests of the API hold every answer against the examples of its route.
"""

from __future__ import annotations

from typing import Any, Final

from services.registry.edge import packs

SUBJECT: Final = "3f1e8f3f8d0b4c1f9a57d1c2b3a49586"
APPLICANT: Final = "65b2ce054cf80e9f1ca5c6edb487e95a"
CONSENT: Final = "9b0c6f1e2d3a4b5c8d7e6f5a4b3c2d1e"
ORGANISATION: Final = "0f6a2d6c4b7e4e0f8a3f5c1d2e9b7a60"

Responses = dict[int | str, dict[str, Any]]


def _answer(status: int, value: Any) -> Responses:
    return {status: {"description": "好 · OK", "content": {"application/json": {"example": value}}}}


def _either(status: int, **values: Any) -> Responses:
    """An answer whose members are not always the same: each variant by its name."""
    examples = {name: {"value": value} for name, value in values.items()}
    return {
        status: {"description": "好 · OK", "content": {"application/json": {"examples": examples}}}
    }


def _shown_once(value: dict[str, Any]) -> Responses:
    """A new secret; who repeats the request is told that it has been shown."""
    return _either(201, first=value, repeated={"id": value["id"], "shown_once": True})


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
CODE = _shown_once(
    {
        "id": "2eabbe0357430e8e15d97c67e5d51e1e",
        "code_text": "621P2-DKNTV-1XNPM-C3YXK-2FQ4DV",
        "purpose": "move",
        "receiver": "510100",
        "expires_at": "2027-03-08T02:00:00Z",
    }
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
APPLICANT_VERIFIED = _answer(201, {**_APPLICATION, "verification": "document_seen"})
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
ORGANISATION_REGISTERED = _either(
    201,
    registered=_CREATED,
    registered_with_a_warning={**_CREATED, "warning": "ok_subject_code_check_differs"},
)
ORGANISATION_FILED = _answer(201, {**_CREATED, "registration": "filed"})
SANCTIONED = _answer(201, {**_CREATED, "status": "stopped"})
ORGANISATIONS = _answer(200, _page(_ORGANISATION))
ORGANISATION_SHOWN = _answer(200, _ORGANISATION)
# Whole documents, as they are shipped; each kind has members of its own.
_SHIPPED: Final = {each["policy_id"]: each for each in packs.contents()}
_MINORS: Final = _SHIPPED["cq-minors"]
_STAR: Final = _SHIPPED["cn-default"]
_NEXT_MINORS: Final = {**_MINORS, "version": 2, "effective_from": "2030-01-01"}
_NEXT_STAR: Final = {**_STAR, "version": 2, "effective_from": "2030-01-01"}
POLICY_BODY: Final[dict[str, Any]] = {
    "minors": {"summary": "未成年人规则 · rules for minors", "value": _NEXT_MINORS}
}
PROPOSED = _answer(
    202,
    {
        "id": CONSENT,
        "proposal_id": CONSENT,
        "policy_id": "cq-minors",
        "version": 2,
        "expires_at": "2027-03-08T02:00:00Z",
    },
)


def _proposal(content: dict[str, Any]) -> dict[str, Any]:
    said = ("policy_id", "version", "kind", "jurisdiction", "effective_from", "source")
    return {
        **{name: content[name] for name in said},
        "proposal_id": CONSENT,
        "correction": False,
        "content": content,
        "proposed_by": "officer-zhou",
        "expires_at": "2027-03-08T02:00:00Z",
    }


def _version(content: dict[str, Any]) -> dict[str, Any]:
    said = ("policy_id", "version", "effective_from")
    return {
        **{name: content[name] for name in said},
        "published_at": "2027-03-01T02:00:00Z",
        "content": content,
    }


PROPOSAL = _either(200, minors=_proposal(_NEXT_MINORS), star=_proposal(_NEXT_STAR))
PUBLISHED = _answer(200, {"policy_id": "cq-minors", "version": 2, "effective_from": "2030-01-01"})
POLICIES = _answer(200, _page(_POLICY))
POLICY = _either(200, minors=_version(_MINORS), star=_version(_STAR))
TOKEN = _shown_once(
    {
        "id": "login-1f3870be274f6c49b3e31a0c6728957f",
        "access_token": "eyJhbGciOiJFZERTQSJ9…",
        "token_type": "Bearer",
        "expires_in": 900,
        "subject_id": None,
        "applicant_ref": None,
        "roles": [{"role": "login", "organisation_id": None, "region": None}],
    }
)
