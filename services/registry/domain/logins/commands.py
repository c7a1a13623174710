"""What may be asked of a login or a document?"""

from __future__ import annotations

from dataclasses import dataclass

from services.registry.domain.logins.events import Owner
from shared.messages import Command


@dataclass(frozen=True, kw_only=True, slots=True)
class ExchangeToken(Command):
    """A login shows its issuer's token and is given one of this node."""

    login_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveLogin(Command):
    """The applicant has become a subject: her login follows (a job of the link)."""

    login_id: str
    applicant_ref: str
    subject_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviseDocument(Command):
    """What a document's keyed digest leads to has changed (a job).

    ``owner`` holds it from now on (``elsewhere``: departed to that city); ``freed`` names the
    application that lets it go.
    """

    document_digest: str
    owner: Owner | None = None
    elsewhere: str | None = None
    freed: str | None = None


LoginCommand = ExchangeToken | MoveLogin | ReviseDocument
