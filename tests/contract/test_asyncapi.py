"""Does the AsyncAPI document say what the contracts say, and does the public parser take it?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import asyncapi
from tests.support.papers import topics_of
from tests.support.schemas import CONTRACTS
from tests.support.toolchains import npm_project, run

PARSER = Path(__file__).parent / "asyncapi"
PAGE = asyncapi.ROOT / "docs" / "subscribers.md"
SERVICES = list(CONTRACTS)


@pytest.fixture(scope="module")
def checked_in() -> Any:
    return yaml.safe_load(asyncapi.DOCUMENT.read_text("utf-8"))


def test_the_document_that_is_checked_in_is_that_of_the_contracts() -> None:
    again = "run python -m tests.support.asyncapi"
    assert asyncapi.DOCUMENT.read_text("utf-8") == asyncapi.text(), again


@pytest.mark.parametrize("service", SERVICES)
def test_every_type_stands_on_its_topic_and_what_is_internal_does_not(
    checked_in: Any, service: str
) -> None:
    contract = CONTRACTS[service]()
    public = {topic.name for topic in topics_of(service) if topic.public}
    channels = {
        name: channel
        for name, channel in checked_in["channels"].items()
        if name.startswith(f"{service}.")
    }
    assert set(channels) == public
    for name, channel in channels.items():
        carried = {kind for kind, topic in contract.topics.items() if topic == name}
        assert set(channel["messages"]) == carried - contract.passed_over
        assert set(channel.get("x-pass-over", ())) == carried & contract.passed_over
        assert channel["address"] == f"{{node}}.{name}"
    shown = {kind for kind in checked_in["components"]["messages"] if kind.startswith(service)}
    hidden = {kind for kind, topic in contract.topics.items() if topic not in public}
    assert shown == set(contract.released) - hidden - contract.passed_over


def wrong_type_of_a_channel(document: Any) -> None:
    document["channels"]["records.dossiers.v1"]["address"] = 7


def reference_to_nothing(document: Any) -> None:
    message = document["components"]["messages"]["records.entry-approved.v1"]
    message["payload"] = {"$ref": "#/components/schemas/records.Nothing"}


def property_that_is_no_schema(document: Any) -> None:
    schema = document["components"]["schemas"]["records.EntryData"]
    schema["properties"]["minutes"] = {"type": "whole number"}


@pytest.mark.timeout(300)
def test_the_public_parser_takes_the_document_and_would_see_a_fault(
    checked_in: Any, tmp_path: Path
) -> None:
    parser = npm_project(PARSER, tmp_path / "parser")

    def spoilt(spoil: Callable[[Any], None]) -> Path:
        path = tmp_path / f"{spoil.__name__}.json"
        document = json.loads(json.dumps(checked_in))
        spoil(document)
        path.write_text(json.dumps(document), "utf-8")
        return path

    spoilers = (wrong_type_of_a_channel, reference_to_nothing, property_that_is_no_schema)
    wrong = [str(spoilt(spoil)) for spoil in spoilers]
    right = str(asyncapi.DOCUMENT)
    found = json.loads(run(["node", "validate.mjs", right, *wrong], parser))
    assert found.pop(right) == []
    assert {path for path, faults in found.items() if faults} == set(wrong)


def test_the_page_for_subscribers_names_every_public_topic_and_every_header() -> None:
    page = PAGE.read_text("utf-8")
    rows = re.findall(r"^\| `([a-z.0-9-]+\.v[0-9]+)` \| ([^|]+) \|", page, re.M)
    assert sorted(rows) == sorted((topic.name, topic.key) for _, topic in asyncapi.public_topics())
    headers = [
        name
        for row in re.findall(r"^\| (`(?:ce_|content-).*?) \|", page, re.M)
        for name in re.findall(r"`([a-z_-]+)`", row)
    ]
    assert sorted(headers) == sorted(asyncapi.HEADERS["properties"])
