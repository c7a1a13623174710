"""What may another city ask of this node over HTTP? Endpoints E1–E5.

The app reads bytes and answers bytes; what they mean is for ``checks`` and for the ledger behind
the ports. A receipt leaves only after the commit: it means "the bytes are in my database".
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response

from services.transfer.domain import envelopes
from services.transfer.domain.certificates import (
    ENVELOPE_DOMAIN,
    RECEIPT_DOMAIN,
    genuine_objects,
    inner_objects,
)
from services.transfer.edge.answers import Refused
from services.transfer.edge.checks import Checks, Passed, Trace
from services.transfer.edge.directory import DirectoryFile
from services.transfer.edge.incoming import BodyIsLate, HttpInput
from services.transfer.edge.ports import (
    Bundles,
    Inbox,
    Journal,
    Node,
    Received,
    RefusedInput,
    SealedBundle,
    Status,
    Transfers,
)
from services.transfer.edge.ranges import requested_range
from services.transfer.edge.rates import Buckets, Rate
from services.transfer.edge.signatures import verify_signature
from shared.canonical import canonical
from shared.clock import Clock, wire
from shared.messages import Unavailable
from shared.problems import language_of, response
from shared.signing import Signer
from shared.telemetry import describe

BODY_SECONDS: Final = 30.0
"""A body that is not all there by then: the connection is closed."""
HEAD_BYTES: Final = 4096
"""What is kept of input that fails before its header is read (checks 3–7)."""
REPLY_SECONDS: Final = 60
KEPT: Final = Rate(per_second=100 / 60, burst=100)
"""Rows of refused input a peer and minute; what is above is only counted."""
INLINE_SIGNATURES: Final = 8
"""More than these are verified in a thread: a chain of 256 takes some 40 ms."""
_JSON: Final = "application/json"
_log = structlog.get_logger(__name__)

Count = Callable[[str, str], None]
"""(endpoint, what came of it): ``stored``, ``duplicate``, ``answered``, or a problem's name."""


@dataclass(frozen=True, kw_only=True)
class Wire:
    """All that the federation app needs."""

    city: str
    message_key: Signer
    clock: Clock
    directory: DirectoryFile
    inbox: Inbox
    transfers: Transfers
    bundles: Bundles
    status: Status
    node: Node
    journal: Journal
    count: Count
    mutual_tls: bool = False
    protocols: tuple[str, ...] = (envelopes.PROTOCOL,)
    suites: tuple[str, ...] = ("intl-1",)
    body_seconds: float = BODY_SECONDS


