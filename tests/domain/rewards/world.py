"""Named people, policies and commands for the tests of standings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import yaml

from services.rewards.domain.policies.model import StarPolicy, from_content
from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings import events as e
from services.rewards.domain.standings.decider import decide
from services.rewards.domain.standings.folding import evolve
from services.rewards.domain.standings.state import (
    Absent,
    Body,
    Cell,
    CellMinutes,
    Star,
    View,
    Window,
)
from shared.messages import Actor, Grant, Rejection
from shared.working_days import load_calendar

SPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
LI_HUA = "ad19f606e2c579ee04a48dbaf59f5897"
NODE = "500000"
NOON = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)
TODAY = date(2026, 6, 1)
CENTRE = Body(organisation_id="org-centre", name="志愿服务中心", kind="public_service_body")
DOCUMENTS = {
    document["policy_id"]: document
    for document in yaml.safe_load_all(
        (Path(__file__).parents[2] / "data" / "star_policy_examples.yaml").read_text("utf-8")
    )
}
DEFAULT = from_content(DOCUMENTS["cn-default"])
DEMO = from_content(DOCUMENTS["demo-automatic"])
CALENDAR = load_calendar()

HERSELF = Actor("li-hua", (Grant("volunteer"),), LI_HUA)
COUNTY = Actor("reviewer-1", (Grant("county_reviewer", region="500103"),))
CITY = Actor("reviewer-2", (Grant("city_reviewer", region="500000"),))
SYSTEM = Actor("system:rewards", (Grant("system"),))

OWN = Cell(
    year=2026,
    category="service",
    evidence_class="auto_qr",
    source_system=NODE,
    field_code="community_affairs",
    own=True,
)
FOREIGN = replace(OWN, own=False, source_system="510100")
TRAINING_PUBLISHED_AS_SERVICE = replace(OWN, category="training_activity")


def view(*policies: StarPolicy) -> View:
    """A subject of whom nothing is known, under these policies (none: the default)."""
    window = Window(node=NODE, body=CENTRE, policies=policies or (DEFAULT,), calendar=CALENDAR)
    return View(standing=Absent(), window=window)


_count = 0


def head(actor: Actor = SYSTEM, at: datetime = NOON) -> dict[str, Any]:
    """The fields that every command of Li Hua's carries; ids differ, as in earnest."""
    global _count
    _count += 1
    return {
        "command_id": uuid5(SPACE, str(_count)),
        "actor": actor,
        "at": at,
        "subject_id": LI_HUA,
    }


def served(minutes: int, cell: Cell = OWN, at: datetime = NOON) -> c.RecomputeStanding:
    """Credited minutes of a cell moved by so much."""
    return c.RecomputeStanding(
        **head(at=at), differences=(CellMinutes(cell=cell, minutes=minutes),)
    )


def registered(region: str = "500103", claimed: bool = True) -> c.NotePerson:
    """She registered in Yuzhong district in 2019."""
    return c.NotePerson(
        **head(),
        residence_region=region,
        first_registered_on=date(2019, 3, 5),
        claimed=claimed,
    )


def foreign_star(level: int = 4, basis: int = 60_000, entry: str = "01A") -> Star:
    """A star that Chengdu gave her."""
    return Star(
        issuer="510100",
        own=False,
        entry_id=f"510100-{entry}",
        award_id=None,
        level=level,
        policy_id="cn-default",
        policy_version=1,
        basis_minutes=basis,
        occurred_on=date(2025, 1, 1),
        award_mode="application",
    )


def do(state: View, *commands: c.StandingCommand) -> tuple[View, list[e.StandingEvent]]:
    """Decides and folds one after another; a refusal here is a mistake of the test."""
    happened: list[e.StandingEvent] = []
    for command in commands:
        answer = decide(state, command)
        assert not isinstance(answer, Rejection), answer
        for event in answer:
            state = evolve(state, event)
        happened += answer
    return state, happened


def given(*commands: c.StandingCommand, policies: Sequence[StarPolicy] = (DEFAULT,)) -> View:
    """The view after these commands."""
    return do(view(*policies), *commands)[0]


def days(number: int) -> datetime:
    """Noon so many days on."""
    return NOON + timedelta(days=number)
