"""Who is this person, as she tells it, and can it be true? The profile that goes to the vault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from services.registry.domain import ages, names, regions, texts
from services.registry.domain.consents import ConsentAsked, Rules, judge
from services.registry.domain.documents import Document
from services.registry.domain.documents import judge as judge_document
from services.registry.domain.rejections import (
    AgeIsBelowMinimum,
    ConsentIsMissing,
    ConsentTextIsStale,
    DocumentNumberIsInvalid,
    FieldIsWrong,
    GuardianConsentIsMissing,
    TextHoldsPersonalData,
)
from services.registry.domain.volunteers.events import AgeBand, CheckResult, DocumentKey, Level
from shared.clock import local_day
from shared.messages import Rejection

Sex = Literal["female", "male", "other", "unknown"]
# The documents of one person; more are linked later, by hand.
MAX_DOCUMENTS = 5
MAX_CHOICES = 50
MAX_CHOICE = 100
_OLDEST = date(1900, 1, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """How she is reached; never an identity."""

    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    address: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Guardian:
    """Who consented for a minor, and in what relation."""

    name: str = field(repr=False)
    relation: str
    phone: str | None = field(default=None, repr=False)
    document: Document | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """The profile as given. It goes to the vault; no event, log line or answer shows it."""

    name: str = field(repr=False)
    sex: Sex = field(repr=False)
    birth_date: date = field(repr=False)
    documents: tuple[Document, ...] = field(repr=False)
    contact: Contact = field(default_factory=Contact, repr=False)
    service_skills: tuple[str, ...] = ()
    service_categories: tuple[str, ...] = ()
    available_times: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardianConsent:
    """The guardian's own consent beside the minor's."""

    asked: ConsentAsked
    guardian: Guardian


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """What the real-name service answered when she registered; ``unavailable`` blocks nothing."""

    result: CheckResult
    checked_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What registration and application have in common.

    ``keys`` are the documents' keyed digests in the order of the documents. ``check`` is None
    where no document of hers can be checked online. ``rules``: the policies in force that day.
    """

    person: Person
    keys: tuple[DocumentKey, ...]
    residence_region: str
    consent: ConsentAsked | None
    guardian_consent: GuardianConsent | None
    consent_id: str
    guardian_consent_id: str
    check: Check | None
    rules: Rules

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests, each once: the same document twice is refused, but must be read first."""
        return tuple(dict.fromkeys(key.digest for key in self.keys))

    def checked(self, check: Check | None) -> Asked:
        """The same with what the real-name service answered."""
        return replace(self, check=check)


def fault(asked: Asked, at: datetime) -> Rejection | None:
    """Why this person cannot be taken as told: fields, documents, consents, age, in this order."""
    day = local_day(at)
    return (
        _field_fault(asked, day)
        or _document_fault(asked.person, day)
        or judge(asked.consent, asked.rules, "registration")
        or _guardian_fault(asked, day)
    )


def band(asked: Asked, at: datetime) -> AgeBand:
    """The age band on the local day of the command."""
    return ages.band_on(local_day(at), asked.person.birth_date)


def result(asked: Asked) -> CheckResult | None:
    """The check's result; a profile that contradicts the number is ``mismatched`` (5.1)."""
    if contradicts(asked.person):
        return "mismatched"
    return None if asked.check is None else asked.check.result


def level(asked: Asked) -> Level:
    """``verified_online`` where the real-name service matched; else what she claims."""
    return "verified_online" if result(asked) == "matched" else "claimed"


def contradicts(person: Person) -> bool:
    """Whether a number tells another birth date or sex than the profile."""
    for document in person.documents:
        told = judge_document(document, date.max)
        if told.born is not None and told.born != person.birth_date:
            return True
        if told.sex is not None and person.sex in ("female", "male") and told.sex != person.sex:
            return True
    return False


def _field_fault(asked: Asked, day: date) -> Rejection | None:
    person = asked.person
    if (reason := names.fault(person.name)) is not None:
        return FieldIsWrong("name", reason)
    if not _OLDEST <= person.birth_date <= day:
        return FieldIsWrong("birth_date", "out_of_range")
    if not regions.is_region(asked.residence_region):
        return FieldIsWrong("residence_region", "region_code")
    if not 1 <= len(person.documents) <= MAX_DOCUMENTS:
        return FieldIsWrong("documents", "length")
    if len(asked.digests) != len(person.documents):
        return FieldIsWrong("documents", "twice")
    return (
        _contact_fault("contact", person.contact)
        or _guardian_field_fault(asked.guardian_consent, day)
        or _choices_fault(person)
    )


def _contact_fault(place: str, contact: Contact) -> Rejection | None:
    if contact.phone is not None and names.phone(contact.phone) is None:
        return FieldIsWrong(f"{place}.phone", "form")
    if contact.email is not None and names.email(contact.email) is None:
        return FieldIsWrong(f"{place}.email", "form")
    if contact.address is not None and texts.fault(contact.address, 200) is not None:
        return FieldIsWrong(f"{place}.address", "length")
    return None


def _guardian_field_fault(consent: GuardianConsent | None, day: date) -> Rejection | None:
    if consent is None:
        return None
    guardian = consent.guardian
    if (reason := names.fault(guardian.name)) is not None:
        return FieldIsWrong("guardian_consent.guardian.name", reason)
    if guardian.phone is not None and names.phone(guardian.phone) is None:
        return FieldIsWrong("guardian_consent.guardian.phone", "form")
    if guardian.document is not None:
        told = judge_document(guardian.document, day)
        if told.reason is not None:
            return DocumentNumberIsInvalid("guardian_consent.guardian.document", told.reason)
    return None


def _choices_fault(person: Person) -> Rejection | None:
    for place, choice in _choices(person):
        if (reason := texts.fault(choice, MAX_CHOICE)) is not None:
            return FieldIsWrong(place, reason)
        if texts.holds_personal_data(choice):
            return TextHoldsPersonalData(place)
    return None


def _choices(person: Person) -> Iterator[tuple[str, str]]:
    for place, choices in (
        ("service_skills", person.service_skills),
        ("service_categories", person.service_categories),
        ("available_times", person.available_times),
    ):
        yield from ((place, choice) for choice in choices)


def _document_fault(person: Person, day: date) -> Rejection | None:
    for n, document in enumerate(person.documents):
        told = judge_document(document, day)
        if told.reason is not None:
            return DocumentNumberIsInvalid(f"documents.{n}.number", told.reason)
    return None


def _guardian_fault(
    asked: Asked, day: date
) -> AgeIsBelowMinimum | GuardianConsentIsMissing | ConsentIsMissing | ConsentTextIsStale | None:
    rules = asked.rules
    age = ages.age_on(day, asked.person.birth_date)
    if rules.min_age_years is not None and age < rules.min_age_years:
        return AgeIsBelowMinimum(rules.min_age_years)
    needed = needs_guardian(age, rules)
    if asked.guardian_consent is None:
        return GuardianConsentIsMissing() if needed else None
    return judge(asked.guardian_consent.asked, rules, "registration")


def needs_guardian(age: int, rules: Rules) -> bool:
    """Under 14 always (PIPL Art 31); from 14 to 17 where the city's rule is ``consent``."""
    if age < max(rules.child_under_years, ages.CHILD_UNDER):
        return True
    return age < ages.ADULT_FROM and rules.guardian == "consent"
