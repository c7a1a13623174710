"""The published vectors of entries, dossiers and the tree: digests, totals, credited minutes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.records.domain.dossiers.state import Log
from services.records.domain.entries import KINDS, card_of, read_body
from services.records.domain.heads import (
    head_body,
    state_digest,
    state_line,
    totals_json,
    totals_of,
)
from shared.canonical import digest
from shared.clock import read
from tests.domain.records.story import date

PROTOCOL = Path(__file__).parents[2] / "data" / "protocol"
ENTRIES = json.loads((PROTOCOL / "entries.json").read_text("utf-8"))
DOSSIERS = json.loads((PROTOCOL / "dossiers.json").read_text("utf-8"))
MERKLE = json.loads((PROTOCOL / "merkle.json").read_text("utf-8"))
# Accepted dossiers, and those refused for what lies beside entries and sums: their heads agree.
SOUND = [
    case
    for case in DOSSIERS["cases"]
    if case["code"] in (None, "TR-405", "TR-406") and "leaf that was left out" not in case["name"]
]


def versions_of(entries):
    return [read_body(each["body"], digest(each["body"])) for each in entries]


def cards_of(versions):
    by_key: dict = {}
    for each in versions:
        by_key.setdefault(each.key, []).append(each)
    return [card_of(each) for each in by_key.values()]


def log_of(versions) -> Log:
    log = Log(log_id="x")
    for each in versions:
        log = log.grown(each, 0)
    return log


def test_entry_digests_root_totals_and_state_digest() -> None:
    versions = versions_of(ENTRIES["entries"])
    assert [each.digest for each in versions] == ENTRIES["digests"]
    cards = cards_of(versions)
    assert totals_json(totals_of(cards)) == ENTRIES["totals"]
    lines = [state_line(card.standing) for card in cards]
    expected = bytes.fromhex(ENTRIES["state_bytes_hex"]).decode("utf-8")
    assert sorted(expected.splitlines()) == sorted(lines)
    assert state_digest(lines) == ENTRIES["state_digest"]
    assert state_digest(reversed(lines)) == ENTRIES["state_digest"]


@pytest.mark.parametrize("case", SOUND, ids=[case["name"] for case in SOUND])
def test_a_sound_dossier_adds_up_to_its_head(case) -> None:
    versions = versions_of(case["entries"])
    head = case["head"]["body"]
    cards = cards_of(versions)
    log = log_of(versions)
    made = head_body(
        subject_id=head["subject_id"],
        epoch=head["epoch"],
        home=head["home"],
        first_registered_on=date.fromisoformat(head["first_registered_on"]),
        log=Log(
            log_id="x",
            count=log.count,
            frontier=log.frontier,
            kinds=log.kinds,
            totals=totals_of(cards),
        ),
        state_digest=state_digest(state_line(card.standing) for card in cards),
        at=read(head["at"]),
    )
    assert made == head
    assert set(made["kinds"]) == set(KINDS)


def test_all_the_dossiers_named_together_have_the_same_sums() -> None:  # INV-11
    by_name = {case["name"]: case for case in DOSSIERS["cases"]}
    for group in DOSSIERS["same_sums_and_state_digest"]:
        found = set()
        for name in group:
            cards = cards_of(versions_of(by_name[name]["entries"]))
            lines = (state_line(card.standing) for card in cards)
            found.add((totals_of(cards), state_digest(lines)))
        assert len(found) == 1, group


def test_an_append_gives_the_frontiers_of_the_tree() -> None:  # B32
    log = Log(log_id="x")
    version = versions_of(ENTRIES["entries"])[0]
    for count, leaf in enumerate(MERKLE["leaf_data"]):
        assert list(log.frontier) == MERKLE["frontiers"][count]
        log = log.grown(replace(version, digest=leaf), 0)
    assert list(log.frontier) == MERKLE["frontiers"][len(MERKLE["leaf_data"])]


EXAMPLES = [
    json.loads(line)
    for line in (PROTOCOL.parent / "entry_examples.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("body", EXAMPLES, ids=[str(n) for n in range(len(EXAMPLES))])
def test_the_examples_of_every_kind_are_read(body) -> None:
    version = read_body(body, digest(body))
    assert version.key == (body["issuer"], body["entry_id"])
    if body["kind"] == "service" and body["detail"]["body"].get("minutes_by_day"):
        assert version.minutes_by_day == body["detail"]["body"]["minutes_by_day"]
    if body["kind"] == "star":
        assert version.labels["level"] == body["detail"]["body"]["level"]
