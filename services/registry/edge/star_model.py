"""Is this a star policy? Every key with its options, and what must hold between keys (7.1).

Here too stands what every policy document says of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.registry.domain.regions import is_region

MonthDay = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
Minutes = Annotated[int, Field(ge=0, le=100_000_000)]
Days = Annotated[int, Field(ge=0, le=36_500)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Codes = Annotated[tuple[Code, ...], Field(max_length=100)]
Texts = Annotated[tuple[Text, ...], Field(max_length=100)]


class Strict(BaseModel):
    """Nothing but the named keys: a misspelt one must not be passed over. "6000" is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PolicyDocument(Strict):
    """What every policy says of itself."""

    policy_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,63}$")]
    version: Annotated[int, Field(ge=1, le=100_000, strict=True)]
    jurisdiction: Annotated[tuple[str, ...], Field(min_length=1, max_length=500)]
    effective_from: date
    effective_to: date | None = None
    correction: bool = False
    source: Annotated[str, Field(max_length=1000)] = ""
    unverified: Texts = ()

    @model_validator(mode="after")
    def _places(self) -> Self:
        if not all(place == "*" or is_region(place) for place in self.jurisdiction):
            raise ValueError("jurisdiction")
        if self.effective_to is not None and self.effective_to < self.effective_from:
            raise ValueError("effective_to")
        return self


class Cutoff(Strict):
    month_day: MonthDay


class Basis(Strict):
    measure: Literal["cumulative_minutes", "annual_minutes"]
    kinds: Annotated[tuple[Literal["service"], ...], Field(min_length=1)]
    evidence_classes: Literal["all"] | Codes
    exclude_categories: Codes
    source_systems: Literal["all"] | Texts
    subtract_redeemed: bool
    rounding: Literal["none"]
    cutoff: Cutoff | None = None
    year: Literal["calendar"] | None = None


class CategoryMinutes(Strict):
    field_code: Code
    minutes_min: Minutes


AwardMode = Literal["application", "nomination", "selection", "automatic"]


class Level(Strict):
    level: Annotated[int, Field(ge=1, le=20)]
    name: Text
    minutes_min: Annotated[int, Field(ge=1, le=100_000_000)]
    authority: Literal["county", "city", "province", "unit", "community"]
    tenure_days_min: Days | None = None
    points_min: Annotated[int, Field(ge=0)] | None = None
    category_minutes: Annotated[tuple[CategoryMinutes, ...], Field(max_length=20)] = ()
    quality_min_hundredths: Annotated[int, Field(ge=0, le=10_000)] | None = None
    award_mode: AwardMode | None = None


class DefaultMode(Strict):
    default: AwardMode


class Sequence(Strict):
    strict: bool
    one_level_per_decision: bool


class Quality(Strict):
    no_open_dispute_on_needed_minutes: bool
    no_sanction_in_force: bool
    reviewer_attests_conduct: bool = False


class Always(Strict):
    kind: Literal["always"]


class Yearly(Strict):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["yearly"]
    from_: Annotated[MonthDay, Field(alias="from")]
    to: MonthDay


class Rounds(Strict):
    kind: Literal["rounds"]
    report_by: Annotated[tuple[MonthDay, ...], Field(min_length=1, max_length=24)]
    levels: Annotated[tuple[int, ...], Field(min_length=1, max_length=20)]


class Review(Strict):
    working_days_max: Days
    # A human decides stars (PIPL Art 24): there is no switch for it.
    human_required: Literal[True]
    steps: Codes = ()
    first_body: Code | None = None


class Publicity(Strict):
    days: Days
    day_kind: Literal["calendar", "working"]
    masked: bool


class Demotion(Strict):
    on_revocation: Literal["review", "demote"]
    on_redemption: Literal["never", "review", "demote"]


class Recognition(Strict):
    stars_of_other_cities: Literal["as_recognised", "not_recognised"]
    lower_on_move: Literal[False]
    count_minutes_of_other_cities: bool
    tenure_from: Literal["original_registration", "local_registration"]


class Validity(Strict):
    years: Annotated[int, Field(ge=1, le=100)] | None


class Reapply(Strict):
    same_level_again: Literal["refused", "after_demotion_only", "each_year"]
    after_refusal_days: Days


class Violation(Strict):
    no_shows_min: int | None = None
    or_malicious_min: int | None = None
    points_at_or_below: int | None = None
    effect: Codes
    keep: Codes


class HalfHours(Strict):
    to_zero_up_to_minutes: Minutes
    to_half_up_to_minutes: Minutes
    to_one_up_to_minutes: Minutes


class Presentation(Strict):
    half_hours: HalfHours | None = None


class StarDocument(PolicyDocument):
    """Star levels by credited minutes (7.1)."""

    kind: Literal["star"]
    basis: Basis
    levels: Annotated[tuple[Level, ...], Field(min_length=1, max_length=20)]
    award_mode: DefaultMode
    sequence: Sequence
    quality: Quality
    window: Annotated[Always | Yearly | Rounds, Field(discriminator="kind")]
    review: Review
    publicity: Publicity
    demotion: Demotion
    recognition: Recognition
    validity: Validity
    reapply: Reapply
    violations: Annotated[tuple[Violation, ...], Field(max_length=20)] = ()
    presentation: Presentation | None = None
    strict_original: Mapping[str, Any] | None = None

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        if [each.level for each in self.levels] != list(range(1, len(self.levels) + 1)):
            raise ValueError("levels")
        if any(one.minutes_min >= two.minutes_min for one, two in pairwise(self.levels)):
            raise ValueError("levels")
        if (self.basis.measure == "annual_minutes") != (self.basis.year is not None):
            raise ValueError("basis.year")
        return self
