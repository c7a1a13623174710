"""What does a node hold and use at rest, and how soon is it ready?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil

from bench.city import BASE_PORTS, is_taken
from bench.frame import Bench, Measure, Reach, Result
from bench.streams import megabytes
from node import control, making
from node.demo.cities import City
from node.layout import SERVICES, load

SETTLE_SECONDS = 15
IDLE_SECONDS = 20
MEASURES = (
    Measure(
        name="memory at rest: the largest service",
        unit="MB",
        reference=None,
        reach=Reach(of="ours", at_most=140),
    ),
    Measure(
        name="memory at rest: a node",
        unit="MB",
        reference=None,
        reach=Reach(of="ours", at_most=1300),
    ),
    Measure(
        name="idle CPU of a node",
        unit="% of a core",
        reference=None,
        reach=Reach(of="ours", at_most=30),
    ),
    Measure(
        name="warm start of a node to ready",
        unit="s",
        reference=None,
        reach=Reach(of="ours", at_most=10),
    ),
)


def take(bench: Bench) -> Iterator[Result]:
    """A node under its supervisor, as ``jiexu up`` starts it; its second start is warm."""
    root = bench.root / "resting"
    base = next(base for base in BASE_PORTS if not is_taken(base))
    node = making.make(root, "510100", "成都", at=datetime.now(UTC), base_port=base)
    making.sign(root, root / "office", datetime.now(UTC))
    city = City(load(node.home))
    _start(city)
    city.stop()
    seconds = _start(city)
    try:
        time.sleep(bench.scaled(SETTLE_SECONDS, 2))
        held = {row["name"]: megabytes(row["pid"]) for row in control.state(city.node)["processes"]}
        used = _cpu(city, bench.scaled(IDLE_SECONDS, 5))
    finally:
        city.stop()
    assert all(held.get(name) for name in (*SERVICES, "kafka", "postgres")), held
    told = ", ".join(f"{name} {size:.0f}" for name, size in held.items())
    largest = max(held[name] for name in SERVICES)
    yield Result(measure=MEASURES[0], ours=[largest], note=told)
    yield Result(
        measure=MEASURES[1],
        ours=[sum(held.values())],
        note="broker, PostgreSQL, four services; shared pages in parts (PSS)",
    )
    yield Result(
        measure=MEASURES[2],
        ours=[sum(used.values())],
        note=", ".join(f"{name} {share:.1f}" for name, share in used.items()),
    )
    yield Result(measure=MEASURES[3], ours=[seconds])


def _start(city: City) -> float:
    begun = time.perf_counter()
    city.start()
    city.wait_until_ready(lambda _: None)
    return time.perf_counter() - begun


def _cpu(city: City, seconds: float) -> dict[str, float]:
    """Percent of one core by process, over so many seconds; the supervisor's too."""
    pids = {row["name"]: row["pid"] for row in control.state(city.node)["processes"]}
    assert city.supervisor is not None
    pids["supervisor"] = city.supervisor.pid
    before = {name: _cpu_seconds(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    return {name: 100 * (_cpu_seconds(pid) - before[name]) / seconds for name, pid in pids.items()}


def _cpu_seconds(pid: int) -> float:
    """Of a process; of PostgreSQL's, what its ended children used counts too."""
    process = psutil.Process(pid)
    family = (
        [process]
        if process.name().startswith("python")
        else [process, *process.children(recursive=True)]
    )
    times = [one.cpu_times() for one in family]
    ended = process.cpu_times()
    return float(
        sum(one.user + one.system for one in times) + ended.children_user + ended.children_system
    )
