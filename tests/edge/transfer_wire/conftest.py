"""A node of the worked example on the wire: real checks and app, its ports in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.transfer.edge.federation import Wire, federation_app
from services.transfer.edge.ports import Side
from shared.clock import FixedClock, read
from shared.signing import Signer
from tests.support.vectors import MESSAGE_KEYS, private_key, vectors
from tests.support.wire_ports import MemoryPorts, directory_in


class City:
    """One city's federation app with what stands behind it."""

    def __init__(self, wire: Wire, ports: MemoryPorts, counts: list[tuple[str, str]]) -> None:
        self.wire = wire
        self.ports = ports
        self.counts = counts
        self.app = federation_app(wire)

    def client(self, address: str = "198.51.100.7") -> httpx.AsyncClient:
        """A peer at this address; no socket, everything else as on one."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 50000))
        return httpx.AsyncClient(transport=transport, base_url="http://node")


MakeCity = Callable[..., Any]


@pytest.fixture
def make_city(tmp_path: Path) -> MakeCity:
    """``await make_city("birch", now, directory={…})``: the transfer of the example is known."""

    async def make(
        city: str,
        now: str = "2027-03-01T02:00:08Z",
        *,
        directory: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> City:
        ports, clock, counts = MemoryPorts(), FixedClock(read(now)), []
        example = vectors("transfer")
        role, other = ("origin", "birch") if city == "amber" else ("destination", "amber")
        ports.known[example["transfer_id"]] = (Side(role, other),)
        file = directory_in(tmp_path, ports, clock, directory)
        await file.load()
        key = Signer.of(city, private_key(MESSAGE_KEYS.get(city, MESSAGE_KEYS["amber"])))
        wire = Wire(
            city=city,
            message_key=key,
            clock=clock,
            directory=file,
            inbox=ports,
            transfers=ports,
            bundles=ports,
            status=ports,
            node=ports,
            journal=ports,
            count=lambda endpoint, result: counts.append((endpoint, result)),
            **options,
        )
        return City(wire, ports, counts)

    return make
