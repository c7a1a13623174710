"""Does anything that is not exactly a valid message change anything here?"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from services.transfer.edge.answers import ANSWERS
from shared.canonical import canonical
from tests.support.vectors import contents, envelope_of, private_key, vectors

SEED = 20270301
BYTES_A_MESSAGE = 60
MESSAGES = {entry["name"]: entry["envelope"] for entry in vectors("transfer")["messages"]}
PROBLEMS = {answer.name for answer in ANSWERS.values()} - {"internal", "unavailable"}
JSON = {"Content-Type": "application/json"}
CONTENTS = contents()
E1_TYPES = sorted(set(CONTENTS) - {"status-query", "status-reply", "bundle-get"})


@pytest.mark.parametrize("name", MESSAGES)
async def test_a_changed_byte_changes_nothing(name: str, make_city: Any) -> None:  # F33, INV-16
    envelope = MESSAGES[name]
    raw = canonical(envelope)
    body = envelope["body"]
    city = await make_city(body["to"], body["issued_at"])
    chosen = random.Random(f"{SEED} {name}")
    async with city.client() as client:
        for n in range(BYTES_A_MESSAGE):
            position, mask = chosen.randrange(len(raw)), chosen.randrange(1, 256)
            mutant = raw[:position] + bytes([raw[position] ^ mask]) + raw[position + 1 :]
            answer = await client.post("/federation/v1/messages", content=mutant, headers=JSON)
            result = city.counts[-1][1]
            assert result in PROBLEMS, (position, mask, result)
            assert answer.status_code >= 400 and city.ports.received == []
            assert answer.json()["type"].endswith(result)
            if n % 50 == 49:
                city.ports.refused.clear()
        good = await client.post("/federation/v1/messages", content=raw, headers=JSON)
    assert good.status_code == 202 and len(city.ports.received) == 1


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every member and item below a value, but what an entry in a supplement holds."""
    if way and way[-1] == "body" and "entries" in way:
        return
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in inside:
            yield (*way, key)
            yield from places(member, (*way, key))


def mutant(body: dict[str, Any], way: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The body with this member replaced, or taken away for ``...``."""
    changed = copy.deepcopy(body)
    place: Any = changed
    for step in way[:-1]:
        place = place[step]
    if value is ...:
        del place[way[-1]]
    else:
        place[way[-1]] = value
    return changed


def signed(body: dict[str, Any], kid: str) -> bytes:
    """The mutant as its sender would sign it."""
    message = b"jiexu-envelope-v1\n" + canonical(body)
    sig = private_key(kid).sign(message).hex()
    return canonical({"body": body, "kid": kid, "sig": sig})


@pytest.mark.parametrize("type", E1_TYPES)
async def test_a_wrong_member_is_named_though_rightly_signed(type: str, make_city: Any) -> None:
    envelope = envelope_of(type, CONTENTS[type])  # F21, F33, INV-16
    body = envelope["body"]
    city = await make_city(body["to"], body["issued_at"])
    seen: set[str] = set()
    for way in places(body):
        named = ".".join(step for step in way if isinstance(step, str))
        if named in seen:
            continue
        seen.add(named)
        # A caller of its own for each member: the rate is another test's.
        async with city.client(f"198.51.100.{len(seen)}") as client:
            wrongs: list[Any] = [[[]], {"": {}}] if isinstance(way[-1], int) else [[[]], ...]
            for wrong in wrongs:
                raw = signed(mutant(body, way, wrong), envelope["kid"])
                answer = await client.post("/federation/v1/messages", content=raw, headers=JSON)
                problem = answer.json()
                assert city.ports.received == []
                assert problem["type"].endswith("invalid-field"), (way, wrong, problem)
                assert problem["field"] == named, (way, wrong, problem)
                city.counts.clear()
    async with city.client() as client:
        good = await client.post(
            "/federation/v1/messages", content=canonical(envelope), headers=JSON
        )
    assert good.status_code == 202
    assert len(seen) > 15


@pytest.mark.parametrize("type", E1_TYPES)
async def test_a_member_changed_after_signing_is_a_bad_signature(
    type: str, make_city: Any
) -> None:  # F33, F34, P0-3
    envelope = envelope_of(type, CONTENTS[type])
    city = await make_city(envelope["body"]["to"], envelope["body"]["issued_at"])
    chosen = random.Random(f"{SEED} {type}")
    ways = list(places(envelope["body"]["content"]))
    async with city.client() as client:
        for way in chosen.sample(ways, min(20, len(ways))):
            changed = copy.deepcopy(envelope)
            changed["body"]["content"] = mutant(envelope["body"]["content"], way, "other")
            await client.post("/federation/v1/messages", content=canonical(changed), headers=JSON)
            assert city.counts[-1] == ("E1", "bad-signature")
    assert city.ports.received == []
    assert {kind for kind, _, _ in city.ports.alarms} == {"bad-signature"}
    assert len(city.ports.alarms) == len(city.counts)
