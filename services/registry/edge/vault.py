"""Where do personal values live, who can read them, and how is a number found without them?

AES-256-GCM under a key per person, which the key-encryption key wraps; beside it keyed digests
(HMAC-SHA256 under the city's pepper). Erasing a person destroys her key (architecture.md 6).
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import TypeAdapter

from services.registry.domain import documents, identity, names
from services.registry.domain.documents import WIRE_TYPES, Document
from services.registry.domain.organisations.commands import Responsible
from services.registry.domain.people import Asked, Guardian, Person
from services.registry.domain.volunteers.events import DocumentKey
from shared.canonical import load
from shared.clock import read, wire_exact
from shared.messages import Unreadable

NONCE_BYTES: Final = 12
CLAIM_LIFETIME: Final = timedelta(hours=1)


class VaultIsBroken(Exception):
    """A stored value does not open: another key, or it was changed. Never says which person."""


class ClaimRefIsWrong(Exception):
    """A claim reference that this city did not make."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is stored of a person: the wrapped key, and the profile under that key."""

    vault_id: str
    wrapped_key: bytes
    profile: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What the vault holds of one person."""

    person: Person
    guardian: Guardian | None = None


_PROFILE: TypeAdapter[Profile] = TypeAdapter(Profile)
_RESPONSIBLE: TypeAdapter[Responsible] = TypeAdapter(Responsible)


class Vault:
    """Seals and opens; holds the two keys and no database."""

    def __init__(self, key_encryption_key: bytes, pepper: bytes) -> None:
        self._kek = AESGCM(key_encryption_key)
        self._pepper = pepper
        # Apart from the key that wraps persons' keys: other lives, other associated data.
        self._codes = AESGCM(identity.hkdf(key_encryption_key, b"", b"jiexu-codes-v1", 32))
        self._claims = AESGCM(identity.hkdf(key_encryption_key, b"", b"jiexu-claims-v1", 32))

    def __repr__(self) -> str:
        return "Vault()"

    # -- persons --------------------------------------------------------------------------------

    def seal(self, profile: Profile) -> Sealed:
        """A new key for a new person."""
        return self._seal(_as_json(_PROFILE, profile))

    def open(self, sealed: Sealed) -> Profile:
        """Raises ``VaultIsBroken``."""
        return _PROFILE.validate_json(self._open(sealed))

    def seal_responsible(self, responsible: Responsible) -> Sealed:
        """The person who answers for an organisation."""
        return self._seal(_as_json(_RESPONSIBLE, responsible))

    def open_responsible(self, sealed: Sealed) -> Responsible:
        """Raises ``VaultIsBroken``."""
        return _RESPONSIBLE.validate_json(self._open(sealed))

    def _seal(self, plain: bytes) -> Sealed:
        vault_id = secrets.token_hex(16)
        key = AESGCM.generate_key(256)
        return Sealed(
            vault_id,
            _encrypt(self._kek, key, f"key:{vault_id}"),
            _encrypt(AESGCM(key), plain, f"profile:{vault_id}"),
        )

    def _open(self, sealed: Sealed) -> bytes:
        key = _decrypt(self._kek, sealed.wrapped_key, f"key:{sealed.vault_id}")
        return _decrypt(AESGCM(key), sealed.profile, f"profile:{sealed.vault_id}")

    # -- keyed digests --------------------------------------------------------------------------

    def keys_of(self, person: Person, day: date) -> tuple[DocumentKey, ...]:
        """The keyed digests of her documents; of a number that is none, something unfindable."""
        return tuple(self.key_of(each, person.name, day) for each in person.documents)

    def key_of(
        self, document: Document, name: str, day: date, *, historical: bool = False
    ) -> DocumentKey:
        """By ``digest`` a number is found, by ``named`` it is known to bear this name."""
        judged = documents.judge(document, day, historical=historical)
        canonical = judged.canonical if judged.reason is None else f"?{document.number}"
        return DocumentKey(
            document.type,
            self._digest("jiexu-document-v1", document.type, canonical),
            self._digest("jiexu-named-v1", document.type, canonical, names.matching(name)),
        )

    def login_id(self, issuer: str, subject: str) -> str:
        """How a login of an outside issuer is known here."""
        return f"login-{self._digest('jiexu-login-v1', issuer, subject)[:32]}"

    def _digest(self, *parts: str) -> str:
        text = "\x1f".join(parts).encode("utf-8")
        return hmac.new(self._pepper, text, sha256).hexdigest()

    # -- codes and claims -----------------------------------------------------------------------

    def seal_code_key(self, code_id: str, key: bytes) -> bytes:
        """The key of a transfer code, encrypted; its id is bound to it."""
        return _encrypt(self._codes, key, code_id)

    def open_code_key(self, code_id: str, sealed: bytes) -> bytes:
        """Raises ``VaultIsBroken``."""
        return _decrypt(self._codes, sealed, code_id)

    def claim_ref(self, subject_id: str, at: datetime) -> str:
        """A reference with which to claim this registration within the hour.

        It is sealed: it does not tell the subject, and nothing of it is stored.
        """
        body = {"subject_id": subject_id, "expires_at": wire_exact(at + CLAIM_LIFETIME)}
        return _encrypt(self._claims, json.dumps(body).encode(), "claim").hex()

    def read_claim_ref(self, text: str) -> tuple[str, datetime]:
        """Subject and end of a claim reference; raises ``ClaimRefIsWrong``."""
        try:
            body = load(_decrypt(self._claims, bytes.fromhex(text), "claim"))
            return body["subject_id"], read(body["expires_at"])
        except (ValueError, VaultIsBroken, Unreadable, KeyError):
            raise ClaimRefIsWrong from None


def profile_of(asked: Asked) -> Profile:
    """What goes to the vault of a registration or an application."""
    consent = asked.guardian_consent
    return Profile(person=asked.person, guardian=None if consent is None else consent.guardian)


def identities_of(person: Person) -> tuple[bytes, ...]:
    """Identity bytes by document (protocol.md 2.3); a document that has none is left out."""
    found = []
    for each in person.documents:
        number = f"{each.country or ''}{each.number}" if each.type == "passport" else each.number
        try:
            found.append(identity.identity_bytes(person.name, WIRE_TYPES[each.type], number))
        except identity.NotAnIdentity:
            continue
    return tuple(found)


def _as_json(adapter: TypeAdapter[Any], value: Any) -> bytes:
    return adapter.dump_json(value)


def _encrypt(key: AESGCM, plain: bytes, about: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, about.encode("utf-8"))


def _decrypt(key: AESGCM, sealed: bytes, about: str) -> bytes:
    try:
        return key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode("utf-8"))
    except (InvalidTag, ValueError):
        raise VaultIsBroken("a value of the vault does not open") from None


def shown(profile: Profile) -> Mapping[str, Any]:
    """Her own profile as she is shown it: numbers and phone masked (domain.md 6)."""
    person = profile.person
    return {
        "name": names.as_written(person.name),
        "sex": person.sex,
        "birth_date": person.birth_date.isoformat(),
        "documents": [
            {"type": each.type, "number": _mask(each.number, 1, 1)} for each in person.documents
        ],
        "contact": {
            "phone": None if person.contact.phone is None else _mask(person.contact.phone, 3, 2),
            "email": person.contact.email,
            "address": person.contact.address,
        },
        "service_skills": list(person.service_skills),
        "service_categories": list(person.service_categories),
        "available_times": list(person.available_times),
    }


def _mask(text: str, first: int, last: int) -> str:
    hidden = max(len(text) - first - last, 1)
    return text[:first] + "*" * hidden + (text[-last:] if len(text) > first + last else "")
