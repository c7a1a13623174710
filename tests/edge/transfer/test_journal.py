"""What is kept for officers and auditors, and for how long? Refused input, alarms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest

from services.transfer.edge import store
from services.transfer.edge.ports import RefusedInput
from services.transfer.edge.store import StoredJournal, forget_refused, sweep_refused
from services.transfer.edge.terms import WorkingTerms, YearAlarms
from shared.clock import FixedClock
from shared.messages import Unavailable
from shared.postgres import Database
from shared.working_days import calendar_of
from tests.support.infrastructure import eventually

NOW = datetime(2027, 3, 1, 2, tzinfo=UTC)
YEAR = {"year": 2026, "version": 1, "holidays": [], "workdays": []}
ONLY_2026 = calendar_of({"versions": [YEAR]})


@pytest.fixture
async def database(databases: list[str]) -> AsyncIterator[Database]:
    async with Database(databases[0], "transfer") as reached:
        yield reached


async def refuse(journal: StoredJournal, days_ago: int) -> None:
    await journal.refuse(
        RefusedInput(
            endpoint="messages",
            peer="birch",
            claimed=None,
            problem="bad-signature",
            field=None,
            instance=f"urn:uuid:{days_ago}",
            raw=b"{}",
            at=NOW - timedelta(days=days_ago),
        )
    )


async def ages(database: Database) -> list[int]:
    async with database.reading() as connection:
        rows = await connection.fetch("SELECT at FROM rejected_input ORDER BY at")
    return [(NOW - row["at"]).days for row in rows]


async def test_refused_input_is_kept_for_ninety_days(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "REFUSED_PAGE", 2)
    journal = StoredJournal(database, lambda kind: None)
    for days_ago in (400, 200, 150, 100, 91, 90, 1):
        await refuse(journal, days_ago)
    async with database.reading() as connection:
        assert await forget_refused(connection, NOW) == 2
    assert await ages(database) == [150, 100, 91, 90, 1]
    sweeping = asyncio.create_task(sweep_refused(database, FixedClock(NOW)))
    try:

        async def swept() -> bool:
            return await ages(database) == [90, 1]

        await eventually(swept, "what is older than 90 days is gone")
    finally:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


async def alarms(database: Database) -> list[tuple[str, str]]:
    async with database.reading() as connection:
        rows = await connection.fetch("SELECT kind, about::text AS about FROM alarm ORDER BY id")
    return [(row["kind"], row["about"]) for row in rows]


async def test_a_year_without_a_calendar_is_one_alarm(database: Database) -> None:  # S11
    counted: list[str] = []
    terms = WorkingTerms(ONLY_2026, YearAlarms(StoredJournal(database, counted.append)))
    assert terms.working_day(date(2026, 12, 1), 10) == date(2026, 12, 15)
    for _ in range(3):
        assert terms.working_day(date(2026, 12, 28), 10) == date(2027, 1, 11)
    assert terms.working_day(date(2028, 1, 3), 1) == date(2028, 1, 4)
    wanted = [
        ("calendar-missing", '{"year": 2027}'),
        ("calendar-missing", '{"year": 2028}'),
    ]

    async def raised() -> bool:
        return sorted(await alarms(database)) == wanted

    await eventually(raised, "each year is one alarm")
    terms.working_day(date(2027, 5, 3), 1)
    await asyncio.sleep(0)
    assert len(counted) == 2


async def test_an_alarm_that_could_not_be_written_is_raised_again() -> None:
    class Journal:
        """Away at the first try."""

        def __init__(self) -> None:
            self.tries: list[int] = []

        async def refuse(self, refused: RefusedInput) -> None:
            raise AssertionError("nothing was refused")

        async def alarm(self, kind: str, transfer_id: str | None, about: object) -> None:
            self.tries.append(len(self.tries))
            if len(self.tries) == 1:
                raise Unavailable("the database is away")

    journal = Journal()
    alarm = YearAlarms(journal)
    for tries in (1, 2, 2):
        alarm(2027)
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(journal.tries) == tries
