"""Schemas are those of the types, examples are frozen and fit, and every topic is documented."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema
import pytest

from tests.support.schemas import (
    CONTRACTS,
    Contract,
    breaks,
    digest_of,
    schema_of,
    sums,
    text_of,
)

ALL = [
    pytest.param(contract, name, id=name)
    for contract in (make() for make in CONTRACTS.values())
    for name in contract.released
]
EACH = [pytest.param(make(), id=name) for name, make in CONTRACTS.items()]


@pytest.mark.parametrize("contract, name", ALL)
def test_the_schema_that_is_checked_in_is_that_of_the_type(contract: Contract, name: str) -> None:
    path = contract.schemas / f"{name}.json"
    made = text_of(schema_of(name, contract.released[name]))
    again = f"run python -m tests.support.schemas {contract.service}"
    assert path.read_text("utf-8") == made, again


@pytest.mark.parametrize("contract, name", ALL)
def test_the_released_example_fits_its_schema(contract: Contract, name: str) -> None:
    schema = contract.schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(contract.example(name))


@pytest.mark.parametrize("contract, name", ALL)
def test_an_example_that_lacks_a_member_does_not_fit(contract: Contract, name: str) -> None:
    schema = contract.schema(name)
    example = contract.example(name)
    validator = jsonschema.Draft202012Validator(schema)
    for member in schema["required"]:
        lacking = {key: value for key, value in example.items() if key != member}
        assert not validator.is_valid(lacking), member


@pytest.mark.parametrize("contract", EACH)
def test_no_schema_and_no_example_stands_without_its_type(contract: Contract) -> None:
    assert {path.stem for path in contract.schemas.glob("*.json")} == set(contract.released)
    assert {path.stem for path in contract.examples.glob("*.json")} >= set(contract.released)


@pytest.mark.parametrize("contract", EACH)
def test_released_examples_are_never_edited(contract: Contract) -> None:
    found = {path.name: digest_of(path) for path in contract.examples.glob("*.json")}
    assert found == sums(contract)


def change(schema: dict[str, Any], do: Any) -> dict[str, Any]:
    changed = copy.deepcopy(schema)
    do(changed)
    return changed


def test_what_would_break_a_reader_is_found() -> None:
    old = {
        "properties": {"a": {"type": "string"}, "b": {"$ref": "#/$defs/B"}},
        "required": ["a", "b"],
        "$defs": {"B": {"type": "integer"}},
    }
    assert breaks(old, old) == []
    assert breaks(old, change(old, lambda s: s["properties"].update(c={"type": "null"}))) == []
    assert breaks(old, change(old, lambda s: s["properties"].pop("a"))) == ["a is gone"]
    assert breaks(old, change(old, lambda s: s["$defs"].update(B={"type": "string"}))) == [
        "b has changed"
    ]
    assert breaks(old, change(old, lambda s: s["required"].remove("a"))) == [
        "a is no longer always there"
    ]
