"""Which entries does a list show, and to whom?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from services.records.domain import tiers
from services.records.domain.dossiers.state import Departed
from services.records.domain.knowledge import prefix_of
from services.records.edge.queries import Queries
from shared.messages import Actor
from shared.problems import field_is_wrong, not_found
from shared.requests import Page

STAFF: Final = ("recorder", "approver", "org_admin")
COLUMNS: Final = (
    "ulid, issuer, entry_id, subject_id, version, kind, state, minutes, counted, shared, "
    "occurred_on, organisation_id, region_code, review_tier, late, due_on"
)


@dataclass(frozen=True, slots=True)
class Sight:
    """What an actor may see of entries: all of a subject, or those of his bodies and regions.

    ``prefixes`` are region codes without their trailing zeros.
    """

    whole: bool
    organisations: tuple[str, ...]
    prefixes: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        return not (self.whole or self.organisations or self.prefixes)


def sight_of(actor: Actor, subject_id: str | None) -> Sight:
    """A volunteer sees her own dossier whole, an auditor every one, staff what is theirs."""
    own = subject_id is not None and actor.subject_id == subject_id and actor.has("volunteer")
    organisations = {each.organisation_id for each in actor.holding(*STAFF)}
    regions = {each.region for each in actor.holding(*tiers.REVIEWERS)}
    return Sight(
        whole=own or actor.has("auditor"),
        organisations=tuple(sorted(each for each in organisations if each)),
        prefixes=tuple(sorted(prefix_of(each) for each in regions if each)),
    )


def sees(sight: Sight, versions: Sequence[dict[str, Any]]) -> bool:
    """Whether this history may be shown: by what its newest version says of it."""
    if sight.whole or not versions:
        return bool(versions)
    detail = versions[-1]["signed"]["body"]["detail"]
    recorder = detail.get("recorder")
    recorder = recorder if isinstance(recorder, dict) else {}
    bodies = {recorder.get("organisation_id"), recorder.get("supervising_body_id")}
    if bodies & set(sight.organisations):
        return True
    content = detail.get("body")
    place = content.get("place") if isinstance(content, dict) else None
    region = place.get("region_code") if isinstance(place, dict) else None
    return isinstance(region, str) and region.startswith(sight.prefixes)


def visible(sight: Sight, first: int) -> tuple[str, list[list[str]]]:
    """The condition on ``standing AS s``, with its parameters from ``$first`` on.

    Only what applies stands in it, so that the lists of a body are found by their index.
    """
    if sight.whole:
        return "true", []
    ways: list[str] = []
    values: list[list[str]] = []
    if sight.organisations:
        values.append(list(sight.organisations))
        place = first + len(values) - 1
        ways.append(f"s.organisation_id = ANY (${place}::text[])")
        ways.append(f"s.supervising_body_id = ANY (${place}::text[])")
    if sight.prefixes:
        values.append([f"{each}%" for each in sight.prefixes])
        ways.append(f"s.region_code LIKE ANY (${first + len(values) - 1}::text[])")
    return (f"({' OR '.join(ways)})" if ways else "false"), values


async def entries_of(
    queries: Queries,
    subject_id: str,
    sight: Sight,
    asked: Page,
    *,
    state: str | None = None,
    kind: str | None = None,
    year: int | None = None,
    issuer: str | None = None,
) -> list[asyncpg.Record]:
    """Standing entries of a subject, newest first; 404 where the actor may see none of them."""
    if sight.nothing:
        raise not_found()
    beginning = after(asked, "~")
    async with queries.snapshot() as connection:
        row = await queries.present(connection, subject_id)
        seen, more = visible(sight, 2)
        if not sight.whole and not await connection.fetchval(
            f"SELECT true FROM standing AS s WHERE s.log_id = $1 AND {seen} LIMIT 1",
            row.log.log_id,
            *more,
        ):
            raise not_found()
        if isinstance(row, Departed):
            # What others recorded is at home elsewhere now; we keep what we issued.
            issuer = queries.node
        seen, more = visible(sight, 9)
        return await connection.fetch(
            f"""SELECT {COLUMNS} FROM standing AS s
                WHERE s.log_id = $1 AND {seen}
                  AND ($2::text IS NULL OR state = $2) AND ($3::text IS NULL OR kind = $3)
                  AND ($4::int IS NULL OR extract(year FROM occurred_on) = $4)
                  AND ($5::text IS NULL OR issuer = $5)
                  AND (ulid, issuer) < ($6, $7)
                ORDER BY ulid DESC, issuer DESC LIMIT $8""",
            row.log.log_id,
            state,
            kind,
            year,
            issuer,
            *beginning,
            asked.fetch,
            *more,
        )


def after(asked: Page, beginning: str) -> tuple[str, str]:
    """Where the page begins: ULID and issuer; a cursor of another list is a wrong field."""
    match asked.after:
        case None:
            return beginning, beginning
        case (str() as ulid, str() as issuer):
            return ulid, issuer
        case _:
            raise field_is_wrong("after", "not_a_cursor")
