"""What does one version of an entry say, and what does an entry count for?

A version is a signed body (protocol.md 3.1). Of a body made elsewhere only what sums need is read,
and never trusted to have a shape: what does not fit is as if it were absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from shared.clock import read
from shared.messages import Unreadable

# (issuer, entry_id): an entry, whatever its version.
EntryKey = tuple[str, str]

KINDS: Final = (
    "service",
    "training",
    "commendation",
    "evaluation",
    "star",
    "complaint",
    "consumption",
    "donation",
    "adjustment",
)
STATES: Final = ("pending", "publicised", "approved", "rejected", "disputed", "revoked")
# More days than this no service of at most 1,440 minutes has; breaks come off the last one first.
MAX_DAYS: Final = 7
# Only a city that is or was home issues these (TR-412).
HOME_KINDS: Final = frozenset({"star", "consumption", "adjustment"})

_LABEL = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}", re.ASCII)
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}", re.ASCII)
_REGION = re.compile(r"[0-9]{6}", re.ASCII)
_REASON_CODE = re.compile(r"([a-z][a-z0-9_]{0,39})(: .*)?", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """By what a policy may choose minutes (domain.md 3.0); ``own``: this node issued it."""

    year: int
    category: str | None
    evidence_class: str | None
    source_system: str | None
    field_code: str | None
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version as decisions, sums and events need it.

    ``started_at`` and ``ended_at`` are both known or both None (2.4). ``labels`` are the members
    of the fact summary that only its kind has. ``body`` is the whole signed body where it was
    loaded, None where only sums are at stake.
    """

    issuer: str
    entry_id: str
    version: int
    kind: str
    state: str
    minutes: int
    counted_minutes: int
    occurred_on: date
    digest: str
    category: str | None
    evidence_class: str | None
    source_system: str | None
    field_code: str | None
    organisation_id: str | None
    region_code: str | None
    late: bool | None
    due_on: date | None
    review_tier: str | None
    reason_code: str | None
    started_at: datetime | None
    ended_at: datetime | None
    minutes_by_day: Mapping[str, int]
    reduces: EntryKey | None
    labels: Mapping[str, Any]
    body: Mapping[str, Any] | None = None

    @property
    def key(self) -> EntryKey:
        return (self.issuer, self.entry_id)

    def cell(self, node: str) -> Cell:
        """The cell of a service entry's minutes as this node sees it."""
        return Cell(
            year=self.occurred_on.year,
            category=self.category,
            evidence_class=self.evidence_class,
            source_system=self.source_system,
            field_code=self.field_code,
            own=self.issuer == node,
        )


@dataclass(frozen=True, slots=True)
class Card:
    """An entry: the version that stands, and the one from which times, days and cell are taken."""

    standing: Version
    counting: Version

    @property
    def key(self) -> EntryKey:
        return self.standing.key

    @property
    def counted(self) -> int:
        return self.standing.counted_minutes

    @property
    def order(self) -> tuple[str, str]:
        """Overlap is taken off in this order: the ULID, ties by issuer (as bytes, all ASCII)."""
        return (self.standing.entry_id[-26:], self.standing.issuer)


def card_of(versions: Iterable[Version]) -> Card:
    """The entry that these versions make; the order in which they came does not matter.

    What counts has the times, days and cell of the highest approved version, so a correction that
    waits moves nothing; where none was approved, those of the version that stands.
    """
    known = sorted(versions, key=lambda each: each.version)
    approved = [each for each in known if each.state == "approved"]
    return Card(known[-1], approved[-1] if approved else known[-1])


