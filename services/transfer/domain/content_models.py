"""Is a message of its form? Checks 8 and 16: header, contents M1–M14, and their relations.

Each judge gives the dotted path of a member that is wrong, as a peer is told it, or None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from services.transfer.domain import certificates, envelopes, forms
from services.transfer.domain.refusals import GROUNDS
from services.transfer.domain.relations import RELATIONS, Side

STAGES: Final = ("request", "review", "freeze", "offer", "receive", "verify", "stage")
NOTICES: Final = (
    "remind",
    "clarify",
    "answer",
    "withdraw-request",
    "correction-request",
    "invalidate",
    "visit-opened",
    "visit-closed",
    "moved",
)
PROMISE: Final = "activate-iff-released"
_PROTOCOL: Final = re.compile(r"jiexu/(0|[1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})", re.ASCII)

_HEADER: Final[Mapping[str, forms.Form]] = {
    "protocol": forms.pattern(_PROTOCOL),
    "type": forms.text(40),
    "message_id": forms.hex16,
    "transfer_id": forms.hex32,
    "from": forms.city,
    "to": forms.city,
    "incarnation": forms.integer(1),
    "seq": forms.integer(),
    "prev": forms.maybe(forms.hex32),
    "in_reply_to": forms.maybe(forms.hex16),
    "issued_at": forms.time,
    "expires_at": forms.time,
    "content": forms.anything,
}
_header: Final = forms.shape(_HEADER)

_sealed_identity: Final = forms.shape(
    {
        "epk": forms.hex32,
        "seal_kid": forms.kid,
        "sealed": forms.hexadecimal_up_to(2048),
        "officer_ref": forms.text(40),
        "reason": forms.text(200),
    }
)
_sealed_profile: Final = forms.shape(
    {"epk": forms.hex32, "seal_kid": forms.kid, "sealed": forms.hexadecimal_up_to(65536)}
)
_bundle: Final = forms.shape(
    {
        "n": forms.integer(),
        "first_index": forms.integer(),
        "entries": forms.integer(1, 500),
        "bytes": forms.integer(),
        "digest": forms.hex32,
    }
)
_decision: Final = forms.either(certificates.abort, certificates.custody)
_chain: Final = forms.listing(certificates.custody, 1, certificates.MAX_CHAIN)
_names: Final = forms.listing(forms.text(40), 1, 8)

CONTENTS: Final[Mapping[str, forms.Form]] = {
    envelopes.REQUEST: forms.shape(
        {
            "purpose": forms.one_of(*certificates.PURPOSES),
            "nonce": forms.hex16,
            "applicant_ref": forms.hex16,
            "code_id": forms.maybe(forms.hex16),
            "proof": forms.maybe(forms.hex32),
            "assisted": forms.maybe(_sealed_identity),
            "return_of": forms.maybe(forms.hex32),
            "consent": forms.maybe(certificates.consent),
            "seal_key": forms.hex32,
            "suites": _names,
            "protocols": _names,
            "limits": forms.shape(
                {
                    "max_entries": forms.integer(1, 500_000),
                    "max_bundles": forms.integer(1, 1000),
                    "max_bundle_bytes": forms.integer(65_536, 1_048_576),
                }
            ),
        }
    ),
    envelopes.REQUEST_RECEIVED: forms.shape(
        {"received_at": forms.time, "log_index": forms.integer(), "review_due": forms.date}
    ),
    envelopes.REFUSED: forms.shape(
        {
            "code": forms.one_of(*GROUNDS),
            "class": forms.one_of("F", "T", "R"),
            "stage": forms.one_of(*STAGES),
            "evidence_digest": forms.maybe(forms.hex32),
            "pointer": forms.maybe(certificates.pointer),
            "hold": forms.maybe(forms.shape({"authority": forms.text(100), "until": forms.date})),
            "retry_after_seconds": forms.maybe(forms.integer(60, 2_592_000)),
            "open_since": forms.maybe(forms.date),
            "appeal_until": forms.maybe(forms.date),
        }
    ),
    envelopes.OFFER: forms.shape(
        {
            "subject_id": forms.hex16,
            "epoch": forms.integer(),
            "head": certificates.head,
            "bundles": forms.listing(_bundle, 0, 1000),
            "custody_chain": _chain,
            "seal_key": forms.hex32,
            "suite": forms.one_of("intl-1", "sm-1"),
            "profile": forms.maybe(_sealed_profile),
            "frozen_at": forms.time,
            "offer_expires_at": forms.time,
            "directory_serial": forms.integer(),
            "cosignatures": forms.listing(forms.anything, 0, 0),
        }
    ),
    envelopes.ACCEPTED: forms.shape(
        {
            "offer_digest": forms.hex32,
            "subject_id": forms.hex16,
            "epoch": forms.integer(),
            "root": forms.hex32,
            "count": forms.integer(),
            "totals": certificates.totals,
            "state_digest": forms.hex32,
            "accepted_at": forms.time,
            "promise": forms.one_of(PROMISE),
        }
    ),
    envelopes.RELEASE: forms.shape({"certificate": certificates.custody}),
    envelopes.ABORTED: forms.shape({"certificate": certificates.abort}),
    envelopes.ACTIVATED: forms.shape(
        {
            "release_digest": forms.hex32,
            "subject_id": forms.hex16,
            "epoch": forms.integer(),
            "state_digest": forms.hex32,
            "activated_at": forms.time,
        }
    ),
    envelopes.STATUS_QUERY: forms.shape(
        {
            "known_state": forms.text(20),
            "last_seq_seen": forms.integer(),
            "applied": forms.integer(),
            "reconcile": forms.maybe(
                forms.shape(
                    {
                        "after": forms.maybe(forms.hex32),
                        "applied": forms.listing(
                            forms.shape(
                                {
                                    "transfer_id": forms.hex32,
                                    "incarnation": forms.integer(1),
                                    "k": forms.integer(),
                                }
                            ),
                            0,
                            100,
                        ),
                    }
                )
            ),
        }
    ),
    envelopes.STATUS_REPLY: forms.shape(
        {
            "state": forms.text(20),
            "decision": forms.maybe(_decision),
            "last_seq_sent": forms.integer(),
            "applied": forms.integer(),
            "stored": forms.integer(),
            "receipted": forms.integer(),
            "transfers": forms.maybe(
                forms.listing(
                    forms.shape(
                        {
                            "transfer_id": forms.hex32,
                            "role": forms.text(20),
                            "state": forms.text(20),
                            "subject_id": forms.maybe(forms.hex16),
                            "epoch": forms.maybe(forms.integer()),
                            "applied": forms.integer(),
                        }
                    ),
                    0,
                    100,
                )
            ),
            "certificates": forms.maybe(forms.listing(_decision, 0, 200)),
            "next": forms.maybe(forms.hex32),
        }
    ),
    envelopes.SUPPLEMENT: forms.shape(
        {
            "k": forms.integer(1),
            "prev_supplement": forms.maybe(forms.hex32),
            "subject_id": forms.hex16,
            "entries": forms.listing(forms.signed(forms.anything), 1, 50),
            "hops": forms.listing(forms.city, 1, certificates.MAX_CHAIN),
        }
    ),
    envelopes.SUPPLEMENT_RECEIVED: forms.shape(
        {
            "k": forms.integer(1),
            "supplement_digest": forms.hex32,
            "new": forms.integer(),
            "duplicates": forms.integer(),
            "quarantined": forms.integer(),
        }
    ),
    envelopes.RESIDUAL_CLOSED: forms.shape(
        {
            "supplements": forms.integer(),
            "entries": forms.integer(),
            "last_digest": forms.maybe(forms.hex32),
            "root": forms.hex32,
            "closed_at": forms.time,
        }
    ),
    envelopes.CLOSED: forms.shape(
        {"supplements": forms.integer(), "root": forms.hex32, "closed_at": forms.time}
    ),
    envelopes.NOTICE: forms.shape(
        {
            "kind": forms.one_of(*NOTICES),
            "ref": forms.maybe(forms.hex16),
            "nonce": forms.maybe(forms.hex16),
            "subject_id": forms.maybe(forms.hex16),
            "epoch": forms.maybe(forms.integer()),
            "entry": forms.maybe(
                forms.shape(
                    {
                        "issuer": forms.city,
                        "entry_id": forms.text(60),
                        "version": forms.integer(1, 9999),
                    }
                )
            ),
            "text": forms.maybe(forms.text(500)),
            "until": forms.maybe(forms.time),
            "custody_chain": forms.maybe(_chain),
            "pointer": forms.maybe(certificates.pointer),
        }
    ),
    envelopes.BUNDLE_GET: forms.shape({"n": forms.integer(), "digest": forms.hex32}),
}

E1_TYPES: Final = frozenset(CONTENTS) - envelopes.UNNUMBERED
"""What may be sent to ``POST /federation/v1/messages``."""


def judge_envelope(value: Any) -> tuple[bool, str | None]:
    """Check 8: (fits, field). The field is None for a member too many, or no object."""
    if type(value) is not dict:
        return False, None
    for name in ("body", "kid", "sig"):
        if name not in value:
            return False, name
    if len(value) != 3:
        return False, None
    if type(value["body"]) is not dict:
        return False, "body"
    wrong = _header(value["body"], _strict(value["body"].get("protocol")))
    if wrong is not None:
        return False, wrong or "body"
    if forms.kid(value["kid"], True) is not None:
        return False, "kid"
    if forms.hex64(value["sig"], True) is not None:
        return False, "sig"
    return True, None


def major(protocol: str) -> int:
    """Check 9 asks for 1."""
    return int(protocol.removeprefix("jiexu/").partition(".")[0])


def judge_content(body: Mapping[str, Any], sender_side: Side | None) -> str | None:
    """Check 16: form, then relations. ``sender_side`` is what the sender of this transfer is,
    None where the transfer is not known here."""
    content = body["content"]
    wrong = CONTENTS[body["type"]](content, _strict(body["protocol"]))
    if wrong is not None:
        return forms.joined("content", wrong)
    wrong = _judge_header(body)
    if wrong is not None:
        return wrong
    relation = RELATIONS.get(body["type"])
    wrong = relation(body, content, sender_side) if relation else None
    if wrong is not None:
        return wrong
    if body["seq"] and body["message_id"] != envelopes.message_id(
        body["transfer_id"], body["from"], body["incarnation"], body["seq"]
    ):
        return "message_id"
    return None


def _strict(protocol: Any) -> bool:
    match = _PROTOCOL.fullmatch(protocol) if type(protocol) is str else None
    return match is not None and match[1] == "1" and int(match[2]) <= envelopes.OUR_MINOR


def _judge_header(body: Mapping[str, Any]) -> str | None:
    if (body["seq"] == 0) != (body["type"] in envelopes.UNNUMBERED):
        return "seq"
    life = envelopes.LIFE_SECONDS.get(body["type"])
    if life is None:
        return None if body["expires_at"] == envelopes.NEVER else "expires_at"
    issued = datetime.fromisoformat(body["issued_at"])
    lives = (datetime.fromisoformat(body["expires_at"]) - issued).total_seconds()
    return None if 0 < lives <= life else "expires_at"
