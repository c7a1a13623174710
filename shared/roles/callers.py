"""How does an app learn who calls, where a certificate says it?"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class NamesCaller(H11Protocol):
    """uvicorn's protocol, which lets the app see the client's certificate.

    As the ASGI TLS extension has it: ``scope["extensions"]["tls"]["client_cert_chain"]``, the
    client's own certificate in PEM first. uvicorn itself does not hand it on. By name, not what
    uvicorn finds installed: its httptools protocol sets a request's head no bound, h11 64 KiB.
    """

    app: Any

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Once a connection, whatever number of requests it carries."""
        super().connection_made(transport)
        connection = transport.get_extra_info("ssl_object")
        shown = None if connection is None else connection.getpeercert(binary_form=True)
        if shown is not None:
            self.app = _handing_on(self.app, ssl.DER_cert_to_PEM_cert(shown))


def _handing_on(app: Any, certificate: str) -> Any:
    async def handed(scope: Any, receive: Any, send: Any) -> None:
        tls = {"client_cert_chain": (certificate,)}
        scope["extensions"] = {**scope.get("extensions", {}), "tls": tls}
        await app(scope, receive, send)

    return handed
