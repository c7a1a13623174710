"""Which certificate does a process show, and which does it take at the other end?"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

# Nothing older is spoken anywhere; between cities nothing but the newest.
OLDEST: Final = ssl.TLSVersion.TLSv1_2
NEWEST: Final = ssl.TLSVersion.TLSv1_3

_VERIFY: Final = {
    "none": ssl.CERT_NONE,
    "optional": ssl.CERT_OPTIONAL,
    "required": ssl.CERT_REQUIRED,
}


def server_context(
    certificate: Path,
    key: Path,
    *,
    client_ca: Path | None = None,
    client_certificates: str = "none",
    oldest: ssl.TLSVersion = OLDEST,
) -> ssl.SSLContext:
    """What a listener shows, and whether it asks who comes: none, optional or required.

    A client certificate that ``client_ca`` did not sign ends the handshake, also where it is
    optional.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = oldest
    context.load_cert_chain(certificate, key, no_password)
    context.verify_mode = _VERIFY[client_certificates]
    if client_ca is not None:
        context.load_verify_locations(client_ca)
    return context


def client_context(
    ca: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    *,
    oldest: ssl.TLSVersion = OLDEST,
) -> ssl.SSLContext:
    """Takes a server whose certificate ``ca`` signed (None: the system's authorities) for the name
    that was called, and shows it ``certificate`` where there is one."""
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = oldest
    if certificate is not None:
        context.load_cert_chain(certificate, key, no_password)
    return context


def no_password() -> str:
    """A key that wants a password is an error, never a question at a terminal."""
    return ""
