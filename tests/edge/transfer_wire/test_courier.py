"""Do messages reach another city whatever happens on the way, and go nowhere else?"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.transfer.edge.courier import ALARM_AFTER, Courier
from services.transfer.edge.peers import Peers, Unreachable, delay_seconds, federation_tls
from services.transfer.edge.ports import Delivery
from shared.canonical import canonical, digest
from shared.clock import FixedClock, read
from shared.signing import Signer, write_private_key
from tests.support.listening import listening
from tests.support.memory_outbox import MemoryOutbox, Row
from tests.support.vectors import (
    MESSAGE_KEYS,
    contents,
    envelope_of,
    message,
    private_key,
    resigned,
    resigned_directory,
    vectors,
)
from tests.support.wire_ports import MemoryPorts, directory_in

NOW = "2027-03-01T02:00:08Z"
JSON = "application/json"
PROBLEM = "application/problem+json"
CONTENTS = contents()


def problem(name: str, status: int) -> Response:
    body = json.dumps({"type": f"urn:jiexu:problem:{name}", "status": status})
    return Response(body, status, media_type=PROBLEM)


def receipt_for(raw: bytes, **changes: Any) -> Response:
    """What birch answers to these bytes, or a forgery of it."""
    body = json.loads(raw)["body"]
    inner = {
        "message_id": body["message_id"],
        "body_digest": digest(body),
        "status": "stored",
        "at": NOW,
    }
    signed = resigned(inner | changes, MESSAGE_KEYS["birch"], "jiexu-receipt-v1")
    return Response(canonical(signed), 202, media_type=JSON)


@dataclass
class Birch:
    """A city that answers as a test wishes, on a real socket."""

    answer: Callable[[bytes], Any] = receipt_for
    taken: list[bytes] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = self.answer(raw)
            if asyncio.iscoroutine(answer):
                answer = await answer
        finally:
            self.at_once -= 1
        self.taken.append(raw)
        await answer(scope, receive, send)


@dataclass
class Post:
    """amber's courier, its outbox, and the city that it writes to."""

    courier: Courier
    outbox: MemoryOutbox
    ports: MemoryPorts
    peers: Peers
    birch: Birch
    clock: FixedClock
    seconds: list[float]

    def put(self, name: str = "M7", transfer: str | None = None, **changes: Any) -> Row:
        envelope = message(name) if name.startswith("M") else envelope_of(name, CONTENTS[name])
        body = envelope["body"]
        id = len(self.outbox.rows) + 1
        delivery = Delivery(
            id=id,
            transfer_id=transfer or body["transfer_id"],
            peer="birch",
            type=body["type"],
            message_id=body["message_id"],
            digest=digest(body),
            wire=canonical(envelope),
            attempts=0,
            gives_up_at=None,
        )
        return self.outbox.put(replace(delivery, **changes), id)

    async def try_once(self, row: Row) -> Row:
        await self.courier.deliver(row.delivery)
        return row


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    birch = Birch()
    async with (
        listening(birch) as port,
        made(tmp_path, birch, {"birch": f"http://127.0.0.1:{port}"}) as found,
    ):
        yield found


@asynccontextmanager
async def made(
    folder: Path,
    birch: Birch,
    urls: dict[str, str],
    *,
    allow_private: bool = True,
    keys: dict[str, Any] | None = None,
    signs_as: str = MESSAGE_KEYS["amber"],
) -> AsyncIterator[Post]:
    ports, clock, outbox = MemoryPorts(), FixedClock(read(NOW)), MemoryOutbox()
    book = directory_in(folder, ports, clock, {"base_url": urls, "keys": keys or {}})
    await book.load()
    seconds = [0.0]
    peers = Peers(
        book.current,
        allow_private=allow_private,
        monotonic=lambda: seconds[0],
        read_seconds=2.0,
    )
    courier = Courier(
        outbox=outbox,
        peers=peers,
        directory=book,
        journal=ports,
        clock=clock,
        message_key=Signer.of("amber", private_key(signs_as)),
    )
    try:
        yield Post(courier, outbox, ports, peers, birch, clock, seconds)
    finally:
        await peers.close()


async def test_a_receipt_that_verifies_delivers(post: Post) -> None:  # 3.1, B03
    row = await post.try_once(post.put())
    assert row.state == "delivered" and post.birch.taken == [row.delivery.wire]
    assert row.receipt is not None and json.loads(row.receipt)["body"]["status"] == "stored"


