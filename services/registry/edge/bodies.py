"""What may a request's body hold? Shapes and bounds; what is true is the domain's to judge."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.registry.domain import names
from services.registry.domain.consents import ConsentAsked
from services.registry.domain.documents import Document, DocumentType
from services.registry.domain.people import Contact, Guardian, GuardianConsent, Person, Sex
from services.registry.domain.volunteers.events import CheckResult, Level, Method
from shared.requests.values import Day, Instant, Whole

# Longer than any of 1–50 code points that is written with combining marks.
LongName = Annotated[str, Field(max_length=400)]
Number = Annotated[str, Field(min_length=1, max_length=64)]
Short = Annotated[str, Field(min_length=1, max_length=100)]
Free = Annotated[str, Field(min_length=1, max_length=500)]
Ref = Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,64}$")]
Region = Annotated[str, Field(pattern=r"^[0-9]{6}$")]
City = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,30}$")]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Choices = Annotated[list[Short], Field(max_length=50)]


class Body(BaseModel):
    """Nothing but the named members: no outsider sets what is ours to set."""

    model_config = ConfigDict(extra="forbid")


class DocumentBody(Body):
    type: DocumentType
    number: Number
    country: Annotated[str, Field(min_length=3, max_length=3)] | None = None

    def document(self) -> Document:
        return Document(self.type, self.number, self.country)


class ContactBody(Body):
    phone: Annotated[str, Field(max_length=40)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    address: Annotated[str, Field(max_length=500)] | None = None

    def contact(self) -> Contact:
        return Contact(
            phone=self.phone if self.phone is None else names.phone(self.phone) or self.phone,
            email=self.email if self.email is None else names.email(self.email) or self.email,
            address=self.address,
        )


class ConsentBody(Body):
    """Consent to registration: which text, in which version, how it was given."""

    text_id: Ref
    text_version: Annotated[Whole, Field(ge=1, le=100_000)]
    channel: Word = "web"
    manner: Word = "electronic"

    def asked(self) -> ConsentAsked:
        return ConsentAsked(
            text_id=self.text_id,
            text_version=self.text_version,
            channel=self.channel,
            manner=self.manner,
        )


class GuardianBody(Body):
    name: LongName
    relation: Word
    phone: Annotated[str, Field(max_length=40)] | None = None
    document: DocumentBody | None = None

    def guardian(self) -> Guardian:
        return Guardian(
            name=self.name,
            relation=self.relation,
            phone=self.phone,
            document=None if self.document is None else self.document.document(),
        )


class GuardianConsentBody(ConsentBody):
    guardian: GuardianBody

    def consent(self) -> GuardianConsent:
        return GuardianConsent(asked=self.asked(), guardian=self.guardian.guardian())


class PersonBody(Body):
    """The person, as on her documents. All of it goes to the vault, encrypted."""

    name: LongName
    sex: Sex
    birth_date: Day
    documents: Annotated[list[DocumentBody], Field(min_length=1, max_length=5)]
    contact: ContactBody = ContactBody()
    residence_region: Region
    service_skills: Choices = []
    service_categories: Choices = []
    available_times: Choices = []
    consent: ConsentBody | None = None
    guardian_consent: GuardianConsentBody | None = None

    def person(self) -> Person:
        return Person(
            name=self.name,
            sex=self.sex,
            birth_date=self.birth_date,
            documents=tuple(each.document() for each in self.documents),
            contact=self.contact.contact(),
            service_skills=tuple(self.service_skills),
            service_categories=tuple(self.service_categories),
            available_times=tuple(self.available_times),
        )


PERSON_EXAMPLE: dict[str, Any] = {
    "name": "李华",
    "sex": "male",
    "birth_date": "1990-01-01",
    "documents": [{"type": "resident_id", "number": "500103199001011232"}],
    "contact": {"phone": "13800138000"},
    "residence_region": "500103",
    "service_skills": ["first_aid"],
    "consent": {"text_id": "consent-registration", "text_version": 1, "channel": "web"},
}


class VolunteerBody(PersonBody):
    """``organisation_id``: the organisation that registers her with her consent.

    ``registered_elsewhere``: the city that keeps her dossier, as she says.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PERSON_EXAMPLE]})

    organisation_id: Ref | None = None
    registered_elsewhere: City | None = None


class ApplicantBody(PersonBody):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [PERSON_EXAMPLE]})


class ClaimBody(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "claim_ref": "9f0c…",
                    "name": "李华",
                    "document": {"type": "resident_id", "number": "500103199001011232"},
                }
            ]
        },
    )

    claim_ref: Annotated[str, Field(min_length=1, max_length=600)]
    name: LongName
    document: DocumentBody


class VerificationBody(Body):
    """``level`` may be left out: it follows from method and result."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"method": "document", "result": "matched", "checked_at": "2027-03-01T02:00:00Z"}
            ]
        },
    )

    level: Level | None = None
    method: Method
    result: CheckResult
    checked_at: Instant


class GiveConsentBody(ConsentBody):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "purpose": "registration",
                    "receiver": "school-42",
                    "data_kinds": ["service_records"],
                    "text_id": "consent-registration",
                    "text_version": 1,
                    "channel": "web",
                    "expires_on": "2028-02-29",
                }
            ]
        },
    )

    purpose: Word
    receiver: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    data_kinds: Annotated[list[Word], Field(min_length=1, max_length=50)]
    expires_on: Day | None = None

    def asked(self) -> ConsentAsked:
        return ConsentAsked(
            text_id=self.text_id,
            text_version=self.text_version,
            channel=self.channel,
            manner=self.manner,
            purpose=self.purpose,
            receiver=self.receiver,
            data_kinds=tuple(self.data_kinds),
            expires_on=self.expires_on,
        )


class HoldBody(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"authority": "渝中区人民法院", "until": "2027-06-30", "decision_id": "2027-17"}
            ]
        },
    )

    authority: Short
    until: Day
    decision_id: Annotated[str, Field(max_length=100)]


class TransferCodeBody(Body):
    """``receiver``: the only city that may use the code; null: any."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"purpose": "move", "receiver": "510100"}]},
    )

    purpose: Literal["move"] = "move"
    receiver: City | None = None
    guardian_consented: bool = False


class TokenBody(Body):
    """The token (ID or access token, a JWT) that the login service gave."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"token": "eyJhbGciOiJSUzI1NiJ9…"}]}
    )

    token: Annotated[str, Field(min_length=1, max_length=8192)]
