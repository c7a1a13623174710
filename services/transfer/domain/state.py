"""What is a move at one side, at each of its stations? One frozen shape per status.

Shapes grow by what the stations before them brought. The blocks (``Course``, ``Subject`` …) are
shared by both tables; the shapes are not: ``OriginState`` and ``DestinationState`` are unions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Literal, TypeVar

from services.transfer.domain.custody import Link
from services.transfer.domain.events import Hold, RefusalClass, Role, Totals

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wire:
    """How this side counts its own messages in this transfer and incarnation (2.3, 4)."""

    incarnation: int
    seq: int = 0
    prev: str | None = None
    protocol: str = "jiexu/1.0"
    last_seq_seen: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Supplement:
    """One supplement of a channel: its number and digests; after it was applied, with what effect.

    ``object_digest`` is the SHA-256 of its canonical content, under which records reads it.
    """

    k: int
    incarnation: int
    digest: str
    previous: str | None
    object_digest: str
    message_id: str
    entries: int
    new: int | None = None
    duplicates: int | None = None
    quarantined: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outflow:
    """The channel of supplements that this side sends (9). ``awaiting``: (k, digest), no M11r yet.

    ``pending``: own entries that left undecided; the residual timer waits for them.
    ``frontier``: the tree over the digests of all ``k`` (hex; ``shared.merkle``).
    """

    k: int = 0
    last_digest: str | None = None
    entries: int = 0
    awaiting: tuple[tuple[int, str], ...] = ()
    pending: tuple[str, ...] = ()
    frontier: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Inflow:
    """The channel of supplements that the other side sends, of its latest incarnation.

    ``k``, ``last_digest``: the last taken up in order; ``waiting``: taken up, not yet applied by
    records; ``parked``: ahead of their turn, at most ``PARKED_MOST``.
    """

    incarnation: int = 0
    k: int = 0
    last_digest: str | None = None
    applied: int = 0
    entries: int = 0
    waiting: tuple[Supplement, ...] = ()
    parked: tuple[Supplement, ...] = ()
    frontier: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """M1 as both sides keep it. ``seal_key`` is the destination's, ``limits`` too."""

    applicant_ref: str
    purpose: str
    message_id: str
    incarnation: int
    at: datetime
    code_id: str | None
    seal_key: str
    suites: tuple[str, ...]
    protocols: tuple[str, ...]
    limits: Mapping[str, int]
    consent: Document | None = None
    attempt: int = 1
    first_applied_at: datetime | None = None
    reviewed_seconds: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """What a move keeps at every station: who with whom, the request, the counting of messages."""

    transfer_id: str
    role: Role
    origin: str
    destination: str
    request: Request
    wire: Wire
    outflow: Outflow = field(default_factory=Outflow)
    inflow: Inflow = field(default_factory=Inflow)
    since: datetime
    withdrawn: bool = False

    @property
    def city(self) -> str:
        """This side."""
        return self.origin if self.role == "origin" else self.destination

    @property
    def peer(self) -> str:
        """The other side."""
        return self.destination if self.role == "origin" else self.origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Whose dossier, under which epoch of custody (the origin's)."""

    subject_id: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Freeze:
    """The dossier as it was frozen: the signed head and the log it describes."""

    head: Document
    log_id: str
    at: datetime

    @property
    def totals(self) -> Totals:
        """Of the head."""
        return Totals(**self.head["body"]["totals"])


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """M4 as both sides keep it, with the links of its custody chain."""

    digest: str
    message_id: str
    expires_at: datetime
    head: Document
    seal_key: str
    suite: str
    bundles: tuple[Mapping[str, Any], ...]
    chain: tuple[Link, ...]

    @property
    def body(self) -> Mapping[str, Any]:
        """The head's body: count, root, totals, state digest."""
        found: Mapping[str, Any] = self.head["body"]
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """M6, which cannot be taken back: its body digest is what the release must name."""

    digest: str
    message_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """A signed decision of the origin: release or abort."""

    document: Document
    digest: str
    message_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a move ended, who said so, and the content of M3 if it was this side.

    ``code`` is that of section 7; ``said`` the code sent or received where it differs (D14).
    """

    code: str
    refusal_class: RefusalClass
    by: Role
    content: Document | None
    retry_after: int | None = None
    hold: Hold | None = None
    pointer: Document | None = None
    appeal_until: date | None = None


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
