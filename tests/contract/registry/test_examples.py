"""Examples are events: read, written, on a topic that is documented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.registry.contract import topics
from services.registry.contract.types import INTERNAL, LEFT_OUT, NAMES, OWN, RELEASED, topic_of
from services.registry.edge import shapes

EXAMPLES = Path(topics.__file__).parent / "examples"


@pytest.mark.parametrize("name", RELEASED)
def test_an_example_is_an_event_and_comes_out_as_it_went_in(name: str) -> None:
    data = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    event = shapes.event_of(RELEASED[name], data)
    assert shapes.wire(event, LEFT_OUT.get(RELEASED[name], frozenset())) == data
    assert NAMES[type(event)] == name


@pytest.mark.parametrize("name", RELEASED)
def test_what_is_released_has_a_topic_that_says_who_may_read_it(name: str) -> None:
    topic = next(each for each in topics.TOPICS if each.name == topic_of(RELEASED[name]))
    assert topic.public == (name not in INTERNAL)
    assert topic.description and topic.key


@pytest.mark.parametrize("name", OWN)
def test_what_is_our_own_is_on_no_topic(name: str) -> None:
    assert topic_of(OWN[name]) is None


def test_no_public_event_has_a_field_for_a_personal_value() -> None:  # R55
    personal = {"name", "number", "phone", "email", "address", "birth_date", "sex", "documents"}
    for name, shape in RELEASED.items():
        fields = set(shape.__dataclass_fields__) - LEFT_OUT.get(shape, frozenset())
        # Of an organisation the name is public (domain.md 6).
        allowed = {"name"} if "organisation" in name else set()
        assert not (fields & personal) - allowed, name
