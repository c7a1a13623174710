"""What do the GETs of rewards read? Its own tables, a page at a time."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, Final

import asyncpg

from services.rewards.domain.policies.model import in_force
from services.rewards.domain.standings.judging import (
    counts_as,
    missing_for_next,
    standing_stars,
)
from services.rewards.domain.standings.state import (
    Absent,
    Adopting,
    Departed,
    Frozen,
    Holdings,
    Home,
    View,
)
from services.rewards.edge.store import STANDING, RewardsDomain, standing_of
from shared.clock import Clock, local_day
from shared.postgres import Database
from shared.problems import field_is_wrong, not_found
from shared.requests import Page

# Below it a count could tell of a person; it is shown as null.
GROUP_MIN: Final = 10

_IN_REGIONS = """
    EXISTS (SELECT FROM unnest($1::text[]) AS r WHERE r = '*' OR region LIKE r || '%')
"""


class Queries:
    """Reads of this service. ``regions`` are codes without their trailing zeros, or ``*``."""

    def __init__(self, database: Database, domain: RewardsDomain, clock: Clock) -> None:
        self._database = database
        self._domain = domain
        self._clock = clock

    async def standing(self, subject_id: str) -> dict[str, Any]:
        """Minutes, level, what is missing for the next, and by which rule; 404 if unknown."""
        async with self._database.reading() as connection:
            row = await connection.fetchval(
                "SELECT state FROM aggregate WHERE kind = $1 AND id = $2", STANDING, subject_id
            )
            window = await self._domain.window(connection)
        view = View(standing=standing_of(None if row is None else json.loads(row)), window=window)
        if isinstance(view.standing, Absent):
            raise not_found()
        return _shown(view, subject_id, local_day(self._clock.now()))

    async def applications(
        self, regions: tuple[str, ...], asked: Page, stage: str | None, past_term: bool
    ) -> list[asyncpg.Record]:
        """Open applications, oldest first."""
        after = _after(asked, date.min.isoformat(), "", "")
        async with self._database.reading() as connection:
            return await connection.fetch(
                f"""SELECT subject_id, policy_id, policy_version, level, stage, authority, region,
                    basis_minutes, applied_on, due_on, publicised_until FROM application
                WHERE {_IN_REGIONS} AND (applied_on, subject_id, policy_id) > ($2::date, $3, $4)
                  AND ($5::text IS NULL OR stage = $5) AND (NOT $6 OR due_on < $7)
                ORDER BY applied_on, subject_id, policy_id LIMIT $8""",
                _prefixes(regions),
                _day(after[0]),
                str(after[1]),
                str(after[2]),
                stage,
                past_term,
                local_day(self._clock.now()),
                asked.fetch,
            )

    async def held_reviews(self, regions: tuple[str, ...], asked: Page) -> list[asyncpg.Record]:
        """Held stars under review, oldest first."""
        after = _after(asked, date.min.isoformat(), "", "")
        async with self._database.reading() as connection:
            return await connection.fetch(
                f"""SELECT subject_id, policy_id, level, cause, region, opened_on
                FROM held_star_review
                WHERE {_IN_REGIONS} AND (opened_on, subject_id, policy_id) > ($2::date, $3, $4)
                ORDER BY opened_on, subject_id, policy_id LIMIT $5""",
                _prefixes(regions),
                _day(after[0]),
                str(after[1]),
                str(after[2]),
                asked.fetch,
            )

    async def levels(self, policy_id: str, region: str) -> dict[str, Any]:
        """How many hold which level in a region; groups below ten are not told."""
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                f"""SELECT level, count(*) AS people FROM standing
                WHERE {_IN_REGIONS} AND policy_id = $2 GROUP BY level ORDER BY level""",
                _prefixes((region,)),
                policy_id,
            )
        return {
            "policy_id": policy_id,
            "region": region,
            "levels": [
                {
                    "level": row["level"],
                    "people": row["people"] if row["people"] >= GROUP_MIN else None,
                }
                for row in rows
            ],
        }

    async def policies(self, asked: Page) -> list[asyncpg.Record]:
        """Every version kept, in order of id and version."""
        after = _after(asked, "", 0)
        async with self._database.reading() as connection:
            return await connection.fetch(
                """SELECT policy_id, version, effective_from FROM star_policy
                WHERE (policy_id, version) > ($1, $2::int) ORDER BY policy_id, version LIMIT $3""",
                str(after[0]),
                int(after[1]),
                asked.fetch,
            )


def _after(asked: Page, *beginning: str | int) -> tuple[str | int, ...]:
    """The position to go on from; a cursor of another list is a wrong field."""
    if asked.after is None:
        return beginning
    if [type(part) for part in asked.after] != [type(part) for part in beginning]:
        raise field_is_wrong("after", "not_a_cursor")
    if any(isinstance(part, int) and not 0 <= part < 2**31 for part in asked.after):
        raise field_is_wrong("after", "not_a_cursor")
    return asked.after


def _day(text: str | int) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise field_is_wrong("after", "not_a_cursor") from None


def _prefixes(regions: tuple[str, ...]) -> list[str]:
    return [code if code == "*" else _prefix(code) for code in regions]


def _prefix(code: str) -> str:
    while code.endswith("00"):
        code = code[:-2]
    return code


def _shown(view: View, subject_id: str, day: date) -> dict[str, Any]:
    standing = view.standing
    shown: dict[str, Any] = {
        "subject_id": subject_id,
        "status": standing.status,
        "region": view.region(),
    }
    match standing:
        case Departed(home=home):
            return shown | {"home": home}
        case Adopting():
            return shown
        case Home(holdings=holdings, person=person) | Frozen(holdings=holdings, person=person):
            since = person.first_registered_on
            return shown | {
                "claimed": person.claimed,
                "first_registered_on": since.isoformat() if since else None,
                "policies": [
                    _under(view, policy.policy_id, holdings, day)
                    for policy in in_force(view.window.policies, day, view.region())
                ],
                "stars": [
                    {
                        "issuer": star.issuer,
                        "own": star.own,
                        "entry_id": star.entry_id,
                        "level": star.level,
                        "policy_id": star.policy_id,
                        "policy_version": star.policy_version,
                        "basis_minutes": star.basis_minutes,
                        "awarded_on": star.occurred_on.isoformat(),
                        "award_mode": star.award_mode,
                    }
                    for star in standing_stars(holdings.stars)
                    if star.level > 0
                ],
            }
        case _:
            return shown


def _under(view: View, policy_id: str, holdings: Holdings, day: date) -> dict[str, Any]:
    policy = next(
        one
        for one in in_force(view.window.policies, day, view.region())
        if one.policy_id == policy_id
    )
    following, missing, held = missing_for_next(policy, holdings, day)
    known = holdings.standings.get(policy_id)
    application = holdings.application(policy_id)
    return {
        "policy_id": policy_id,
        "policy_version": policy.version,
        "level": held,
        "level_name": _name(policy.level(held)),
        "eligible_minutes": known.eligible_minutes if known else 0,
        "next_level": following.level if following else None,
        "next_level_name": _name(following),
        "next_level_minutes": following.minutes_min if following else None,
        "missing_minutes": missing if following else None,
        "award_mode": following.award_mode if following else None,
        "review_open": bool(known and known.review),
        "recognised": [
            {"issuer": star.issuer, "level": star.level, "counts_as_level": counts_as(policy, star)}
            for star in standing_stars(holdings.stars)
            if not star.own and star.level > 0
        ],
        "application": application
        and {
            "level": application.level,
            "stage": application.stage,
            "applied_on": application.applied_on.isoformat(),
            "due_on": application.due_on.isoformat() if application.due_on else None,
            "publicised_until": application.publicised_until.isoformat()
            if application.publicised_until
            else None,
        },
    }


def _name(level: Any) -> str | None:
    return level.name if level else None
