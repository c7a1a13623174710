"""On what machine, and how durably, were the figures taken?"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg
import psutil
from confluent_kafka.admin import AdminClient

from shared.relay.log import DURABLE

FSYNCS = 50


def describe(root: Path) -> dict[str, Any]:
    """Cores, memory and disk as a figure depends on them; ``root``: where databases lie."""
    return {
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "fsync_ms": round(_fsync_milliseconds(root), 3),
    }


async def durability(url: str, bootstrap: str) -> dict[str, Any]:
    """What database and broker say of themselves, and what the relay's producer is set to."""
    names = ("fsync", "full_page_writes", "synchronous_commit", "wal_level")
    connection = await asyncpg.connect(url)
    try:
        found = {name: await connection.fetchval(f"SHOW {name}") for name in names}
        found["server_version"] = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    cluster = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10)
    copies = {
        len(partition.replicas)
        for topic in cluster.topics.values()
        for partition in topic.partitions.values()
    }
    kafka = {"relay": DURABLE, "brokers": len(cluster.brokers), "replication": sorted(copies)}
    return {"postgresql": found, "kafka": kafka}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _fsync_milliseconds(root: Path) -> float:
    root.mkdir(parents=True, exist_ok=True)
    seen = []
    with tempfile.TemporaryFile(dir=root) as file:
        for _ in range(FSYNCS):
            file.write(b"x" * 8192)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            seen.append(time.perf_counter() - begun)
    return 1000 * median(seen)
