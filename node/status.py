"""How does a node stand: processes, ports, logs, lag, parked keys, open moves, what runs out?"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Any

import asyncpg
from kafka.errors import KafkaError

from node import moves, topics
from node.broker import answering
from node.control import state
from node.directory import DirectoryIsWrong
from node.expiry import Expiry, certificates, soon
from node.layout import SERVICES, Node
from node.terminal import Failure


def status(node: Node, now: datetime) -> dict[str, Any]:
    """Everything ``jiexu status`` shows, as JSON.

    ``behind`` is read from the services' databases, so it is told of a service that is down too;
    it is empty while PostgreSQL is. ``broker_problem`` says why the broker is not asked; ``None``
    where it is, and where nothing runs. ``transfers`` is what the transfer service says, ``None``
    where it does not answer. ``directory_problem``: why it cannot be told which keys are
    ``expiring``.
    """
    expiring: list[Expiry] = certificates(node, now)
    directory_problem: str | None = None
    try:
        expiring += soon(node, now)
    except DirectoryIsWrong as wrong:
        directory_problem = str(wrong)
    supervisor = state(node)
    ready = {row["name"]: row["ready"] for row in supervisor["processes"]}
    running = {row["name"] for row in supervisor["processes"] if row["pid"] is not None}
    behind: list[dict[str, Any]] = []
    unknown: dict[str, str] = {}
    problem_of_broker: str | None = None
    if "postgres" in running:
        try:
            answering(node)
        except Failure as why:
            problem_of_broker = str(why)
        for service in SERVICES:
            try:
                found = asyncio.run(topics.behind(node, service,
                                                  broker=problem_of_broker is None))
            except (asyncpg.PostgresError, OSError, KafkaError, TimeoutError) as problem:
                unknown[service] = type(problem).__name__
            else:
                behind.append({"ready": ready.get(service, False), **asdict(found)})
    return {
        "code": node.code, "name_zh": node.name_zh, "name_en": node.name_en,
        "home": str(node.home), "phase": supervisor["phase"], "ready": supervisor["ready"],
        "problem": supervisor["problem"], "processes": supervisor["processes"],
        "ports": node.ports(), "api": {name: node.api_url(name) for name in SERVICES},
        "behind": behind, "behind_unknown": unknown, "broker_problem": problem_of_broker,
        "transfers": _transfers(node) if ready.get("transfer") else None,
        "expiring": [asdict(item) for item in expiring],
        "directory_problem": directory_problem,
    }


def _transfers(node: Node) -> dict[str, Any] | None:
    try:
        return moves.open_moves(node)
    except Failure:
        return None
