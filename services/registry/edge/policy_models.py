"""Is the content of a policy document what its kind asks for? (domain.md 7)

The models are the data model of the five kinds of the first slice: every key, its options, and
what must hold between keys. The first fault gives the path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from services.registry.domain.policies.commands import Document
from services.registry.domain.regions import is_region
from services.registry.domain.rejections import ContentIsInvalid
from shared.canonical import NotCanonical, canonical

MAX_CONTENT_BYTES: Final = 200 * 1024

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


# -- star ----------------------------------------------------------------------------------------


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


# -- recording -----------------------------------------------------------------------------------


class WorkingDays(Strict):
    working_days: Days


class Tier(Strict):
    to: Annotated[int, Field(ge=1, le=1440)] | None
    body: Literal["recorder", "parent_organisation", "higher_authority"]


class Supplement(Strict):
    within_planned_duration: bool
    evidence: Literal["required", "optional"]
    loss_of_right_days: Days


class CheckIn(Strict):
    pairs_per_session_day_max: Annotated[int, Field(ge=1, le=100)]
    radius_m: Annotated[int, Field(ge=10, le=100_000)]
    outside: Literal["accept_and_flag", "refuse"]


class RecordingDocument(PolicyDocument):
    """How service is recorded and approved (7.2)."""

    kind: Literal["recording"]
    # Order 67 Art 11: law, not to be lengthened.
    record_within_working_days: Annotated[int, Field(ge=1, le=10)]
    count_start_day: bool
    term_runs_from: Literal["session_end", "activity_end"]
    publicity_before_approval: WorkingDays
    day_tiers: Annotated[tuple[Tier, ...], Field(min_length=1, max_length=10)]
    supplement: Supplement
    check_in: CheckIn
    # R19: nobody approves own hours; there is no switch for the opposite.
    approver_may_be_recorded_by: Literal[False]
    complaint_entries: bool

    @model_validator(mode="after")
    def _tiers(self) -> Self:
        bounds = [tier.to for tier in self.day_tiers]
        inner = [bound for bound in bounds[:-1] if bound is not None]
        if bounds[-1] is not None or len(inner) != len(bounds) - 1 or inner != sorted(set(inner)):
            raise ValueError("day_tiers")
        return self


# -- minors, transfer pairs, consent texts -------------------------------------------------------


class MinorsDocument(PolicyDocument):
    """What holds for people under 18 (7.2)."""

    kind: Literal["minors"]
    guardian: Literal["consent", "consent_or_accompaniment", "none"]
    min_age_years: Annotated[int, Field(ge=1, le=18)] | None
    barred_fields: Codes
    # PIPL Art 31: law, not to be lowered.
    data_consent_under_years: Annotated[int, Field(ge=14, le=18)]
    public_lists: bool


class Ceilings(Strict):
    origin_agree: Annotated[int, Field(ge=1, le=60)]
    origin_send: Annotated[int, Field(ge=1, le=60)]
    destination_settle: Annotated[int, Field(ge=1, le=60)]


class TransferPairDocument(PolicyDocument):
    """Terms of moves between two cities (7.2)."""

    kind: Literal["transfer_pair"]
    review_target_working_days: Annotated[int, Field(ge=1, le=60)]
    ceilings_working_days: Ceilings
    cooling_off_days: Days
    late_change_window_days: Days
    balances: Literal["stay"]
    sanctions: bool
    complaint_entries: bool
    donation_entries: bool


class Wording(Strict):
    zh: Annotated[str, Field(min_length=1, max_length=20_000)]
    en: Annotated[str, Field(min_length=1, max_length=20_000)]


class ConsentTextDocument(PolicyDocument):
    """A text to which a person agrees; ``policy_id`` is the text's id (7.2)."""

    kind: Literal["consent_text"]
    purpose: Code
    texts: Wording


AnyDocument = Annotated[
    StarDocument | RecordingDocument | MinorsDocument | TransferPairDocument | ConsentTextDocument,
    Field(discriminator="kind"),
]
_ANY: TypeAdapter[PolicyDocument] = TypeAdapter(AnyDocument)


def judge(content: Mapping[str, Any]) -> Document | ContentIsInvalid:
    """The document as a command takes it, or the path of its first fault."""
    text = json.dumps(content, ensure_ascii=False).encode("utf-8")
    if len(text) > MAX_CONTENT_BYTES:
        return ContentIsInvalid("", "larger_than_200_kib")
    try:
        canonical(content)
        checked = _ANY.validate_json(text)
    except NotCanonical:
        return ContentIsInvalid("", "number_is_no_whole_number")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return ContentIsInvalid(_path(first), str(first["type"]))
    return Document(
        policy_id=checked.policy_id,
        version=checked.version,
        kind=checked.kind,  # type: ignore[attr-defined]
        jurisdiction=checked.jurisdiction,
        effective_from=checked.effective_from,
        correction=checked.correction,
        source=checked.source,
        content=content,
    )


def _path(fault: Mapping[str, Any]) -> str:
    # The first part is the kind, by which the model was chosen.
    parts = [str(part) for part in fault["loc"][1:] if part != "from_"]
    if fault["type"] == "value_error":
        parts.append(str(fault["ctx"]["error"]))
    elif fault["type"].startswith("union_tag"):
        parts.append("kind")
    elif fault["type"] == "extra_forbidden":
        # The name of an unknown member is the caller's own word.
        parts = parts[:-1]
    return ".".join(parts)
