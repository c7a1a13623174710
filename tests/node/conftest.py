"""A node made in a temporary directory, on ports that nobody uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.layout import Body, Node
from node.process import free_ports, port_is_taken


def free_base_port() -> int:
    """A base port whose whole range of 40 ports is free now."""
    for _ in range(50):
        base = free_ports(1)[0]
        if base < 65_000 and not any(port_is_taken(base + offset) for offset in range(1, 41)):
            return base
    pytest.fail("no free range of 40 ports was found in 50 tries")


def bare_node(home: Path, code: str = "500000") -> Node:
    """A node with settings but without keys; enough for Kafka and PostgreSQL alone."""
    node = Node(home=home, code=code, name_zh="重庆", name_en="Chongqing",
                base_port=free_base_port(), body=Body(organisation_id=f"{code}-office", name="局"),
                directory=str(home / "directory.json"))
    node.save()
    return node
