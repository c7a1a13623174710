"""Does every published wire image get the answer it must get, through the real app?"""

from __future__ import annotations

from typing import Any

import pytest

from services.transfer.domain.envelopes import message_id
from services.transfer.edge.answers import ANSWERS, URN
from services.transfer.edge.ports import Stored
from services.transfer.edge.signatures import verify_signature
from shared.canonical import canonical
from tests.support.vectors import directory, vectors

NEGATIVE = vectors("negative")
CASES = {case["name"]: case for case in NEGATIVE["cases"]}
STATUS = {answer.name: answer.status for answer in ANSWERS.values()}
PATHS = {"E1": "/federation/v1/messages", "E3": "/federation/v1/status"}
EXAMPLE = {
    message["body_digest"]: message["envelope"]["body"]
    for message in vectors("transfer")["messages"]
}


@pytest.mark.parametrize("name", CASES)
async def test_a_wire_image_gets_its_answer(name: str, make_city: Any) -> None:  # 3.3, F33, F35
    case = CASES[name]
    city = await make_city(case["receiver"], case["now"], directory=case["directory"])
    city.ports.barriers = case["barriers"]
    for digest in case["already_stored"]:
        id = EXAMPLE[digest]["message_id"]
        city.ports.stored[id] = Stored(digest, b'{"first":"receipt"}')
    wire = bytes.fromhex(case["wire_hex"])
    async with city.client() as client:
        answer = await client.post(
            PATHS[case["endpoint"]], content=wire, headers={"Content-Type": "application/json"}
        )
    expected = case["expect"]
    assert [result for _, result in city.counts] == [expected]
    if expected == "stored":
        assert answer.status_code == 202
        assert [received.raw for received in city.ports.received] == [wire]
        assert answer.content == city.ports.received[0].receipt
        assert_receipt_holds(answer.json(), city.ports.received[0].envelope, case)
        return
    assert city.ports.received == []
    if expected == "duplicate":
        assert (answer.status_code, answer.content) == (200, b'{"first":"receipt"}')
        assert len(city.ports.redriven) == 1
    elif expected == "answered":
        assert answer.status_code == 200
        assert answer.json()["body"]["type"] == "status-reply"
        assert canonical(answer.json()) == answer.content
    else:
        problem = answer.json()
        assert answer.status_code == STATUS[expected] == problem["status"]
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"] == URN + expected
        assert problem["code"] == ("TR-302" if expected == "conflict" else None)
        assert problem["field"] in (case["fields"] or [None])
        members = {"type", "title", "status", "detail", "code", "field", "instance"}
        assert set(problem) == members
        assert len(city.ports.alarms) == (expected == "bad-signature")
        kept = [row.raw for row in city.ports.refused]
        assert kept == ([] if expected in ("unknown-transfer",) else [wire])


def assert_receipt_holds(receipt: dict[str, Any], envelope: Any, case: dict[str, Any]) -> None:
    body = receipt["body"]
    assert body == {
        "message_id": envelope.message_id,
        "body_digest": envelope.digest,
        "status": "stored",
        "at": case["now"],
    }
    if case["receiver"] in ("amber", "birch"):
        key = directory().key(case["receiver"], receipt["kid"], "message", body["at"])
        assert key is not None
        signed = b"jiexu-receipt-v1\n" + canonical(body)
        assert verify_signature(key.public, signed, bytes.fromhex(receipt["sig"]))


def test_the_vectors_reach_every_problem_that_bytes_alone_can_reach() -> None:
    reached = {case["expect"] for case in CASES.values()}
    elsewhere = {
        "too-many-requests",
        "unavailable",
        "too-large",
        "unsupported-media",
        "not-found",
        "directory-stale",
        "internal",
    }
    assert reached | elsewhere >= {answer.name for answer in ANSWERS.values()}


def test_message_ids_name_sender_incarnation_and_number() -> None:
    for body in EXAMPLE.values():
        derived = message_id(body["transfer_id"], body["from"], body["incarnation"], body["seq"])
        assert body["message_id"] == derived
