"""Is this fact recorded already? (R15, domain.md 3.2: same fact)

Each entry that this city issued claims its fact, and its source id; rejection and revocation free
them. Keys are digests, so that a long name makes no long key and nothing can be read from one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from services.records.domain.dossiers.commands import BatchRow, ServiceFacts, Source, TrainingFacts
from services.records.domain.dossiers.state import Claim
from services.records.domain.rejections import FieldIsWrong, SameFactExists
from services.records.domain.text import normal_name
from shared.canonical import digest
from shared.clock import wire

# A key is asked for when a command is reached for, read for and decided: those of two pages of an
# import are remembered in between.
KEYS_REMEMBERED: Final = 1_024


def service_key(organisation_id: str, subject_id: str, facts: ServiceFacts) -> str:
    """(organisation, activity, subject, start), or with minutes only (…, day, ``distinct``)."""
    when = (
        wire(facts.started_at)
        if facts.started_at is not None
        else f"{_iso(facts.occurred_on)}#{facts.distinct}"
    )
    return _key("service", organisation_id, subject_id, facts.activity_name, when)


def training_key(organisation_id: str, subject_id: str, facts: TrainingFacts) -> str:
    """Likewise by its name."""
    when = f"{_iso(facts.occurred_on)}#{facts.distinct}"
    return _key("training", organisation_id, subject_id, facts.name, when)


def source_key(organisation_id: str, source: Source) -> str:
    """One fact of another system, per recorder organisation and whoever it is about."""
    return _source_key(organisation_id, source.system, source.id)


@lru_cache(maxsize=KEYS_REMEMBERED)
def _key(kind: str, organisation_id: str, subject_id: str, name: str, when: str) -> str:
    return digest([kind, organisation_id, subject_id, normal_name(name), when])


@lru_cache(maxsize=KEYS_REMEMBERED)
def _source_key(organisation_id: str, system: str, id: str) -> str:
    return digest(["source", organisation_id, system, id])


def content_digest(body: Mapping[str, Any]) -> str:
    """What an entry says, source and ways of recording aside."""
    return digest(
        {
            "kind": body["kind"],
            "minutes": body["minutes"],
            "occurred_on": body["occurred_on"],
            "body": body["detail"]["body"],
        }
    )


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same fact with the same content: silence. The entry that stands for it."""

    entry_id: str


def look_up(
    keys: tuple[str, ...],
    source: str | None,
    claims: Mapping[str, Claim],
    subject_id: str,
    content: str,
    batch: BatchRow | None,
) -> Repeat | SameFactExists | FieldIsWrong | None:
    """Whether the fact is new (None), a repeat, or stands with other content.

    ``keys``: the natural key and the source's; ``source``: the latter.
    """
    for key in keys:
        claim = claims.get(key)
        if claim is None:
            continue
        if key == source and claim.subject_id != subject_id:
            return FieldIsWrong("source.id", "taken_for_another_subject")
        one_sheet = batch is not None and claim.batch_id == batch.batch_id
        if one_sheet and batch is not None and claim.row_no != batch.row_no:
            # Inside one sheet nothing is silent: two rows alike are asked about.
            return SameFactExists(claim.entry_id, claim.row_no)
        if claim.content != content:
            return SameFactExists(claim.entry_id)
        return Repeat(claim.entry_id)
    return None


def _iso(day: date | datetime | None) -> str:
    return "" if day is None else day.isoformat()
