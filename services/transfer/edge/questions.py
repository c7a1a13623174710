"""How is another city asked where a transfer stands? M10 by E3, and its answer judged."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

from services.transfer.domain import envelopes
from services.transfer.domain.certificates import ENVELOPE_DOMAIN, body_bytes, genuine_objects
from services.transfer.domain.content_models import judge_content, judge_envelope, major
from services.transfer.domain.directory import Directory
from services.transfer.domain.envelopes import Envelope
from services.transfer.edge.peers import Peers, Unreachable
from services.transfer.edge.signatures import verify_signature
from shared.canonical import canonical, load_canonical
from shared.clock import Clock, wire
from shared.messages import Unavailable, Unreadable
from shared.signing import Signer

LIFE_SECONDS: Final = 60
MAX_REPLY_BYTES: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class Answered:
    """A status-reply that is what it says, and which decisions in it are rightly signed."""

    envelope: Envelope
    genuine: frozenset[str]


class NotAnswered(Exception):
    """The peer will not answer this: ``problem`` is its name (``unknown-transfer``: alarm, state
    kept), or says what is wrong with its reply."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Questions:
    """Asks, under the message key of this city."""

    def __init__(
        self,
        *,
        city: str,
        peers: Peers,
        directory: Callable[[], Directory],
        clock: Clock,
        message_key: Signer,
    ) -> None:
        self._city = city
        self._peers = peers
        self._directory = directory
        self._clock = clock
        self._key = message_key

    def question(
        self, peer: str, transfer_id: str, type: str, content: Mapping[str, Any], incarnation: int
    ) -> dict[str, Any]:
        """A signed envelope without a number (M10 or bundle-get): random id, life 60 s."""
        now = self._clock.now()
        return self._key.sign(
            ENVELOPE_DOMAIN,
            envelopes.body(
                type=type,
                message_id=secrets.token_hex(16),
                transfer_id=transfer_id,
                sender=self._city,
                receiver=peer,
                incarnation=incarnation,
                seq=0,
                prev=None,
                in_reply_to=None,
                issued_at=wire(now),
                expires_at=wire(now + timedelta(seconds=LIFE_SECONDS)),
                content=content,
            ),
        )

    async def ask(
        self, peer: str, transfer_id: str, content: Mapping[str, Any], incarnation: int
    ) -> Answered:
        """The peer's status-reply; raises ``Unavailable`` (ask again) or ``NotAnswered``."""
        query = self.question(peer, transfer_id, envelopes.STATUS_QUERY, content, incarnation)
        try:
            reply = await self._peers.exchange(
                peer,
                "POST",
                "/federation/v1/status",
                content=canonical(query),
                headers={"Content-Type": "application/json"},
                limit=MAX_REPLY_BYTES,
            )
        except Unreachable as unreachable:
            raise Unavailable(f"{peer}: {unreachable}") from unreachable
        if reply.status != 200:
            if reply.is_retried or not 400 <= reply.status < 500:
                raise Unavailable(f"{peer}: status {reply.status}", int(reply.retry_after or 1))
            raise NotAnswered(reply.problem or f"status {reply.status}")
        return self._judged(peer, transfer_id, query["body"], reply.body)

    def _judged(
        self, peer: str, transfer_id: str, query: Mapping[str, Any], raw: bytes
    ) -> Answered:
        try:
            value = load_canonical(raw)
        except Unreadable as unreadable:
            raise NotAnswered(str(unreadable)) from None
        fits, field = judge_envelope(value)
        if not fits:
            raise NotAnswered(f"reply: {field or 'envelope'} is wrong")
        body = value["body"]
        expected = (envelopes.STATUS_REPLY, peer, self._city, transfer_id, query["message_id"])
        names = ("type", "from", "to", "transfer_id", "in_reply_to")
        if tuple(body[name] for name in names) != expected or major(body["protocol"]) != 1:
            raise NotAnswered("reply: answers another question")
        directory, now = self._directory(), wire(self._clock.now())
        key = directory.key(peer, value["kid"], "message", body["issued_at"])
        judged = body_bytes(raw, value["kid"])
        signed = ENVELOPE_DOMAIN.encode("ascii") + b"\n" + judged
        if (
            key is None
            or key.compromised_since is not None
            or (key.revoked_at is not None and key.revoked_at <= now)
            or not verify_signature(key.public, signed, bytes.fromhex(value["sig"]))
        ):
            raise NotAnswered("reply: its signature does not hold")
        field = judge_content(body, None)
        if field is not None:
            raise NotAnswered(f"reply: {field} is wrong")
        envelope = envelopes.opened(value, sha256(judged).hexdigest())
        genuine = genuine_objects(envelope.content, directory, verify_signature)
        return Answered(envelope, genuine)
