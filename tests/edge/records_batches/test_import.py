"""Does a sheet come in over HTTP, page by page, and does the decision on it reach every row?"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from services.records.domain.batches.commands import DecideRow
from services.records.edge import batches_api, batches_examples
from services.records.edge.batch_jobs import BatchJobs
from services.records.edge.batches import BatchPart
from services.records.edge.batches_api import router
from services.records.edge.batches_queries import BatchQueries
from services.records.edge.copies import ORGANISATION, POLICY, KeepingPart
from services.records.edge.dossiers import DossierPart
from services.records.edge.persons import RESOLVE, Persons
from services.records.edge.stagings import StagingPart
from services.records.edge.store import RecordsDomain
from services.records.wiring import MIGRATIONS
from shared.clock import FixedClock
from shared.internal_http import InternalClient
from shared.jobs import Job
from shared.ledger import Accepted, Ledger, Target
from shared.ledger.entries import Entry
from shared.messages import Command, Grant, Rejection
from shared.postgres import Database, migrate
from shared.requests import new_app
from shared.signing import Signer
from tests.domain.records import story as w
from tests.edge.records.conftest import ENTRY_KEY, HEAD_KEY, neighbours
from tests.support.api import TestSurroundings, assert_routes_obey_roles, client_of
from tests.support.batches import Twins, twins
from tests.support.documented import keeping_to_its_document

NUMBERS = {"110101199003070011": w.LI_HUA, "110101199003070038": w.WANG}
RECORDER = Grant("recorder", w.TEAM)
APPROVER = Grant("approver", w.TEAM)


@dataclass
class Registry:
    """Answers as registry's internal API does, over HTTP; counts what it was asked."""

    away: bool = False
    asked: list[int] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post(RESOLVE)
        async def resolve(request: Request) -> JSONResponse:
            if self.away:
                return JSONResponse({}, 503, {"retry-after": "7"})
            persons = (await request.json())["persons"]
            self.asked.append(len(persons))
            return JSONResponse({"results": [self._one(person) for person in persons]})

        return app

    @staticmethod
    def _one(person: dict[str, Any]) -> dict[str, str]:
        subject = NUMBERS.get(person["number"])
        if subject is None:
            return {"reason": "unknown"}
        if person["name"] not in (None, "李华", "王芳"):
            return {"reason": "name_differs"}
        return {"subject_id": subject}


@dataclass
class Imports:
    """Records with its import API, on a real PostgreSQL."""

    database: Database
    ledger: Ledger
    app: FastAPI
    surroundings: TestSurroundings
    registry: Registry
    clock: FixedClock

    def client(self, *roles: Any, actor_id: str = "staff-07", **more: Any) -> httpx.AsyncClient:
        token = self.surroundings.token(*roles, actor_id=actor_id, **more)
        return keeping_to_its_document(client_of(self.app, token), self.app)

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        async with self.database.reading() as connection:
            return [dict(row) for row in await connection.fetch(sql, *values)]

    async def run_jobs(self) -> None:
        """What the worker does, until nothing is due."""
        handler = BatchJobs(self.database, self.clock, w.AMBER.node)
        while due := await self.rows("SELECT * FROM job WHERE state = 'waiting'"):
            for row in due:
                job = Job(
                    id=row["id"],
                    kind=row["kind"],
                    target=Target(row["target_kind"], row["target_id"]),
                    data=json.loads(row["data"]),
                    due_at=row["due_at"],
                    attempts=1,
                    correlation_id=row["correlation_id"],
                )
                commands = await handler.decide(job)
                for number, command in enumerate(commands, start=1):
                    last = number == len(commands)
                    outcome = await self.ledger.submit(command, job=job.id if last else None)
                    assert not isinstance(outcome, Rejection), outcome

    async def credited(self, subject_id: str) -> int:
        found = await self.rows(
            "SELECT state::text AS state FROM aggregate WHERE kind = 'dossier' AND id = $1",
            subject_id,
        )
        return int(json.loads(found[0]["state"])["log"]["totals"]["credited_minutes"])


def make_domain() -> RecordsDomain:
    city = w.AMBER
    part = DossierPart(city, Signer.of(city.node, ENTRY_KEY), Signer.of(city.node, HEAD_KEY))
    return RecordsDomain(
        part,
        StagingPart(),
        KeepingPart(ORGANISATION),
        KeepingPart(POLICY),
        BatchPart(city, part),
    )


