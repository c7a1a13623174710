"""How do states and versions stand as JSON in rows, and how do they come back?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from pydantic import TypeAdapter

from services.records.domain.dossiers import state as dossiers
from services.records.domain.dossiers.state import Absent
from services.records.domain.entries import Card, Version
from services.records.domain.heads import state_line
from services.records.domain.keeping import KeptOrganisation, KeptPolicy
from services.records.domain.overlap import interval
from services.records.domain.staging import state as stagings
from services.records.domain.staging.state import Unheard
from shared.postgres import Connection, by_columns

VERSION: TypeAdapter[Version] = TypeAdapter(Version)
_DOSSIER: TypeAdapter[dossiers.Row] = TypeAdapter(dossiers.Row)
_STAGING: TypeAdapter[stagings.Row] = TypeAdapter(stagings.Row)
_KEPT_ORGANISATION = TypeAdapter(KeptOrganisation)
_KEPT_POLICY = TypeAdapter(KeptPolicy)

# The columns of ``standing`` in their order.
STANDING_COLUMNS = (
    "log_id text, issuer text, entry_id text, ulid text, subject_id text, version int, kind text, "
    "state text, minutes bigint, counted bigint, shared bigint, occurred_on date, line text, "
    "standing jsonb, counting jsonb, started_at timestamptz, ended_at timestamptz, first_day date, "
    "last_day date, reduces_issuer text, reduces_entry_id text, organisation_id text, "
    "supervising_body_id text, region_code text, review_tier text, late boolean, due_on date"
)


def dossier_row(subject_id: str, row: Mapping[str, Any] | None) -> dossiers.Row:
    """The dossier of an aggregate's row; no row: nothing has been heard of it."""
    return Absent(subject_id=subject_id) if row is None else _DOSSIER.validate_python(row)


def dossier_json(row: dossiers.Row) -> Mapping[str, Any]:
    written: Mapping[str, Any] = _DOSSIER.dump_python(row, mode="json")
    return written


def staging_row(transfer_id: str, row: Mapping[str, Any] | None) -> stagings.Row:
    return Unheard(transfer_id=transfer_id) if row is None else _STAGING.validate_python(row)


def staging_json(row: stagings.Row) -> Mapping[str, Any]:
    written: Mapping[str, Any] = _STAGING.dump_python(row, mode="json")
    return written


def kept_organisation(row: Mapping[str, Any] | None) -> KeptOrganisation:
    return KeptOrganisation() if row is None else _KEPT_ORGANISATION.validate_python(row)


def kept_policy(row: Mapping[str, Any] | None) -> KeptPolicy:
    return KeptPolicy() if row is None else _KEPT_POLICY.validate_python(row)


def kept_json(kept: KeptOrganisation | KeptPolicy) -> Mapping[str, Any]:
    adapter: TypeAdapter[Any] = (
        _KEPT_ORGANISATION if isinstance(kept, KeptOrganisation) else _KEPT_POLICY
    )
    written: Mapping[str, Any] = adapter.dump_python(kept, mode="json")
    return written


def version_json(version: Version) -> str:
    """Without the body: it stands in ``entry_version``."""
    return VERSION.dump_json(replace(version, body=None)).decode("utf-8")


def card_of_row(standing: str, counting: str | None) -> Card:
    first = VERSION.validate_json(standing)
    return Card(first, first if counting is None else VERSION.validate_json(counting))


def standing_values(log_id: str, subject_id: str, card: Card, shared: int) -> tuple[Any, ...]:
    """A row of ``standing``, in the order of its columns."""
    one, counting = card.standing, card.counting
    spans = interval(card) is not None
    counts = one.kind == "service" and card.counted > 0 and bool(counting.minutes_by_day)
    days = sorted(counting.minutes_by_day) if counts else []
    recorder = (one.body or {}).get("detail", {}).get("recorder", {})
    supervising = recorder.get("supervising_body_id") if isinstance(recorder, Mapping) else None
    reduces = one.reduces or (None, None)
    return (
        log_id,
        one.issuer,
        one.entry_id,
        one.entry_id[-26:],
        subject_id,
        one.version,
        one.kind,
        one.state,
        one.minutes,
        card.counted,
        shared,
        one.occurred_on,
        state_line(one),
        version_json(one),
        None if counting is one else version_json(counting),
        counting.started_at if spans else None,
        counting.ended_at if spans else None,
        date.fromisoformat(days[0]) if days else None,
        date.fromisoformat(days[-1]) if days else None,
        *reduces,
        one.organisation_id,
        supervising if isinstance(supervising, str) else None,
        one.region_code,
        one.review_tier,
        one.late,
        one.due_on,
    )


async def put(connection: Connection, sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """One statement for all rows, as arrays; none where there is no row."""
    columns = by_columns(rows)
    if columns:
        await connection.execute(sql, *columns)
