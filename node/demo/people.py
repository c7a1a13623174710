"""Who are the people of the demo? Invented, each with numbers that the rules accept.

The address codes 500199 and 510199 were never given to a county, so no number is anybody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SUBJECT_CODE_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)

NAMES = ("李华", "王芳", "张伟", "刘洋", "陈静", "杨帆", "赵敏", "黄磊", "周婷", "吴刚",
         "欧阳明", "阿依古丽·买买提")


@dataclass(frozen=True, slots=True)
class Person:
    """An invented adult. ``number``: 18 characters by GB 11643."""

    name: str
    sex: str
    birth_date: date
    number: str

    def body(self, region: str, consent: dict[str, Any]) -> dict[str, Any]:
        """The body of a registration."""
        return {
            "name": self.name, "sex": self.sex, "birth_date": self.birth_date.isoformat(),
            "documents": [{"type": "resident_id", "number": self.number}],
            "residence_region": region, "consent": consent}


def id_number(address: str, birth: date, sequence: int) -> str:
    """A resident identity number; the parity of ``sequence`` (0–999) tells the sex."""
    body = f"{address}{birth:%Y%m%d}{sequence:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _ID_WEIGHTS, strict=True))
    return body + _ID_CHECKS[total % 11]


def credit_code(prefix: str, region: str, serial: int) -> str:
    """A unified social credit code (GB 32100): authority and kind, region, and a serial number."""
    subject = f"MJX{serial:05d}"
    total = sum(_value(sign) * weight
                for sign, weight in zip(subject, _SUBJECT_CODE_WEIGHTS, strict=True))
    check = 11 - total % 11
    body = f"{prefix}{region}{subject}{'X' if check == 10 else '0' if check == 11 else check}"
    sum_ = sum(_USCC_ALPHABET.index(sign) * pow(3, place, 31) for place, sign in enumerate(body))
    return body + _USCC_ALPHABET[(31 - sum_ % 31) % 31]


def people(today: date, address: str = "500199") -> Sequence[Person]:
    """Twelve adults, Li Hua first; between 20 and 60 years old on any day of any year."""
    made = []
    for index, name in enumerate(NAMES):
        birth = date(today.year - 21 - 3 * index, 1 + index % 12, 11 + index)
        female = index % 2 == 0
        made.append(Person(name, "female" if female else "male", birth,
                           id_number(address, birth, 120 + 2 * index + (0 if female else 1))))
    return made


def stranger(today: date) -> Person:
    """Somebody who is registered nowhere."""
    birth = date(today.year - 33, 6, 1)
    return Person("钱多多", "male", birth, id_number("500199", birth, 777))


def _value(sign: str) -> int:
    return int(sign) if sign.isdigit() else ord(sign) - 55
