"""What has happened to a move, as the node and its subscribers may read it (protocol.md 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from shared.messages import Event

Role = Literal["origin", "destination"]
RefusalClass = Literal["F", "T", "R"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """Minutes over the standing versions (protocol.md 3.1); credited may be negative."""

    credited_minutes: int = 0
    pending_minutes: int = 0
    disputed_minutes: int = 0
    learning_minutes: int = 0
    consumed_minutes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A lawful hold: who ordered it, and its last day."""

    authority: str
    until: date


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferEvent(Event):
    """What every event of a move says: which move, seen from which side, of whom if known."""

    transfer_id: str
    role: Role
    origin: str
    destination: str
    subject_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferRequested(TransferEvent):
    """O1: another city asked for a dossier; registry judges code and identity."""

    purpose: str
    code_id: str | None
    proof: str | None
    assisted: bool
    review_due: date


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferAdmitted(TransferEvent):
    """O3: the person is the same, the dossier is here and free; rewards freezes first."""

    epoch: int
    purpose: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierOffered(TransferEvent):
    """O9: the dossier as frozen was sealed and offered."""

    epoch: int
    root: str
    count: int
    totals: Totals


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierReleased(TransferEvent):
    """O12: the only commit point. ``epoch`` is the old one, ``home`` the new city."""

    epoch: int
    new_epoch: int
    home: str
    certificate: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferSettling(TransferEvent):
    """O17, O20a: the new home is active; late entries may follow."""

    supplements: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferClosed(TransferEvent):
    """O23, D27: count and root of the supplements agree on both sides."""

    supplements: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferAborted(TransferEvent):
    """The origin ended the move before the release; the class alone is public."""

    refusal_class: RefusalClass
    retry_after: int | None
    applicant_ref: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferRefused(TransferEvent):
    """One side refused; the class alone is public."""

    refusal_class: RefusalClass
    retry_after: int | None
    applicant_ref: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferEnded(TransferEvent):
    """Why a move ended (internal topic): code, hold, and at the origin the abort certificate."""

    code: str
    hold: Hold | None
    applicant_ref: str | None
    certificate: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplementSent(TransferEvent):
    """O20, D18a: late entries went out as supplement ``k``."""

    k: int
    entries: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplementReceived(TransferEvent):
    """Supplement ``k`` of a channel came in and is next in order.

    ``digest`` is the SHA-256 of the bytes at ``path``: the canonical content of the message.
    """

    sender: str
    incarnation: int
    k: int
    digest: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferApplied(TransferEvent):
    """D1: the application left for the origin."""

    applicant_ref: str
    due: date


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferPending(TransferEvent):
    """D2: the origin has it; ``due`` is the last working day of its target."""

    applicant_ref: str
    due: date


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferReceiving(TransferEvent):
    """D5: the offer is good so far; bundles are fetched."""

    applicant_ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferInDoubt(TransferEvent):
    """D19: the vote is out and no decision has come; the origin is asked."""

    applicant_ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierVerified(TransferEvent):
    """D9: everything recomputed and equal; records stages.

    ``path`` names a JSON list of the SHA-256 of the plain bundles, in order, each to be read at
    ``/internal/v1/objects/{sha256}``; the last part of ``path`` is the SHA-256 of that list.
    ``first_registered_on`` is that of the verified head; ``homes`` are the cities of the verified
    custody chain, in order: records judges by them who may issue stars later (10.3).
    """

    epoch: int
    root: str
    count: int
    state_digest: str
    first_registered_on: date
    homes: tuple[str, ...]
    applicant_ref: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierAccepted(TransferEvent):
    """D11: the vote, which cannot be taken back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseReceived(TransferEvent):
    """D17: the release is here and fits; records adopts what ``staged_by`` brought."""

    new_epoch: int
    certificate_digest: str
    state_digest: str
    staged_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DossierActivated(TransferEvent):
    """D21: the dossier stands here."""

    new_epoch: int
    totals: Totals
    applicant_ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewOverdue(TransferEvent):
    """O7, D14a: the origin's review is late; a mark, never a decision."""

    mark: Literal["review", "review-target", "review-ceiling"]
    evidence_digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EquivocationFound(TransferEvent):
    """D29, D30: two certificates of one origin contradict each other; both are kept."""

    evidence_digest: str
