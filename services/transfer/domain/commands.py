"""What may be asked of a move? Messages, facts, own steps, timers and people, as commands.

``input`` is the name under which the state tables list it (``origin_table``,
``destination_table``). ``subject_id`` is what the edge knew of the move's subject when it made the
command: it says which streams may be written. Should it have become known meanwhile, the decider
answers ``SubjectBecameKnown`` and the edge asks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from services.transfer.domain.envelopes import Envelope
from services.transfer.domain.events import Hold, Role
from shared.messages import Command

MESSAGES: Mapping[str, str] = {
    "transfer-request": "M1",
    "request-received": "M2",
    "refused": "M3",
    "offer": "M4",
    "accepted": "M6",
    "release": "M7",
    "aborted": "M8",
    "activated": "M9",
    "status-query": "M10",
    "status-reply": "status-reply",
    "supplement": "M11",
    "supplement-received": "M11r",
    "residual-closed": "M12",
    "closed": "M13",
    "notice": "M14",
}
TYPES: Mapping[str, str] = {number: type for type, number in MESSAGES.items()}
# Kinds of M14 that a row names; all others are "M14" (O37, D38).
NAMED_NOTICES = frozenset({"withdraw-request"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferCommand(Command):
    """One input of one row: the move at one side."""

    input: ClassVar[str]

    transfer_id: str
    role: Role
    subject_id: str | None = None

    @property
    def name(self) -> str:
        """As the state tables call it."""
        return type(self).input


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaw:
    """A check that failed outside the transaction: the code, and the digest of what failed."""

    code: str
    evidence_digest: str | None = None
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeMessage(TransferCommand):
    """A message of the other city that passed every check of form.

    ``genuine`` holds the seals (``certificates.seal_of``) of those signed objects in it whose
    signature holds. ``flaw`` is what else the edge judged: of M1 whether the directory entitles
    the asker, of M4 checks 1–6 of section 8. ``receipt`` and ``raw`` go to the inbox.
    """

    input: ClassVar[str] = "message"

    envelope: Envelope
    genuine: frozenset[str] = frozenset()
    flaw: Flaw | None = None
    raw: bytes = b""
    receipt: bytes = b""

    @property
    def name(self) -> str:
        number = MESSAGES[self.envelope.type]
        kind = self.envelope.content.get("kind")
        return f"M14 {kind}" if number == "M14" and kind in NAMED_NOTICES else number


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeStatusReply(TransferCommand):
    """The answer to our M10, with the decision if one exists there."""

    input: ClassVar[str] = "status-reply"

    envelope: Envelope
    genuine: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeStatusQuery(TransferCommand):
    """The other side asks how this move stands; ``applied`` is the last k it applied of ours."""

    input: ClassVar[str] = "M10"

    applied: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeDuplicate(TransferCommand):
    """The same bytes came again: undelivered replies are due now."""

    input: ClassVar[str] = "duplicate"


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeReconcile(TransferCommand):
    """The destination was restored and asks for all transfers between the two (11)."""

    input: ClassVar[str] = "ReconcileAsked"

    incarnation: int


# --- facts of the node's other services ---------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmIdentity(TransferCommand):
    """registry: code and identity are those of this subject; ``holds`` stand against a move."""

    input: ClassVar[str] = "IdentityConfirmed"

    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DenyIdentity(TransferCommand):
    """registry: no such person or code; the code of section 7 says no more than it must."""

    input: ClassVar[str] = "IdentityDenied"

    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteFrozen(TransferCommand):
    """records: the dossier stands still; its head was signed."""

    input: ClassVar[str] = "DossierFrozen"

    epoch: int
    log_id: str
    head: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchLateChange(TransferCommand):
    """records held or took a late change; its signed bytes are fetched first (a job)."""

    input: ClassVar[str] = "LateChangeAnnounced"

    issuer: str
    entry_id: str
    version: int
    digest: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ForwardLateChange(TransferCommand):
    """The signed bytes of a late change are here."""

    input: ClassVar[str] = "LateChangeHeld"

    entry: Mapping[str, Any]
    digest: str

    @property
    def key(self) -> tuple[str, str, int]:
        """(issuer, entry_id, version)."""
        body = self.entry["body"]
        return body["issuer"], body["entry_id"], body["version"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSupplementApplied(TransferCommand):
    """records applied supplement ``k``; ``first_quarantined`` names what it could not take."""

    input: ClassVar[str] = "SupplementApplied"

    sender: str
    incarnation: int
    k: int
    new: int
    duplicates: int
    quarantined: int
    first_quarantined: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteStaged(TransferCommand):
    """records staged the dossier and computed its state digest from the rows."""

    input: ClassVar[str] = "DossierStaged"

    state_digest: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteStagingFailed(TransferCommand):
    """records could not stage: TR-411 (known here with other bytes) or TR-506."""

    input: ClassVar[str] = "StagingFailed"

    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteAdopted(TransferCommand):
    """records adopted the dossier: it stands here."""

    input: ClassVar[str] = "DossierAdopted"

    new_epoch: int
    state_digest: str
    totals: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteDeath(TransferCommand):
    """registry: the volunteer died while the move was open."""

    input: ClassVar[str] = "VolunteerDied"


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSuspension(TransferCommand):
    """registry: the volunteer was suspended by law while the move was open."""

    input: ClassVar[str] = "VolunteerSuspended"

    hold: Hold


# --- own steps: the results of jobs -------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class OfferDossier(TransferCommand):
    """Every entry was read; root and state digest recomputed are the head's; bundles are sealed."""

    input: ClassVar[str] = "OfferDossier"

    bundles: tuple[Mapping[str, Any], ...]
    chain: tuple[Mapping[str, Any], ...]
    seal_key: str
    directory_serial: int
    pending: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportUnreadable(TransferCommand):
    """An entry of the frozen log cannot be read, or the log is not what the head says."""

    input: ClassVar[str] = "EntryUnreadable"

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportLimits(TransferCommand):
    """The dossier is larger than M1's limits."""

    input: ClassVar[str] = "LimitsExceeded"


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeBundle(TransferCommand):
    """One bundle came (or a try failed): ``good`` says whether its digest and tag held."""

    input: ClassVar[str] = "bundle"

    n: int
    good: bool
    evidence_digest: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PassChecks(TransferCommand):
    """Checks 8–13 hold; what they computed, and the list of plain bundles for records."""

    input: ClassVar[str] = "ChecksPassed"

    root: str
    count: int
    totals: Mapping[str, int]
    state_digest: str
    list_digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FailCheck(TransferCommand):
    """One of checks 8–13 does not hold."""

    input: ClassVar[str] = "CheckFailed"

    flaw: Flaw


@dataclass(frozen=True, kw_only=True, slots=True)
class FireTimer(TransferCommand):
    """A timer of section 12 is due; ``n`` counts the firings of a repeated one from 1."""

    input: ClassVar[str] = "timer"

    timer: str
    n: int = 1
    m4_receipted: bool = True

    @property
    def name(self) -> str:
        return f"timer {self.timer}"


# --- people -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ApplyForTransfer(TransferCommand):
    """The volunteer applies here, or a class T refusal is tried again (``attempt`` > 1).

    ``code_id`` and ``proof`` come from registry; ``seal_key`` is the public half of a fresh pair,
    whose private half, wrapped, is in ``wrapped_seal``.
    """

    input: ClassVar[str] = "ApplyForTransfer"

    origin: str
    destination: str
    applicant_ref: str
    nonce: str
    code_id: str
    proof: str
    consent: Mapping[str, Any]
    seal_key: str
    wrapped_seal: bytes
    attempt: int = 1
    first_applied_at: datetime | None = None
    reviewed_seconds: int = 0
    limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return "ApplyForTransfer" if self.attempt == 1 else "timer retry"


@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawTransfer(TransferCommand):
    """The volunteer takes back consent."""

    input: ClassVar[str] = "WithdrawTransfer"
