"""What does a head, certificate, pointer or consent look like, and who may have signed it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.transfer.domain import forms
from services.transfer.domain.directory import Directory, Use, VerifySignature
from services.transfer.domain.refusals import GROUNDS
from shared.canonical import NotCanonical, canonical, digest

KINDS: Final = (
    "service",
    "training",
    "commendation",
    "evaluation",
    "star",
    "complaint",
    "consumption",
    "donation",
    "adjustment",
)
PURPOSES: Final = ("move", "visit", "return", "redeliver")
MAX_CHAIN: Final = 256
EMPTY_ROOT: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of nothing: the root of a log without leaves."""
NO_MINUTES: Final = {
    "credited_minutes": 0,
    "pending_minutes": 0,
    "disputed_minutes": 0,
    "learning_minutes": 0,
    "consumed_minutes": 0,
}

totals: Final = forms.shape(
    {
        "credited_minutes": forms.signed_minutes,
        "pending_minutes": forms.integer(),
        "disputed_minutes": forms.integer(),
        "learning_minutes": forms.integer(),
        "consumed_minutes": forms.integer(),
    }
)
head: Final = forms.signed(
    forms.shape(
        {
            "v": forms.one_of("head/1"),
            "subject_id": forms.hex16,
            "epoch": forms.integer(),
            "home": forms.city,
            "first_registered_on": forms.date,
            "count": forms.integer(),
            "root": forms.hex32,
            "totals": totals,
            "kinds": forms.shape({kind: forms.integer() for kind in KINDS}),
            "state_digest": forms.maybe(forms.hex32),
            "at": forms.time,
        }
    )
)
custody: Final = forms.signed(
    forms.shape(
        {
            "v": forms.one_of("custody/1"),
            "kind": forms.one_of("genesis", "release", "recovery"),
            "subject_id": forms.hex16,
            "epoch": forms.integer(),
            "home": forms.city,
            "from": forms.city,
            "prev": forms.maybe(forms.hex32),
            "transfer_id": forms.maybe(forms.hex32),
            "root": forms.hex32,
            "count": forms.integer(),
            "totals": totals,
            "accept_digest": forms.maybe(forms.hex32),
            "decided_at": forms.time,
            "reason": forms.maybe(forms.text(200)),
        }
    )
)
abort: Final = forms.signed(
    forms.shape(
        {
            "v": forms.one_of("abort/1"),
            "transfer_id": forms.hex32,
            "subject_id": forms.maybe(forms.hex16),
            "epoch": forms.maybe(forms.integer()),
            "from": forms.city,
            "to": forms.city,
            "code": forms.one_of(*GROUNDS),
            "decided_at": forms.time,
        }
    )
)
pointer: Final = forms.signed(
    forms.shape(
        {
            "v": forms.one_of("pointer/1"),
            "subject_id": forms.hex16,
            "epoch": forms.integer(),
            "home": forms.city,
            "certificate_digest": forms.hex32,
            "at": forms.time,
        }
    )
)
consent: Final = forms.signed(
    forms.shape(
        {
            "v": forms.one_of("consent/1"),
            "text_id": forms.text(100),
            "text_digest": forms.hex32,
            "provider": forms.city,
            "receiver": forms.city,
            "purpose": forms.one_of(*PURPOSES),
            "kinds": forms.listing(forms.one_of(*KINDS, "profile"), 1, 10),
            "applicant_ref": forms.hex16,
            "given_at": forms.time,
            "expires_at": forms.time,
            "channel": forms.one_of("web", "app", "counter"),
            "guardian": forms.maybe(
                forms.shape({"relation": forms.text(40), "verified": forms.boolean})
            ),
        }
    )
)
receipt: Final = forms.shape(
    {
        "entry_digest": forms.hex32,
        "index": forms.integer(),
        "inclusion_path": forms.listing(forms.hex32, 0, 64),
        "head": head,
    }
)
"""What a volunteer holds of one leaf. Not signed itself: its head is."""

