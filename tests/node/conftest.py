"""A node made in a temporary directory, on ports that nobody uses."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.layout import Body, Node
from node.process import port_is_taken
from tests.support.infrastructure import base_ports


def free_base_port() -> int:
    """A base port from which two cities' ranges of ports, a hundred apart, are free now."""
    for base in base_ports():
        if not any(port_is_taken(base + offset) for offset in range(1, 141)):
            return base
    pytest.fail("no free range of ports was found")


def bare_node(home: Path, code: str = "500000") -> Node:
    """A node with settings but without keys; enough for Kafka and PostgreSQL alone."""
    node = Node(home=home, code=code, name_zh="重庆", name_en="Chongqing",
                base_port=free_base_port(), body=Body(organisation_id=f"{code}-office", name="局"),
                directory=str(home / "directory.json"))
    node.save()
    return node
