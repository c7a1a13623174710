"""Do the five endpoints keep their limits, and answer as the protocol says, in its order?"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from services.transfer.domain.content_models import judge_content, judge_envelope
from services.transfer.edge import checks
from services.transfer.edge.ports import SealedBundle, Standing, Stored
from services.transfer.edge.rates import MESSAGES as RATE
from services.transfer.edge.rates import Buckets
from services.transfer.edge.signatures import verify_signature
from shared.canonical import canonical, digest
from shared.messages import Unavailable
from tests.support.listening import listening
from tests.support.vectors import (
    MESSAGE_KEYS,
    contents,
    directory_file,
    envelope_of,
    message,
    resigned,
    resigned_directory,
    vectors,
)

MESSAGES, STATUS = "/federation/v1/messages", "/federation/v1/status"
JSON = {"Content-Type": "application/json"}
CONTENTS = contents()
TRANSFER = vectors("transfer")["transfer_id"]
SEALED = bytes.fromhex(vectors("bundle")["sealed_hex"])
ADDRESS = vectors("bundle")["digest"]
RELEASE = canonical(message("M7"))


def problem(answer: Any) -> str:
    """The name in a problem document, its form judged on the way."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) == {"type", "title", "status", "detail", "code", "field", "instance"}
    assert body["status"] == answer.status_code
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    return body["type"].removeprefix("urn:jiexu:problem:")


async def test_a_problem_speaks_the_language_that_is_asked_for(make_city: Any) -> None:
    city = await make_city("birch")
    said = {}
    async with city.client() as client:
        for language in ("zh", "en", "fr"):
            headers = JSON | {"Accept-Language": language}
            answer = await client.post(MESSAGES, content=b"[]", headers=headers)
            assert problem(answer) == "invalid-field"
            said[answer.headers["content-language"], language] = answer.json()["detail"]
    assert said == {
        ("zh", "zh"): "报文成员有误。请按协议改正该成员。",
        ("en", "en"): "A member is wrong. Correct it by the protocol.",
        ("zh", "fr"): "报文成员有误。请按协议改正该成员。",
    }


async def test_a_caller_may_send_so_many_messages_at_once(
    make_city: Any, monkeypatch: pytest.MonkeyPatch
) -> None:  # check 1, F36
    # The clock of the buckets stands: a slow machine refills none.
    monkeypatch.setattr(checks, "Buckets", partial(Buckets, clock=lambda: 0.0))
    city = await make_city("birch")
    async with city.client() as client, city.client("203.0.113.9") as other:
        answers = [await client.post(MESSAGES, content=b"[]", headers=JSON) for _ in range(150)]
        limited = [answer for answer in answers if answer.status_code == 429]
        assert len(limited) == 150 - RATE.burst and problem(limited[0]) == "too-many-requests"
        assert problem(await client.post(STATUS, content=b"[]", headers=JSON)) == (
            "too-many-requests"
        )
        assert problem(await other.post(MESSAGES, content=b"[]", headers=JSON)) == "invalid-field"
        for path in ("directory", "health"):
            assert (await client.get(f"/federation/v1/{path}")).status_code == 200


async def test_a_node_that_may_not_judge_answers_503_but_to_questions(make_city: Any) -> None:
    city = await make_city("birch")  # check 2
    city.ports.state = Standing(incarnation=2, recovering=True, reason="restored")
    query = envelope_of("status-query", CONTENTS["status-query"], sender="amber", receiver="birch")
    query = _by_amber(query["body"])
    async with city.client() as client:
        assert problem(await client.post(MESSAGES, content=RELEASE, headers=JSON)) == "unavailable"
        path = f"/federation/v1/transfers/{TRANSFER}/bundles/0"
        assert problem(await client.get(path)) == "unavailable"
        assert (await client.post(STATUS, content=canonical(query), headers=JSON)).is_success
        health = (await client.get("/federation/v1/health")).json()
    assert health == {
        "city": "birch",
        "protocols": ["jiexu/1.0"],
        "suites": ["intl-1"],
        "incarnation": 2,
        "recovering": True,
        "now": "2027-03-01T02:00:08Z",
    }


