"""Do more API processes take more entries, as far as there are cores?"""

from __future__ import annotations

import os
from collections.abc import Iterator

from bench.city import City, Run
from bench.frame import Bench, Measure, Reach, Result, alternate
from bench.hours import Hours
from bench.load import closed_loop
from bench.measures.recording import PEOPLE, SPARE, counted
from node.process import free_ports

CLIENTS_PER_PROCESS = 64
COUNTS = (2, 4)
MEASURES = tuple(
    Measure(
        name=f"entries recorded by HTTP, {count} API processes",
        unit="entries/s",
        reference=f"{count} times what one process takes",
        reach=Reach(of="ratio", at_least=0.8),
    )
    for count in COUNTS
)


def take(bench: Bench) -> Iterator[Result]:
    """Database, broker and the client that asks share the cores with the processes."""
    city = bench.city
    city.populate(PEOPLE + SPARE, bench.say)
    hours = Hours(city, 0, PEOPLE, given=PEOPLE * 1000)
    cores = len(os.sched_getaffinity(0))
    seconds = bench.scaled(8, 2)
    counts = [count for count in COUNTS if count <= cores]
    sides = {
        count: (lambda count=count: rate(city, hours, count, seconds)) for count in (1, *counts)
    }
    figures = alternate(bench.rounds, {str(count): side for count, side in sides.items()})
    for measure, count in zip(MEASURES, COUNTS, strict=True):
        if count not in counts:
            yield Result(measure=measure, not_run=f"this machine has {cores} cores")
            continue
        yield Result(
            measure=measure,
            ours=figures[str(count)],
            reference=[count * one for one in figures["1"]],
            note=f"on {cores} cores, which database, broker and client share",
        )


def rate(city: City, hours: Hours, count: int, seconds: float) -> float:
    """Entries a second of so many API processes together."""
    ports = free_ports(2 * count)
    runs = [
        Run("records", "api", api_port=api, internal_port=internal)
        for api, internal in zip(ports[:count], ports[count:], strict=True)
    ]
    with city.running(*runs), counted(city, hours):
        return closed_loop(
            ports[:count], hours.requests(), clients=CLIENTS_PER_PROCESS * count, seconds=seconds
        ).rate
