"""Which cities are there, which keys do they sign with, and when did each key hold?

The federation office signs one file; every node has it. Times are compared as text: the one form
they have on the wire sorts as the instants do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.transfer.domain import forms
from shared.canonical import canonical
from shared.messages import Unreadable

Use = Literal["message", "custody", "entry", "head"]
VerifySignature = Callable[[bytes, bytes, bytes], bool]
"""(raw public key, the bytes signed, signature) → whether Ed25519 holds. Pure; given by edges."""

SIGNED_AS: Final = "jiexu-directory-v1"
MAX_NODES: Final = 4000
_APART: Final = (frozenset({"message", "custody"}), frozenset({"entry", "head"}))


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 key of a city. Listed for ever, so that what it signed still verifies."""

    kid: str
    public: bytes
    uses: frozenset[str]
    not_before: str
    not_after: str
    revoked_at: str | None
    compromised_since: str | None

    def signs(self, use: Use, at: str) -> bool:
        """Whether what it signed at this instant counts: in its validity, and not yet revoked."""
        return (
            use in self.uses
            and self.not_before <= at < self.not_after
            and (self.revoked_at is None or at < self.revoked_at)
        )


@dataclass(frozen=True, slots=True)
class SealKey:
    """An X25519 key that opens only in that city's registry."""

    kid: str
    public: bytes
    not_before: str
    not_after: str


@dataclass(frozen=True, slots=True)
class City:
    """One node of the federation."""

    city: str
    name_zh: str
    name_en: str
    base_url: str
    status: str
    successor: str | None
    protocols: tuple[str, ...]
    suites: tuple[str, ...]
    regions: tuple[str, ...]
    keys: Mapping[str, Key]
    seal_keys: Mapping[str, SealKey]
    tls_client_sha256: frozenset[str]

    @property
    def active(self) -> bool:
        """A suspended or retired city may still send everything but requests and offers."""
        return self.status == "active"


@dataclass(frozen=True, slots=True)
class Directory:
    """The file as held; ``serial`` only rises."""

    serial: int
    issued_at: str
    expires_at: str
    cities: Mapping[str, City]

    def key(self, city: str, kid: str, use: Use, at: str) -> Key | None:
        """The key, if this city lists it for this use and it held at that instant."""
        node = self.cities.get(city)
        key = node.keys.get(kid) if node else None
        return key if key is not None and key.signs(use, at) else None

    def fresh(self, now: str) -> bool:
        """Past its expiry only local work and what is released goes on."""
        return now < self.expires_at


_KEY = forms.shape(
    {
        "kid": forms.kid,
        "alg": forms.one_of("Ed25519"),
        "public": forms.hex32,
        "uses": forms.listing(forms.one_of("message", "custody", "entry", "head"), 1, 4),
        "not_before": forms.time,
        "not_after": forms.time,
        "revoked_at": forms.maybe(forms.time),
        "compromised_since": forms.maybe(forms.time),
    }
)
_SEAL_KEY = forms.shape(
    {
        "kid": forms.kid,
        "alg": forms.one_of("X25519"),
        "public": forms.hex32,
        "not_before": forms.time,
        "not_after": forms.time,
    }
)
_CITY = forms.shape(
    {
        "city": forms.city,
        "name_zh": forms.text(100),
        "name_en": forms.text(100),
        "operator": forms.shape({"name": forms.text(200), "contact": forms.text(200)}),
        "base_url": forms.text(200),
        "status": forms.one_of("active", "suspended", "retired"),
        "successor": forms.maybe(forms.city),
        "protocols": forms.listing(forms.text(40), 1, 8),
        "suites": forms.listing(forms.text(40), 1, 8),
        "regions": forms.listing(forms.text(20), 0, 4000),
        "keys": forms.listing(_KEY, 1, 1000),
        "seal_keys": forms.listing(_SEAL_KEY, 0, 1000),
        "tls_client_sha256": forms.listing(forms.hex32, 0, 100),
    }
)
_FILE = forms.shape(
    {
        "body": forms.shape(
            {
                "v": forms.one_of("directory/1"),
                "serial": forms.integer(),
                "issued_at": forms.time,
                "expires_at": forms.time,
                "witness_threshold": forms.integer(),
                "nodes": forms.listing(_CITY, 0, MAX_NODES),
            }
        ),
        "sigs": forms.listing(forms.shape({"kid": forms.text(60), "sig": forms.hex64}), 1, 100),
    }
)


def read_directory(file: Any) -> Directory:
    """The directory in a parsed file, its signatures not yet looked at.

    Raises ``Unreadable`` naming the member that is wrong. Members unknown here are ignored.
    """
    wrong = _FILE(file, False)
    if wrong is not None:
        raise Unreadable(f"directory: {wrong or 'file'} is not of its form")
    body = file["body"]
    cities = {node["city"]: _city(node) for node in body["nodes"]}
    if len(cities) != len(body["nodes"]):
        raise Unreadable("directory: body.nodes names a city twice")
    return Directory(
        serial=body["serial"],
        issued_at=body["issued_at"],
        expires_at=body["expires_at"],
        cities=cities,
    )


def endorsements(file: Any, pinned: Mapping[str, bytes], verify: VerifySignature) -> int:
    """How many of the pinned directory keys signed this body: compare with the threshold."""
    message = SIGNED_AS.encode("ascii") + b"\n" + canonical(file["body"])
    return len(
        {
            entry["kid"]
            for entry in file["sigs"]
            if entry["kid"] in pinned
            and verify(pinned[entry["kid"]], message, bytes.fromhex(entry["sig"]))
        }
    )


def _city(node: Mapping[str, Any]) -> City:
    keys: dict[str, Key] = {}
    for key in node["keys"]:
        uses = frozenset(key["uses"])
        if all(uses & group for group in _APART):
            raise Unreadable("directory: body.nodes.keys.uses joins what must be kept apart")
        if not key["kid"].startswith(f"{node['city']}:") or key["kid"] in keys:
            raise Unreadable("directory: body.nodes.keys.kid is another city's, or stands twice")
        keys[key["kid"]] = Key(
            kid=key["kid"],
            public=bytes.fromhex(key["public"]),
            uses=uses,
            not_before=key["not_before"],
            not_after=key["not_after"],
            revoked_at=key["revoked_at"],
            compromised_since=key["compromised_since"],
        )
    return City(
        city=node["city"],
        name_zh=node["name_zh"],
        name_en=node["name_en"],
        base_url=node["base_url"],
        status=node["status"],
        successor=node["successor"],
        protocols=tuple(node["protocols"]),
        suites=tuple(node["suites"]),
        regions=tuple(node["regions"]),
        keys=keys,
        seal_keys={
            key["kid"]: SealKey(
                key["kid"], bytes.fromhex(key["public"]), key["not_before"], key["not_after"]
            )
            for key in node["seal_keys"]
        },
        tls_client_sha256=frozenset(node["tls_client_sha256"]),
    )
