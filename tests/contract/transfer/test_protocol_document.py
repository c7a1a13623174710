"""Does docs/protocol.md say what the code does?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.transfer.domain import destination_table, origin_table
from services.transfer.domain.content_models import CONTENTS
from services.transfer.domain.refusals import GROUNDS
from services.transfer.edge.answers import ANSWERS
from shared.signing import USE_BY_DOMAIN
from tests.support.vectors import PROTOCOL, vectors

DOCUMENT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in DOCUMENT.splitlines()
    if line.startswith("|")
]


def test_the_checks_are_those_of_the_code() -> None:
    found = {int(row[0]): row for row in ROWS if len(row) == 5 and row[0].isdecimal()}
    assert set(found) == set(range(1, 25))
    for number, answer in ANSWERS.items():
        _, _, problem, status, again = found[number]
        assert problem.startswith(f"`{answer.name}`")
        assert (status, again) == (str(answer.status), "yes" if answer.again else "no")


def test_the_refusals_are_those_of_the_code() -> None:
    found = {row[0]: row[1:] for row in ROWS if re.fullmatch("TR-[0-9]{3}", row[0])}
    who = {"O": "origin", "D": "destination", "either": "either"}
    assert found == {
        ground.code: [
            ground.refusal_class,
            who[ground.said_by],
            ground.meaning,
            ground.remedy_zh,
            ground.remedy_en,
        ]
        for ground in GROUNDS.values()
    }


def test_the_messages_have_the_members_of_the_code() -> None:
    found = {row[1]: row[3] for row in ROWS if len(row) == 4 and row[1] in CONTENTS}
    assert set(found) == set(CONTENTS)
    listed: dict[str, set[str]] = {"bundle-get": {"n", "digest"}}
    for row in vectors("tables")["messages"]:
        members = row["content member"].split(", ")
        listed.setdefault(row["type"].split(" ")[0], set()).update(members)
    for type, text in found.items():
        words = set(re.findall(r"[a-z_]+", text))
        assert listed[type] <= words, type


@pytest.mark.parametrize(
    ("table", "letter"), [(origin_table, "O"), (destination_table, "D")], ids=["origin", "dest"]
)
def test_every_row_of_the_state_tables_is_told(table: object, letter: str) -> None:
    told: set[str] = set()
    for row in ROWS:
        if not re.match(rf"{letter}[0-9]+[a-d]?\b", row[0]):
            continue
        if "…" in row[0]:
            first = row[0].split(" ")[0]
            told |= {first, *(f"{first}{each}" for each in "abcd")}
        else:
            told |= set(row[0].split(", "))
    assert told == {row.row for row in table.ROWS}  # type: ignore[attr-defined]


def test_the_domains_and_vectors_are_listed() -> None:
    cells = {row[0].strip("`"): row for row in ROWS}
    for domain, use in USE_BY_DOMAIN.items():
        assert domain in cells
        assert cells[domain][2] == use or use == "directory"
    named = set(re.findall(r"([a-z0-9]+\.json)", " ".join(row[0] for row in ROWS)))
    assert named == {path.name for path in PROTOCOL.glob("*.json")} - {"index.json"}


def test_a_stranger_needs_nothing_else() -> None:
    assert "transfer.md" not in DOCUMENT and "domain.md" not in DOCUMENT
    assert max(len(line) for line in DOCUMENT.splitlines() if not line.startswith("|")) <= 130
