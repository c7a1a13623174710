"""What may be asked of an application, and what is heard of its transfer?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from services.registry.domain.applicants.events import Role, TransferClass
from services.registry.domain.people import Asked
from services.registry.domain.volunteers.events import CheckResult, Level, Method
from shared.messages import Command


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterApplicant(Command):
    """She wants her dossier moved here; her login is bound to the application."""

    applicant_ref: str
    asked: Asked
    login_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifyApplicant(Command):
    """A document of hers was checked. ``level`` None: what follows. ``attempt`` counts retries."""

    applicant_ref: str
    level: Level | None
    method: Method
    result: CheckResult
    checked_at: datetime
    attempt: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ProveIdentity(Command):
    """The node's transfer service asks for a proof (protocol.md 6).

    ``code_id``, ``code_key`` None: by the code kept from the first attempt. ``documents``: her
    documents' keyed digests, as the edge read them.
    """

    applicant_ref: str
    transfer_id: str
    code_id: str | None
    documents: tuple[str, ...]
    code_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteTransfer(Command):
    """What transfer tells of a move: shown to the volunteer by the highest rank (13).

    ``first_registered_on``: of the dossier that comes. ``ends``: the application at this city, as
    destination, led to no move.
    """

    transfer_id: str
    role: Role
    rank: int
    shown: str
    applicant_ref: str | None
    subject_id: str | None
    other_city: str | None
    due: date | None
    refusal_class: TransferClass | None
    code: str | None
    first_registered_on: date | None
    ends: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EndApplication(Command):
    """Nothing came of it within its time (a job)."""

    applicant_ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DropCode(Command):
    """Seven days have passed: the key of her code goes (a job)."""

    applicant_ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetApplicant(Command):
    """Thirty days after the end: her vault data goes (a job)."""

    applicant_ref: str


ApplicantCommand = (
    RegisterApplicant
    | VerifyApplicant
    | ProveIdentity
    | NoteTransfer
    | EndApplication
    | DropCode
    | ForgetApplicant
)
