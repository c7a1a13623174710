"""Every command at every state of a dossier: events, silence or a refusal, never a fall-through."""

from __future__ import annotations

from typing import get_args

import pytest

from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers.evolve import evolve
from services.records.domain.dossiers.state import Absent, Departed, Frozen, Home, Row
from services.records.domain.staging import commands as sc
from services.records.domain.staging.decider import decide as decide_staging
from services.records.domain.staging.decider import evolve as evolve_staging
from services.records.domain.staging.state import Row as StagingRow
from services.records.domain.staging.state import StagingView, Unheard
from shared.messages import Event, Rejection
from tests.domain.records import story as w
from tests.domain.records.story import T1, Story, foreign_version, judged
from tests.domain.records.test_staging import ONE, Course


def stories() -> dict[type, Story]:
    absent, home, frozen, departed = (Story(opened=n > 0) for n in range(4))
    for story in (home, frozen, departed):
        story.approved()
    frozen.does(frozen.freeze())
    departed.does(departed.depart())
    return {Absent: absent, Home: home, Frozen: frozen, Departed: departed}


def commands(story: Story) -> list[object]:
    entry = next(iter(story.dossier.window.known), ("amber", "amber-01KK362VM09TDRMAB20MBC0B5C"))
    received = c.ReceiveSupplement(
        subject_id=w.LI_HUA,
        transfer_id=T1,
        sender="birch",
        incarnation=1,
        k=1,
        digest="00" * 32,
        path="/x",
        **story.common(w.SYSTEM),
    )
    return [
        story.open(),
        story.service("2026-09-20 09:00", "2026-09-20 10:00"),
        story.training(),
        story.star(),
        story.approve(entry),
        story.reject(entry),
        story.correct(entry, changes={"content": "x"}),
        story.revoke(entry),
        story.freeze(),
        w.finish_freeze(story, "00" * 32),
        story.thaw(),
        story.depart(),
        story.adopt(),
        received,
        story.late(judged(foreign_version())),
        c.ReleaseQuarantined(
            subject_id=w.LI_HUA, entries=(judged(foreign_version()),), **story.common(w.SYSTEM)
        ),
    ]


@pytest.mark.parametrize("status", get_args(Row))
def test_every_command_is_judged_at_every_state(status: type) -> None:
    story = stories()[status]
    assert isinstance(story.dossier.row, status)
    made = commands(story)
    assert {type(each) for each in made} == set(get_args(c.DossierCommand))
    for command in made:
        ruling = story.rules(command)
        if isinstance(ruling, Rejection):
            continue
        assert isinstance(ruling, tuple)
        dossier = story.dossier
        for event in ruling:
            assert isinstance(event, Event)
            dossier = evolve(dossier, event)
        # What was decided can be folded, and deciding reads nothing that changes by itself.
        assert story.rules(command) == ruling


def courses() -> dict[type, Course]:
    found: dict[type, Course] = {}
    for name in ("Unheard", "Staging", "Staged", "Failed", "Discarded", "Adopted"):
        course = Course()
        if name != "Unheard":
            course.order(count=1, root=_root(), state_digest=_state())
        if name in ("Staged", "Adopted"):
            course.bundle(0, ONE, bundles=1)
            course.finish(state_digest=_state(), shared={})
        if name == "Failed":
            course.does(sc.FailStaging, code="TR-506")
        if name == "Discarded":
            course.does(sc.DiscardStaging)
        if name == "Adopted":
            story = Story(opened=False)
            (event,) = story.does(story.adopt(state_digest=_state()), course.view)
            course.view = evolve_staging(course.view, event)
        found[type(course.view.row)] = course
    return found


def _root() -> str:
    from shared import merkle

    return merkle.root_of([bytes.fromhex(ONE.digest)]).hex()


def _state() -> str:
    from services.records.domain.heads import state_digest, state_line

    return state_digest([state_line(ONE)])


@pytest.mark.parametrize("status", get_args(StagingRow))
def test_every_order_is_judged_at_every_stage_of_a_staging(status: type) -> None:
    course = courses()[status]
    before = course.view
    for act in (
        course.order,
        lambda: course.bundle(0, ONE),
        course.finish,
        lambda: course.does(sc.FailStaging, code="TR-506"),
        lambda: course.does(sc.DiscardStaging),
    ):
        course.view = before
        events = act()
        assert isinstance(events, tuple)
    unheard = StagingView(Unheard(transfer_id=T1))
    common = {"subject_id": w.LI_HUA, "transfer_id": T1, **Story().common(w.SYSTEM)}
    assert decide_staging(unheard, sc.FailStaging(code="TR-506", **common)) == ()
