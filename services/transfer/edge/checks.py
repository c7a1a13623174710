"""Is this input a message that may change anything here? The 24 checks, in their order.

The order is part of the protocol: the first check that fails is what the sender is told. Nothing
here writes; what needs the world is asked through ports. Check 24 is the caller's: any other
exception.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Literal, Protocol, TypeVar

from services.transfer.domain import envelopes
from services.transfer.domain.certificates import ENVELOPE_DOMAIN, body_bytes
from services.transfer.domain.content_models import (
    E1_TYPES,
    judge_content,
    judge_envelope,
    major,
)
from services.transfer.domain.directory import Directory, Key
from services.transfer.domain.envelopes import Envelope, opened
from services.transfer.domain.relations import Side
from services.transfer.edge.answers import Refused
from services.transfer.edge.ports import (
    Bundles,
    Inbox,
    Node,
    SealedBundle,
    Stored,
    Transfers,
)
from services.transfer.edge.rates import BUNDLES, MESSAGES, Buckets
from services.transfer.edge.signatures import verify_signature
from shared.canonical import NotCanonical, NotJson, TooDeep, load_canonical
from shared.clock import Clock, wire
from shared.messages import Unavailable

T = TypeVar("T")
Endpoint = Literal["E1", "E2", "E3"]

MAX_MESSAGE_BYTES: Final = 1_048_576
MAX_QUERY_BYTES: Final = 65_536
MAX_HEADER_BYTES: Final = 4096
SKEW: Final = timedelta(seconds=300)
_LIMITS: Final[dict[Endpoint, int]] = {
    "E1": MAX_MESSAGE_BYTES,
    "E2": MAX_HEADER_BYTES,
    "E3": MAX_QUERY_BYTES,
}
_TYPES: Final[dict[Endpoint, frozenset[str]]] = {
    "E1": E1_TYPES,
    "E2": frozenset({envelopes.BUNDLE_GET}),
    "E3": frozenset({envelopes.STATUS_QUERY}),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the other end of the connection; ``from`` in a message proves nothing yet.

    ``certificate`` is the SHA-256 of the TLS client certificate in hex, where there is one.
    """

    address: str
    certificate: str | None = None

    @property
    def name(self) -> str:
        """What rates are counted by."""
        return self.certificate or self.address


class Incoming(Protocol):
    """A request as far as it has come: headers are there, the body is read when it is its turn."""

    @property
    def caller(self) -> Caller: ...

    @property
    def media_type(self) -> str: ...

    @property
    def content_encoding(self) -> str: ...

    async def read(self, limit: int) -> bytes:
        """The whole body; more than ``limit`` bytes of it raise ``Refused`` (check 3)."""
        ...


@dataclass(frozen=True, slots=True)
class Passed:
    """An envelope that passed; ``stored`` is set where the same bytes are in the inbox."""

    envelope: Envelope
    raw: bytes
    stored: Stored | None = None


@dataclass
class Trace:
    """How far an input came: what ``rejected_input`` keeps of it."""

    raw: bytes = b""
    claimed: str | None = None


