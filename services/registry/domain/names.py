"""How are names and contacts of people kept and compared? (domain.md 5.5)"""

from __future__ import annotations

import re
import unicodedata

MAX_NAME = 50  # code points, not UTF-16 units: rare characters lie beyond U+FFFF
_DOTS = str.maketrans(dict.fromkeys("•‧・･．.", "·"))
# What stands between the letters: 阿依古丽·买买提, Anne-Marie O’Neil, བཀྲ་ཤིས. ⋅ㆍ∙ are dots of
# protocol.md 2.3; the two unseen ones are spelling in Persian and Sinhala.
_JOINTS = frozenset("·•‧・･．.⋅ㆍ∙-‐‑－'’‘＇་༌\u200c\u200d")
_SPACES = re.compile(r"\s+")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LAND_LINE = re.compile(r"0[0-9]{2,3}[0-9]{7,8}")
_FOREIGN = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_FILLERS = str.maketrans("", "", " -()")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")


def as_written(name: str) -> str:
    """The name as on the document: NFC, outer white space off."""
    return unicodedata.normalize("NFC", name).strip()


def matching(name: str) -> str:
    """The form in which two names are equal or not. Case and order stay as on the document."""
    folded = "".join(_narrow(character) for character in unicodedata.normalize("NFC", name))
    parts = [part.strip() for part in folded.translate(_DOTS).split("·")]
    return _SPACES.sub(" ", "·".join(parts)).strip()


def fault(name: str) -> str | None:
    """Why this is no name: ``length`` or ``characters``; None if it is one.

    It holds letters of any script, their marks, blanks and what joins two parts: no figures, no
    other signs, nothing that steers a printer or a screen.
    """
    written = as_written(name)
    if not 1 <= len(written) <= MAX_NAME:
        return "length"
    if not all(map(_may_stand, written)) or not any(map(_is_letter, written)):
        return "characters"
    return None


def has_private_use(name: str) -> bool:
    """From an older system's own fonts: accepted, flagged, verified by hand."""
    return any(unicodedata.category(character) == "Co" for character in name)


def mask(name: str) -> str:
    """The shown form: one Han character kept; of a name with dots the first character."""
    written = as_written(name)
    return written[:1] + "*" * max(len(written.partition("·")[0]) - 1, 1)


def phone(text: str) -> str | None:
    """The phone number without its fillers and without 86; None if it is none.

    A phone is a contact, never an identity: families share one.
    """
    number = unicodedata.normalize("NFKC", text).translate(_PHONE_FILLERS)
    for prefix in ("+86", "0086"):
        number = number.removeprefix(prefix)
    if any(form.fullmatch(number) for form in (_MOBILE, _LAND_LINE, _FOREIGN)):
        return number
    return None


def email(text: str) -> str | None:
    """The address, trimmed; None if it is none or longer than 254 characters."""
    address = text.strip()
    return address if _EMAIL.fullmatch(address) else None


def _may_stand(character: str) -> bool:
    kind = unicodedata.category(character)
    return _is_letter(character) or kind[0] == "M" or kind == "Zs" or character in _JOINTS


def _is_letter(character: str) -> bool:
    """Also 〇, what older systems kept in fonts of their own, and ideographs yet to come."""
    kind = unicodedata.category(character)
    if kind == "Cn":
        # Extensions made for names are in use before the tables of this Python know them.
        return ord(character) >> 16 in (2, 3) and ord(character) & 0xFFFE != 0xFFFE
    return kind == "Co" or character == "〇" or (kind[0] == "L" and character not in _JOINTS)


def _narrow(character: str) -> str:
    # Full-width ASCII only: NFKC on the whole would also change letters that names hold.
    if "！" <= character <= "～":
        return chr(ord(character) - 0xFEE0)
    return " " if character == "　" else character