@pytest.mark.parametrize(
    ("path", "limit"), [(MESSAGES, 1_048_576), (STATUS, 65_536)], ids=["E1", "E3"]
)
@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_is_refused_while_it_is_read(
    path: str, limit: int, chunked: bool, make_city: Any
) -> None:  # check 3, F22
    city = await make_city("birch")
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 65_536
            yield b"[" * 65_536

    body: Any = endless() if chunked else b"[" * (limit + 1)
    async with city.client() as client:
        answer = await client.post(path, content=body, headers={"Content-Type": "text/plain"})
        assert problem(answer) == "too-large"
        exact = await client.post(path, content=b"[" * limit, headers=JSON)
    assert problem(exact) == "too-deep"
    assert taken <= limit + 2 * 65_536
    assert all(len(row.raw) <= 4096 for row in city.ports.refused)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Content-Type": "text/plain"}, "unsupported-media"),
        ({}, "unsupported-media"),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, "unsupported-media"),
        ({"Content-Type": "application/json; charset=latin-1"}, None),
        ({"Content-Type": "Application/JSON"}, None),
    ],
)
async def test_only_plain_json_is_read(
    headers: dict[str, str], expected: str | None, make_city: Any
) -> None:  # check 4
    city = await make_city("birch")
    async with city.client() as client:
        answer = await client.post(MESSAGES, content=RELEASE, headers=headers)
    assert (problem(answer) if expected else None) == expected


async def test_the_first_check_that_fails_decides(make_city: Any) -> None:  # 3.3, in its order
    city = await make_city("birch")
    deep = b'{"a":' * 17 + b"\xff" + b"}" * 17
    async with city.client() as client:
        for content, headers, expected in (
            (deep, {"Content-Type": "text/plain"}, "unsupported-media"),
            (deep, JSON, "too-deep"),
            (b'{"a":\xff}', JSON, "not-json"),
            (b'{"a": 1}', JSON, "not-canonical"),
            (b'{"a":1}', JSON, "invalid-field"),
        ):
            answer = await client.post(MESSAGES, content=content, headers=headers)
            assert problem(answer) == expected


async def test_a_body_that_does_not_come_closes_the_connection(make_city: Any) -> None:  # check 3
    city = await make_city("birch", body_seconds=0.2)
    async with listening(city.app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /federation/v1/messages HTTP/1.1\r\nHost: node\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), timeout=10)
        writer.close()
        await writer.wait_closed()
    assert b"408" in answer.split(b"\r\n")[0] and b"connection: close" in answer.lower()
    assert city.ports.received == [] and city.counts == [("E1", "late")]


async def test_the_same_bytes_at_once_are_stored_once(make_city: Any) -> None:  # F14, INV-2
    city = await make_city("birch")
    async with city.client() as client:
        answers = await asyncio.gather(
            *(client.post(MESSAGES, content=RELEASE, headers=JSON) for _ in range(20))
        )
    assert {answer.content for answer in answers} == {answers[0].content}
    assert len(city.ports.stored) == 1
    assert {answer.status_code for answer in answers} <= {200, 202}


async def test_who_loses_a_race_for_a_message_id_is_told_of_the_conflict(make_city: Any) -> None:
    city = await make_city("birch")  # check 18, B22
    original = city.ports.find

    async def nothing_yet(*key: Any) -> Any:
        await original(*key)

    city.ports.find = nothing_yet
    id = message("M7")["body"]["message_id"]
    city.ports.stored[id] = Stored("0" * 64, b"{}")
    async with city.client() as client:
        answer = await client.post(MESSAGES, content=RELEASE, headers=JSON)
    assert problem(answer) == "conflict" and answer.json()["code"] == "TR-302"


async def test_a_database_away_and_a_defect_are_told_apart(make_city: Any) -> None:  # 2, 24, F23
    city = await make_city("birch")
    async with city.client() as client:
        city.ports.away = Unavailable("database", retry_after_seconds=7)
        answer = await client.post(MESSAGES, content=RELEASE, headers=JSON)
        assert problem(answer) == "unavailable" and answer.headers["retry-after"] == "7"
        city.ports.away, city.ports.defect = None, RuntimeError("李华 500103199001011232")
        answer = await client.post(MESSAGES, content=RELEASE, headers=JSON)
        assert problem(answer) == "internal"
        assert "李华" not in answer.text and "500103" not in answer.text
        city.ports.defect = None
        assert (await client.post(MESSAGES, content=RELEASE, headers=JSON)).status_code == 202


async def test_past_its_directory_a_node_takes_no_new_request(make_city: Any) -> None:  # 23, F44
    late = "2027-08-01T00:00:00Z"
    request = envelope_of(
        "transfer-request",
        CONTENTS["transfer-request"],
        issued_at=late,
        expires_at="2027-08-02T00:00:00Z",
    )
    amber = await make_city("amber", late)
    async with amber.client() as client:
        answer = await client.post(MESSAGES, content=canonical(request), headers=JSON)
    assert problem(answer) == "directory-stale"
    birch = await make_city("birch", late)
    async with birch.client() as client:
        assert (await client.post(MESSAGES, content=RELEASE, headers=JSON)).status_code == 202


async def test_a_client_certificate_must_be_listed_for_the_sender(make_city: Any) -> None:
    city = await make_city("birch", mutual_tls=True)  # check 11, 2.7
    async with city.client() as client:
        answer = await client.post(MESSAGES, content=RELEASE, headers=JSON)
    assert problem(answer) == "unknown-key"