@pytest.mark.parametrize(
    "forged",
    [
        lambda raw: receipt_for(raw, body_digest="0" * 64),
        lambda raw: receipt_for(raw, message_id="0" * 32),
        lambda raw: receipt_for(raw, at="2026-12-31T23:59:59Z"),
        lambda raw: receipt_for(raw, status="seen"),
        lambda raw: Response(b"", 202),
        lambda raw: Response(b"{}", 200, media_type=JSON),
        lambda raw: Response(receipt_for(raw).body + b" ", 202, media_type=JSON),
        lambda raw: Response(receipt_for(raw).body.replace(b'"sig":"', b'"sig":"0')[:-3], 202),
        lambda raw: Response(
            canonical(
                resigned(
                    json.loads(receipt_for(raw).body)["body"],
                    MESSAGE_KEYS["amber"],
                    "jiexu-receipt-v1",
                )
            ),
            202,
        ),
    ],
)
async def test_a_receipt_that_lies_delivers_nothing(post: Post, forged: Any) -> None:  # 3.2, F36
    post.birch.answer = forged
    row = post.put()
    for _ in range(ALARM_AFTER + 1):
        await post.try_once(row)
    assert row.state == "waiting" and row.delivery.attempts == ALARM_AFTER + 1
    assert [kind for kind, _, _ in post.ports.alarms] == ["delivery-strange"]
    post.birch.answer = receipt_for
    assert (await post.try_once(row)).state == "delivered"
    assert set(post.birch.taken) == {row.delivery.wire}


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(post: Post, status: int) -> None:  # 3.2
    post.birch.answer = lambda raw: problem("unavailable", status)
    row = await post.try_once(post.put())
    assert row.state == "waiting" and 0.8 <= row.due_in <= 1.2
    assert post.ports.alarms == []


@pytest.mark.parametrize(
    ("header", "least", "most"), [("30", 30, 30), ("86400", 3600, 3600), ("soon", 0.8, 1.2)]
)
async def test_a_retry_after_is_obeyed(
    post: Post, header: str, least: float, most: float
) -> None:  # 3.2
    post.birch.answer = lambda raw: Response(status_code=503, headers={"Retry-After": header})
    row = await post.try_once(post.put())
    assert least <= row.due_in <= most


async def test_a_clock_that_is_ahead_is_waited_for(post: Post) -> None:  # 3.2, F26
    post.birch.answer = lambda raw: problem("clock-skew", 403)
    assert (await post.try_once(post.put())).state == "waiting"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("bad-signature", 403),
        ("unknown-key", 403),
        ("unknown-transfer", 404),
        ("conflict", 409),
        ("expired", 410),
        ("too-large", 413),
        ("invalid-field", 422),
        ("of-another-list", 418),
    ],
)
async def test_what_is_refused_is_stuck_with_an_alarm(
    post: Post, name: str, status: int
) -> None:  # 3.2, INV-17
    post.birch.answer = lambda raw: problem(name, status)
    row = await post.try_once(post.put())
    assert (row.state, row.reason) == ("stuck", name)
    ((kind, transfer_id, about),) = post.ports.alarms
    assert (kind, transfer_id) == ("delivery-stuck", row.delivery.transfer_id)
    assert about["reason"] == name


@pytest.mark.parametrize("name", ["refused", "aborted"])
async def test_a_peer_that_never_knew_the_transfer_needs_no_ending(
    post: Post, name: str
) -> None:  # 3.2
    post.birch.answer = lambda raw: problem("unknown-transfer", 404)
    row = await post.try_once(post.put(name))
    assert (row.state, row.receipt, post.ports.alarms) == ("delivered", None, [])


@pytest.mark.parametrize("status", [301, 302, 308, 501, 505, 204])
async def test_a_status_without_a_name_is_tried_again_and_alarms(
    post: Post, status: int
) -> None:  # 3.2, P1-4
    elsewhere = {"Location": "http://127.0.0.1:1/"}
    post.birch.answer = lambda raw: Response(status_code=status, headers=elsewhere)
    row = post.put()
    for _ in range(ALARM_AFTER):
        await post.try_once(row)
    assert row.state == "waiting" and len(post.birch.taken) == ALARM_AFTER
    assert [kind for kind, _, _ in post.ports.alarms] == ["delivery-strange"]


async def test_a_message_with_an_end_is_given_up_at_it(post: Post) -> None:  # 3.2
    row = await post.try_once(post.put("M4", gives_up_at=read(NOW)))
    assert row.state == "given up" and post.birch.taken == []


async def test_a_row_under_a_revoked_key_is_signed_anew_once(tmp_path: Path) -> None:  # 3.2, F44
    old, new = MESSAGE_KEYS["amber"], "amber:46472d9396e7ca95"
    birch = Birch()
    answers = iter([problem("unknown-key", 403)])
    birch.answer = lambda raw: next(answers, None) or receipt_for(raw)
    async with listening(birch) as port:
        urls = {"birch": f"http://127.0.0.1:{port}"}
        revoked = {old: {"revoked_at": NOW}}
        async with made(tmp_path, birch, urls, keys=revoked, signs_as=new) as post:
            row = post.put()
            before = row.delivery
            await post.try_once(row)
            assert row.state == "waiting" and row.delivery.wire != before.wire
            again = json.loads(row.delivery.wire)
            assert (again["kid"], digest(again["body"])) == (new, before.digest)
            assert (await post.try_once(row)).state == "delivered"
            birch.answer = lambda raw: problem("unknown-key", 403)
            second = post.put(wire=row.delivery.wire)
            assert (await post.try_once(second)).state == "stuck"