@cache
def told_before() -> tuple[Command, ...]:
    """Bodies, rules and two dossiers: the same commands for every schema."""
    stories = (w.Story(opened=False), w.Story(subject=w.WANG, opened=False))
    return (*neighbours(), *(story.open() for story in stories))


@asynccontextmanager
async def open_records(url: str, schema: str) -> AsyncIterator[tuple[Database, Ledger]]:
    await migrate(url, schema, MIGRATIONS)
    async with Database(url, schema) as database:
        ledger = Ledger(database, make_domain())
        for command in told_before():
            assert isinstance(await ledger.submit(command), Accepted)
        yield database, ledger
        await ledger.close()


@pytest.fixture
async def imports(database: str) -> AsyncIterator[Imports]:
    async with open_records(database, "records") as (reached, ledger):
        clock = FixedClock(w.MONDAY)
        surroundings = TestSurroundings(clock=clock)
        registry = Registry()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(registry.app())) as http:
            asking = InternalClient(
                service="records",
                neighbour="registry",
                base_url="http://registry",
                key=Ed25519PrivateKey.generate(),
                clock=clock,
                client=http,
            )
            app = new_app(surroundings, title="t", description="t")
            queries = BatchQueries(reached, w.AMBER.node)
            app.include_router(router(ledger, queries, Persons(lambda: asking)))
            yield Imports(reached, ledger, app, surroundings, registry, clock)


def key() -> dict[str, str]:
    return {"idempotency-key": str(uuid4())}


def row(row_no: int, day: int = 0, **changes: Any) -> dict[str, Any]:
    """A row of Li Hua's: two hours on a September day of its own."""
    return {
        "row_no": row_no,
        "document": {"type": "resident_id", "number": "110101199003070011"},
        "name": "李华",
        "activity_name": "社区清洁",
        "occurred_on": f"2026-09-{day or row_no:02d}",
        "hours": "2",
        "place": {"region_code": "500106"},
        **changes,
    }


async def opened(client: httpx.AsyncClient, rows: int, digest: str = "d") -> str:
    body = {
        "kind": "spreadsheet",
        "organisation_id": w.TEAM,
        "sheet_digest": digest * 64,
        "rows": rows,
    }
    answer = await client.post("/batches", json=body, headers=key())
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["batch_id"])


async def sent(client: httpx.AsyncClient, batch: str, *rows: Any, query: str = "") -> list[Any]:
    answer = await client.post(
        f"/batches/{batch}/rows{query}", json={"rows": list(rows)}, headers=key()
    )
    assert answer.status_code == 200, answer.text
    return list(answer.json()["rows"])


async def test_a_sheet_from_its_first_row_to_the_minutes_that_count(imports: Imports):  # S12
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 4)
        answers = await sent(
            recorder,
            batch,
            row(1),
            row(2, hours="0.33"),
            row(3, name="张三"),
            row(4, document={"type": "resident_id", "number": "110101199003079999"}),
        )
        told = [(one["outcome"], one.get("reason"), one.get("field")) for one in answers]
        assert told == [
            ("imported", None, None),
            ("held", "UnitIsNotRepresentable", "hours"),
            ("held", "NameDiffers", "name"),
            ("held", "PersonIsUnknown", "document_number"),
        ]
        closed = (await recorder.post(f"/batches/{batch}/close", headers=key())).json()
        assert (closed["status"], closed["imported"], closed["held"]) == ("closed", 1, 3)
    assert await imports.credited(w.LI_HUA) == 0
    async with imports.client(APPROVER, actor_id="staff-12") as approver:
        approved = await approver.post(f"/batches/{batch}/approve", headers=key())
        assert approved.json()["status"] == "approved"
        await imports.run_jobs()
        held = (await approver.get(f"/batches/{batch}/rows?state=held&limit=2")).json()
        rest = (await approver.get(f"/batches/{batch}/rows?state=held&after={held['next']}")).json()
        assert [one["row_no"] for one in held["items"] + rest["items"]] == [2, 3, 4]
    assert await imports.credited(w.LI_HUA) == 120


async def test_the_rows_that_the_document_shows_are_imported(imports: Imports):
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 2)
        answers = await sent(recorder, batch, batches_examples.ROW, batches_examples.HOURS_ROW)
    told = [(one["outcome"], one.get("minutes"), one.get("field")) for one in answers]
    assert told == [("imported", 150, None), ("imported", 90, None)]


