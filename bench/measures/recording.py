"""How many entries does one API process take by HTTP, from 64 clients, each on disk?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.city import City, Run
from bench.frame import Bench, Measure, Reach, Result, alternate
from bench.hours import Hours
from bench.load import closed_loop
from bench.statements import Statements
from node.layout import DATABASE

CLIENTS = 64
PEOPLE = 1000
# Of these no other measure records anything.
SPARE = 2
NAME = "entries recorded by HTTP, 64 clients, durable"
MEASURES = (
    Measure(
        name=f"{NAME}: beside no SQL",
        unit="entries/s",
        reference="the same application without SQL: decode, decide, canonical form, signature",
        reach=Reach(of="ratio", at_least=0.5),
    ),
    Measure(
        name=f"{NAME}: beside its statements",
        unit="entries/s",
        reference="pgbench sending the same statements, one command a transaction",
        reach=Reach(of="ratio", at_least=0.3),
    ),
)


def take(bench: Bench) -> Iterator[Result]:
    """One API process, its worker and agents elsewhere; every answer is counted in the tables."""
    city = bench.city
    city.populate(PEOPLE + SPARE, bench.say)
    hours = Hours(city, 0, PEOPLE)
    statements = Statements.of(city, Hours(city, PEOPLE, PEOPLE + SPARE))
    seconds = bench.scaled(10, 2)
    figures = alternate(
        bench.rounds,
        {
            "ours": lambda: ours(city, hours, seconds),
            "without_sql": lambda: without_sql(city, hours, seconds),
            "statements": lambda: statements.rate(seconds),
        },
    )
    yield Result(measure=MEASURES[0], ours=figures["ours"], reference=figures["without_sql"])
    yield Result(measure=MEASURES[1], ours=figures["ours"], reference=figures["statements"])


def ours(city: City, hours: Hours, seconds: float) -> float:
    """Entries a second; what was answered stands in the tables afterwards."""
    with city.running(Run("records", "api")), counted(city, hours):
        return closed_loop(
            [city.api_port("records")], hours.requests(), clients=CLIENTS, seconds=seconds
        ).rate


@contextmanager
def counted(city: City, hours: Hours, database: str = DATABASE) -> Iterator[None]:
    """Every entry that is given within stands in the tables in the end."""
    count = "SELECT count(*) FROM records.entry_version"
    before, given = city.value(count, database=database), hours.given
    yield
    stored, given = city.value(count, database=database) - before, hours.given - given
    assert stored == given, f"{stored} of {given} entries are stored"


def without_sql(city: City, hours: Hours, seconds: float) -> float:
    """Answers a second of the same application without its database."""
    with city.running(Run("records", "api", module="bench.without_sql")):
        return closed_loop(
            [city.api_port("records")], hours.requests(), clients=CLIENTS, seconds=seconds
        ).rate
