"""What must transfer be told before it starts?"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from shared.access import Certificate, CertificateKey, ClientCertificates, client_context
from shared.access.tls import NEWEST, OLDEST
from shared.settings import ExistingFile, Pins, Port, ServiceSettings


class Settings(ServiceSettings):
    """The federation port, the directory file and the keys that may sign it."""

    service: ClassVar[str] = "transfer"

    federation_host: str = "127.0.0.1"
    """Address on which other cities reach this one."""
    federation_port: Port = 0
    """Port for other cities; 0 takes any free one."""
    directory: ExistingFile
    """The signed node directory; a newer one is read when the file changes."""
    directory_keys: Pins
    """The pinned keys of the federation's office, kid:hex,kid:hex."""
    directory_threshold: Annotated[int, Field(ge=1, le=16, validate_default=True)] = 1
    """So many of these keys must have signed the directory."""
    allow_private_peers: bool = False
    """Demo and tests alone: other cities on loopback and private addresses, over http."""
    federation_certificate: Certificate = None
    """What this city shows to others on the federation port (PEM); without it HTTP alone."""
    federation_certificate_key: CertificateKey = None
    """Its private key (PEM, no password)."""
    federation_client_ca: Certificate = None
    """The authorities that sign the certificates by which other cities come (PEM)."""
    federation_client_certificates: ClientCertificates = "none"
    """Whether other cities show a certificate, and one that the directory lists for them: none,
    optional or required."""
    peer_ca: Certificate = None
    """The authorities of other cities' federation ports (PEM); the system's without."""
    peer_certificate: Annotated[Certificate, Field(validate_default=True)] = None
    """What this city shows to others when it calls them; its digest stands in the directory."""
    peer_certificate_key: CertificateKey = None
    """Its private key (PEM, no password)."""
    daily_requests_per_peer: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    """Requests for a move that one other city may make a day (TR-205)."""
    max_entries: Annotated[int, Field(ge=1, le=500_000)] = 100_000
    """Entries that this city takes in one move."""
    max_bundles: Annotated[int, Field(ge=1, le=1000)] = 1000
    """Bundles that this city takes in one move."""
    max_bundle_bytes: Annotated[int, Field(ge=65_536, le=1_048_576)] = 1_048_576
    """Bytes that one bundle of a move may have."""

    @field_validator("directory_threshold")
    @classmethod
    def _can_be_reached(cls, threshold: int, info: ValidationInfo) -> int:
        pins = info.data.get("directory_keys")
        if pins is not None and threshold > len(pins):
            raise ValueError("is more than the keys in JIEXU_DIRECTORY_KEYS")
        return threshold

    @field_validator("peer_certificate")
    @classmethod
    def _shown_where_it_is_asked_for(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None and info.data.get("federation_client_certificates") == "required":
            raise ValueError("is missing: a city that demands certificates is asked for its own")
        return path

    def federation_address(self) -> tuple[str, int]:
        """Where other cities are listened to."""
        return self.federation_host, self.federation_port

    @property
    def mutual_tls(self) -> bool:
        """Whether a message is taken only under a certificate that the directory lists."""
        return self.federation_client_certificates == "required"

    def listener_tls(self, name: str, *, oldest: ssl.TLSVersion = OLDEST) -> ssl.SSLContext | None:
        """As every service's; cities speak to each other in TLS 1.3 alone (protocol.md 3.4)."""
        return super().listener_tls(name, oldest=NEWEST if name == "federation" else oldest)

    def peer_tls(self) -> ssl.SSLContext:
        """How this city calls others."""
        return client_context(
            self.peer_ca, self.peer_certificate, self.peer_certificate_key, oldest=NEWEST
        )

    def limits(self) -> dict[str, int]:
        """As M1 says them."""
        return {
            "max_entries": self.max_entries,
            "max_bundles": self.max_bundles,
            "max_bundle_bytes": self.max_bundle_bytes,
        }