async def test_a_city_that_is_gone_is_left_alone_but_for_probes(tmp_path: Path) -> None:  # 3.2
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        urls = {"birch": f"http://127.0.0.1:{held.getsockname()[1]}"}
        async with made(tmp_path, Birch(), urls) as post:
            row = post.put()
            for _ in range(5):
                assert post.peers.shut() == ()
                await post.try_once(row)
            assert post.peers.shut() == ("birch",) and post.peers.is_doubtful("birch")
            await post.try_once(row)
            assert row.reason == "left alone after failures"
            post.seconds[0] = 61.0
            assert post.peers.shut() == ()
            await post.try_once(row)
            assert row.reason == "ConnectError" and post.peers.shut() == ("birch",)
    birch = Birch()
    async with listening(birch) as port:
        urls = {"birch": f"http://127.0.0.1:{port}"}
        async with made(tmp_path, birch, urls) as post:
            birch.answer = lambda raw: problem("unavailable", 503)
            row = post.put()
            for _ in range(5):
                await post.try_once(row)
            birch.answer, post.seconds[0] = receipt_for, 61.0
            assert (await post.try_once(row)).state == "delivered"
            assert not post.peers.is_doubtful("birch")


async def test_an_endless_answer_is_cut_off(post: Post) -> None:  # F13
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 65_536

    post.birch.answer = lambda raw: StreamingResponse(endless(), 202)
    row = await post.try_once(post.put())
    assert (row.state, row.reason) == ("waiting", "the answer is longer than allowed")


async def test_a_city_that_takes_and_never_answers_is_not_waited_for(post: Post) -> None:  # F13
    never = asyncio.Event()

    async def hang(raw: bytes) -> Response:
        await never.wait()
        return receipt_for(raw)

    post.birch.answer = hang
    row = await post.try_once(post.put())
    never.set()
    assert (row.state, row.reason) == ("waiting", "ReadTimeout")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://birch.example", "not https"),
        ("https://127.0.0.1", "private"),
        ("https://localhost:8443", "private"),
        ("https://10.1.2.3", "private"),
        ("https://169.254.169.254", "private"),
        ("https://[::1]", "private"),
        ("https://[fd00::1]", "private"),
        ("https://192.168.0.1/path", "private"),
        ("https://user:secret@birch.example", "more than a base URL"),
        ("https://birch.example?q=1", "more than a base URL"),
        ("ftp://birch.example", "not https"),
        ("file:///etc/passwd", "more than a base URL"),
        ("https://nowhere.invalid", "cannot be resolved"),
    ],
)
async def test_only_public_https_addresses_are_called(
    tmp_path: Path, url: str, reason: str
) -> None:  # P1-4, 2.7
    async with made(tmp_path, Birch(), {"birch": url}, allow_private=False) as post:
        with pytest.raises(Unreachable, match=reason):
            await post.peers.exchange("birch", "GET", "/federation/v1/health")
        with pytest.raises(Unreachable, match="not in the directory"):
            await post.peers.exchange("cedar", "GET", "/federation/v1/health")