class Federation:
    """The five endpoints over one set of ports."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._checks = Checks(
            city=wire.city,
            clock=wire.clock,
            directory=wire.directory.current,
            inbox=wire.inbox,
            transfers=wire.transfers,
            bundles=wire.bundles,
            node=wire.node,
            mutual_tls=wire.mutual_tls,
        )
        self._kept = Buckets(KEPT)

    async def messages(self, request: Request) -> Response:
        """E1: one envelope in; 202 with our receipt once it is committed, 200 if it was before."""

        async def run(incoming: HttpInput, trace: Trace) -> Response:
            passed = await self._checks.message(incoming, trace)
            envelope = passed.envelope
            if passed.stored is not None:
                await self._wire.inbox.redrive(envelope.transfer_id, envelope.sender)
                self._wire.count("E1", "duplicate")
                return Response(passed.stored.receipt, 200, media_type=_JSON)
            received = await self._received(passed)
            stored = await self._wire.inbox.store(received)
            if stored.digest != envelope.digest:
                raise Refused(18)
            # A parallel request with the same bytes may have won: its receipt is the answer.
            first = stored.receipt == received.receipt
            self._wire.count("E1", "stored" if first else "duplicate")
            return Response(stored.receipt, 202 if first else 200, media_type=_JSON)

        return await self._guarded("E1", request, run)

    async def bundle(self, request: Request, transfer_id: str, n: str) -> Response:
        """E2: the sealed bytes of a bundle, whole or a range."""

        async def run(incoming: HttpInput, trace: Trace) -> Response:
            found = await self._checks.bundle(
                transfer_id, n, request.headers.get("jiexu-request"), incoming, trace
            )
            self._wire.count("E2", "answered")
            return _octets(found, request.headers)

        return await self._guarded("E2", request, run)

    async def status(self, request: Request) -> Response:
        """E3: how we stand in a transfer; also asked by peers that recover."""

        async def run(incoming: HttpInput, trace: Trace) -> Response:
            passed = await self._checks.query(incoming, trace)
            content = await self._wire.status.answer(passed.envelope)
            reply = await self._reply(passed, content)
            self._wire.count("E3", "answered")
            return Response(canonical(reply), 200, media_type=_JSON)

        return await self._guarded("E3", request, run)

    async def directory(self, request: Request) -> Response:
        """E4: the directory file as held here."""

        async def run(incoming: HttpInput, trace: Trace) -> Response:
            held = self._wire.directory.held
            headers = {"ETag": f'"{held.etag}"'}
            return Response(held.raw, 200, media_type=_JSON, headers=headers)

        return await self._guarded("E4", request, run)

    async def health(self, request: Request) -> Response:
        """E5: who we are and whether we listen."""

        async def run(incoming: HttpInput, trace: Trace) -> Response:
            standing = await self._wire.node.standing()
            answer = {
                "city": self._wire.city,
                "protocols": list(self._wire.protocols),
                "suites": list(self._wire.suites),
                "incarnation": standing.incarnation,
                "recovering": standing.recovering,
                "now": wire(self._wire.clock.now()),
            }
            return Response(canonical(answer), 200, media_type=_JSON)

        return await self._guarded("E5", request, run)

    async def elsewhere(self, request: Request) -> Response:
        """Any other path or method."""

        async def run(incoming: HttpInput, trace: Trace) -> Response:
            raise Refused(22)

        return await self._guarded("other", request, run)

    async def _received(self, passed: Passed) -> Received:
        envelope = passed.envelope
        directory = self._wire.directory.current()
        if envelope.type == envelopes.OFFER:
            directory = await self._wire.directory.at_least(envelope.content["directory_serial"])
        inner = len(inner_objects(envelope.content))
        if inner > INLINE_SIGNATURES:
            genuine = await asyncio.to_thread(
                genuine_objects, envelope.content, directory, verify_signature
            )
        else:
            genuine = genuine_objects(envelope.content, directory, verify_signature)
        now = self._wire.clock.now()
        body = {
            "message_id": envelope.message_id,
            "body_digest": envelope.digest,
            "status": "stored",
            "at": wire(now),
        }
        return Received(
            envelope=envelope,
            raw=passed.raw,
            receipt=canonical(self._wire.message_key.sign(RECEIPT_DOMAIN, body)),
            received_at=now,
            genuine=genuine,
            directory_serial=directory.serial,
        )

    async def _reply(self, passed: Passed, content: Mapping[str, Any]) -> Mapping[str, Any]:
        query, now = passed.envelope, self._wire.clock.now()
        standing = await self._wire.node.standing()
        body = envelopes.body(
            type=envelopes.STATUS_REPLY,
            message_id=secrets.token_hex(16),
            transfer_id=query.transfer_id,
            sender=self._wire.city,
            receiver=query.sender,
            incarnation=standing.incarnation,
            seq=0,
            prev=None,
            in_reply_to=query.message_id,
            issued_at=wire(now),
            expires_at=wire(now + timedelta(seconds=REPLY_SECONDS)),
            content=content,
        )
        return self._wire.message_key.sign(ENVELOPE_DOMAIN, body)

    async def _guarded(
        self,
        endpoint: str,
        request: Request,
        run: Callable[[HttpInput, Trace], Awaitable[Response]],
    ) -> Response:
        incoming, trace = HttpInput(request, self._wire.body_seconds), Trace()
        try:
            return await run(incoming, trace)
        except Refused as no:
            refused = no
        except Unavailable as away:
            refused = Refused(2, retry_after=away.retry_after_seconds)
        except BodyIsLate:
            self._wire.count(endpoint, "late")
            return Response(status_code=408, headers={"Connection": "close"})
        except Exception as defect:  # noqa: BLE001 - check 24: whatever is unforeseen
            refused = Refused(24)
            _log.error(
                "defect", endpoint=endpoint, instance=refused.instance, error=describe(defect)
            )
        return await self._refuse(endpoint, request, refused, incoming, trace)

    async def _keep(self, row: RefusedInput) -> None:
        """Whatever becomes of the row, the sender gets its answer."""
        try:
            await self._wire.journal.refuse(row)
            if row.problem == "bad-signature":
                about = {"instance": row.instance, "endpoint": row.endpoint}
                await self._wire.journal.alarm("bad-signature", None, about)
        except Unavailable as away:
            _log.warning("refused input not kept", reason=str(away))
        except Exception as defect:  # noqa: BLE001 - the answer has been decided already
            _log.error("refused input not kept", error=describe(defect))

    async def _refuse(
        self,
        endpoint: str,
        request: Request,
        refused: Refused,
        incoming: HttpInput,
        trace: Trace,
    ) -> Response:
        name, check = refused.answer.name, refused.answer.check
        self._wire.count(endpoint, name)
        _log.info(
            "refused",
            endpoint=endpoint,
            problem=name,
            field=refused.field,
            instance=refused.instance,
        )
        caller = incoming.caller
        if 3 <= check <= 20 and not self._kept.wait_seconds(caller.name):
            raw = trace.raw or bytes(incoming.seen)
            row = RefusedInput(
                endpoint=endpoint,
                peer=caller.name,
                claimed=trace.claimed,
                problem=name,
                field=refused.field,
                instance=refused.instance,
                raw=raw if check >= 8 else raw[:HEAD_BYTES],
                at=self._wire.clock.now(),
            )
            await self._keep(row)
        return response(refused.problem(), language_of(request), refused.instance)


def federation_app(wire: Wire) -> FastAPI:
    """The app of the federation port. No schema: its readers have docs/protocol.md."""
    app = FastAPI(title="Jiexu federation", openapi_url=None, docs_url=None, redoc_url=None)
    endpoints = Federation(wire)
    base = "/federation/v1"
    app.add_route(f"{base}/messages", endpoints.messages, methods=["POST"])
    app.add_route(f"{base}/status", endpoints.status, methods=["POST"])
    app.add_route(f"{base}/directory", endpoints.directory, methods=["GET"])
    app.add_route(f"{base}/health", endpoints.health, methods=["GET"])

    async def bundle(request: Request) -> Response:
        parameters = request.path_params
        return await endpoints.bundle(request, parameters["transfer_id"], parameters["n"])

    app.add_route(f"{base}/transfers/{{transfer_id}}/bundles/{{n}}", bundle, methods=["GET"])
    everything = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    app.add_route("/{path:path}", endpoints.elsewhere, methods=everything)
    return app


def _octets(found: SealedBundle, headers: Mapping[str, str]) -> Response:
    etag, size = f'"{found.digest}"', len(found.sealed)
    wanted = requested_range(headers.get("range"), headers.get("if-range"), etag, size)
    answer = {"ETag": etag, "Accept-Ranges": "bytes"}
    media = "application/octet-stream"
    if wanted is None:
        return Response(found.sealed, 200, headers=answer, media_type=media)
    first, last = wanted
    answer["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Response(found.sealed[first : last + 1], 206, headers=answer, media_type=media)
