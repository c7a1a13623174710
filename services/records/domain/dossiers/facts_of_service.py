"""Are these facts volunteer service, and how many minutes on which days do they make?

The same judgement holds when a service is recorded and when it is corrected (domain.md 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from services.records.domain import text, times
from services.records.domain.dossiers.commands import ServiceFacts, TrainingFacts
from services.records.domain.rejections import (
    FieldIsWrong,
    MinutesAreNotPositive,
    MinutesAreTooMany,
    MinutesDisagree,
    NotVolunteerService,
    ServiceIsInTheFuture,
    TextHoldsPersonalData,
)
from shared.clock import local_day, wire
from shared.messages import Rejection

CATEGORIES: Final = (
    "service",
    "social_practice",
    "training_activity",
    "duty_work",
    "donation",
    "other",
)
# Order 67 Art 19; a training published as an activity goes to its own kind (R7, R8).
IS_SERVICE: Final = frozenset({"service", "social_practice"})
MOST_MINUTES: Final = 1_440
MOST_LEGACY_MINUTES: Final = 600_000
# Clocks of devices and desks differ a little (5.5).
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
EARLIEST_DAY: Final = date(1949, 10, 1)
WITHOUT_TIMES: Final = frozenset({"batch_import", "paper", "legacy"})
MAX_DISTINCT: Final = 99
MAX_GROUPS: Final = 10

_LABEL = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}", re.ASCII)
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}", re.ASCII)
_REGION = re.compile(r"[0-9]{6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Judged:
    """What facts come to: minutes, first local day, last day, and the body of the entry."""

    minutes: int
    occurred_on: date
    ended_on: date
    body: Mapping[str, Any]


def judge_service(facts: ServiceFacts, evidence_class: str, at: datetime) -> Judged | Rejection:
    """The facts judged by themselves; whose they are, and who says so, is judged elsewhere."""
    if facts.category not in CATEGORIES:
        return FieldIsWrong("category", "unknown")
    if facts.category not in IS_SERVICE:
        return NotVolunteerService(facts.category)
    wrong = _wrong_words(facts) or _wrong_labels(facts)
    if wrong is not None:
        return wrong
    if facts.started_at is None and facts.ended_at is None:
        return _without_times(facts, evidence_class, at)
    return _with_times(facts, at)


def judge_training(facts: TrainingFacts, at: datetime) -> Judged | Rejection:
    for name, limit in (("name", 100), ("held_by", 100), ("content", 200)):
        wrong = _wrong_text(name, getattr(facts, name), limit)
        if wrong is not None:
            return wrong
    if facts.qualification is not None and not _LABEL.fullmatch(facts.qualification):
        return FieldIsWrong("qualification", "no_label")
    if not 1 <= facts.distinct <= MAX_DISTINCT:
        return FieldIsWrong("distinct", "out_of_range")
    wrong_figures = _wrong_figures(facts.occurred_on, facts.minutes, MOST_MINUTES, at)
    if wrong_figures is not None:
        return wrong_figures
    body = {
        "name": facts.name,
        "content": facts.content,
        "held_by": facts.held_by,
        "qualification": facts.qualification,
        "distinct": facts.distinct,
    }
    return Judged(facts.minutes, facts.occurred_on, facts.occurred_on, body)


def wrong_reference(name: str, value: str | None) -> FieldIsWrong | None:
    """References (evidence, decisions, other systems' ids) are opaque but bounded."""
    if value is None or _REF.fullmatch(value):
        return None
    return FieldIsWrong(name, "no_reference")


def wrong_label(name: str, value: str | None) -> FieldIsWrong | None:
    """Labels are what sums are told apart by."""
    if value is None or _LABEL.fullmatch(value):
        return None
    return FieldIsWrong(name, "no_label")


def _with_times(facts: ServiceFacts, at: datetime) -> Judged | Rejection:
    started_at, ended_at = facts.started_at, facts.ended_at
    if started_at is None or ended_at is None:
        return FieldIsWrong("started_at" if started_at is None else "ended_at", "missing")
    if started_at.microsecond or ended_at.microsecond:
        return FieldIsWrong("started_at", "not_whole_seconds")
    if local_day(started_at) < EARLIEST_DAY:
        return FieldIsWrong("started_at", "too_early")
    if facts.break_minutes < 0:
        return FieldIsWrong("break_minutes", "negative")
    if ended_at > at + CLOCK_TOLERANCE:
        return ServiceIsInTheFuture()
    minutes = times.whole_minutes(started_at, ended_at) - facts.break_minutes
    if facts.minutes is not None and facts.minutes != minutes and minutes > 0:
        return MinutesDisagree(minutes)
    if minutes <= 0:
        return MinutesAreNotPositive()
    if minutes > MOST_MINUTES:
        return MinutesAreTooMany(MOST_MINUTES)
    occurred_on = local_day(started_at)
    if facts.occurred_on is not None and facts.occurred_on != occurred_on:
        return FieldIsWrong("occurred_on", "not_the_day_of_started_at")
    days = times.by_day(started_at, ended_at, facts.break_minutes)
    return Judged(minutes, occurred_on, local_day(ended_at), _body(facts, days, occurred_on, 1))


def _without_times(facts: ServiceFacts, evidence_class: str, at: datetime) -> Judged | Rejection:
    if evidence_class not in WITHOUT_TIMES:
        return FieldIsWrong("started_at", "missing")
    if facts.occurred_on is None:
        return FieldIsWrong("occurred_on", "missing")
    if facts.minutes is None:
        return FieldIsWrong("minutes", "missing")
    if facts.break_minutes:
        return FieldIsWrong("break_minutes", "without_times")
    if not 1 <= facts.distinct <= MAX_DISTINCT:
        return FieldIsWrong("distinct", "out_of_range")
    most = MOST_LEGACY_MINUTES if evidence_class == "legacy" else MOST_MINUTES
    wrong = _wrong_figures(facts.occurred_on, facts.minutes, most, at)
    if wrong is not None:
        return wrong
    # A sum of an older system has no days, so it stands in no tier.
    days = {facts.occurred_on.isoformat(): facts.minutes} if facts.minutes <= MOST_MINUTES else {}
    body = _body(facts, days, facts.occurred_on, facts.distinct)
    return Judged(facts.minutes, facts.occurred_on, facts.occurred_on, body)


def _wrong_figures(day: date, minutes: int, most: int, at: datetime) -> Rejection | None:
    if day < EARLIEST_DAY:
        return FieldIsWrong("occurred_on", "too_early")
    if day > local_day(at):
        return ServiceIsInTheFuture()
    if minutes <= 0:
        return MinutesAreNotPositive()
    if minutes > most:
        return MinutesAreTooMany(most)
    return None


def _body(
    facts: ServiceFacts, days: Mapping[str, int], occurred_on: date, distinct: int
) -> dict[str, Any]:
    return {
        "project_name": facts.project_name,
        "activity_name": facts.activity_name,
        "category": facts.category,
        "field_code": facts.field_code,
        "programme": facts.programme,
        "started_at": wire(facts.started_at) if facts.started_at else None,
        "ended_at": wire(facts.ended_at) if facts.ended_at else None,
        "break_minutes": facts.break_minutes,
        "distinct": distinct,
        "minutes_by_day": dict(days),
        "place": {
            "region_code": facts.place.region_code,
            "region_as_of": occurred_on.isoformat(),
            "station_id": facts.place.station_id,
            "name": facts.place.name,
        },
        "content": facts.content,
        "service_object_groups": list(facts.service_object_groups),
        "responsible_person": facts.responsible_person,
        "lead_social_worker": facts.lead_social_worker,
    }


def _wrong_words(facts: ServiceFacts) -> Rejection | None:
    for name, value, limit in (
        ("activity_name", facts.activity_name, 100),
        ("project_name", facts.project_name, 100),
        ("programme", facts.programme, 100),
        ("content", facts.content, 200),
        ("place.name", facts.place.name, 100),
    ):
        wrong = _wrong_text(name, value, limit)
        if wrong is not None:
            return wrong
    return None


def _wrong_labels(facts: ServiceFacts) -> FieldIsWrong | None:
    if not _REGION.fullmatch(facts.place.region_code):
        return FieldIsWrong("place.region_code", "no_region_code")
    if facts.field_code is not None and not _LABEL.fullmatch(facts.field_code):
        return FieldIsWrong("field_code", "no_label")
    if len(facts.service_object_groups) > MAX_GROUPS:
        return FieldIsWrong("service_object_groups", "too_many")
    if not all(_LABEL.fullmatch(each) for each in facts.service_object_groups):
        # Groups of served people have labels, never names (R53).
        return FieldIsWrong("service_object_groups", "no_label")
    for name, value in (
        ("place.station_id", facts.place.station_id),
        ("responsible_person", facts.responsible_person),
        ("lead_social_worker", facts.lead_social_worker),
    ):
        wrong = wrong_reference(name, value)
        if wrong is not None:
            return wrong
    return None


def _wrong_text(name: str, value: str | None, limit: int) -> Rejection | None:
    flaw = None if value is None else text.flaw_of(value, limit)
    if flaw == "personal_data":
        return TextHoldsPersonalData(name)
    return None if flaw is None else FieldIsWrong(name, flaw)


def wrong_reason(reason: str, reserved: frozenset[str]) -> Rejection | None:
    """A reason is a code, or a code, ``: `` and a text; at most 200 characters (2.4)."""
    wrong = _wrong_text("reason", reason, 200)
    if wrong is not None:
        return wrong
    code = reason.partition(": ")[0]
    if not _LABEL.fullmatch(code) or code[0].isdigit() or "." in code or "-" in code:
        return FieldIsWrong("reason", "no_code")
    return FieldIsWrong("reason", "reserved") if code in reserved else None