async def test_a_name_is_resolved_once_for_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # P1-4: a name that changes its mind cannot lead inside
    answers = [["93.184.216.34"], ["93.184.216.34", "10.0.0.1"], ["127.0.0.1"]]

    async def resolve(host: str, port: int, **options: Any) -> list[Any]:
        assert (host, port) == ("birch.example", 8443)
        return [(0, 0, 0, "", (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    urls = {"birch": "https://birch.example:8443/node/"}
    async with made(tmp_path, Birch(), urls, allow_private=False) as post:
        url, headers, extensions = await post.peers._target("birch", "/federation/v1/health")
        assert str(url) == "https://93.184.216.34:8443/node/federation/v1/health"
        assert headers == {"Host": "birch.example:8443"}
        assert extensions == {"sni_hostname": "birch.example"}
        for _ in range(2):
            with pytest.raises(Unreachable, match="private"):
                await post.peers._target("birch", "/federation/v1/health")


async def test_a_pipe_is_only_trusted_under_a_known_authority(tmp_path: Path) -> None:  # 2.7
    authority, certificate, key = localhost_certificate(tmp_path)
    birch = Birch(lambda raw: Response(b"{}"))
    trusting = federation_tls()
    trusting.load_verify_locations(authority)
    assert trusting.minimum_version is ssl.TLSVersion.TLSv1_3
    files = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    async with listening(birch, **files) as port:
        urls = {"birch": f"https://localhost:{port}"}
        async with made(tmp_path, birch, urls) as post:
            with pytest.raises(Unreachable, match="ConnectError"):
                await post.peers.exchange("birch", "GET", "/federation/v1/health")
            assert birch.taken == []
            peers = Peers(post.courier._directory.current, allow_private=True, tls=trusting)
            reply = await peers.exchange("birch", "GET", "/federation/v1/health")
            assert (reply.status, reply.body) == (200, b"{}")
            await peers.close()


def localhost_certificate(folder: Path) -> tuple[Path, Path, Path]:
    """An authority of this test, and a certificate of it for localhost: files in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    key = Ed25519PrivateKey.generate()
    start = datetime.now(UTC) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None)
    )
    pem = folder / "certificate.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    write_private_key(folder / "tls.key", key)
    return pem, pem, folder / "tls.key"


def test_delays_double_up_to_a_quarter_of_an_hour_and_are_spread() -> None:  # 3.2
    for attempts, base in [(0, 1), (1, 2), (5, 32), (9, 512), (10, 900), (5000, 900)]:
        found = {delay_seconds(attempts) for _ in range(200)}
        assert base * 0.8 <= min(found) and max(found) <= base * 1.2 and len(found) > 100
    assert delay_seconds(0, 90.0) == 90.0
    assert delay_seconds(10, 1.0) >= 720


# --- the endless chore --------------------------------------------------------------------------


@asynccontextmanager
async def running(post: Post) -> AsyncIterator[None]:
    task = asyncio.create_task(post.courier.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: str, holds: Callable[[], bool]) -> None:
    """Waits for a condition, at most 10 s."""
    try:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - any of many objects may make it hold
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within 10 s: {what}") from None


async def test_messages_of_one_transfer_leave_in_order_and_others_beside_them(post: Post) -> None:
    gate = asyncio.Event()  # 3.2

    async def slow(raw: bytes) -> Response:
        await gate.wait()
        return receipt_for(raw)

    post.birch.answer = slow
    rows = [
        post.put(name, transfer=f"{transfer:064x}")
        for transfer in range(9)
        for name in ("M2", "M4", "M7")
    ]
    async with running(post):
        await until("four under way", lambda: post.birch.at_once == 4)
        gate.set()
        await until("all delivered", lambda: all(row.state == "delivered" for row in rows))
    assert post.birch.most_at_once == 4
    kinds = [json.loads(raw)["body"]["type"] for raw in post.birch.taken]
    for kind in ("request-received", "offer", "release"):
        assert kinds.count(kind) == 9
    assert kinds.index("offer") > kinds.index("request-received")


async def test_a_stuck_message_holds_back_none_of_its_transfer(post: Post) -> None:  # 3.2
    post.birch.answer = lambda raw: (
        problem("invalid-field", 422) if b'"offer"' in raw else receipt_for(raw)
    )
    rows = [post.put(name) for name in ("M2", "M4", "M7")]
    async with running(post):
        await until("the rest delivered", lambda: rows[2].state == "delivered")
    assert [row.state for row in rows] == ["delivered", "stuck", "delivered"]


async def test_a_lost_answer_brings_the_same_bytes_again(post: Post, make_city: Any) -> None:
    city = await make_city("birch", NOW)  # F11: the real app, and a proxy that loses answers
    lost = [True, True]

    async def lossy(scope: Any, receive: Any, send: Any) -> None:
        async def swallow(event: Any) -> None:
            if event["type"] == "http.response.start" and lost:
                raise ConnectionResetError

            await send(event)

        try:
            await city.app(scope, receive, swallow)
        except ConnectionResetError:
            lost.pop()

    async with listening(lossy) as port:
        file, _ = resigned_directory({"base_url": {"birch": f"http://127.0.0.1:{port}"}}, serial=8)
        post.courier._directory._path.write_text(json.dumps(file), "utf-8")
        await post.courier._directory.load()
        row = post.put()
        for _ in range(3):
            await post.try_once(row)
    assert row.state == "delivered" and lost == []
    assert len(city.ports.received) == 1
    assert [result for _, result in city.counts] == ["stored", "duplicate", "duplicate"]
    assert row.receipt == city.ports.received[0].receipt


async def test_a_defect_ends_the_chore(post: Post) -> None:  # nothing is swallowed
    async def broken(id: int, receipt: bytes | None) -> None:
        raise RuntimeError("defect")

    post.outbox.delivered = broken
    post.put()
    with pytest.raises(RuntimeError, match="defect"):
        async with asyncio.timeout(10):
            await post.courier.run()


def test_the_example_has_a_transfer_of_its_own() -> None:
    assert vectors("transfer")["transfer_id"] == message("M7")["body"]["transfer_id"]
