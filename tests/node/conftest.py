"""A node made in a temporary directory, on ports that nobody uses."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from node.layout import Body, Node
from node.process import port_is_taken


def free_base_port() -> int:
    """A base port whose whole range of 40 ports is free now."""
    # Below the ports that the system gives to clients: one of those may be taken at any moment.
    for base in random.sample(range(10_000, 32_000, 50), 50):
        if not any(port_is_taken(base + offset) for offset in range(1, 41)):
            return base
    pytest.fail("no free range of 40 ports was found in 50 tries")


def bare_node(home: Path, code: str = "500000") -> Node:
    """A node with settings but without keys; enough for Kafka and PostgreSQL alone."""
    node = Node(home=home, code=code, name_zh="重庆", name_en="Chongqing",
                base_port=free_base_port(), body=Body(organisation_id=f"{code}-office", name="局"),
                directory=str(home / "directory.json"))
    node.save()
    return node