async def test_any_other_path_or_method_is_not_found(make_city: Any) -> None:  # 3.3
    city = await make_city("birch")
    async with city.client() as client:
        for method, path in (
            ("GET", MESSAGES),
            ("DELETE", "/federation/v1/directory"),
            ("PUT", STATUS),
            ("GET", "/"),
            ("GET", "/docs"),
            ("GET", "/openapi.json"),
            ("GET", f"/federation/v1/transfers/{TRANSFER}/bundles"),
            ("POST", f"/federation/v1/transfers/{TRANSFER}/bundles/0"),
        ):
            answer = await client.request(method, path)
            assert problem(answer) == "not-found", (method, path)


async def test_a_question_is_answered_by_a_signed_reply(make_city: Any) -> None:  # E3, M10
    city = await make_city("amber")
    query = envelope_of("status-query", CONTENTS["status-query"])
    async with city.client() as client:
        answer = await client.post(STATUS, content=canonical(query), headers=JSON)
    reply = answer.json()
    assert answer.content == canonical(reply)
    assert judge_envelope(reply) == (True, None)
    assert judge_content(reply["body"], None) is None
    body = reply["body"]
    assert (body["from"], body["to"], body["seq"]) == ("amber", "birch", 0)
    assert body["in_reply_to"] == query["body"]["message_id"]
    key = city.wire.directory.current().key("amber", reply["kid"], "message", body["issued_at"])
    assert key is not None
    signed = b"jiexu-envelope-v1\n" + canonical(body)
    assert verify_signature(key.public, signed, bytes.fromhex(reply["sig"]))


async def test_what_is_refused_is_kept_for_officers_but_not_without_bound(make_city: Any) -> None:
    city = await make_city("birch")  # 3.3, INV-13, INV-16
    long = b'{"a":"' + b"x" * 10_000 + b'"} '
    bad = json.loads(RELEASE)
    bad["sig"] = "0" * 128
    async with city.client() as client:
        await client.post(MESSAGES, content=long, headers=JSON)
        await client.post(MESSAGES, content=canonical(bad), headers=JSON)
        for _ in range(110):
            await client.post(MESSAGES, content=b"{}", headers=JSON)
    first, second = city.ports.refused[:2]
    assert (first.problem, len(first.raw), first.claimed) == ("not-canonical", 4096, None)
    assert (second.problem, second.raw, second.claimed) == (
        "bad-signature", canonical(bad), "amber",
    )  # fmt: skip
    assert second.peer == "198.51.100.7"
    assert [kind for kind, _, _ in city.ports.alarms] == ["bad-signature"]
    assert city.ports.alarms[0][2]["instance"] == second.instance
    assert 100 <= len(city.ports.refused) <= 103
    assert len(city.counts) == 112


async def test_who_is_refused_is_told_so_though_the_books_fail(make_city: Any) -> None:
    city = await make_city("birch")

    async def broken(row: Any) -> None:
        raise RuntimeError("no table")

    city.ports.refuse = broken
    async with city.client() as client:
        assert problem(await client.post(MESSAGES, content=b"{}", headers=JSON)) == "invalid-field"


# --- E2: bundles --------------------------------------------------------------------------------


def asked(header: dict[str, Any]) -> dict[str, str]:
    """The header of a signed question for a bundle."""
    value = base64.urlsafe_b64encode(canonical(header)).rstrip(b"=").decode("ascii")
    return {"Jiexu-Request": value}


def for_bundle(n: int = 0, digest: str = ADDRESS, **header: Any) -> dict[str, str]:
    """See ``asked``."""
    return asked(envelope_of("bundle-get", {"n": n, "digest": digest}, **header))


@pytest.fixture
async def offering(make_city: Any) -> Any:
    """amber, which offers bundle 0 of the example to birch."""
    city = await make_city("amber")
    city.ports.sealed[(TRANSFER, 0, "birch")] = SealedBundle(ADDRESS, SEALED)
    return city


PATH = f"/federation/v1/transfers/{TRANSFER}/bundles/0"