async def test_a_cursor_of_another_list_is_a_wrong_field(imports: Imports):
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 1)
        for path, position in (
            ("/batches", ["0001-01-01T00:00:00+14:00", ""]),
            ("/batches", [1]),
            (f"/batches/{batch}/rows", [2**40]),
            (f"/batches/{batch}/rows", ["x"]),
        ):
            after = base64.urlsafe_b64encode(json.dumps(position).encode()).rstrip(b"=").decode()
            answer = await recorder.get(f"{path}?after={after}")
            assert (answer.status_code, answer.json()["field"]) == (422, "after"), (path, position)


async def test_no_number_and_no_name_is_left_anywhere(imports: Imports):  # R55, INV-15
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 2)
        await sent(recorder, batch, row(1), row(2, name="张三丰"))
    for table in await imports.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'records'"):
        for found in await imports.rows(
            f'SELECT to_jsonb(t)::text AS row FROM "{table["tablename"]}" t'
        ):
            assert "110101199003070011" not in found["row"]
            assert "李华" not in found["row"] and "张三丰" not in found["row"]


async def test_a_dry_run_judges_and_writes_nothing(imports: Imports):
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 3)
        answers = await sent(
            recorder, batch, row(1), row(2, day=1), row(3, hours="30"), query="?dry_run=1"
        )
        assert [one["outcome"] for one in answers] == ["imported", "held", "held"]
        assert (answers[1]["reason"], answers[1]["same_as_row"]) == ("SameFactExists", 1)
        shown = (await recorder.get(f"/batches/{batch}")).json()
    assert (shown["imported"], shown["held"]) == (0, 0)


async def test_a_page_sent_again_is_answered_as_before(imports: Imports):
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 2)
        first = await sent(recorder, batch, row(1), row(2, hours="0.33"))
        again = await sent(recorder, batch, row(1), row(2, hours="0.33"))
        assert [(one["outcome"], one.get("entry_id")) for one in first] == [
            (one["outcome"], one.get("entry_id")) for one in again
        ]
        assert await opened(recorder, 2) == batch
        shown = (await recorder.get(f"/batches/{batch}")).json()
    assert (shown["imported"], shown["held"]) == (1, 1)


async def test_the_same_sheet_again_changes_nothing(imports: Imports):  # S12, R15
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 1)
        await sent(recorder, batch, row(1))
        await recorder.post(f"/batches/{batch}/close", headers=key())
        body = {
            "kind": "spreadsheet",
            "organisation_id": w.TEAM,
            "sheet_digest": "d" * 64,
            "rows": 1,
        }
        again = await recorder.post("/batches", json=body, headers=key())
        assert again.status_code == 409
        assert again.json()["type"] == "urn:jiexu:problem:same-sheet-imported"
        assert again.json()["batch_id"] == batch
        retyped = await opened(recorder, 1, digest="e")
        answers = await sent(recorder, retyped, row(1))
        assert answers[0]["outcome"] == "repeat"
    leaves = await imports.rows("SELECT count(*) AS n FROM leaf")
    assert leaves[0]["n"] == 1


async def test_equal_rows_of_a_second_sheet_are_held_page_by_page(imports: Imports):  # R15
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 1)
        await sent(recorder, batch, row(1))
        copy = await opened(recorder, 3, digest="e")
        first = await sent(recorder, copy, row(1))
        second, third = await sent(recorder, copy, row(2, day=1), row(3, day=1))
    assert first[0]["outcome"] == "repeat"
    for held in (second, third):
        assert (held["outcome"], held["reason"]) == ("held", "SameFactExists")
        assert held["same_as_row"] == 1


async def test_two_openings_at_once_make_one_batch(imports: Imports):  # R15
    import asyncio

    async with imports.client(RECORDER) as recorder:
        batches = await asyncio.gather(*(opened(recorder, 1) for _ in range(8)))
    assert len(set(batches)) == 1
    assert len(await imports.rows("SELECT 1 FROM batch")) == 1


async def test_registry_away_is_503_and_the_page_may_be_sent_again(imports: Imports):
    imports.registry.away = True
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 1)
        answer = await recorder.post(
            f"/batches/{batch}/rows", json={"rows": [row(1)]}, headers=key()
        )
        assert answer.status_code == 503 and answer.headers["retry-after"]
        imports.registry.away = False
        assert (await sent(recorder, batch, row(1)))[0]["outcome"] == "imported"


