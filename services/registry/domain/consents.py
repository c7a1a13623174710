"""What does a consent hold, and which text must it rest on? (domain.md 3.1, PIPL Art 23)"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from services.registry.domain.rejections import ConsentIsMissing, ConsentTextIsStale
from services.registry.domain.volunteers.events import ConsentGiver

GuardianRule = Literal["consent", "consent_or_accompaniment", "none"]
# More consents in force than any person has given; the state must stay small.
MAX_CONSENTS = 100


@dataclass(frozen=True, slots=True)
class TextInForce:
    """The version of a consent text that holds on the day of the command, and its purpose."""

    text_id: str
    version: int
    purpose: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentAsked:
    """What the person agreed to: which text, and how."""

    text_id: str
    text_version: int
    channel: str
    manner: str
    purpose: str = "registration"
    receiver: str | None = None
    data_kinds: tuple[str, ...] = ("profile", "service_records")
    expires_on: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """A consent that was given. ``withdrawn_at``: it no longer holds."""

    consent_id: str
    asked: ConsentAsked
    given_by: ConsentGiver
    given_at: datetime
    withdrawn_at: datetime | None = None

    def holds_on(self, day: date) -> bool:
        """Neither withdrawn nor expired."""
        if self.withdrawn_at is not None:
            return False
        return self.asked.expires_on is None or day <= self.asked.expires_on


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What the policies in force say of a person of that region, on the day of the command.

    They come with the command, for a decision reads no shelf. ``texts`` by text id.
    """

    texts: tuple[TextInForce, ...] = ()
    guardian: GuardianRule = "consent"
    child_under_years: int = 14
    min_age_years: int | None = None


def judge(
    asked: ConsentAsked | None, rules: Rules, purpose: str
) -> ConsentIsMissing | ConsentTextIsStale | None:
    """Whether a consent rests on the text in force for this purpose."""
    if asked is None or asked.purpose != purpose:
        return ConsentIsMissing(purpose)
    current = next((text for text in rules.texts if text.purpose == purpose), None)
    if current is None or (asked.text_id, asked.text_version) != (
        current.text_id,
        current.version,
    ):
        return ConsentTextIsStale(
            current.text_id if current else None, current.version if current else None
        )
    return None
