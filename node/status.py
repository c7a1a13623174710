"""How does a node stand: processes, ports, logs, lag, parked keys, and what runs out soon?"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Any

import asyncpg
from kafka.errors import KafkaError

from node import topics
from node.control import state
from node.expiry import soon
from node.layout import SERVICES, Node
from node.topics import Behind


def status(node: Node, now: datetime) -> dict[str, Any]:
    """Everything ``jiexu status`` shows, as JSON. ``behind`` is empty while the node is down."""
    supervisor = state(node)
    running = {row["name"] for row in supervisor["processes"] if row["pid"] is not None}
    behind: list[Behind] = []
    unknown: dict[str, str] = {}
    if {"kafka", "postgres"} <= running:
        for service in SERVICES:
            try:
                behind.append(asyncio.run(topics.behind(node, service)))
            except (asyncpg.PostgresError, OSError, KafkaError, TimeoutError) as problem:
                unknown[service] = type(problem).__name__
    return {
        "code": node.code, "name_zh": node.name_zh, "name_en": node.name_en,
        "home": str(node.home), "phase": supervisor["phase"], "ready": supervisor["ready"],
        "problem": supervisor["problem"], "processes": supervisor["processes"],
        "ports": node.ports(), "api": {name: node.api_url(name) for name in SERVICES},
        "behind": [asdict(one) for one in behind], "behind_unknown": unknown,
        "expiring": [asdict(item) for item in soon(node, now)],
    }
