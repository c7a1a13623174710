"""To whom does a login or a document belong?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from services.registry.domain.logins.events import Owner

ATTEMPTS_AN_HOUR = 5
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Login:
    """A login of an outside issuer. ``failures``: its latest failed claims, oldest first."""

    status: Literal["login"] = "login"
    login_id: str
    owner: Owner | None = None
    failures: tuple[datetime, ...] = ()

    def failures_since(self, at: datetime) -> int:
        """Failed claims in the hour before."""
        return sum(at - failure < _HOUR for failure in self.failures)


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentOwners:
    """Whose document this is: a volunteer's (``elsewhere``: her dossier's city), an applicant's."""

    status: Literal["document"] = "document"
    subject_id: str | None = None
    elsewhere: str | None = None
    applicant_ref: str | None = None
