"""What the command makes of a service's no."""

from __future__ import annotations

import pytest

from node.client import ServiceRefused


@pytest.mark.parametrize(("problem", "said"), [
    ({"title": "A field of the request is wrong.", "field": "subject_id"},
     "A field of the request is wrong. (subject_id)"),
    ({"title": "The field rows is wrong.", "field": "rows"}, "The field rows is wrong."),
    ({"title": "There is no such resource."}, "There is no such resource."),
])
def test_a_refusal_names_its_field_once(problem: dict[str, str], said: str) -> None:
    assert str(ServiceRefused(422, problem)) == said
