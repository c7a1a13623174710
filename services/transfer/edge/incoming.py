"""How does a request of another city come in, piece by piece, within bounds?"""

from __future__ import annotations

import asyncio
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from services.transfer.edge.answers import Refused
from services.transfer.edge.checks import Caller


class BodyIsLate(Exception):
    """The body did not come in time, or its sender went away: nobody to answer."""


class HttpInput:
    """A request of FastAPI as the checks read it."""

    def __init__(self, request: Request, seconds: float) -> None:
        self._request = request
        self._seconds = seconds
        self.caller = Caller(
            address=request.client.host if request.client else "unknown",
            certificate=_client_certificate(request.scope),
        )
        media = request.headers.get("content-type", "")
        self.media_type = media.partition(";")[0].strip().lower()
        self.content_encoding = request.headers.get("content-encoding", "")
        self.seen = bytearray()

    async def read(self, limit: int) -> bytes:
        """The whole body; never holds more than the limit and one chunk."""
        declared = self._request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise Refused(3)
        try:
            async with asyncio.timeout(self._seconds):
                async for chunk in self._request.stream():
                    self.seen += chunk
                    if len(self.seen) > limit:
                        raise Refused(3)
        except (TimeoutError, ClientDisconnect):
            raise BodyIsLate from None
        return bytes(self.seen)


def _client_certificate(scope: Scope) -> str | None:
    """SHA-256 of the client's certificate, where the server hands it on (ASGI TLS extension)."""
    chain = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain") or ()
    for pem in chain:
        certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
        return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()
    return None
