"""What may a request about an organisation hold? Shapes and bounds alone."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from services.registry.domain.organisations.commands import DirectCategory, Responsible
from services.registry.domain.organisations.events import Kind, SanctionKind
from services.registry.edge.bodies import Body, ContactBody, Free, LongName, Ref, Region, Short
from shared.requests.values import Day


class ResponsibleBody(Body):
    name: LongName
    contact: ContactBody = ContactBody()

    def responsible(self) -> Responsible:
        return Responsible(name=self.name, contact=self.contact.contact())


class BodyOfOrganisation(Body):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    kind: Kind
    seat_region: Region
    scope: Free
    established_on: Day
    charity: bool = False
    responsible_person: ResponsibleBody | None = None

    def responsible(self) -> Responsible | None:
        person = self.responsible_person
        return None if person is None else person.responsible()


class OrganisationBody(BodyOfOrganisation):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "渝中区邻里志愿服务队",
                    "kind": "social_group",
                    "uscc": "51500199MJX000018W",
                    "seat_region": "500103",
                    "scope": "社区服务",
                    "established_on": "2019-03-05",
                    "charity": True,
                    "direct_category": "charity",
                }
            ]
        },
    )

    uscc: Annotated[str, Field(min_length=1, max_length=64)]
    supervising_body_id: Ref | None = None
    direct_category: DirectCategory | None = None


class FilingBody(BodyOfOrganisation):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "解放碑社区志愿服务队",
                    "kind": "grassroots_team",
                    "filing_office": "渝中区解放碑街道办事处",
                    "filing_number": "渝中备〔2026〕015号",
                    "seat_region": "500103",
                    "scope": "社区服务",
                    "established_on": "2026-05-04",
                    "supervising_body_id": "0f6a2d6c4b7e4e0f8a3f5c1d2e9b7a60",
                }
            ]
        },
    )

    filing_office: Short
    filing_number: Short
    supervising_body_id: Ref


class SanctionBody(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "stop_and_rectify",
                    "from": "2027-05-01",
                    "until": "2027-08-01",
                    "law_article": "志愿服务条例 第三十七条",
                    "decision_id": "渝民罚〔2027〕42号",
                    "public": True,
                }
            ]
        },
    )

    kind: SanctionKind
    begins: Annotated[Day, Field(alias="from")]
    until: Day | None = None
    law_article: Annotated[str, Field(min_length=1, max_length=200)]
    decision_id: Annotated[str, Field(max_length=200)]
    public: bool
