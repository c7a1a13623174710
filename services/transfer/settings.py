"""What must transfer be told before it starts?"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from shared.settings import ExistingFile, Listed, Port, ServiceSettings


class Settings(ServiceSettings):
    """The federation port, the directory file and the keys that may sign it."""

    service: ClassVar[str] = "transfer"

    federation_host: str = "127.0.0.1"
    federation_port: Port = 0
    directory: ExistingFile
    # kid:hex of each directory key that counts, and how many of them must have signed.
    directory_keys: Listed
    directory_threshold: Annotated[int, Field(ge=1, le=16)] = 1
    # Demo and tests: other cities on loopback, over http.
    allow_private_peers: bool = False
    # Behind a proxy that checks client certificates and names them to us.
    mutual_tls: bool = False
    # Requests of one city that this one takes a day (TR-205).
    daily_requests_per_peer: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    # What this city takes in one move (M1, limits).
    max_entries: Annotated[int, Field(ge=1, le=500_000)] = 100_000
    max_bundles: Annotated[int, Field(ge=1, le=1000)] = 1000
    max_bundle_bytes: Annotated[int, Field(ge=65_536, le=1_048_576)] = 1_048_576

    def federation_address(self) -> tuple[str, int]:
        """Where other cities are listened to."""
        return self.federation_host, self.federation_port

    def limits(self) -> dict[str, int]:
        """As M1 says them."""
        return {
            "max_entries": self.max_entries,
            "max_bundles": self.max_bundles,
            "max_bundle_bytes": self.max_bundle_bytes,
        }