async def test_rows_before_registry_went_away_stay_and_are_told_again(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batches_api, "ROWS_RESOLVED_AT_ONCE", 2)

    def last_answer(_: Any) -> dict[str, str]:
        imports.registry.away = True
        return {"subject_id": w.LI_HUA}

    page = [row(1), row(2), row(3)]
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 3)
        with monkeypatch.context() as tired:
            tired.setattr(imports.registry, "_one", last_answer)
            answer = await recorder.post(
                f"/batches/{batch}/rows", json={"rows": page}, headers=key()
            )
        assert answer.status_code == 503 and answer.headers["retry-after"]
        rows = await imports.rows("SELECT row_no FROM batch_row ORDER BY row_no")
        assert [each["row_no"] for each in rows] == [1, 2]
        imports.registry.away = False
        again = await sent(recorder, batch, *page)
    assert [(each["row_no"], each["outcome"]) for each in again] == [
        (n, "imported") for n in (1, 2, 3)
    ]
    assert imports.registry.asked == [2, 2, 1]


async def test_what_waits_is_asked_for_again_and_held_at_last(imports: Imports):  # S1
    NUMBERS["110101199003070054"] = "c" * 32
    person = {"type": "resident_id", "number": "110101199003070054"}
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 1)
        (again,) = await sent(recorder, batch, row(1, document=person))
        assert (again["outcome"], again["reason"]) == ("again", "SubjectIsUnknown")
        (held,) = await sent(recorder, batch, row(1, document=person), query="?final=1")
        assert (held["outcome"], held["reason"]) == ("held", "SubjectIsUnknown")


async def test_times_make_minutes_and_both_days_of_a_night(imports: Imports):  # S6, R1
    night = {
        "hours": None,
        "occurred_on": None,
        "started_at": "2026-09-05T22:30:00+08:00",
        "ended_at": "2026-09-06T01:30:00+08:00",
        "break_minutes": 15,
    }
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 1)
        (answer,) = await sent(recorder, batch, row(1, **night))
    assert (answer["outcome"], answer["minutes"]) == ("imported", 165)


@pytest.mark.parametrize(
    ("changes", "reason", "field_"),
    [
        ({"hours": None, "minutes": "many"}, "FieldIsWrong", "minutes"),
        ({"occurred_on": "2026-02-30"}, "FieldIsWrong", "occurred_on"),
        ({"surprise": 1}, "FieldIsWrong", "surprise"),
        ({"activity_name": None}, "FieldIsWrong", "activity_name"),
        ({"hours": "two"}, "FieldIsWrong", "hours"),
        ({"hours": "2", "minutes": 60}, "MinutesDisagree", "minutes"),
        (
            {"started_at": "2026-09-05T22:30:00", "ended_at": "2026-09-05T23:30:00"},
            "FieldIsWrong",
            "started_at",
        ),
        ({"category": "duty_work"}, "NotVolunteerService", None),
        (
            {"unreadable": {"field": "hours", "reason": "unit_is_not_representable"}},
            "UnitIsNotRepresentable",
            "hours",
        ),
        ({"unreadable": {"field": "name", "reason": "too_long"}}, "FieldIsWrong", "name"),
    ],
)
async def test_a_bad_row_is_held_with_its_cell_and_holds_no_other_back(
    imports: Imports, changes: dict[str, Any], reason: str, field_: str | None
):
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 2)
        bad, good = await sent(recorder, batch, row(1, **changes), row(2))
    assert (bad["outcome"], bad["reason"], bad["field"]) == ("held", reason, field_)
    assert good["outcome"] == "imported"


async def test_rows_without_a_number_are_named_by_their_place(imports: Imports):
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 2)
        answer = await recorder.post(
            f"/batches/{batch}/rows", json={"rows": [{}, row(1)]}, headers=key()
        )
    assert answer.json()["unnumbered"] == [0]
    assert [one["row_no"] for one in answer.json()["rows"]] == [1]


async def test_a_rejected_batch_frees_its_facts(imports: Imports):  # S12
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 1)
        await sent(recorder, batch, row(1))
        await recorder.post(
            f"/batches/{batch}/reject", json={"reason_code": "wrong_sheet"}, headers=key()
        )
        await imports.run_jobs()
        again = await opened(recorder, 1)
        assert again != batch
        assert (await sent(recorder, again, row(1)))[0]["outcome"] == "imported"


