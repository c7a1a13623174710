"""Are questions answered, and bundles brought over, whatever the other city does?"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from services.transfer.domain.certificates import seal_of
from services.transfer.edge.fetching import BundleIsBad, Fetcher, TimeIsUp, Wanted
from services.transfer.edge.peers import Peers
from services.transfer.edge.ports import SealedBundle
from services.transfer.edge.questions import NotAnswered, Questions
from shared.canonical import canonical
from shared.clock import FixedClock, read
from shared.messages import Unavailable
from shared.signing import Signer
from tests.support.listening import listening
from tests.support.vectors import (
    MESSAGE_KEYS,
    contents,
    message,
    private_key,
    resigned,
    vectors,
)
from tests.support.wire_ports import MemoryPorts, directory_in

NOW = "2027-03-01T02:00:08Z"
TRANSFER = vectors("transfer")["transfer_id"]
QUERY = {"known_state": "InDoubt", "last_seq_seen": 2, "applied": 0, "reconcile": None}
CONTENTS = contents()
SEALED = bytes.fromhex(vectors("bundle")["sealed_hex"])
WANTED = Wanted(0, len(SEALED), vectors("bundle")["digest"])


@dataclass
class Amber:
    """The origin, in front of whose real app a test may put a fault of its own."""

    app: Any = None
    fault: Callable[[Request], Response | None] = lambda request: None
    seen: list[Request] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        self.seen.append(request)
        answer = self.fault(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(0)
            await (answer or self.app)(scope, receive, send)
        finally:
            self.at_once -= 1


@dataclass
class Birch:
    """The destination: what it asks with."""

    questions: Questions
    fetcher: Fetcher
    pauses: list[float]
    clock: FixedClock
    amber: Amber
    city: Any

    async def fetch(self, wanted: Wanted = WANTED) -> bytes:
        until = self.clock.now() + timedelta(hours=1)
        return await self.fetcher.fetch("amber", TRANSFER, wanted, incarnation=1, until=until)


@pytest.fixture
async def birch(tmp_path: Path, make_city: Any) -> AsyncIterator[Birch]:
    city = await make_city("amber", NOW)
    city.ports.sealed[(TRANSFER, 0, "birch")] = SealedBundle(WANTED.digest, SEALED)
    amber = Amber(city.app)
    folder = tmp_path / "birch"
    folder.mkdir()
    async with listening(amber) as port:
        ports, clock, pauses = MemoryPorts(), FixedClock(read(NOW)), []
        urls = {"amber": f"http://127.0.0.1:{port}"}
        book = directory_in(folder, ports, clock, {"base_url": urls})
        await book.load()
        peers = Peers(book.current, allow_private=True, monotonic=lambda: sum(pauses))
        key = Signer.of("birch", private_key(MESSAGE_KEYS["birch"]))
        questions = Questions(
            city="birch", peers=peers, directory=book.current, clock=clock, message_key=key
        )

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            for each in (clock, city.wire.clock):
                each.advance(timedelta(seconds=seconds))

        yield Birch(questions, Fetcher(peers, questions, clock, pause), pauses, clock, amber, city)
        await peers.close()


# --- M10 ----------------------------------------------------------------------------------------


async def test_a_question_is_answered(birch: Birch) -> None:  # M10, O33
    answered = await birch.questions.ask("amber", TRANSFER, QUERY, 1)
    assert answered.envelope.content["state"] == "Released"
    assert (answered.envelope.sender, answered.genuine) == ("amber", frozenset())


async def test_a_decision_in_an_answer_is_judged_by_its_own_signature(birch: Birch) -> None:
    certificate = message("M7")["body"]["content"]["certificate"]  # D17, D17b
    forged = {**certificate, "sig": "0" * 128}
    for decision, genuine in ((certificate, {seal_of(certificate)}), (forged, set())):
        birch.amber.fault = replying(lambda body, d=decision: body["content"].update(decision=d))
        answered = await birch.questions.ask("amber", TRANSFER, QUERY, 1)
        assert answered.envelope.content["decision"] == decision
        assert answered.genuine == genuine


def replying(
    change: Callable[[dict[str, Any]], Any], key: str = MESSAGE_KEYS["amber"]
) -> Callable[[Request], Response]:
    """A fault: a rightly signed reply that was changed before it was signed."""

    class Reply(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            query = json.loads(await Request(scope, receive).body())["body"]
            body = {
                **query,
                "type": "status-reply",
                "message_id": "cd" * 16,
                "from": "amber",
                "to": "birch",
                "in_reply_to": query["message_id"],
                "content": {**CONTENTS["status-reply"], "transfers": None, "certificates": None},
            }
            change(body)
            envelope = resigned(body, key, "jiexu-envelope-v1")
            await Response(canonical(envelope))(scope, receive, send)

    return lambda request: Reply()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda body: body.update(type="status-query"), "another question"),
        (lambda body: body.update({"from": "birch"}), "another question"),
        (lambda body: body.update(to="amber"), "another question"),
        (lambda body: body.update(transfer_id="0" * 64), "another question"),
        (lambda body: body.update(in_reply_to="0" * 32), "another question"),
        (lambda body: body.update(protocol="jiexu/2.0"), "another question"),
        (lambda body: body.update(seq=1), "seq is wrong"),
        (lambda body: body.update(issued_at="2026-12-31T23:59:59Z"), "signature"),
        (lambda body: body["content"].pop("state"), "content.state is wrong"),
        (lambda body: body["content"].update(decision={}), "content.decision"),
        (lambda body: body.update(extra=1), "body is wrong"),
        (lambda body: body.pop("seq"), "seq is wrong"),
    ],
)
async def test_a_reply_is_judged_like_a_message(birch: Birch, change: Any, says: str) -> None:
    birch.amber.fault = replying(change)  # INV-16
    with pytest.raises(NotAnswered, match=says):
        await birch.questions.ask("amber", TRANSFER, QUERY, 1)


async def test_a_reply_of_another_city_or_no_reply_changes_nothing(birch: Birch) -> None:
    birch.amber.fault = replying(lambda body: None, MESSAGE_KEYS["birch"])
    with pytest.raises(NotAnswered, match="signature"):
        await birch.questions.ask("amber", TRANSFER, QUERY, 1)
    for raw in (b"", b"{}", b"[]", b'{"a": 1}', b"\xff"):
        birch.amber.fault = lambda request, raw=raw: Response(raw)
        with pytest.raises(NotAnswered):
            await birch.questions.ask("amber", TRANSFER, QUERY, 1)


async def test_an_unknown_transfer_is_told_apart_from_a_city_that_is_away(birch: Birch) -> None:
    with pytest.raises(NotAnswered, match="unknown-transfer"):  # 3.2
        await birch.questions.ask("amber", "1" * 64, QUERY, 1)
    for status in (503, 500, 301, 501):
        birch.amber.fault = lambda request, status=status: Response(status_code=status)
        with pytest.raises(Unavailable):
            await birch.questions.ask("amber", TRANSFER, QUERY, 1)


# --- M5 -----------------------------------------------------------------------------------------


async def test_a_bundle_comes_over(birch: Birch) -> None:  # E2, 4.1
    assert await birch.fetch() == SEALED
    assert birch.pauses == []


def partly(*sizes: int) -> Callable[[Request], Response | None]:
    """A fault: the connection breaks off after so many bytes, once for each size."""
    left = list(sizes)

    class Broken(Response):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            size = left.pop(0)
            start = 0
            wanted = dict(scope["headers"]).get(b"range")
            if wanted:
                start = int(wanted.decode().removeprefix("bytes=").rstrip("-"))
            headers = [(b"content-length", str(len(SEALED) - start).encode())]
            if wanted:
                span = f"bytes {start}-{len(SEALED) - 1}/{len(SEALED)}"
                headers.append((b"content-range", span.encode()))
            status = 206 if wanted else 200
            await send({"type": "http.response.start", "status": status, "headers": headers})
            body = SEALED[start : start + size]
            await send({"type": "http.response.body", "body": body, "more_body": True})
            raise ConnectionResetError

    return lambda request: Broken() if left else None


async def test_a_bundle_goes_on_where_it_broke_off(birch: Birch) -> None:  # F11, F13
    birch.amber.fault = partly(1000, 500)
    assert await birch.fetch() == SEALED
    ranges = [request.headers.get("range") for request in birch.amber.seen]
    assert ranges == [None, "bytes=1000-", "bytes=1500-"]
    assert birch.amber.seen[1].headers["if-range"] == f'"{WANTED.digest}"'
    questions = {request.headers["jiexu-request"] for request in birch.amber.seen}
    assert len(questions) == 3, "each request has a message id of its own"
    assert len(birch.pauses) == 2


async def test_a_bundle_that_comes_wrong_five_times_is_bad(birch: Birch) -> None:  # TR-407, D8
    wrong = bytes(len(SEALED))
    birch.amber.fault = lambda request: Response(wrong)
    with pytest.raises(BundleIsBad) as caught:
        await birch.fetch()
    assert (caught.value.n, caught.value.evidence_digest) == (0, sha256(wrong).hexdigest())
    assert len(birch.amber.seen) == 5 and len(birch.pauses) == 4
    assert all(request.headers.get("range") is None for request in birch.amber.seen)


async def test_a_bundle_longer_than_listed_is_cut_off(birch: Birch) -> None:  # F22
    birch.amber.fault = lambda request: Response(bytes(20_000_000))
    with pytest.raises(BundleIsBad):
        await birch.fetch()
    assert len(birch.amber.seen) == 5


async def test_a_bundle_that_is_not_given_five_times_is_bad(birch: Birch) -> None:  # TR-407
    birch.city.ports.sealed.clear()
    with pytest.raises(BundleIsBad) as caught:
        await birch.fetch()
    assert caught.value.evidence_digest is None
    assert [result for _, result in birch.city.counts] == ["not-found"] * 5


async def test_an_origin_that_is_away_is_waited_for_until_the_offer_lapses(birch: Birch) -> None:
    birch.amber.fault = lambda request: Response(status_code=503)  # 10.4, D12
    for _ in range(3):
        with pytest.raises(TimeIsUp):
            await birch.fetcher.fetch(
                "amber", TRANSFER, WANTED, incarnation=1, until=birch.clock.now()
            )
    statuses = iter([503, 500, 429, 301, 301, 301, 501, 301, 301])
    birch.amber.fault = lambda request: next(
        (Response(status_code=status) for status in statuses), None
    )
    assert await birch.fetch() == SEALED
    assert all(0.8 <= pause <= 60 for pause in birch.pauses)


async def test_all_bundles_come_over_four_at_a_time(birch: Birch) -> None:  # 3.2
    wanted = []
    for n in range(20):
        data = bytes([n]) * (1000 + n)
        wanted.append(Wanted(n, len(data), sha256(data).hexdigest()))
        birch.city.ports.sealed[(TRANSFER, n, "birch")] = SealedBundle(wanted[n].digest, data)
    taken: dict[int, bytes] = {}

    async def take(one: Wanted, sealed: bytes) -> None:
        taken[one.n] = sealed

    until = birch.clock.now() + timedelta(hours=1)
    await birch.fetcher.fetch_all("amber", TRANSFER, wanted, incarnation=1, until=until, take=take)
    assert taken == {n: bytes([n]) * (1000 + n) for n in range(20)}
    assert birch.amber.most_at_once <= 4


async def test_one_bad_bundle_ends_the_fetching(birch: Birch) -> None:  # D8
    wanted = [Wanted(n, 10, "0" * 64) for n in range(8)]

    async def take(one: Wanted, sealed: bytes) -> None:
        raise AssertionError("none is whole")

    until = birch.clock.now() + timedelta(hours=1)
    with pytest.raises(BundleIsBad):
        await birch.fetcher.fetch_all(
            "amber", TRANSFER, wanted, incarnation=1, until=until, take=take
        )
    assert len(birch.amber.seen) <= 20
    await birch.fetcher.fetch_all("amber", TRANSFER, [], incarnation=1, until=until, take=take)


async def test_the_request_header_is_base64url_without_padding(birch: Birch) -> None:  # 3.1
    await birch.fetch()
    header = birch.amber.seen[0].headers["jiexu-request"]
    assert "=" not in header
    envelope = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    assert envelope["body"]["content"] == {"n": 0, "digest": WANTED.digest}
