"""Is docs/coverage.md true, and does it have no gap?"""

from __future__ import annotations

import re

import pytest

from tests.support import coverage


def test_every_command_refusal_state_row_and_vector_has_a_test() -> None:
    assert coverage.gaps() == []


def test_the_page_lists_every_item_and_no_other() -> None:
    listed = re.findall(r"^\| `([^`]+)` \|", coverage.PAGE.read_text("utf-8"), flags=re.M)
    items = [item for _, item, _ in coverage.items()]
    assert sorted(listed) == sorted(items), "run python -m tests.support.coverage"


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`([\w/]+\.py::[\w:]+)`", coverage.PAGE.read_text("utf-8")))
    there = {where for tests in coverage.shown().values() for where in tests}
    assert named, "the page names no test"
    assert named <= there, "run python -m tests.support.coverage"


def test_a_gap_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_says = "NoTest" + "SaysThis"
    monkeypatch.setattr(coverage, "items", lambda: [("commands", "Lost", [nobody_says])])
    assert coverage.gaps() == ["commands: Lost"]
