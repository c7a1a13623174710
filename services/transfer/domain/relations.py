"""Which members of one message must agree with each other? The relations of check 16.

Each judge gives the dotted path of the member that is named, or None. A content's form has been
judged before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from services.transfer.domain import envelopes
from services.transfer.domain.refusals import GROUNDS

Side = Literal["O", "D"]
"""Origin or destination: what the sender of a message is in its transfer."""

Relation = Callable[[Mapping[str, Any], Mapping[str, Any], Side | None], str | None]


def _request(body: Mapping[str, Any], content: Mapping[str, Any], side: Side | None) -> str | None:
    again = content["purpose"] in ("return", "redeliver")
    if (content["return_of"] is not None) != again:
        return "content.return_of"
    if content["assisted"] is not None and again:
        return "content.assisted"
    without_code = again or content["assisted"] is not None
    for name in ("code_id", "proof"):
        if (content[name] is None) != without_code:
            return f"content.{name}"
    if (content["consent"] is None) != again:
        return "content.consent"
    if is_small_order(content["seal_key"]):
        return "content.seal_key"
    derived = envelopes.transfer_id(
        body["to"], body["from"], content["purpose"], content["applicant_ref"], content["nonce"]
    )
    return None if body["transfer_id"] == derived else "transfer_id"


def _refused(body: Mapping[str, Any], content: Mapping[str, Any], side: Side | None) -> str | None:
    ground = GROUNDS[content["code"]]
    if side is not None and not ground.may_be_said_by(side):
        return "content.code"
    if content["class"] != ground.refusal_class:
        return "content.class"
    if content["pointer"] is not None and ground.code not in ("TR-203", "TR-306"):
        return "content.pointer"
    if (content["hold"] is not None) != (ground.code == "TR-305"):
        return "content.hold"
    if content["retry_after_seconds"] is not None and ground.refusal_class != "T":
        return "content.retry_after_seconds"
    return None


def _offer(body: Mapping[str, Any], content: Mapping[str, Any], side: Side | None) -> str | None:
    return "content.seal_key" if is_small_order(content["seal_key"]) else None


def _supplement(
    body: Mapping[str, Any], content: Mapping[str, Any], side: Side | None
) -> str | None:
    first = content["k"] == 1
    return None if (content["prev_supplement"] is None) == first else "content.prev_supplement"


def _notice(body: Mapping[str, Any], content: Mapping[str, Any], side: Side | None) -> str | None:
    asks = content["kind"] == "correction-request"
    if asks and content["ref"] is None:
        return "content.ref"
    if (content["nonce"] is not None) != asks:
        return "content.nonce"
    if not asks:
        return None
    derived = envelopes.transfer_id(
        body["to"], body["from"], "correction", content["ref"], content["nonce"]
    )
    return None if body["transfer_id"] == derived else "transfer_id"


RELATIONS: Final[Mapping[str, Relation]] = {
    envelopes.REQUEST: _request,
    envelopes.REFUSED: _refused,
    envelopes.OFFER: _offer,
    envelopes.SUPPLEMENT: _supplement,
    envelopes.NOTICE: _notice,
}

_P: Final = 2**255 - 19
_SMALL_ORDER: Final = frozenset(
    {
        0,
        1,
        _P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    }
)


def is_small_order(public: str) -> bool:
    """Whether the exchange of this X25519 key with any private key is all zero (4.1)."""
    coordinate = int.from_bytes(bytes.fromhex(public), "little") & (2**255 - 1)
    return coordinate % _P in _SMALL_ORDER