async def test_a_bundle_is_given_whole_or_in_part(offering: Any) -> None:  # E2, F11
    async with offering.client() as client:
        whole = await client.get(PATH, headers=for_bundle())
        assert (whole.status_code, whole.content) == (200, SEALED)
        assert whole.headers["etag"] == f'"{ADDRESS}"'
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["content-type"] == "application/octet-stream"
        for wanted, expected in (
            ("bytes=0-0", SEALED[:1]),
            ("bytes=1000-", SEALED[1000:]),
            ("bytes=-5", SEALED[-5:]),
            ("bytes=2000-999999", SEALED[2000:]),
        ):
            etag = {"If-Range": f'"{ADDRESS}"'} if wanted.endswith("-") else {}
            part = await client.get(PATH, headers=for_bundle() | {"Range": wanted} | etag)
            assert (part.status_code, part.content) == (206, expected)
            start = len(SEALED) - len(expected) if wanted != "bytes=0-0" else 0
            end = start + len(expected) - 1
            assert part.headers["content-range"] == f"bytes {start}-{end}/{len(SEALED)}"
        for passed_over in ("bytes=9999-", "bytes=0-1,3-4", "lines=0-1", "bytes=5-2", "bytes=-0"):
            answer = await client.get(PATH, headers=for_bundle() | {"Range": passed_over})
            assert (answer.status_code, answer.content) == (200, SEALED)
        other = {"Range": "bytes=1-", "If-Range": '"other"'}
        assert (await client.get(PATH, headers=for_bundle() | other)).content == SEALED


async def test_a_bundle_is_only_there_for_its_peer(offering: Any) -> None:  # check 22
    cases = [
        (PATH.replace(TRANSFER, "0" * 64), for_bundle()),
        (PATH.replace("bundles/0", "bundles/1"), for_bundle()),
        (PATH.replace("bundles/0", "bundles/00"), for_bundle()),
        (PATH.replace("bundles/0", "bundles/x"), for_bundle()),
        (PATH.replace("bundles/0", "bundles/1"), for_bundle(1)),
        (PATH, for_bundle(digest="0" * 64)),
    ]
    bodies = []
    async with offering.client() as client:
        for path, headers in cases:
            answer = await client.get(path, headers=headers)
            assert problem(answer) == "not-found"
            bodies.append({**answer.json(), "instance": ""})
        offering.ports.sealed.clear()  # Settling, Aborted: the sealed bytes are gone
        assert problem(await client.get(PATH, headers=for_bundle())) == "not-found"
    assert all(body == bodies[0] for body in bodies)


async def test_the_request_header_is_judged_like_a_message(offering: Any) -> None:  # E2, 5–20
    envelope = envelope_of("bundle-get", {"n": 0, "digest": ADDRESS})
    spaced = base64.urlsafe_b64encode(json.dumps(envelope).encode()).rstrip(b"=").decode()
    padded = base64.urlsafe_b64encode(canonical(envelope) + b" " * 2).decode()
    late = {"issued_at": "2027-03-01T01:54:00Z", "expires_at": "2027-03-01T01:55:00Z"}
    early = {"issued_at": "2027-03-01T02:06:00Z", "expires_at": "2027-03-01T02:07:00Z"}
    long = {"expires_at": "2027-03-01T02:01:08Z"}
    bad = {**envelope, "sig": "0" * 128}
    async with offering.client() as client:
        for headers, expected in (
            ({}, "not-json"),
            ({"Jiexu-Request": "&&"}, "not-json"),
            ({"Jiexu-Request": padded + "="}, "not-json"),
            ({"Jiexu-Request": "A" * 5463}, "too-large"),
            ({"Jiexu-Request": spaced}, "not-canonical"),
            (asked(bad), "bad-signature"),
            (asked(message("M1")), "unknown-type"),
            (for_bundle(**long), "invalid-field"),
            (for_bundle(**early), "clock-skew"),
            (for_bundle(**late), "expired"),
        ):
            answer = await client.get(PATH, headers=headers)
            assert problem(answer) == expected
    assert offering.ports.received == []


# --- E4 and the directory -----------------------------------------------------------------------


async def test_the_directory_is_given_as_held(make_city: Any) -> None:  # E4
    city = await make_city("amber")
    async with city.client() as client:
        answer = await client.get("/federation/v1/directory")
    held = city.wire.directory.held
    assert answer.content == held.raw and answer.headers["etag"] == f'"{held.etag}"'
    assert json.loads(answer.content)["body"] == directory_file()["body"]


async def test_an_offer_under_a_newer_directory_has_it_looked_for(
    make_city: Any, tmp_path: Any
) -> None:  # section 8, check 2
    city = await make_city("birch")
    newer, _ = resigned_directory(serial=8)
    (tmp_path / "directory.json").write_text(json.dumps(newer), "utf-8")
    offer = {**CONTENTS["offer"], "directory_serial": 8}
    async with city.client() as client:
        envelope = envelope_of("offer", offer)
        answer = await client.post(MESSAGES, content=canonical(envelope), headers=JSON)
    assert answer.status_code == 202
    (received,) = city.ports.received
    assert received.directory_serial == 8 and len(received.genuine) == 2
    assert received.envelope.digest == digest(envelope["body"])


def _by_amber(body: dict[str, Any]) -> dict[str, Any]:
    return resigned(body, MESSAGE_KEYS["amber"], "jiexu-envelope-v1")
