"""The table that closes the demo is read, not known: each city that counts wrongly is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from node.client import ServiceRefused
from node.demo import ending, reading
from node.demo import people as persons
from node.demo.cast import Story
from node.demo.cities import City
from node.demo.sheet import Planned
from node.demo.stage import Flow, Stage
from node.demo.subscriber import ADOPTED, TOPIC, Subscriber
from node.events import Seen
from tests.node.conftest import bare_node

HERS = "a" * 32
CELL = {"kind": "service"}
BEFORE, LATE = 1_800, 60


@dataclass
class Told:
    """What one city's records answer of her: her dossier, none where it is unknown, and entries."""

    home: str | None
    status: str = "home"
    minutes: int = 0
    entries: int = 0

    def get(self, path: str, **_: Any) -> dict[str, Any]:
        if self.home is None:
            raise ServiceRefused(404, {"type": "urn:jiexu:problem:not-found"})
        return {"home": self.home, "status": self.status,
                "totals": {"credited_minutes": self.minutes}}

    def pages(self, path: str, **_: Any) -> list[dict[str, Any]]:
        if self.home is None:
            raise ServiceRefused(404, {"type": "urn:jiexu:problem:not-found"})
        return [{"entry_id": str(number)} for number in range(self.entries)]


@dataclass
class Town(City):
    told: Told = field(default_factory=lambda: Told(None))

    def api(self, service: str, actor: str = "", roles: Sequence[str] = (), **_: Any) -> Any:
        return self.told


@dataclass
class Heard:
    """What was on both cities' topics."""

    events: list[Seen]

    def settle(self) -> None:
        pass

    def since(self) -> list[Seen]:
        return []

    def all(self) -> list[Seen]:
        return self.events


def moved(node: str, sequence: int, epoch: int, before: int, after: int) -> Seen:
    data = {"subject_id": HERS, "moved": [{"cell": CELL, "before": before, "after": after}]}
    return Seen(node, TOPIC, 0, sequence, HERS, "records.entry-approved.v1", node, "", sequence,
                epoch, data)


def adopted(node: str) -> Seen:
    return Seen(node, TOPIC, 0, 1, HERS, ADOPTED, node, "", 1, 2, {
        "subject_id": HERS, "cells": [{"cell": CELL, "minutes": BEFORE}]})


def told(tmp_path: Path) -> Story:
    """The story as it stands before its last step, where nothing went wrong."""
    events = [moved("500000", 1, 1, 0, BEFORE), adopted("510100"),
              moved("510100", 2, 2, BEFORE, BEFORE + LATE)]
    chongqing = Town(bare_node(tmp_path / "500000"), told=Told("500000", "home", BEFORE, 15))
    chengdu = Town(bare_node(tmp_path / "510100", "510100"))
    story = Story(Stage(cast(Flow, Heard(events))), chongqing, chengdu, date(2027, 3, 1), tmp_path,
                  persons.people(date(2027, 3, 1))[:1], Subscriber(), subjects=[HERS],
                  planned=Planned((), {0: BEFORE}), proven=(16, BEFORE + LATE))
    story.books_before = {city.node.code: reading.books(story, city)
                          for city in (chongqing, chengdu)}
    chongqing.told = Told("510100", "departed", BEFORE, 15)
    chengdu.told = Told("510100", "home", BEFORE + LATE, 16)
    return story


def close(story: Story) -> list[str]:
    """Tell the last step; the sentences that did not hold."""
    for seen in story.stage.flow.all():
        story.subscriber.take(seen)
    ending.conservation(story)
    return [check["en"] for check in story.stage.checks if not check["holds"]]


def test_where_each_city_counts_what_is_its_own_every_check_holds(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert close(told(tmp_path)) == []
    shown = capsys.readouterr().out
    assert "15 entries, 1800 min" in shown or "15 条,1800 分钟" in shown


def _chongqing(**changes: Any) -> Callable[[Story], None]:
    def change(story: Story) -> None:
        city = cast(Town, story.chongqing)
        city.told = replace(city.told, **changes)
    return change


def _chengdu(**changes: Any) -> Callable[[Story], None]:
    def change(story: Story) -> None:
        city = cast(Town, story.chengdu)
        city.told = replace(city.told, **changes)
    return change


def _published(*more: Seen) -> Callable[[Story], None]:
    return lambda story: cast(Heard, story.stage.flow).events.extend(more)


def _knew_her(story: Story) -> None:
    story.books_before["510100"] = reading.Books(is_home=True, entries=1, minutes=LATE)


def _exported_less(story: Story) -> None:
    story.proven = (15, BEFORE)


@pytest.mark.parametrize(("change", "said"), [
    (_chongqing(home="500000", status="home"), "Chengdu alone"),
    (_chongqing(minutes=BEFORE + LATE, entries=16), "nothing added since"),
    (_published(moved("500000", 2, 1, BEFORE, BEFORE + LATE)), "of topics read alone"),
    (_published(moved("510100", 3, 2, BEFORE, BEFORE + LATE)), "a subscriber of both"),
    (_chengdu(minutes=BEFORE + 2 * LATE, entries=17), "conserved"),
    (_chengdu(entries=15), "conserved"),
    (_knew_her, "Chongqing alone counts"),
    (_exported_less, "the exported dossier"),
], ids=["goes on counting", "adds to its history", "publishes what it gave away", "publishes twice",
        "counts the late hour twice", "loses an entry", "counted before the move",
        "exports too little"])
def test_a_city_that_counts_wrongly_is_found(
        tmp_path: Path, change: Callable[[Story], None], said: str) -> None:
    story = told(tmp_path)
    change(story)
    assert any(said in sentence for sentence in close(story))
