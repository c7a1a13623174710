"""The offline verdict is the destination's: every published dossier gets the code it must get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from node import verify
from node.verify import MEANINGS, CannotVerify
from services.transfer.domain.directory import read_directory

VECTORS = Path(__file__).parents[1] / "data" / "protocol"
DIRECTORY = VECTORS / "directory.json"


def loaded(name: str) -> Any:
    return json.loads((VECTORS / name).read_text("utf-8"))


# An export has no bundle list, and its reader holds no certificates of other cities.
CASES = [case for case in loaded("dossiers.json")["cases"]
         if not {"bundles", "known_certificates"} & case.keys()]
ROOT = next(key for key in loaded("keys.json")["ed25519"] if key["city"] == "directory")
PIN = f"{ROOT['kid']}:{ROOT['public']}"


def changed(file: dict[str, Any], keys: dict[str, dict[str, str]]) -> dict[str, Any]:
    for node in file["body"]["nodes"]:
        node["keys"] = [key | keys.get(key["kid"], {}) for key in node["keys"]]
    return file


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_every_published_dossier_gets_its_code(case: dict[str, Any]) -> None:
    directory = verify.directory_of(DIRECTORY, [PIN])
    if "directory" in case:
        directory = read_directory(changed(loaded("directory.json"), case["directory"]["keys"]))
    judged = verify.judge(case, directory, case.get("receipts", ()))
    assert judged.code == case["code"]
    assert judged.as_json()["holds"] is (case["code"] is None)
    if case["code"] is not None:
        assert case["code"] in MEANINGS


def test_a_directory_that_no_pinned_key_signed_is_refused() -> None:
    with pytest.raises(CannotVerify, match="no pinned key"):
        verify.directory_of(DIRECTORY, [f"{ROOT['kid']}:{'0' * 64}"])


@pytest.mark.parametrize("pin", ["", "zz", "directory:x", "directory:abc"])
def test_a_pin_that_is_none_is_said_to_be_none(pin: str) -> None:
    with pytest.raises(CannotVerify, match="kid:hex"):
        verify.directory_of(DIRECTORY, [pin])


@pytest.mark.parametrize("text", ["{}", "[]", "5", "null", "no json", '{"entries": []}'])
def test_what_is_no_export_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text, "utf-8")
    with pytest.raises(CannotVerify):
        verify.judge(verify.read_json(tmp_path / "x.json"), verify.directory_of(DIRECTORY, [PIN]))
