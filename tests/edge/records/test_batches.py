"""Do n commands in one batch give what they give in n batches? (INV-11, B42)"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.ledger import Accepted
from shared.messages import Command
from tests.domain.records import story as w
from tests.edge.records.conftest import neighbours, open_records
from tests.support.batches import Twins, twins


@pytest.fixture
async def pair(database: str) -> AsyncIterator[Twins]:
    async with twins(database, open_records) as both:
        yield both


STARTS = ("08:00", "08:30", "09:00", "10:00", "13:00")
ENDS = ("10:30", "11:00", "12:00", "17:00", "20:00")


@st.composite
def histories(draw: st.DrawFn) -> list[Command]:
    """A story that happened in memory, as the commands that it consisted of."""
    stories = {each: w.Story(each, opened=False) for each in (w.LI_HUA, w.WANG)}
    commands: list[Command] = []
    for story in stories.values():
        commands.append(story.open())
        story.does(commands[-1])
    for _ in range(draw(st.integers(1, 12))):
        story = stories[draw(st.sampled_from([w.LI_HUA, w.LI_HUA, w.WANG]))]
        command = draw(st.sampled_from(sorted(_MADE)).map(lambda name: _MADE[name]))(draw, story)
        if command is None:
            continue
        ruling = story.rules(command)
        if isinstance(ruling, tuple):
            story.does(command)
        story.now += w.timedelta(seconds=1)
        commands.append(command)
    return commands


def _entries(story: w.Story) -> list[tuple[str, str]]:
    return sorted(story.dossier.window.known)


def _record(draw: Any, story: w.Story) -> Command:
    source = draw(st.sampled_from([None, "feed-1", "feed-2"]))
    return story.service(
        f"2026-09-19 {draw(st.sampled_from(STARTS))}",
        f"2026-09-19 {draw(st.sampled_from(ENDS))}",
        activity_name=draw(st.sampled_from(["甲", "乙", "丙"])),
        source=w.c.Source(system="feed", id=f"{source}/{story.subject}") if source else None,
    )


def _one(shape: str) -> Any:
    def make(draw: Any, story: w.Story) -> Command | None:
        entries = _entries(story)
        if not entries:
            return None
        return getattr(story, shape)(draw(st.sampled_from(entries)))  # type: ignore[no-any-return]

    return make


def _correct(draw: Any, story: w.Story) -> Command | None:
    entries = _entries(story)
    if not entries:
        return None
    changes: dict[str, Any] = {}
    if draw(st.booleans()):
        changes["started_at"] = w.at(f"2026-09-19 {draw(st.sampled_from(STARTS))}")
    if draw(st.booleans()):
        changes["ended_at"] = w.at(f"2026-09-19 {draw(st.sampled_from(ENDS))}")
    if draw(st.booleans()):
        changes["field_code"] = draw(st.sampled_from(["elderly_care", "education_support"]))
    return story.correct(draw(st.sampled_from(entries)), changes=changes)


def _epoch(draw: Any) -> int:
    return draw(st.sampled_from([1, 1, 1, 2]))


_MADE: dict[str, Any] = {
    "record": _record,
    "record again": _record,
    "record once more": _record,
    "approve": _one("approve"),
    "approve again": _one("approve"),
    "reject": _one("reject"),
    "revoke": _one("revoke"),
    "correct": _correct,
    "train": lambda draw, story: story.training(minutes=draw(st.sampled_from([60, 90]))),
    "star": lambda draw, story: story.star(
        award_id=f"{draw(st.sampled_from([0, 1]))}/{story.subject}"
    ),
    "freeze": lambda draw, story: story.freeze(
        draw(st.sampled_from([w.T1, w.T2])), epoch=_epoch(draw)
    ),
    "thaw": lambda draw, story: story.thaw(draw(st.sampled_from([w.T1, w.T2]))),
    "depart": lambda draw, story: story.depart(
        draw(st.sampled_from([w.T1, w.T2])), epoch=_epoch(draw)
    ),
}


@given(commands=histories())
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_a_batch_gives_what_its_commands_give_one_by_one(
    pair: Twins, commands: list[Command]
) -> None:
    await pair.empty()
    for told in neighbours():
        await pair.together[1].submit(told)
        await pair.apart[1].submit(told)
    await pair.same_together_and_apart(commands)


@given(commands=histories())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_database_decides_as_the_story_in_memory(
    pair: Twins, commands: list[Command]
) -> None:
    """The window that was read leads to what the whole dossier leads to, command by command."""
    await pair.empty()
    stories = {each: w.Story(each, opened=False) for each in (w.LI_HUA, w.WANG)}
    ledger = pair.apart[1]
    for told in neighbours():
        await ledger.submit(told)
    for command in commands:
        story = stories[command.subject_id]  # type: ignore[attr-defined]
        ruling = story.rules(command)
        outcome = await ledger.submit(command)
        if isinstance(ruling, tuple):
            assert isinstance(outcome, Accepted), (command, outcome)
            assert outcome.events == ruling
            story.does(command)
        else:
            assert outcome == ruling
