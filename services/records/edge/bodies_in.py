"""What may stand in a request about entries? Shape and bounds; the rules are in the domain."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.records.domain.dossiers import commands as c
from shared.requests.values import Day, Instant

Ref = Annotated[str, Field(min_length=1, max_length=80)]
Label = Annotated[str, Field(min_length=1, max_length=40)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
# Whatever is asked: the domain says how many are too many, and by which rule.
Minutes = Annotated[int, Field(ge=-10_000_000, le=10_000_000, strict=True)]


class Body(BaseModel):
    """No member too many: what we do not know, we do not ignore."""

    model_config = ConfigDict(extra="forbid")


class PlaceIn(Body):
    region_code: str = Field(pattern="^[0-9]{6}$", examples=["500106"])
    station_id: Ref | None = None
    name: Name | None = Field(default=None, examples=["晨光社区志愿服务站"])


class SourceIn(Body):
    system: Label = Field(examples=["school-system"])
    id: str = Field(min_length=1, max_length=120, examples=["2026-000123"])


class ServiceIn(Body):
    """A service as its recorder knows it. Times in UTC or with an offset, whole seconds."""

    organisation_id: Ref = Field(examples=["0f8fad5bd9cb469fa16570867728950e"])
    evidence_class: Label = Field(examples=["leader_entry"])
    evidence_id: Ref | None = None
    team_id: Ref | None = None
    activity_name: Name = Field(examples=["学雷锋日社区清洁"])
    project_name: Name | None = None
    category: Label = Field(default="service", examples=["service"])
    field_code: Label | None = Field(default=None, examples=["community_affairs"])
    programme: Name | None = None
    place: PlaceIn
    started_at: Instant | None = Field(default=None, examples=["2026-03-07T01:00:00Z"])
    ended_at: Instant | None = Field(default=None, examples=["2026-03-07T03:30:00Z"])
    break_minutes: Minutes = 0
    occurred_on: Day | None = None
    minutes: Minutes | None = None
    distinct: Annotated[int, Field(ge=1, le=99, strict=True)] = 1
    content: str | None = Field(default=None, max_length=200, examples=["清理社区绿地和楼道"])
    service_object_groups: list[Label] = Field(default=[], max_length=10, examples=[["residents"]])
    responsible_person: Ref | None = None
    lead_social_worker: Ref | None = None
    source: SourceIn | None = None

    def facts(self) -> c.ServiceFacts:
        return c.ServiceFacts(
            activity_name=self.activity_name,
            category=self.category,
            place=c.Place(
                region_code=self.place.region_code,
                station_id=self.place.station_id,
                name=self.place.name,
            ),
            project_name=self.project_name,
            field_code=self.field_code,
            programme=self.programme,
            started_at=self.started_at,
            ended_at=self.ended_at,
            break_minutes=self.break_minutes,
            occurred_on=self.occurred_on,
            minutes=self.minutes,
            distinct=self.distinct,
            content=self.content,
            service_object_groups=tuple(self.service_object_groups),
            responsible_person=self.responsible_person,
            lead_social_worker=self.lead_social_worker,
        )


class TrainingIn(Body):
    organisation_id: Ref = Field(examples=["0f8fad5bd9cb469fa16570867728950e"])
    evidence_class: Label = Field(examples=["leader_entry"])
    evidence_id: Ref | None = None
    team_id: Ref | None = None
    name: Name = Field(examples=["急救基础"])
    held_by: Name = Field(examples=["区红十字会"])
    content: str | None = Field(default=None, max_length=200)
    qualification: Label | None = None
    occurred_on: Day = Field(examples=["2026-03-07"])
    minutes: Minutes = Field(examples=[180])
    distinct: Annotated[int, Field(ge=1, le=99, strict=True)] = 1
    source: SourceIn | None = None

    def facts(self) -> c.TrainingFacts:
        return c.TrainingFacts(
            name=self.name,
            held_by=self.held_by,
            occurred_on=self.occurred_on,
            minutes=self.minutes,
            content=self.content,
            qualification=self.qualification,
            distinct=self.distinct,
        )


class RejectionIn(Body):
    reason_code: Label | None = Field(default=None, examples=["not_present"])


class CorrectionIn(Body):
    """``changes``: members of the facts by their names, with their new values."""

    from_version: Annotated[int, Field(ge=1, le=9999, strict=True, examples=[2])]
    changes: dict[str, Any] = Field(max_length=16, examples=[{"ended_at": "2026-03-07T03:50:00Z"}])
    reason: str = Field(max_length=200, examples=["wrong_end: 签退时间记错"])
    evidence_id: Ref | None = Field(default=None, examples=["evd-0012"])
    decision_id: Ref | None = None


class RevocationIn(Body):
    reason: str | None = Field(default=None, max_length=200, examples=["duplicate"])
    evidence_id: Ref | None = None
    decision_id: Ref | None = None


EntryStateName = Literal["pending", "publicised", "approved", "rejected", "disputed", "revoked"]
