"""Many at once, and dossiers that are large: the rules hold, and a decision reads what it meets."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from services.records.domain import rejections as r
from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import moving
from services.records.domain.heads import state_digest
from services.records.edge import window_rows
from services.records.edge.jobs import handlers
from services.records.edge.needs import need_of
from services.records.edge.rows import dossier_row
from services.records.edge.window import load_dossiers
from shared.clock import FixedClock
from shared.jobs import Job
from shared.ledger import Accepted, Target
from shared.messages import Rejection
from tests.domain.records import story as w
from tests.edge.records.conftest import Records, open_records


async def together(records: Records, *commands):
    return await asyncio.gather(*(records.ledger.submit(each) for each in commands))


async def test_of_many_that_record_the_same_fact_one_makes_the_entry(records: Records) -> None:
    await records.does(records.story.open())
    outcomes = await together(records, *(records.story.service() for _ in range(50)))
    assert all(isinstance(each, Accepted) for each in outcomes)
    assert sum(len(each.events) for each in outcomes) == 1
    assert len(await records.rows("SELECT 1 FROM entry_version")) == 1


async def test_a_source_id_taken_by_another_subject_meanwhile_is_named(records: Records) -> None:
    story, other = records.story, w.Story(w.WANG, opened=False)
    await records.does(story.open())
    await records.does(other.open())
    for n in range(5):
        source = c.Source(system="feed", id=str(n))
        pair = [each.service(activity_name=f"活动{n}", source=source) for each in (story, other)]
        outcomes = await together(records, *pair)
        refused = [each for each in outcomes if isinstance(each, Rejection)]
        assert refused == [r.FieldIsWrong("source.id", "taken_for_another_subject")]


async def test_two_processes_at_once_approve_no_long_day_without_its_tier(
    database: str, records: Records
) -> None:  # R4: the window is read after the aggregate (B43)
    await records.does(records.story.open())
    for n in range(4):
        entries = [
            (
                await records.does(
                    records.story.service(
                        f"2026-09-{n + 10} {start}:00",
                        f"2026-09-{n + 10} {start + 5}:00",
                        activity_name=str(start),
                    )
                )
            )[0]
            for start in (8, 14)
        ]
        async with open_records(database, "records") as (_, second):
            one, two = (records.story.approve(each) for each in entries)
            outcomes = await asyncio.gather(records.ledger.submit(one), second.submit(two))
        refused = [each for each in outcomes if isinstance(each, Rejection)]
        assert refused == [r.TierIsHigher("parent_organisation")]


async def test_a_decision_reads_what_it_meets_however_large_the_dossier_is(
    records: Records,
) -> None:
    story = records.story
    await records.does(story.open())
    recorded = []
    day = w.at("2025-01-01 09:00")
    for n in range(200):
        start = day + timedelta(days=n)
        wish = story.service()
        facts = replace(wish.facts, started_at=start, ended_at=start + timedelta(hours=2))
        recorded.append(replace(wish, facts=facts))
    outcomes = await together(records, *recorded)
    entries = [each.events[0] for each in outcomes]
    await together(records, *(story.approve(each) for each in entries))
    state = await records.state()
    assert (state["log"]["count"], len(state["log"]["frontier"])) == (400, 3)
    assert state["log"]["totals"]["credited_minutes"] == 200 * 120
    row = dossier_row(w.LI_HUA, state)
    facts = replace(story.service().facts, started_at=day, ended_at=day + timedelta(hours=3))
    wish = replace(story.service(), facts=facts)
    async with records.database.reading() as connection:
        found = await load_dossiers(connection, {w.LI_HUA: row}, {w.LI_HUA: need_of(wish)}, "amber")
    # What lies on the entry's two days, and nothing of the other 198.
    assert len(found[w.LI_HUA].window.cards) == 2


async def test_the_head_of_a_large_dossier_is_reckoned_by_a_job(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:  # above 20,000 leaves; the bound is lowered here, the road is the same
    for module in (moving, window_rows):
        monkeypatch.setattr(module, "MAX_LEAVES_AT_ONCE", 1)
    story = records.story
    await records.does(story.open())
    for start in ("09", "13"):
        entry = (await records.does(story.service(f"2026-09-19 {start}:00", "2026-09-19 15:00")))[0]
        await records.does(story.approve(entry))
    await records.does(story.freeze())
    (held,) = await records.does(story.service("2026-09-20 09:00", "2026-09-20 10:00"))
    assert held.held_index == 0
    (row,) = await records.rows("SELECT * FROM job WHERE kind = 'reckon-freeze'")
    job = Job(
        id=row["id"],
        kind=row["kind"],
        target=Target("dossier", w.LI_HUA),
        data=json.loads(row["data"]),
        due_at=row["due_at"],
        attempts=1,
    )
    made = handlers(records.database, None, None, FixedClock(story.now), "amber")
    (finish,) = await made["reckon-freeze"](job)
    outcome = await records.ledger.submit(finish, job=job.id)
    (event,) = outcome.events
    lines = await records.rows("SELECT line FROM standing")
    assert event.head["state_digest"] == state_digest(each["line"] for each in lines)
    assert event.head["count"] == 4
    assert await made["reckon-freeze"](replace(job, data={"transfer_id": w.T2})) == []
