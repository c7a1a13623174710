"""What is a move at one side, at each of its stations? One frozen shape per status.

Shapes grow by what the stations before them brought. The blocks (``Course``, ``Subject`` …) are
shared by both tables; the shapes are not: ``OriginState`` and ``DestinationState`` are unions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal, TypeVar

from services.transfer.domain.blocks import (
    Certificate,
    Course,
    Document,
    Freeze,
    Offer,
    Refusal,
    Subject,
    Vote,
)

# --- the origin -------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Requested:
    """A request is here; registry judges code and identity. ``marks``: review timers that fired."""

    course: Course
    log_index: int
    review_due: date
    marks: tuple[str, ...] = ()
    status: Literal["Requested"] = "Requested"


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """The person is the same and the dossier is free; records is to freeze it."""

    course: Course
    review_due: date
    subject: Subject
    status: Literal["Admitted"] = "Admitted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """The dossier stands still; the offer is being built."""

    course: Course
    review_due: date
    subject: Subject
    freeze: Freeze
    status: Literal["Frozen"] = "Frozen"


@dataclass(frozen=True, kw_only=True, slots=True)
class Offered:
    """The offer is out; the next M6 in time decides."""

    course: Course
    review_due: date
    subject: Subject
    freeze: Freeze
    offer: Offer
    status: Literal["Offered"] = "Offered"


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """Custody has passed; nobody can end it any more. ``asked``: how often M7 went again."""

    course: Course
    subject: Subject
    freeze: Freeze
    offer: Offer
    release: Certificate
    released_at: datetime
    asked: int = 0
    status: Literal["Released"] = "Released"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settling:
    """The new home is active; late entries follow until the residual timer."""

    course: Course
    subject: Subject
    freeze: Freeze
    offer: Offer
    release: Certificate
    released_at: datetime
    activated_at: datetime
    residual_at: datetime
    status: Literal["Settling"] = "Settling"


@dataclass(frozen=True, kw_only=True, slots=True)
class Closing:
    """Count and root of the supplements were named; M13 is awaited."""

    course: Course
    subject: Subject
    freeze: Freeze
    offer: Offer
    release: Certificate
    released_at: datetime
    activated_at: datetime
    status: Literal["Closing"] = "Closing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """Both sides agree on what was sent. A later correction opens it again (O20a)."""

    course: Course
    subject: Subject
    freeze: Freeze
    offer: Offer
    release: Certificate
    released_at: datetime
    activated_at: datetime
    status: Literal["Closed"] = "Closed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """Ended by a word of one side before any certificate."""

    course: Course
    subject: Subject | None = None
    refusal: Refusal
    status: Literal["Refused"] = "Refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Aborted:
    """Ended by the origin's abort certificate."""

    course: Course
    subject: Subject | None = None
    refusal: Refusal
    abort: Certificate
    status: Literal["Aborted"] = "Aborted"


# --- the destination --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """Requested, seen from the destination: M1 is out. ``review_due`` is set by M2."""

    course: Course
    review_due: date | None = None
    pending_since: datetime | None = None
    marks: tuple[str, ...] = ()
    status: Literal["Requested"] = "Requested"


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiving:
    """The offer is good so far; ``arrived`` bundles are here, ``bad`` tries of each failed."""

    course: Course
    subject: Subject
    offer: Offer
    arrived: frozenset[int] = frozenset()
    bad: Mapping[int, int] = field(default_factory=dict)
    status: Literal["Receiving"] = "Receiving"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verifying:
    """Every bundle is here; entries, tree, totals are recomputed."""

    course: Course
    subject: Subject
    offer: Offer
    status: Literal["Verifying"] = "Verifying"


@dataclass(frozen=True, kw_only=True, slots=True)
class Staging:
    """All is as promised; records writes the rows where nobody sees them."""

    course: Course
    subject: Subject
    offer: Offer
    computed: Mapping[str, Any]
    status: Literal["Staging"] = "Staging"


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The vote is out."""

    course: Course
    subject: Subject
    offer: Offer
    computed: Mapping[str, Any]
    vote: Vote
    status: Literal["Accepted"] = "Accepted"


@dataclass(frozen=True, kw_only=True, slots=True)
class InDoubt:
    """The vote is out and no decision came; the origin is asked again and again."""

    course: Course
    subject: Subject
    offer: Offer
    computed: Mapping[str, Any]
    vote: Vote
    asked: int = 0
    status: Literal["InDoubt"] = "InDoubt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Activating:
    """The release is here; records adopts what it staged."""

    course: Course
    subject: Subject
    offer: Offer
    computed: Mapping[str, Any]
    release: Certificate
    status: Literal["Activating"] = "Activating"


@dataclass(frozen=True, kw_only=True, slots=True)
class Active:
    """The dossier stands here; supplements are taken in order."""

    course: Course
    subject: Subject
    offer: Offer
    computed: Mapping[str, Any]
    release: Certificate
    activated: Document
    activated_at: datetime
    status: Literal["Active"] = "Active"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """Closed, seen from the destination: count and root of the supplements agree."""

    course: Course
    subject: Subject
    offer: Offer
    computed: Mapping[str, Any]
    release: Certificate
    activated: Document
    activated_at: datetime
    status: Literal["Closed"] = "Closed"


OriginState = (
    Requested
    | Admitted
    | Frozen
    | Offered
    | Released
    | Settling
    | Closing
    | Closed
    | Refused
    | Aborted
)
DestinationState = (
    Applied
    | Receiving
    | Verifying
    | Staging
    | Accepted
    | InDoubt
    | Activating
    | Active
    | Settled
    | Refused
    | Aborted
)
State = OriginState | DestinationState

ORIGIN_ORDER = (
    "Requested",
    "Admitted",
    "Frozen",
    "Offered",
    "Released",
    "Settling",
    "Closing",
    "Closed",
)
DESTINATION_ORDER = (
    "Requested",
    "Receiving",
    "Verifying",
    "Staging",
    "Accepted",
    "InDoubt",
    "Activating",
    "Active",
    "Closed",
)

S = TypeVar("S")


def advance(state: Any, shape: type[S], **brought: Any) -> S:
    """The next shape: what the old one has and the new one knows, and what this step brought."""
    kept = {
        f.name: getattr(state, f.name)
        for f in fields(shape)  # type: ignore[arg-type]
        if f.name != "status" and hasattr(state, f.name)
    }
    return shape(**(kept | brought))


def subject_of(state: State | None) -> Subject | None:
    """Whose dossier this move carries, as far as this side knows."""
    return getattr(state, "subject", None)
