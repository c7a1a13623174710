"""What records publishes has the members of its released examples, and it reads its neighbours'."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest

from services.records.contract import topics
from services.records.contract.shapes import BY_KIND, ONLY_BY_KIND
from services.records.contract.types import NODE_INTERNAL, RECORDED, SHAPES
from services.records.domain.dossiers import events as e
from services.records.domain.facts import FACTS
from services.records.domain.staging.commands import DiscardStaging
from services.records.edge import wire
from services.records.edge.agents import reader_of
from services.records.edge.dossiers import DossierPart
from services.records.edge.stagings import StagingPart
from shared.messages import Command, Message, Unreadable
from tests.domain.records import story as w
from tests.domain.records.story import Story, foreign_version, judged
from tests.domain.records.test_moving import returned, staged
from tests.domain.records.test_staging import ONE, TWO, Course

SERVICES = Path(__file__).parents[3] / "services"
CONTRACT = SERVICES / "records" / "contract"


def example(name: str) -> dict[str, Any]:
    return json.loads((CONTRACT / "examples" / f"{name}.json").read_text("utf-8"))


def published() -> dict[str, list[dict[str, Any]]]:
    """One event of each type, made by the decider itself, as it goes out."""
    events: list[Any] = []
    story = Story()
    approved = story.approved()
    trained = story.does(story.training())[0]
    story.does(story.reject(trained))
    story.does(story.star())
    story.does(story.correct(approved, changes={"ended_at": w.at("2026-09-19 11:20")}))
    story.does(story.revoke(approved))
    for k, state in enumerate(("publicised", "disputed"), 1):
        entry = f"birch-01M4PSZ9M04JKNBNRKBQFY68{k}0"
        story.does(story.late(judged(foreign_version(entry, state=state)), k=k))
    story.dossier = story.dossier.over(homes=("birch",))
    minutes = {"adjustment": -60, "consumption": 60}
    kinds = ("commendation", "evaluation", "complaint", "donation", "consumption", "adjustment")
    for k, kind in enumerate(kinds, 3):
        values = {"kind": kind, "minutes": minutes.get(kind, 0)}
        entry = f"birch-01M4PSZ9M04JKNBNRKBQFY68{k}0"
        version = foreign_version(entry, state="pending", **values)
        story.does(story.late(judged(version), k=k))
    story.does(story.late(judged(foreign_version(), code="TR-404"), k=9))
    story.does(story.freeze())
    story.recorded("2026-09-20 09:00", "2026-09-20 10:00", activity_name="丁")
    story.does(story.thaw())
    story.does(story.depart(w.T2))
    returned(story)
    events += story.events
    events += Story(opened=False).does(Story(opened=False).adopt())
    course = Course()
    events += course.order()
    events += course.bundle(0, ONE)
    events += course.bundle(1, TWO)
    events += course.finish()
    events += course.does(DiscardStaging)
    failing = Course()
    failing.order(count=3)
    failing.bundle(0, ONE)
    failing.bundle(1, TWO)
    events += failing.finish()
    head = {"body": {}, "kid": "k", "sig": "s"}
    out: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        data = wire.data_of(event, head)
        if wire.is_public(event):
            out.setdefault(wire.name_of(event), []).append(data)
    return out


PUBLISHED = published()


def test_every_type_was_published_by_the_stories() -> None:
    assert set(PUBLISHED) == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_what_goes_out_has_the_members_of_the_example_and_fits_the_schema(name: str) -> None:
    schema = json.loads((CONTRACT / "schemas" / f"{name}.json").read_text("utf-8"))
    for data in PUBLISHED[name]:
        jsonschema.Draft202012Validator(schema).validate(data)
        assert set(data) >= set(schema["required"])
        if data.get("kind", example(name).get("kind")) == example(name).get("kind"):
            assert set(data) == set(example(name))


def test_members_of_one_kind_stand_with_no_other() -> None:
    for found in PUBLISHED.values():
        for data in found:
            if "kind" in data:
                only = BY_KIND.get(data["kind"], frozenset())
                assert set(data) & ONLY_BY_KIND == only


def test_every_event_of_the_parts_has_a_name_and_a_type_of_ours() -> None:
    for part in (DossierPart, StagingPart):
        for shape in part.events:
            if shape is not e.EntryRecorded:
                name = wire.OWN.get(shape) or wire._OTHERS.get(shape) or wire._ENTRY_EVENTS[shape]
                assert name.startswith("records.")
    assert not set(wire.OWN.values()) & set(SHAPES)
    assert set(RECORDED.values()) <= set(SHAPES)
    assert set(SHAPES) >= NODE_INTERNAL


def test_a_table_of_more_than_500_cells_goes_under_its_digest() -> None:
    story = Story(opened=False)
    (event,) = story.does(story.adopt(), staged())
    cell = foreign_version().cell("amber")
    many = tuple(
        e.CellMinutes(cell=replace(cell, year=1950 + n // 10, field_code=f"f{n}"), minutes=n)
        for n in range(1, 502)
    )
    event = replace(event, cells=many)
    data = wire.data_of(event)
    digest, raw = wire.large_cells(event)
    assert data["cells"] is None
    assert (data["cells_digest"], data["cells_path"]) == (digest, f"/internal/v1/objects/{digest}")
    assert len(json.loads(raw)) == 501
    assert wire.large_cells(replace(event, cells=many[:500])) is None


def test_topics_say_who_may_read_them() -> None:
    assert [each.name for each in topics.TOPICS if each.public] == ["records.dossiers.v1"]


# -- what is read of neighbours -----------------------------------------------------------------


def message(name: str, data: Any) -> Message:
    return Message(
        topic="x",
        key="k",
        sequence=1,
        event_id=UUID(int=1),
        source="/nodes/500000/x",
        type=name,
        time=datetime(2026, 9, 21, tzinfo=UTC),
        data=data,
    )


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_is_bound_to_its_owners_example(name: str) -> None:
    service = name.split(".")[0]
    path = SERVICES / service / "contract" / "examples" / f"{name}.json"
    commands = reader_of(b"k" * 32)(message(name, json.loads(path.read_text("utf-8"))))
    assert all(isinstance(each, Command) for each in commands)
    # A star policy and a move that ended without a subject lead to nothing here.
    assert commands or name in ("registry.policy-published.v1", "transfer.transfer-refused.v1")
    assert reader_of(b"k" * 32)(message(name, json.loads(path.read_text("utf-8")))) == commands


def test_what_is_not_ours_to_read_is_passed_over_and_what_is_no_fact_is_named() -> None:
    read = reader_of(b"k" * 32)
    assert read(message("registry.consent-given.v1", {})) == ()
    with pytest.raises(Unreadable, match=r"registry.volunteer-registered.v1: subject_id"):
        read(message("registry.volunteer-registered.v1", {"first_registered_on": "2026-01-01"}))


def test_the_salt_of_a_star_is_the_same_for_a_repeat_and_nobody_elses() -> None:
    path = SERVICES / "rewards/contract/examples/rewards.star-awarded.v1.json"
    told = message("rewards.star-awarded.v1", json.loads(path.read_text("utf-8")))
    (one,), (again,) = reader_of(b"k" * 32)(told), reader_of(b"k" * 32)(told)
    (other,) = reader_of(b"x" * 32)(told)
    assert one.salt == again.salt != other.salt
    assert len(one.salt) == 32
