"""What has happened to a login or a document? All of it is this service's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.messages import Event


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom a login or a document belongs: a subject, or an application (``applicant``)."""

    kind: Literal["subject", "applicant"]
    ref: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LoginBound(Event):
    """A login belongs to this person from now on."""

    login_id: str
    owner: Owner


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenIssued(Event):
    """A node token was given to a login."""

    login_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimFailed(Event):
    """A login tried to claim a registration and did not match (five an hour)."""

    login_id: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentTaken(Event):
    """A document, known by its keyed digest, belongs to this person from now on.

    ``elsewhere``: her dossier departed to that city. The stored row leaves the digest out.
    """

    document_digest: str
    owner: Owner
    elsewhere: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentFreed(Event):
    """The application that held a document has ended. The stored row leaves the digest out."""

    document_digest: str
    applicant_ref: str


LoginEvent = LoginBound | TokenIssued | ClaimFailed | DocumentTaken | DocumentFreed