def read_body(body: Mapping[str, Any], digest: str) -> Version:
    """The version of a body that has passed the form of protocol.md 3.1."""
    detail = body["detail"]
    content = _object(detail, "body")
    kind = body["kind"]
    started_at, ended_at = _interval(content) if kind == "service" else (None, None)
    return Version(
        issuer=body["issuer"],
        entry_id=body["entry_id"],
        version=body["version"],
        kind=kind,
        state=body["state"],
        minutes=body["minutes"],
        counted_minutes=body["counted_minutes"],
        occurred_on=date.fromisoformat(body["occurred_on"]),
        digest=digest,
        category=_fitting(_LABEL, content.get("category")),
        evidence_class=_fitting(_LABEL, detail.get("evidence_class")),
        source_system=_fitting(_LABEL, _object(detail, "source").get("system")),
        field_code=_fitting(_LABEL, content.get("field_code")),
        organisation_id=_fitting(_REF, _object(detail, "recorder").get("organisation_id")),
        region_code=_fitting(_REGION, _object(content, "place").get("region_code")),
        late=_one_of(bool, detail.get("late")),
        due_on=_day(detail.get("due_on")),
        review_tier=_fitting(_LABEL, detail.get("review_tier")),
        reason_code=reason_code(body["reason"]),
        started_at=started_at,
        ended_at=ended_at,
        minutes_by_day=_days(body, content),
        reduces=_reduces(content) if kind == "adjustment" else None,
        labels=_labels(kind, detail, content),
        body=body,
    )


def reason_code(reason: str | None) -> str | None:
    """The code before the text of a reason; None where it is no code. Texts go on no topic."""
    match = _REASON_CODE.fullmatch(reason) if reason else None
    return match[1] if match else None


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, Mapping) else {}


def _fitting(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _one_of(kind: type[Any], value: Any) -> Any:
    return value if type(value) is kind else None


def _day(value: Any) -> date | None:
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    return None


def _interval(content: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """Both instants, or neither: absent, of another form, or not in order is never refused."""
    started, ended = content.get("started_at"), content.get("ended_at")
    if not isinstance(started, str) or not isinstance(ended, str) or "." in started + ended:
        return None, None
    try:
        first, last = read(started), read(ended)
    except Unreadable:
        return None, None
    return (first, last) if first < last else (None, None)


def _days(body: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, int]:
    """Minutes by local day, where they add up; else all on the first day, a long sum on none."""
    given, minutes = content.get("minutes_by_day"), body["minutes"]
    if body["kind"] not in ("service", "training") or minutes <= 0:
        return {}
    if (
        isinstance(given, Mapping)
        and len(given) <= MAX_DAYS
        and all(
            _day(day) is not None and type(part) is int and part > 0 for day, part in given.items()
        )
        and sum(given.values()) == minutes
    ):
        return dict(sorted(given.items()))
    return {body["occurred_on"]: minutes} if minutes <= 1440 else {}


def _reduces(content: Mapping[str, Any]) -> EntryKey | None:
    refs = content.get("refs")
    first = refs[0] if isinstance(refs, list) and refs else None
    if not isinstance(first, Mapping):
        return None
    issuer, entry_id = first.get("issuer"), first.get("entry_id")
    if isinstance(issuer, str) and isinstance(entry_id, str):
        return (issuer, entry_id)
    return None


def _labels(kind: str, detail: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "service":
        policy = _object(detail, "recording_policy")
        return {
            "policy_id": _fitting(_REF, policy.get("policy_id")),
            "policy_version": _one_of(int, policy.get("version")),
        }
    if kind == "star":
        lowers = _object(content, "lowers")
        return {
            "level": _one_of(int, content.get("level")),
            "basis_minutes": _one_of(int, content.get("basis_minutes")),
            "award_mode": _fitting(_LABEL, content.get("award_mode")),
            "policy_id": _fitting(_REF, content.get("policy_id")),
            "policy_version": _one_of(int, content.get("policy_version")),
            "lowers": _lowers(lowers) if lowers else None,
        }
    if kind == "consumption":
        return {
            "account": _fitting(_LABEL, content.get("account")),
            "eligibility": _fitting(_LABEL, content.get("eligibility")),
        }
    if kind == "evaluation":
        return {
            "of_entry_id": _fitting(_REF, content.get("of_entry_id")),
            "score_hundredths": _one_of(int, content.get("score_hundredths")),
            "scale_max_hundredths": _one_of(int, content.get("scale_max_hundredths")),
        }
    return {}


def _lowers(lowers: Mapping[str, Any]) -> dict[str, str] | None:
    issuer, entry_id = (_fitting(_REF, lowers.get(name)) for name in ("issuer", "entry_id"))
    cause = lowers.get("cause")
    if issuer is None or entry_id is None or cause not in ("revocation", "redemption", "violation"):
        return None
    return {"issuer": issuer, "entry_id": entry_id, "cause": cause}
