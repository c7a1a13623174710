"""Is the content of a policy document what its kind asks for? (domain.md 7)

The models are the data model of the five kinds of the first slice: every key, its options, and
what must hold between keys. The first fault gives the path.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from services.registry.domain.policies.commands import Document
from services.registry.domain.rejections import ContentIsInvalid
from services.registry.edge.star_model import (
    Code,
    Codes,
    Days,
    PolicyDocument,
    StarDocument,
    Strict,
)
from shared.canonical import NotCanonical, canonical

MAX_CONTENT_BYTES: Final = 200 * 1024

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
