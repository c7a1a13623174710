"""Which statements does the ledger send for one entry, and how fast are they by themselves?

The statements of one real command are heard, then sent again and again by ``pgbench``, one command
a transaction, each with its own person, ids, day and versions. The other reference of the recording
measure: what one command a transaction comes to, however little Python there is.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from bench.city import City
from bench.hours import Hours
from node.postgres import binaries
from services.records.domain.dossiers import commands as c
from services.records.settings import Settings
from services.records.wiring import assemble
from shared.ids import event_id
from shared.ledger import Accepted, Answer, Ledger, Request
from shared.messages import Actor, Grant
from shared.postgres import Database
from shared.roles.parts import gather

CLIENTS = 64
THREADS = 2
DATABASE = "bench_statements"
# The day of the command that is heard: far from today, so that no other date looks like it.
DAYS_BACK = 400
# As the ledger's own connections are set.
SESSION = (
    "search_path=records",
    "synchronous_commit=on",
    "jit=off",
    "enable_seqscan=off",
    "enable_hashjoin=off",
    "enable_mergejoin=off",
    "enable_material=off",
    "plan_cache_mode=force_generic_plan",
    "transaction_timeout=30s",
)
# Of ledger_write: the aggregate's version, the stream's last and previous, the event's sequence.
_COUNTED = (2, 9, 10, 13)
# Of a leaf: its index. It travels with other rows, so its place is where its type stands.
_INDEX = re.compile(r"INSERT INTO leaf SELECT \* FROM unnest\(\$\d+::text\[\], \$(\d+)::bigint")
_TPS = re.compile(r"^tps = ([0-9.]+) ", re.M)
_DONE = re.compile(r"transactions actually processed: ([0-9]+)")


@dataclass(frozen=True, slots=True)
class Heard:
    """One statement, its arguments, and their types."""

    sql: str
    arguments: tuple[Any, ...]
    types: tuple[str, ...]


class Listening(Database):
    """A database whose statements are heard."""

    def __init__(self, url: str, schema: str) -> None:
        super().__init__(url, schema)
        self.heard: list[Any] = []

    async def _connect_with(
        self, session: dict[str, str], application: str
    ) -> asyncpg.Connection[Any]:
        made = await super()._connect_with(session, application)
        made.add_query_logger(lambda one: self.heard.append(one))
        return made


@dataclass
class Statements:
    """A copy of the city's database, and the script that ``pgbench`` sends to it."""

    city: City
    script: Path
    subject: str
    log_id: str
    rounds: int = 0

    @classmethod
    def of(cls, city: City, hours: Hours) -> Statements:
        """Hears one command and copies the database as it was before.

        ``hours`` are of two people: the first one's warms the connection.
        """
        url = city.make_database(DATABASE, "jiexu")
        first, body = hours.next()
        subject, body = hours.next()
        assert first != subject, "the hours of two people are needed"
        before = json.loads(
            city.value(
                "SELECT state FROM records.aggregate WHERE kind = 'dossier' AND id = $1",
                subject,
                database=DATABASE,
            )
        )
        log_id = before["log"]["log_id"]
        heard, command, accepted = asyncio.run(_hear(city, url, (first, subject), body))
        script = city.node.home / "statements.sql"
        script.write_text(_script(heard, command, accepted, subject, log_id), "utf-8")
        # What was heard was committed there: the copy is made again, as it was before.
        city.make_database(DATABASE, "jiexu")
        return cls(city, script, subject, log_id)

    def rate(self, seconds: float) -> float:
        """Transactions a second; every one of them left its events behind."""
        self.rounds += 1
        self.city.within(self._people, DATABASE)
        count = "SELECT count(*) FROM records.event"
        before = self.city.value(count, database=DATABASE)
        done = subprocess.run(
            [
                str(binaries() / "pgbench"),
                "-n",
                "-M",
                "prepared",
                "-c",
                str(CLIENTS),
                "-j",
                str(THREADS),
                "-T",
                str(round(seconds)),
                "-D",
                "k=0",
                "-D",
                f"first={self.rounds * 1000}",
                "-f",
                str(self.script),
                DATABASE,
            ],
            env=os.environ
            | {
                "PGHOST": "127.0.0.1",
                "PGPORT": str(self.city.postgres.port),
                "PGUSER": "postgres",
                "PGPASSWORD": self.city.postgres.password,
                "PGOPTIONS": " ".join(f"-c {one}" for one in SESSION),
            },
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
        rate, number = _TPS.search(done.stdout), _DONE.search(done.stdout)
        if done.returncode or rate is None or number is None:
            raise RuntimeError(f"pgbench: {done.stderr[:2000]}")
        written = self.city.value(count, database=DATABASE) - before
        assert written == int(number[1]), f"{number[1]} transactions wrote {written} events"
        return float(rate[1])

    async def _people(self, one: asyncpg.Connection[Any]) -> None:
        """A dossier for each client of this round, as the one was before its command."""
        first = self.rounds * 1000
        await one.execute(
            """INSERT INTO records.aggregate
               SELECT kind, lpad(n::text, 32, '0'), version,
                   replace(replace(state::text, $1, lpad(n::text, 32, '0')),
                           $2, lpad(n::text, 64, '0'))::jsonb
               FROM records.aggregate, generate_series($3::integer, $4::integer) AS n
               WHERE kind = 'dossier' AND id = $1""",
            self.subject,
            self.log_id,
            first,
            first + CLIENTS - 1,
        )
        await one.execute(
            """INSERT INTO records.stream
               SELECT topic, lpad(n::text, 32, '0'), last_sequence, prev
               FROM records.stream, generate_series($2::integer, $3::integer) AS n
               WHERE key = $1""",
            self.subject,
            first,
            first + CLIENTS - 1,
        )


async def _hear(
    city: City, url: str, subjects: Sequence[str], body: Mapping[str, Any]
) -> tuple[list[Heard], c.RecordService, Accepted]:
    """Records a service of each through records' own ledger; the statements of the last one."""
    settings = Settings(
        **{
            name.removeprefix("JIEXU_").lower(): value  # type: ignore[arg-type]
            for name, value in city.settings("records").items()
        }
    )
    parts = gather(assemble(settings), "api")
    database = Listening(url, "records")
    async with database:
        ledger = Ledger(database, assemble(settings).domain(parts), wake=lambda _: None)
        for n, subject in enumerate(subjects):
            database.heard = []
            command, request = _command(city, subject, body, n)
            outcome = await ledger.submit(command, request=request)
            assert isinstance(outcome, Accepted), outcome
            accepted: Accepted = outcome
        await ledger.close()
        logged = [(one.query, tuple(one.args or ())) for one in database.heard]
        async with database.ledger.acquire() as connection:
            heard = []
            for sql, arguments in logged:
                types: tuple[str, ...] = ()
                if arguments:
                    prepared = await connection.prepare(sql)
                    types = tuple(_type(each) for each in prepared.get_parameters())
                heard.append(Heard(sql, arguments, types))
    await parts.http.aclose()
    return heard, command, accepted


def _type(told: Any) -> str:
    return (
        f"{told.name.removeprefix('_').removesuffix('[]')}[]"
        if told.kind == "array"
        else (str(told.name))
    )


def _command(
    city: City, subject: str, body: Mapping[str, Any], n: int
) -> tuple[c.RecordService, Request]:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = midnight - timedelta(days=DAYS_BACK) + timedelta(hours=1)
    command = c.RecordService(
        command_id=UUID(int=0xC0FFEE << 96 | 0x4000 << 64 | 0x8000 << 48 | n),
        actor=Actor("staff-recorder", (Grant("recorder", organisation_id=city.organisation),)),
        at=datetime.now(UTC).replace(microsecond=0),
        subject_id=subject,
        salt="5a" * 16,
        organisation_id=city.organisation,
        evidence_class=body["evidence_class"],
        evidence_id=None,
        team_id=None,
        facts=c.ServiceFacts(
            activity_name=body["activity_name"],
            category="service",
            place=c.Place(
                region_code=body["place"]["region_code"],
                station_id=None,
                name=body["place"]["name"],
            ),
            started_at=begin,
            ended_at=begin + timedelta(hours=2),
            content=body["content"],
        ),
        source=None,
    )
    answer = Answer(
        201,
        {
            "held": False,
            "repeat": False,
            "entry_id": "x" * 33,
            "digest": "d" * 64,
            "state": "pending",
            "minutes": 120,
            "occurred_on": "2026-01-01",
        },
    )
    return command, Request(digest=b"d" * 32, respond=lambda _: answer)


# -- the script ----------------------------------------------------------------------------------


def _script(
    heard: Sequence[Heard], command: c.RecordService, accepted: Accepted, subject: str, log_id: str
) -> str:
    version = accepted.events[0].version  # type: ignore[attr-defined]
    client = "(:client_id::bigint + :first::bigint)::text"
    number = "((:client_id::bigint + :first::bigint) * 1000000 + :k::bigint)::text"
    own = {
        subject: f"lpad({client}, 32, '0')",
        log_id: f"lpad({client}, 64, '0')",
        str(command.command_id): f"'c0ffee00-0000-4000-8000-' || lpad({number}, 12, '0')",
        version.entry_id.partition("-")[2]: f"lpad({number}, 26, '0')",
        version.digest: f"lpad({number}, 64, '0')",
    }
    for n in range(len(accepted.events)):
        own[str(event_id(command.command_id, n))] = (
            f"'e{n}000000-0000-4000-8000-' || lpad({number}, 12, '0')"
        )
    assert command.facts.started_at is not None
    day = command.facts.started_at.date()
    for near in range(-40, 41):
        near_by = day + timedelta(days=near)
        own[near_by.isoformat()] = f"(date '{near_by}' - :k::integer)::text"
    claims = next(one for one in heard if "INSERT INTO fact_claim" in one.sql)
    for n, key in enumerate(claims.arguments[0]):
        own[key] = f"'{n}/' || {number}"
    lines = ["\\set k :k + 1"]
    lines += [f"{_sent(one, own).strip().rstrip(';')};" for one in heard]
    return "\n".join(lines) + "\n"


def _sent(one: Heard, own: Mapping[str, str]) -> str:
    """A statement with its arguments in place."""
    counted = set(_COUNTED) if "ledger_write(" in one.sql else set()
    counted |= {int(place) - 1 for place in _INDEX.findall(one.sql)}
    values = []
    for place, (value, type_) in enumerate(zip(one.arguments, one.types, strict=True)):
        if place in counted and value:
            values.append(f"array[{value[0]} - 1 + :k::bigint]")
        else:
            values.append(f"({_literal(_text(value), own)})::{type_}")
    return re.sub(r"\$(\d+)(?:::[a-z0-9]+\[\])?", lambda found: values[int(found[1]) - 1], one.sql)


def _literal(text: str | None, own: Mapping[str, str]) -> str:
    """SQL for a text in which what is one command's own is reckoned anew each time."""
    if text is None:
        return "NULL"
    pattern = "|".join(re.escape(key) for key in sorted(own, key=len, reverse=True))
    pieces = re.split(f"({pattern})", text)
    return " || ".join(
        own[piece] if n % 2 else _quoted(piece) for n, piece in enumerate(pieces) if piece or n == 0
    )


def _quoted(text: str) -> str:
    # A colon before a letter would be a variable of pgbench.
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace(":", "\\x3a")
    return "E'" + escaped.replace("\n", "\\n") + "'"


def _text(value: Any) -> str | None:
    """A value as PostgreSQL reads it from text."""
    match value:
        case None:
            return None
        case bool():
            return "t" if value else "f"
        case bytes():
            return "\\x" + value.hex()
        case datetime() | date():
            return value.isoformat()
        case list() | tuple() | set() | frozenset():
            return "{" + ",".join(_element(each) for each in value) + "}"
        case _:
            return str(value)


def _element(value: Any) -> str:
    text = _text(value)
    if text is None:
        return "NULL"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
