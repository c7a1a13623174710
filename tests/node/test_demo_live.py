"""What a script reads of the demo: two real cities, and a story of two sentences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from node import layout
from node.control import state
from node.terminal import Exit

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

PROJECT = Path(__file__).parents[2]
SHORT = """
import sys
from node.demo import __main__ as demo, chongqing

def falls_short(story):
    story.stage.step("数不对", "a figure is wrong")
    story.stage.check(False, "一是二", "one is two", seen=1, needed=True)

demo.STEPS = (chongqing.organisations, falls_short, chongqing.policy)
sys.exit(demo.main(sys.argv[1:]))
"""


def test_the_checks_of_the_story_are_one_document_and_nothing_else(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    done = subprocess.run(
        [sys.executable, "-c", SHORT, "--exit", "--json", "--data", str(data)],
        capture_output=True, text=True, cwd=PROJECT, timeout=540, check=False,
        env={**os.environ, "LANG": "en_US.UTF-8", "LC_ALL": "en_US.UTF-8"})
    assert done.returncode == Exit.FOUND_WRONG, done.stderr
    found = json.loads(done.stdout)
    assert [step["en"] for step in found["steps"]][1:] == ["a figure is wrong"]
    assert found["checks"][-1] == {"step": 2, "holds": False, "zh": "一是二",
                                   "en": "one is two", "seen": 1}
    assert all(check["holds"] for check in found["checks"][:-1])
    assert (found["passed"], found["failed"]) == (len(found["checks"]) - 1, 1)
    assert f"{found['passed']} passed, 1 failed" in done.stderr
    assert [city["code"] for city in found["cities"]] == ["500000", "510100"]
    assert [state(node)["phase"] for node in layout.nodes(data)] == ["stopped", "stopped"]