ENVELOPE_DOMAIN: Final = "jiexu-envelope-v1"
RECEIPT_DOMAIN: Final = "jiexu-receipt-v1"
CONSENT_DOMAIN: Final = "jiexu-consent-v1"
ENTRY_DOMAIN: Final = "jiexu-entry-v1"
HEAD_DOMAIN: Final = "jiexu-head-v1"
CERTIFICATE_DOMAIN: Final = "jiexu-certificate-v1"
POINTER_DOMAIN: Final = "jiexu-pointer-v1"


# {"body": and ,"kid":"…","sig":"…"}: what J(signed) has around J(body).
_OPENING: Final = len(b'{"body":')
_CLOSING: Final = len(b',"kid":"","sig":""}') + 128


def body_bytes(signed: bytes, kid: str) -> bytes:
    """J(body) as a slice of the canonical bytes of a signed object: no second encoding."""
    return signed[_OPENING : len(signed) - _CLOSING - len(kid)]


@dataclass(frozen=True, slots=True)
class Signer:
    """Who must have signed a body: the city, the use of its key, the domain, and the instant."""

    city: str
    use: Use
    domain: str
    at: str


def signer_of(signed: Mapping[str, Any]) -> Signer:
    """Who must have signed this; its form has been judged.

    A pointer, and a recovery certificate, may be signed by any former home: there the key names
    the city, and whoever reads it judges whether that city was home.
    """
    body = signed["body"]
    match body["v"]:
        case "head/1":
            return Signer(body["home"], "head", HEAD_DOMAIN, body["at"])
        case "custody/1":
            city = _city_of(signed["kid"]) if body["kind"] == "recovery" else body["from"]
            return Signer(city, "custody", CERTIFICATE_DOMAIN, body["decided_at"])
        case "abort/1":
            return Signer(body["from"], "custody", CERTIFICATE_DOMAIN, body["decided_at"])
        case "pointer/1":
            return Signer(_city_of(signed["kid"]), "custody", POINTER_DOMAIN, body["at"])
        case "consent/1":
            return Signer(body["receiver"], "message", CONSENT_DOMAIN, body["given_at"])
        case "entry/1":
            return Signer(body["issuer"], "entry", ENTRY_DOMAIN, body["recorded_at"])
    raise ValueError("no signed object of this protocol")


def is_genuine(signed: Mapping[str, Any], directory: Directory, verify: VerifySignature) -> bool:
    """Whether the right city signed this with a key that held at its own time.

    A key that was ever compromised proves nothing by itself.
    """
    signer = signer_of(signed)
    key = directory.key(signer.city, signed["kid"], signer.use, signer.at)
    if key is None or key.compromised_since is not None:
        return False
    try:
        message = signer.domain.encode("ascii") + b"\n" + canonical(signed["body"])
    except NotCanonical:
        # A member unknown here holds what nothing can sign: only outside the wire.
        return False
    return verify(key.public, message, bytes.fromhex(signed["sig"]))


def seal_of(signed: Mapping[str, Any]) -> str:
    """The name of a signed object with its signature, in hex: what ``genuine`` sets hold."""
    return digest(signed)


def inner_objects(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The signed objects in a message's content, entries apart (records judges those).

    Consent, head, pointer, certificate, decision, custody chain, certificates of a page.
    """
    found = [
        content[name]
        for name in ("consent", "head", "pointer", "certificate", "decision")
        if content.get(name) is not None
    ]
    for name in ("custody_chain", "certificates"):
        found.extend(content.get(name) or ())
    return found


def genuine_objects(
    content: Mapping[str, Any], directory: Directory, verify: VerifySignature
) -> frozenset[str]:
    """``seal_of`` each inner object whose signature holds: made once at the edge, so that the
    decider can judge signatures without a directory or a key."""
    return frozenset(
        seal_of(signed)
        for signed in inner_objects(content)
        if is_genuine(signed, directory, verify)
    )


def _city_of(kid: str) -> str:
    return kid.partition(":")[0]