async def test_a_revoked_batch_counts_no_more_and_may_come_again(imports: Imports):  # S12
    async with (
        imports.client(RECORDER) as recorder,
        imports.client(APPROVER, actor_id="staff-12") as approver,
    ):
        batch = await opened(recorder, 1)
        await sent(recorder, batch, row(1))
        await recorder.post(f"/batches/{batch}/close", headers=key())
        await approver.post(f"/batches/{batch}/approve", headers=key())
        await imports.run_jobs()
        assert await imports.credited(w.LI_HUA) == 120
        revoked = await recorder.post(
            f"/batches/{batch}/revoke", json={"reason": "duplicate"}, headers=key()
        )
        assert revoked.json()["status"] == "revoked"
        await imports.run_jobs()
        assert await imports.credited(w.LI_HUA) == 0
        again = await opened(recorder, 1)
        assert (await sent(recorder, again, row(1)))[0]["outcome"] == "imported"


async def test_rows_that_the_decision_does_not_reach_are_listed(imports: Imports):  # S9, R19
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 1)
        await sent(recorder, batch, row(1))
        await recorder.post(f"/batches/{batch}/close", headers=key())
    async with imports.client(APPROVER, actor_id="staff-12", subject_id=w.LI_HUA) as herself:
        await herself.post(f"/batches/{batch}/approve", headers=key())
        await imports.run_jobs()
        refused = (await herself.get(f"/batches/{batch}/rows?state=refused")).json()["items"]
        shown = (await herself.get(f"/batches/{batch}")).json()
    assert [(one["row_no"], one["refused_reason"]) for one in refused] == [(1, "OwnEntry")]
    assert shown["refused"] == 1
    assert await imports.credited(w.LI_HUA) == 0


def test_rows_of_one_batch_are_decided_side_by_side():
    """While one commit of them is written another is decided: no key is theirs together."""
    part = DossierPart(w.AMBER, Signer.of("amber", ENTRY_KEY), Signer.of("amber", HEAD_KEY))
    domain = RecordsDomain(part, StagingPart(), BatchPart(w.AMBER, part))
    one, other = (
        Entry.of(
            domain,
            DecideRow(
                **w.Story(subject).common(w.APPROVER),
                batch_id=32 * "b",
                row_no=row_no,
                decision="approve",
                entry=w.Story(subject).approve(("amber", f"amber-{row_no}")),
            ),
            None,
            None,
        )
        for row_no, subject in enumerate((w.LI_HUA, w.WANG))
    )
    assert one.keys.isdisjoint(other.keys)


async def test_a_batch_is_for_its_organisation_alone(imports: Imports):
    async with imports.client(RECORDER) as recorder:
        batch = await opened(recorder, 1)
        assert len((await recorder.get("/batches")).json()["items"]) == 1
    async with imports.client(Grant("recorder", w.OTHER), actor_id="staff-55") as other:
        foreign = await other.get(f"/batches/{batch}")
        unknown = await other.get(f"/batches/{'0' * 32}")
        assert (await other.get("/batches")).json()["items"] == []
        rows = await other.post(f"/batches/{batch}/rows", json={"rows": [row(1)]}, headers=key())
    assert foreign.status_code == unknown.status_code == rows.status_code == 404
    assert {**foreign.json(), "instance": ""} == {**unknown.json(), "instance": ""}


async def test_every_route_obeys_the_roles_of_the_token(imports: Imports):
    roles = ["volunteer", "recorder", "approver", "city_reviewer", "auditor", "login"]
    assert await assert_routes_obey_roles(imports.app, imports.surroundings, roles) > 60


@pytest.fixture
async def pair(database: str) -> AsyncIterator[Twins]:
    async with twins(database, open_records) as both:
        yield both


async def test_rows_of_one_batch_give_what_they_give_one_by_one(pair: Twins):  # INV-11
    from tests.domain.records_batches.sheets import SheetStory

    sheet = SheetStory(story=w.Story())
    opening = sheet.open(rows=6)
    sheet.does(opening)
    rows = [
        sheet.row(1),
        sheet.row(2),
        sheet.row(3, occurred_on=date(2026, 9, 3)),
        sheet.row(3, occurred_on=date(2026, 9, 3)),
        sheet.held(4, "NameDiffers"),
        sheet.row(5, minutes=0),
        sheet.row(6, distinct=2),
    ]
    outcomes = await pair.same_together_and_apart([opening, *rows, sheet.close()])
    assert not any(isinstance(one, Rejection) for one in outcomes)
