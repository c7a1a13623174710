"""Are the code's state tables those of the protocol, and does every pair do what its row says?"""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from services.transfer.contract.types import TYPES
from services.transfer.domain.case import Row
from services.transfer.domain.decider import TABLES
from services.transfer.domain.events import Role
from tests.support.vectors import vectors

PUBLISHED = vectors("tables")
# Section 6: what a first release leaves to later ones.
LATER = {
    "origin": {"O1a", "O5", "O27", "O28", "O30", "O31", "O35", "O36"},
    "destination": {
        *("D1a", "D11a", "D17a", "D18a", "D18b", "D22a"),
        *("D33", "D34", "D35", "D36", "D37"),
    },
}
ROWS = [(role, row) for role in ("origin", "destination") for row in PUBLISHED[role]]


def code_rows(role: Role) -> dict[str, Row]:
    return {row.row: row for row in TABLES[role]}


@pytest.mark.parametrize("role", ["origin", "destination"])
def test_the_rows_are_those_of_the_first_release_in_their_order(role: Role) -> None:
    expected = [row["row"] for row in PUBLISHED[role] if row["row"] not in LATER[role]]
    assert [row.row for row in TABLES[role]] == expected


@pytest.mark.parametrize(
    "role, published",
    [pytest.param(role, row, id=row["row"]) for role, row in ROWS if row["row"] not in LATER[role]],
)
def test_a_row_says_what_the_published_one_says(role: Role, published: dict[str, object]) -> None:
    row = code_rows(role)[str(published["row"])]
    assert list(row.source) == published["from"]
    assert list(row.inputs) == published["input"]
    assert row.next == published["next"]
    assert list(row.messages) == published["messages"]
    assert list(row.events) == published["events"]
    assert (row.guard is not None) or not published["guard"] or published["row"] in UNGUARDED


# D1's guard is judged where the person stands: the edge asks registry and reads the consent.
# O11a … and rows whose "guard" is what their input is (other kinds, of this transfer_id).
UNGUARDED = {"D1", "O37", "D38", "O34"}


def test_every_event_of_the_tables_has_a_type() -> None:
    named = {name for rows in TABLES.values() for row in rows for name in row.events}
    published = {
        name for row in PUBLISHED["events"] for name in row["type `transfer.<name>.v1`"].split(", ")
    }
    types = {name.removeprefix("transfer.").removesuffix(".v1") for name in TYPES}
    assert named <= types
    # Visits come with a later slice.
    assert types == published - {"visit-opened", "visit-closed"}


def test_the_events_carry_what_is_published() -> None:
    column = "data beside transfer_id, origin, destination"
    for row in PUBLISHED["events"]:
        # What stands in brackets explains; O and D say on which side a member stands.
        plain = re.sub(r"\([^)]*\)|O, if aborted:|return:|[OD]:", "", row[column])
        listed = {word for word in re.split(r"[,;]\s*", plain.replace("–", "").strip()) if word}
        for name in row["type `transfer.<name>.v1`"].split(", "):
            shape = TYPES.get(f"transfer.{name}.v1")
            if shape is None:
                continue
            here = {field.name for field in fields(shape)} | {"class"}
            # An overdue review and an equivocation share a line: both have the digest.
            assert {word.strip() for word in listed} <= here, name
