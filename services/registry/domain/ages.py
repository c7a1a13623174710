"""How old is someone on a day, and in which band? (domain.md 5.1, 3.1)"""

from __future__ import annotations

from datetime import date

from services.registry.domain.volunteers.events import AgeBand

# PIPL Art 31: below it a child's data is sensitive and a guardian consents.
CHILD_UNDER = 14
ADULT_FROM = 18


def age_on(day: date, born: date) -> int:
    """Full years, from the birthday itself [P]; 29 February is 1 March in common years [P]."""
    return day.year - born.year - ((day.month, day.day) < _birthday(born, day.year))


def band_on(day: date, born: date) -> AgeBand:
    """The band that may be told outside; never the age."""
    age = age_on(day, born)
    if age < 8:
        return "under_8"
    if age < CHILD_UNDER:
        return "age_8_13"
    return "age_14_17" if age < ADULT_FROM else "adult"


def _birthday(born: date, year: int) -> tuple[int, int]:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if (born.month, born.day) == (2, 29) and not leap:
        return (3, 1)
    return (born.month, born.day)
