"""Are the documents true, and does each check see one that is not?"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from shared.envelope import Topic
from tests.support import papers
from tests.support.house import SERVICES

ROOT = Path(__file__).parents[2]
THINGS = Topic(name="records.things.v1", key="thing id", public=True, description="things")
ROW = "| `records.things.v1` | out | thing id | yes |"


@pytest.mark.parametrize("service", SERVICES)
def test_the_topics_of_a_service_are_its_own(service: str) -> None:
    assert papers.declared_topics(service, papers.topics_of(service)) == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_readme_of_a_service_lists_its_topics(service: str) -> None:
    readme = (ROOT / "services" / service / "README.md").read_text("utf-8")
    assert papers.topic_table(service, readme, papers.topics_of(service)) == []


def test_the_commands_in_the_documents_exist() -> None:
    assert (ROOT / "README.md").is_file()
    assert papers.commands(ROOT) == []


def test_files_beside_the_code_travel_with_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    assert papers.packaged(ROOT, patterns) == []


@pytest.mark.parametrize(
    ("readme", "said"),
    [
        ("nothing", "no row for records.things.v1"),
        (ROW.replace("yes", "no"), "is public, not no"),
        (ROW.replace("thing id", "id"), "the key of records.things.v1 is thing id"),
        (ROW + "\n" + ROW.replace("things", "others"), "which nobody declares"),
    ],
)
def test_a_topic_table_that_is_not_true_is_seen(readme: str, said: str) -> None:
    assert papers.topic_table("records", ROW, (THINGS,)) == []
    found = papers.topic_table("records", readme, (THINGS,))
    assert any(said in line for line in found), found


@pytest.mark.parametrize(
    ("name", "said"),
    [("rewards.things.v1", "no topic name"), ("records.Things", "no topic name")],
)
def test_a_topic_of_another_name_is_seen(name: str, said: str) -> None:
    wrong = Topic(name=name, key="k", public=True, description="d")
    assert said in papers.declared_topics("records", (wrong,))[0]
    assert papers.declared_topics("records", (THINGS, THINGS)) == [
        "records.things.v1 is declared twice"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run `make fly`", "the Makefile has no fly"),
        ("```\nmake fly\n```", "the Makefile has no fly"),
        ("`python -m services.insight serve`", "there is no services.insight to run"),
        ("`python -m services.records fly`", "services.records has no role fly"),
        ("`jiexu fly`", "jiexu has no command fly"),
    ],
)
def test_a_command_that_does_not_exist_is_seen(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "Makefile").write_text("demo: ## the demo\n\techo\n", "utf-8")
    (tmp_path / "services/records").mkdir(parents=True)
    (tmp_path / "services/records/__main__.py").write_text("", "utf-8")
    true = "`make demo`, `python -m services.records serve`; we make all things well\n"
    (tmp_path / "README.md").write_text(true, "utf-8")
    assert papers.commands(tmp_path) == []
    (tmp_path / "README.md").write_text(true + text, "utf-8")
    found = papers.commands(tmp_path)
    assert any(said in line for line in found), found


def test_a_file_that_would_stay_behind_is_seen(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/rules.bin").write_bytes(b"")
    assert papers.packaged(tmp_path, ["*.yaml"]) == [
        "shared/rules.bin would not be in the distribution"
    ]
