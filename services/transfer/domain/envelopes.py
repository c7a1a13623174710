"""What does every message between cities carry besides its content? (docs/protocol.md, 4)"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

PROTOCOL: Final = "jiexu/1.0"
OUR_MINOR: Final = 0
NEVER: Final = "9999-12-31T23:59:59Z"
NO_TRANSFER: Final = "0" * 64
"""The transfer id of a question that concerns no transfer (at start, or to reconcile)."""

REQUEST: Final = "transfer-request"
REQUEST_RECEIVED: Final = "request-received"
REFUSED: Final = "refused"
OFFER: Final = "offer"
ACCEPTED: Final = "accepted"
RELEASE: Final = "release"
ABORTED: Final = "aborted"
ACTIVATED: Final = "activated"
STATUS_QUERY: Final = "status-query"
STATUS_REPLY: Final = "status-reply"
SUPPLEMENT: Final = "supplement"
SUPPLEMENT_RECEIVED: Final = "supplement-received"
RESIDUAL_CLOSED: Final = "residual-closed"
CLOSED: Final = "closed"
NOTICE: Final = "notice"
BUNDLE_GET: Final = "bundle-get"

UNNUMBERED: Final = frozenset({STATUS_QUERY, STATUS_REPLY, BUNDLE_GET})
"""Types with a random message id and seq 0; they are neither stored nor chained."""

LIFE_SECONDS: Final[Mapping[str, int]] = {
    REQUEST: 7 * 86_400,
    REQUEST_RECEIVED: 7 * 86_400,
    OFFER: 7 * 86_400,
    ACCEPTED: 7 * 86_400,
    STATUS_QUERY: 60,
    STATUS_REPLY: 60,
    BUNDLE_GET: 60,
}
"""Seconds that a message of this type may live at most; a type not named here never expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message whose form has been judged: header, content, and the digest of its body.

    Times stay the text that was signed (``2027-03-01T02:00:00Z``), ids lower-case hex. ``sender``
    and ``receiver`` are the members ``from`` and ``to``.
    """

    protocol: str
    type: str
    message_id: str
    transfer_id: str
    sender: str
    receiver: str
    incarnation: int
    seq: int
    prev: str | None
    in_reply_to: str | None
    issued_at: str
    expires_at: str
    content: Mapping[str, Any]
    digest: str
    kid: str
    sig: str

    @property
    def minor(self) -> int:
        """N of ``jiexu/1.N``."""
        return int(self.protocol.rpartition(".")[2])


def body(
    *,
    type: str,
    message_id: str,
    transfer_id: str,
    sender: str,
    receiver: str,
    incarnation: int,
    seq: int,
    prev: str | None,
    in_reply_to: str | None,
    issued_at: str,
    expires_at: str,
    content: Mapping[str, Any],
    protocol: str = PROTOCOL,
) -> dict[str, Any]:
    """The body to sign: all twelve members, "none" as an explicit null."""
    return {
        "protocol": protocol,
        "type": type,
        "message_id": message_id,
        "transfer_id": transfer_id,
        "from": sender,
        "to": receiver,
        "incarnation": incarnation,
        "seq": seq,
        "prev": prev,
        "in_reply_to": in_reply_to,
        "issued_at": issued_at,
        "expires_at": expires_at,
        "content": content,
    }


def opened(signed: Mapping[str, Any], digest: str) -> Envelope:
    """The envelope of a signed body whose form is right; ``digest`` is that of the body."""
    inner = signed["body"]
    return Envelope(
        protocol=inner["protocol"],
        type=inner["type"],
        message_id=inner["message_id"],
        transfer_id=inner["transfer_id"],
        sender=inner["from"],
        receiver=inner["to"],
        incarnation=inner["incarnation"],
        seq=inner["seq"],
        prev=inner["prev"],
        in_reply_to=inner["in_reply_to"],
        issued_at=inner["issued_at"],
        expires_at=inner["expires_at"],
        content=inner["content"],
        digest=digest,
        kid=signed["kid"],
        sig=signed["sig"],
    )


def message_id(transfer_id: str, sender: str, incarnation: int, seq: int) -> str:
    """Hex of 16 bytes; derived, so that "same id, other content" can be seen."""
    text = f"jiexu-message-v1\n{transfer_id}\n{sender}\n{incarnation}\n{seq}"
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def transfer_id(origin: str, destination: str, purpose: str, applicant_ref: str, nonce: str) -> str:
    """Hex of 32 bytes. A correction request has purpose ``correction``, origin = the issuer,
    applicant_ref and nonce = its ref and nonce."""
    text = f"jiexu-transfer-v1\n{origin}\n{destination}\n{purpose}\n{applicant_ref}\n{nonce}"
    return hashlib.sha256(text.encode("ascii")).hexdigest()
