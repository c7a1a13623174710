"""What does a star policy say, and which version judges a given day?

Only the keys that a first release evaluates are read; registry has validated the whole document
before it was published. Minutes are whole; days are local days in Asia/Shanghai.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

AwardMode = Literal["application", "nomination", "selection", "automatic"]
Authority = Literal["county", "city", "province"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """One star level: its number, its statutory name, the minutes it asks for, who decides it."""

    level: int
    name: str
    minutes_min: int
    authority: Authority
    award_mode: AwardMode
    tenure_days_min: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """When one may apply: always, or yearly between two days (``MM-DD``, both included)."""

    kind: Literal["always", "yearly"]
    opens: str | None = None
    closes: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StarPolicy:
    """One version of a star policy (星级认定办法), as it was in force from a day on."""

    policy_id: str
    version: int
    jurisdiction: tuple[str, ...]
    effective_from: date
    effective_to: date | None
    measure: Literal["cumulative_minutes", "annual_minutes"]
    evidence_classes: tuple[str, ...] | None
    exclude_categories: tuple[str, ...]
    source_systems: tuple[str, ...] | None
    levels: tuple[Level, ...]
    strict_sequence: bool
    one_level_per_decision: bool
    window: Window
    review_working_days_max: int | None
    publicity_days: int
    demotion_on_revocation: Literal["review", "never"]
    recognises_stars: bool
    counts_minutes_of_other_cities: bool

    def level(self, number: int) -> Level | None:
        """The level of this number, if this policy has it."""
        return next((level for level in self.levels if level.level == number), None)

    def reached(self, minutes: int) -> int:
        """The highest level whose threshold is met (R45: at least, on whole minutes); 0: none."""
        return max((one.level for one in self.levels if one.minutes_min <= minutes), default=0)

    def holds(self, region: str) -> bool:
        """Whether this policy's jurisdiction holds a region code, subtree included."""
        return any(region_holds(code, region) for code in self.jurisdiction)


def region_holds(code: str, region: str) -> bool:
    """Whether a GB/T 2260 code holds another by prefix; ``*`` holds every one.

    >>> region_holds("500000", "500103"), region_holds("510100", "510000")
    (True, False)
    """
    if code == "*":
        return True
    prefix = code
    while prefix.endswith("00"):
        prefix = prefix[:-2]
    return region.startswith(prefix)


def in_force(policies: Iterable[StarPolicy], day: date, region: str) -> tuple[StarPolicy, ...]:
    """Of each star policy whose jurisdiction holds the region, the version that judges the day.

    Star policies stand side by side; of one id the version with the greatest ``effective_from``
    not after the day decides (R48). Ordered by policy id, so that every reader sees one order.
    """
    chosen: dict[str, StarPolicy] = {}
    for policy in policies:
        if policy.effective_from > day or not policy.holds(region):
            continue
        former = chosen.get(policy.policy_id)
        if former is None or _rank(policy) > _rank(former):
            chosen[policy.policy_id] = policy
    return tuple(
        policy
        for _, policy in sorted(chosen.items())
        if policy.effective_to is None or day <= policy.effective_to
    )


def _rank(policy: StarPolicy) -> tuple[date, int]:
    return policy.effective_from, policy.version


class NotSupported(Exception):
    """A published policy uses a key that this release does not evaluate; ``path`` names it.

    To judge by half a policy would be worse than not to judge: the policy is not kept.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def from_content(content: Mapping[str, Any]) -> StarPolicy:
    """Reads a published policy document.

    Raises ``NotSupported`` for what a first release leaves out, ``KeyError``, ``TypeError`` or
    ``ValueError`` for a document that registry would not have published.
    """
    _refuse_what_is_not_evaluated(content)
    basis, recognition, window = content["basis"], content["recognition"], content["window"]
    default_mode = content["award_mode"]["default"]
    return StarPolicy(
        policy_id=content["policy_id"],
        version=int(content["version"]),
        jurisdiction=tuple(content["jurisdiction"]),
        effective_from=date.fromisoformat(str(content["effective_from"])),
        effective_to=_day(content.get("effective_to")),
        measure=basis["measure"],
        evidence_classes=_choice(basis["evidence_classes"]),
        exclude_categories=tuple(basis.get("exclude_categories", ())),
        source_systems=_choice(basis["source_systems"]),
        levels=tuple(
            Level(
                level=int(one["level"]),
                name=one["name"],
                minutes_min=int(one["minutes_min"]),
                authority=one["authority"],
                award_mode=one.get("award_mode", default_mode),
                tenure_days_min=int(one.get("tenure_days_min") or 0),
            )
            for one in content["levels"]
        ),
        strict_sequence=bool(content["sequence"]["strict"]),
        one_level_per_decision=bool(content["sequence"]["one_level_per_decision"]),
        window=Window(kind=window["kind"], opens=window.get("from"), closes=window.get("to")),
        review_working_days_max=content["review"].get("working_days_max"),
        publicity_days=int(content["publicity"]["days"]),
        demotion_on_revocation=content["demotion"]["on_revocation"],
        recognises_stars=recognition["stars_of_other_cities"] == "as_recognised",
        counts_minutes_of_other_cities=bool(recognition["count_minutes_of_other_cities"]),
    )


def _refuse_what_is_not_evaluated(content: Mapping[str, Any]) -> None:
    basis, quality, review = content["basis"], content["quality"], content["review"]
    for path, evaluated in (
        ("basis.kinds", basis["kinds"] == ["service"]),
        ("basis.subtract_redeemed", basis["subtract_redeemed"] is False),
        ("basis.cutoff", basis.get("cutoff") is None),
        ("window.kind", content["window"]["kind"] in ("always", "yearly")),
        ("publicity.day_kind", content["publicity"]["day_kind"] == "calendar"),
        ("demotion.on_revocation", content["demotion"]["on_revocation"] in ("review", "never")),
        ("demotion.on_redemption", content["demotion"]["on_redemption"] == "never"),
        ("validity.years", content["validity"]["years"] is None),
        ("violations", not content.get("violations")),
        ("quality.reviewer_attests_conduct", not quality.get("reviewer_attests_conduct")),
        ("review.steps", not review.get("steps")),
        ("review.first_body", not review.get("first_body")),
    ):
        if not evaluated:
            raise NotSupported(path)
    for level in content["levels"]:
        for key in ("points_min", "category_minutes", "quality_min_hundredths"):
            if level.get(key):
                raise NotSupported(f"levels.{key}")
        if level["authority"] not in ("county", "city", "province"):
            raise NotSupported("levels.authority")
        if int(level["level"]) > 5:
            raise NotSupported("levels.level")


def _day(value: Any) -> date | None:
    return None if value is None else date.fromisoformat(str(value))


def _choice(value: Any) -> tuple[str, ...] | None:
    return None if value == "all" else tuple(value)
