"""What happens to a move inside this service: steps that concern nobody outside.

They have no topic; their rows are the audit trail, and ``edge/store.py`` writes the service's
tables from them (inbox, outbox, certificates, supplements, evidence, alarms) in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from services.transfer.domain.blocks import Supplement
from services.transfer.domain.custody import Custody, RequestLog
from services.transfer.domain.events import Role
from services.transfer.domain.state import State
from shared.messages import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class Step(Event):
    """Which move, at which side."""

    transfer_id: str
    role: Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved(Step):
    """A row of the state table was taken: its id, from where, by what, to which state."""

    row: str
    input: str
    before: str
    state: State


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageTaken(Step):
    """A message of the other city went to the inbox, whether or not a row takes it."""

    message_id: str
    digest: str
    type: str
    sender: str
    incarnation: int
    seq: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageSent(Step):
    """An own message went to the outbox; ``wire`` are its canonical bytes, signed.

    ``held_ms``: it leaves no sooner than so many milliseconds after its decision.
    """

    number: str
    type: str
    peer: str
    message_id: str
    incarnation: int
    seq: int
    digest: str
    wire: bytes
    gives_up_at: datetime | None
    supplement_k: int | None = None
    held_ms: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryWanted(Step):
    """The other side is to be asked (M10): known state, highest seq seen, k applied here."""

    known_state: str
    last_seq_seen: int
    applied: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ResendWanted(Step):
    """Outbox rows are due now: undelivered ones; with ``above``, supplements above that k too."""

    above: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificateSigned(Step):
    """This city signed a decision; the unique indexes of ``certificate`` carry the proof."""

    digest: str
    kind: Literal["genesis", "release", "abort"]
    subject_id: str | None
    epoch: int | None
    document: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class CertificatesKept(Step):
    """Certificates of other cities that were acted upon or offered and fit."""

    subject_id: str | None
    documents: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceKept(Step):
    """Something that proves a fault, kept 3 years; ``digest`` names it."""

    code: str
    digest: str
    document: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class AlarmRaised(Step):
    """The office must know: a kind and numbers or ids, never anything personal."""

    kind: str
    about: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SealDestroyed(Step):
    """The private seal key of this move and the sealed bytes are gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SealKept(Step):
    """The private seal key of this move, wrapped by the node's key-encryption key."""

    public: str
    wrapped: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class LateChangeAnnounced(Step):
    """A late change is to be fetched before it is noted or sent."""

    issuer: str
    entry_id: str
    version: int
    digest: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LateChangeNoted(Step):
    """A late change waits for the release (supplement, k null)."""

    key: tuple[str, str, int]
    digest: str
    entry: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class NotesForgotten(Step):
    """The move ended before the release: records replays what it held."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplementMade(Step):
    """Supplement ``k`` of our channel: its entries stand in it once and for ever."""

    supplement: Supplement
    subject_id: str
    content: Mapping[str, Any]
    keys: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplementStored(Step):
    """A supplement of the other side is kept with its content; ``parked``: ahead of its turn."""

    supplement: Supplement
    sender: str
    subject_id: str
    content: Mapping[str, Any]
    parked: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplementDone(Step):
    """records applied supplement ``k`` of the other side; its counts are what M11r says."""

    supplement: Supplement
    sender: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeKept(Step):
    """An M14 for the office."""

    kind: str
    message_id: str
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryWanted(Step):
    """A class T ending: a new attempt with a new nonce and the same code, at that time."""

    due_at: datetime
    attempt: int
    first_applied_at: datetime
    reviewed_seconds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CustodyChanged(Event):
    """What this city knows of a subject's custody changed."""

    subject_id: str
    custody: Custody


@dataclass(frozen=True, kw_only=True, slots=True)
class StopWanted(Event):
    """A subject's open transfer must hear of a death or suspension (a job tells it)."""

    subject_id: str
    transfer_id: str
    cause: Literal["died", "suspended"]
    authority: str | None
    until: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestsCounted(Event):
    """One more request was taken at this origin."""

    log: RequestLog


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyNoted(Event):
    """A version of a policy was copied."""

    policy_id: str
    version: int
    kind: str
    jurisdiction: tuple[str, ...]
    effective_from: str
    content: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class BarrierRaised(Event):
    """Messages of a lower incarnation of that city are refused from now on."""

    city: str
    incarnation: int
