"""The node directory (protocol.md 3.4): made from entries, signed by one pinned key."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node import directory, keys
from node.directory import DirectoryIsWrong, Office
from tests.node.conftest import bare_node

NOW = datetime(2027, 3, 1, 2, 0, 0, tzinfo=UTC)
VECTORS = Path(__file__).parents[1] / "data" / "protocol"


def entry_of(home: Path, code: str) -> dict[str, object]:
    node = bare_node(home / code, code)
    keys.make(node.home)
    return keys.directory_entry(node, f"https://{code}.example", NOW, operator="Office",
                                contact="ops@example.org", regions=[code])


def test_the_published_vector_verifies_under_its_key() -> None:
    signed = json.loads((VECTORS / "directory.json").read_text("utf-8"))
    root = next(key for key in json.loads((VECTORS / "keys.json").read_text("utf-8"))["ed25519"]
                if key["city"] == "directory")
    directory.verify(signed, [f"{root['kid']}:{root['public']}"])
    signed["body"]["serial"] += 1
    with pytest.raises(DirectoryIsWrong, match="does not hold"):
        directory.verify(signed, [f"{root['kid']}:{root['public']}"])


def test_an_entry_has_the_members_of_the_published_vector(tmp_path: Path) -> None:
    vector = json.loads((VECTORS / "directory.json").read_text("utf-8"))["body"]["nodes"][0]
    entry = entry_of(tmp_path, "500000")
    assert entry.keys() == vector.keys()
    assert entry["keys"][0].keys() == vector["keys"][0].keys()  # type: ignore[index]
    assert entry["seal_keys"][0].keys() == vector["seal_keys"][0].keys()  # type: ignore[index]


def test_no_key_serves_both_messages_and_entries(tmp_path: Path) -> None:
    listed = entry_of(tmp_path, "500000")["keys"]
    assert sorted(key["uses"] for key in listed) == [  # type: ignore[attr-defined]
        ["custody"], ["entry"], ["head"], ["message"]]
    assert len({key["public"] for key in listed}) == 4  # type: ignore[attr-defined]


def test_a_signed_directory_verifies_under_the_office_s_pin_alone(tmp_path: Path) -> None:
    office = Office(tmp_path / "office")
    signed = office.sign([entry_of(tmp_path, "500000"), entry_of(tmp_path, "510100")], NOW)
    directory.verify(json.loads(office.file.read_text("utf-8")), [office.pin()])
    assert [node["city"] for node in signed["body"]["nodes"]] == ["500000", "510100"]
    with pytest.raises(DirectoryIsWrong, match="no pinned key"):
        directory.verify(signed, [Office(tmp_path / "other").pin()])


def test_the_serial_only_rises_and_keys_stay_listed_for_ever(tmp_path: Path) -> None:
    office = Office(tmp_path / "office")
    first = office.sign([entry_of(tmp_path, "500000")], NOW)["body"]
    second = office.sign([entry_of(tmp_path / "again", "500000")], NOW)["body"]
    assert second["serial"] == first["serial"] + 1
    before = {key["kid"] for key in first["nodes"][0]["keys"]}
    assert before < {key["kid"] for key in second["nodes"][0]["keys"]}


def test_a_city_named_twice_is_refused(tmp_path: Path) -> None:
    one = entry_of(tmp_path, "500000")
    with pytest.raises(DirectoryIsWrong, match="each city once"):
        Office(tmp_path / "office").sign([one, one], NOW)
