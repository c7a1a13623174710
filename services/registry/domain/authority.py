"""Where may this actor act? Roles reach as far as their region or organisation."""

from __future__ import annotations

from services.registry.domain.regions import holds, narrowness
from shared.messages import Actor

# From county up: what a county may do, a city or province may do in its region too.
REVIEWERS = ("county_reviewer", "city_reviewer", "province_reviewer")
PROVISION = "system:provision"


def reviews(actor: Actor, region: str, *, roles: tuple[str, ...] = REVIEWERS) -> bool:
    """Whether a reviewer's region holds the place; a reviewer without a region reviews nowhere."""
    return any(grant.region and holds(grant.region, region) for grant in actor.holding(*roles))


def governs(actor: Actor, jurisdiction: tuple[str, ...]) -> bool:
    """Whether a city's (or province's) reviewer may make rules for all these places.

    ``"*"`` means wherever this node's rules reach: any city reviewer may speak of it.
    """
    grants = [
        grant
        for grant in actor.holding("city_reviewer", "province_reviewer")
        if grant.region and narrowness(grant.region) <= 2
    ]
    return bool(grants) and all(
        place == "*" or any(holds(str(grant.region), place) for grant in grants)
        for place in jurisdiction
    )


def administers(actor: Actor, organisation_id: str | None) -> bool:
    """Whether the actor is an administrator of this very organisation."""
    return organisation_id is not None and any(
        grant.organisation_id == organisation_id for grant in actor.holding("org_admin")
    )


def is_system(actor: Actor) -> bool:
    """A job or a policy of this service."""
    return actor.has("system")
