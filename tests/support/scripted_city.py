"""A third city that is a script: it asks for dossiers and hears what it is told."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from fastapi import FastAPI, Request, Response

from services.transfer.domain import envelopes
from shared.canonical import canonical, digest, load_canonical
from shared.clock import wire
from shared.signing import Signer
from tests.support.cities import City, Office, ShiftedClock

LIMITS = {"max_entries": 1000, "max_bundles": 100, "max_bundle_bytes": 1_048_576}


@dataclass
class ScriptedCity:
    """Signs what it likes with a key that the directory lists."""

    name: str
    office: Office
    clock: ShiftedClock
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    heard: list[dict[str, Any]] = field(default_factory=list)
    seq: dict[str, int] = field(default_factory=dict)

    @property
    def signer(self) -> Signer:
        return Signer.of(self.name, self.key)

    def app(self) -> FastAPI:
        """E1 alone: it takes everything and gives a receipt."""
        app = FastAPI()

        @app.post("/federation/v1/messages")
        async def messages(request: Request) -> Response:
            envelope = load_canonical(await request.body())
            self.heard.append(envelope["body"])
            body = {
                "message_id": envelope["body"]["message_id"],
                "body_digest": digest(envelope["body"]),
                "status": "stored",
                "at": wire(self.clock.now()),
            }
            receipt = self.signer.sign("jiexu-receipt-v1", body)
            return Response(canonical(receipt), 202, media_type="application/json")

        return app

    def list(self, port: int) -> None:
        keys = {"message": self.key}
        self.office.list(self.name, f"http://127.0.0.1:{port}", keys)

    def told(self, transfer_id: str, kind: str) -> dict[str, Any] | None:
        """The content of the first message of this type about this transfer."""
        for body in self.heard:
            if (body["transfer_id"], body["type"]) == (transfer_id, kind):
                content: dict[str, Any] = body["content"]
                return content
        return None

    def message(
        self, to: City, transfer_id: str, kind: str, content: dict[str, Any], **header: Any
    ) -> bytes:
        """The next message of this city in this transfer, signed."""
        seq = self.seq[transfer_id] = self.seq.get(transfer_id, 0) + 1
        now = self.clock.now()
        body = envelopes.body(
            type=kind,
            message_id=envelopes.message_id(transfer_id, self.name, 1, seq),
            transfer_id=transfer_id,
            sender=self.name,
            receiver=to.name,
            incarnation=1,
            seq=seq,
            prev=None,
            in_reply_to=None,
            issued_at=wire(now),
            expires_at=envelopes.NEVER,
            content=content,
        )
        return canonical(self.signer.sign("jiexu-envelope-v1", body | header))

    async def send(self, to: City, raw: bytes) -> httpx.Response:
        """By real HTTP to the other city's federation port."""
        async with httpx.AsyncClient() as client:
            return await client.post(
                f"http://127.0.0.1:{to.ports['federation']}/federation/v1/messages",
                content=raw,
                headers={"content-type": "application/json"},
            )

    async def request(
        self, to: City, code_id: str, applicant_ref: str | None = None, **changed: Any
    ) -> str:
        """M1 for the dossier behind this code; gives the transfer id."""
        ref, nonce = applicant_ref or secrets.token_hex(16), secrets.token_hex(16)
        purpose = changed.get("purpose", "move")
        transfer_id = envelopes.transfer_id(to.name, self.name, purpose, ref, nonce)
        now = self.clock.now()
        consent = {
            "v": "consent/1",
            "text_id": "consent-move",
            "text_digest": "0" * 64,
            "provider": to.name,
            "receiver": self.name,
            "purpose": purpose,
            "kinds": ["service"],
            "applicant_ref": ref,
            "given_at": wire(now),
            "expires_at": wire(now + timedelta(days=30)),
            "channel": "app",
            "guardian": None,
        } | changed.pop("consent", {})
        seal = X25519PrivateKey.generate().public_key().public_bytes_raw().hex()
        content = {
            "purpose": purpose,
            "nonce": nonce,
            "applicant_ref": ref,
            "code_id": code_id,
            "proof": secrets.token_hex(32),
            "assisted": None,
            "return_of": None,
            "consent": self.signer.sign("jiexu-consent-v1", consent),
            "seal_key": seal,
            "suites": ["intl-1"],
            "protocols": ["jiexu/1.0"],
            "limits": LIMITS,
        } | changed
        raw = self.message(
            to,
            transfer_id,
            "transfer-request",
            content,
            expires_at=wire(now + timedelta(days=3)),
        )
        answer = await self.send(to, raw)
        assert answer.status_code == 202, answer.text
        return transfer_id
