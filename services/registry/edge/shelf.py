"""Which policies hold on a day, at a place, and what do they say of a person there?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.registry.domain.consents import Rules, TextInForce
from services.registry.domain.policies.decider import Published, in_force
from services.registry.domain.policies.events import PolicyKind
from services.registry.domain.regions import is_region
from shared.postgres import Connection

_VERSIONS = """
    SELECT DISTINCT ON (policy_id) policy_id, version, kind, jurisdiction, effective_from,
        correction, source, content, published_at
    FROM policy_version
    WHERE kind = ANY ($1::text[]) AND effective_from <= $2
    ORDER BY policy_id, effective_from DESC, version DESC
"""
KINDS: tuple[PolicyKind, ...] = ("star", "recording", "minors", "transfer_pair", "consent_text")


@dataclass(frozen=True, slots=True)
class Held:
    """A version in force, with its document."""

    published: Published
    correction: bool
    source: str
    content: dict[str, Any]
    published_at: datetime


async def held(
    connection: Connection, kinds: Sequence[PolicyKind], day: date, place: str
) -> list[Held]:
    """The versions of these kinds that hold there that day; the narrowest jurisdiction first."""
    found = {}
    for row in await connection.fetch(_VERSIONS, list(kinds), day):
        published = Published(
            row["policy_id"],
            row["version"],
            row["kind"],
            tuple(row["jurisdiction"]),
            row["effective_from"],
        )
        found[published] = Held(
            published,
            row["correction"],
            row["source"],
            json.loads(row["content"]),
            row["published_at"],
        )
    return [found[each] for each in in_force(found, day, place)]


async def rules(connection: Connection, day: date, residence_region: str, node: str) -> Rules:
    """What the policies say of a person of that region; unknown: of the node's own code.

    Of one kind the narrowest decides; of consent texts one a purpose (domain.md 7).
    """
    place = residence_region if is_region(residence_region) else node
    texts: dict[str, TextInForce] = {}
    minors: dict[str, Any] | None = None
    for each in await held(connection, ("minors", "consent_text"), day, place):
        if each.published.kind == "minors":
            minors = minors or each.content
            continue
        purpose = each.content["purpose"]
        text = TextInForce(each.published.policy_id, each.published.version, purpose)
        texts.setdefault(purpose, text)
    if minors is None:
        return Rules(texts=tuple(texts.values()))
    return Rules(
        texts=tuple(texts.values()),
        guardian=minors["guardian"],
        child_under_years=minors["data_consent_under_years"],
        min_age_years=minors["min_age_years"],
    )