class Checks:
    """The checks of one city, over its ports."""

    def __init__(
        self,
        *,
        city: str,
        clock: Clock,
        directory: Callable[[], Directory],
        inbox: Inbox,
        transfers: Transfers,
        bundles: Bundles,
        node: Node,
        mutual_tls: bool = False,
        messages: Buckets | None = None,
        bundle_requests: Buckets | None = None,
    ) -> None:
        self._city = city
        self._clock = clock
        self._directory = directory
        self._inbox = inbox
        self._transfers = transfers
        self._bundles = bundles
        self._node = node
        self._mutual_tls = mutual_tls
        self._messages = messages or Buckets(MESSAGES)
        self._bundle_requests = bundle_requests or Buckets(BUNDLES)

    async def message(self, incoming: Incoming, trace: Trace) -> Passed:
        """E1: all checks but 22. A duplicate passes with what is stored."""
        self._rate(self._messages, incoming.caller)
        await self._standing()
        body = await self._signed("E1", await self._bytes("E1", incoming, trace), incoming, trace)
        envelope = body.envelope
        stored = await self._ask(self._inbox.find(envelope.message_id))
        if stored is not None:
            if stored.digest != envelope.digest:
                raise Refused(18)
            return Passed(envelope, body.raw, stored)
        self._times(envelope)
        await self._known(envelope)
        if envelope.type == envelopes.REQUEST and not self._directory().fresh(self._now()):
            raise Refused(23, retry_after=900)
        return body

    async def query(self, incoming: Incoming, trace: Trace) -> Passed:
        """E3: 1, 3–16, 19–21. Open also to a node that recovers."""
        self._rate(self._messages, incoming.caller)
        body = await self._signed("E3", await self._bytes("E3", incoming, trace), incoming, trace)
        self._times(body.envelope)
        await self._known(body.envelope)
        return body

    async def bundle(
        self, transfer_id: str, n: str, header: str | None, incoming: Incoming, trace: Trace
    ) -> SealedBundle:
        """E2: 1, 2, 5–16, 19, 20, 22 on the decoded header ``Jiexu-Request``."""
        self._rate(self._bundle_requests, incoming.caller)
        await self._standing()
        raw = _decoded(header)
        trace.raw = raw
        if len(raw) > MAX_HEADER_BYTES:
            raise Refused(3)
        envelope = (await self._signed("E2", raw, incoming, trace)).envelope
        self._times(envelope)
        content = envelope.content
        found = None
        if envelope.transfer_id == transfer_id and str(content["n"]) == n:
            found = await self._ask(self._bundles.find(transfer_id, content["n"], envelope.sender))
        if found is None or found.digest != content["digest"]:
            raise Refused(22)
        return found

    def _rate(self, buckets: Buckets, caller: Caller) -> None:
        wait = buckets.wait_seconds(caller.name)
        if wait:
            raise Refused(1, retry_after=wait)

    async def _standing(self) -> None:
        standing = await self._ask(self._node.standing())
        if standing.reason is not None:
            raise Refused(2, retry_after=5)

    async def _bytes(self, endpoint: Endpoint, incoming: Incoming, trace: Trace) -> bytes:
        trace.raw = await incoming.read(_LIMITS[endpoint])
        if incoming.media_type != "application/json" or incoming.content_encoding:
            raise Refused(4)
        return trace.raw

    async def _signed(
        self, endpoint: Endpoint, raw: bytes, incoming: Incoming, trace: Trace
    ) -> Passed:
        """Checks 5–16."""
        value = _parsed(raw)
        fits, field = judge_envelope(value)
        trace.claimed = _claimed(value)
        if not fits:
            raise Refused(8, field)
        body = value["body"]
        if major(body["protocol"]) != 1:
            raise Refused(9)
        if body["to"] != self._city:
            raise Refused(10)
        key = self._key(value, incoming.caller)
        sender = self._directory().cities[body["from"]]
        if not sender.active and body["type"] in (envelopes.REQUEST, envelopes.OFFER):
            raise Refused(12)
        judged = body_bytes(raw, value["kid"])
        signed = ENVELOPE_DOMAIN.encode("ascii") + b"\n" + judged
        if not verify_signature(key.public, signed, bytes.fromhex(value["sig"])):
            raise Refused(13)
        if body["incarnation"] < await self._ask(self._transfers.barrier(body["from"])):
            raise Refused(14)
        if body["type"] not in _TYPES[endpoint]:
            raise Refused(15)
        field = judge_content(body, await self._side(body))
        if field is not None:
            raise Refused(16, field)
        return Passed(opened(value, sha256(judged).hexdigest()), raw)

    def _key(self, value: dict[str, Any], caller: Caller) -> Key:
        body, now = value["body"], self._now()
        sender = self._directory().cities.get(body["from"])
        key = sender.keys.get(value["kid"]) if sender else None
        if sender is None or key is None or key.compromised_since is not None:
            raise Refused(11)
        if not (
            "message" in key.uses
            and key.not_before <= body["issued_at"] < key.not_after
            and (key.revoked_at is None or now < key.revoked_at)
        ):
            raise Refused(11)
        listed = sender.tls_client_sha256
        if caller.certificate is None:
            matches = not self._mutual_tls
        else:
            matches = caller.certificate in listed
        if not matches:
            raise Refused(11)
        return key

    async def _side(self, body: dict[str, Any]) -> Side | None:
        for side in await self._ask(self._transfers.sides(body["transfer_id"])):
            if side.other == body["from"]:
                return "D" if side.role == "origin" else "O"
        return None

    def _times(self, envelope: Envelope) -> None:
        """Checks 19 and 20."""
        now = self._clock.now()
        if datetime.fromisoformat(envelope.issued_at) > now + SKEW:
            raise Refused(19)
        if (
            envelope.expires_at != envelopes.NEVER
            and datetime.fromisoformat(envelope.expires_at) < now - SKEW
        ):
            raise Refused(20)

    async def _known(self, envelope: Envelope) -> None:
        """Check 21: the same answer for a transfer unknown here and for one of two others."""
        if (
            envelope.type == envelopes.REQUEST
            or (
                envelope.type == envelopes.NOTICE
                and envelope.content["kind"] == "correction-request"
            )
            or (
                envelope.type == envelopes.STATUS_QUERY
                and envelope.transfer_id == envelopes.NO_TRANSFER
            )
        ):
            return
        sides = await self._ask(self._transfers.sides(envelope.transfer_id))
        if all(side.other != envelope.sender for side in sides):
            raise Refused(21)

    def _now(self) -> str:
        return wire(self._clock.now())

    async def _ask(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except Unavailable as away:
            raise Refused(2, retry_after=away.retry_after_seconds) from away


def _parsed(raw: bytes) -> Any:
    try:
        return load_canonical(raw)
    except TooDeep:
        raise Refused(5) from None
    except NotJson:
        raise Refused(6) from None
    except NotCanonical:
        raise Refused(7) from None


def _decoded(header: str | None) -> bytes:
    """base64url without padding, the one form that encodes these bytes."""
    if header is None:
        raise Refused(6)
    # 4 KiB are 5,462 characters: what is longer is too large, whatever it decodes to.
    if len(header) > (MAX_HEADER_BYTES * 4 + 2) // 3:
        raise Refused(3)
    try:
        raw = base64.b64decode(header + "=" * (-len(header) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Refused(6) from None
    if "=" in header or base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") != header:
        raise Refused(6)
    return raw


def _claimed(value: Any) -> str | None:
    body = value.get("body") if isinstance(value, dict) else None
    sender = body.get("from") if isinstance(body, dict) else None
    return sender[:31] if isinstance(sender, str) else None
