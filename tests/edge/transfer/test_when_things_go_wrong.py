"""What happens when the other side is restored, silent, late, or sends what nobody expects?"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.transfer.domain import envelopes
from services.transfer.domain.codes import supplement_digest
from services.transfer.edge import courier
from services.transfer.edge.peers import Unreachable
from services.transfer.edge.ports import Delivery
from shared.canonical import canonical, digest, load_canonical
from shared.clock import wire
from tests.edge.transfer.test_a_move import moved
from tests.edge.transfer.test_races import amber, cedar, offered
from tests.support.cities import City, apply, code_id_of
from tests.support.infrastructure import eventually
from tests.support.scripted_city import ScriptedCity

__all__ = ["amber", "cedar"]


async def question(
    cedar: ScriptedCity,
    to: City,
    transfer_id: str,
    content: dict[str, Any],
    incarnation: int = 1,
) -> dict[str, Any]:
    """M10 by E3; gives the content of the reply."""
    now = cedar.clock.now()
    body = envelopes.body(
        type="status-query",
        message_id=secrets.token_hex(16),
        transfer_id=transfer_id,
        sender=cedar.name,
        receiver=to.name,
        incarnation=incarnation,
        seq=0,
        prev=None,
        in_reply_to=None,
        issued_at=wire(now),
        expires_at=wire(now + timedelta(seconds=60)),
        content={"known_state": "Requested", "last_seq_seen": 0, "applied": 0, "reconcile": None}
        | content,
    )
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"http://127.0.0.1:{to.ports['federation']}/federation/v1/status",
            content=canonical(cedar.signer.sign("jiexu-envelope-v1", body)),
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = load_canonical(answer.content)["body"]["content"]
    return found


async def test_a_restored_city_meets_the_barrier(  # transfer 11, O34, B37, B50
    amber: City,
    cedar: ScriptedCity,
) -> None:
    open_one, subject, _ = await offered(amber, cedar)
    released, _, vote = await offered(amber, cedar)
    raw = cedar.message(
        amber, released, "accepted", vote, expires_at=wire(cedar.clock.now() + timedelta(hours=1))
    )
    assert (await cedar.send(amber, raw)).status_code == 202
    await amber.reaches(released, "Released")
    nothing = envelopes.NO_TRANSFER
    start = await question(cedar, amber, nothing, {"known_state": "start"}, incarnation=2)
    assert (start["state"], start["decision"], start["transfers"]) == ("start", None, None)
    assert start["receipted"] >= 4

    ask = {"reconcile": {"after": None, "applied": []}}
    page = await question(cedar, amber, nothing, ask, incarnation=2)
    assert page["state"] == "reconcile"
    named = {each["transfer_id"]: each for each in page["transfers"]}
    assert named[open_one]["state"] == "Aborted"
    assert named[released]["state"] == "Released"
    kinds = {each["body"]["v"] for each in page["certificates"]}
    assert kinds == {"abort/1", "custody/1"}
    assert page["next"] == max(open_one, released)
    again = {"reconcile": {"after": page["next"], "applied": []}}
    last = await question(cedar, amber, nothing, again, incarnation=2)
    assert (last["transfers"], last["next"]) == ([], None)

    # What the restored city's past self says is not heard any more.
    late = cedar.message(amber, released, "notice", notice("remind"))
    answer = await cedar.send(amber, late)
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "urn:jiexu:problem:stale-incarnation",
    )
    (open_move,) = await amber.rows(
        "SELECT data FROM event WHERE type LIKE '%transfer-ended%' AND key = $1", open_one
    )
    assert json.loads(open_move["data"])["code"] == "TR-502"
    assert subject


def notice(kind: str) -> dict[str, Any]:
    names = ("ref", "nonce", "subject_id", "epoch", "entry", "text", "until", "custody_chain")
    return {"kind": kind, "pointer": None, **dict.fromkeys(names)}


async def test_hours_before_an_end_stand_for_the_refusal(  # O29a, B33
    amber: City,
    cedar: ScriptedCity,
) -> None:
    transfer_id, subject, _ = await offered(amber, cedar)
    entry = amber.sign_entry(subject, f"{9:026d}")
    content = {
        "k": 1,
        "prev_supplement": None,
        "subject_id": subject,
        "entries": [entry],
        "hops": ["cedar"],
    }
    raw = cedar.message(amber, transfer_id, "supplement", content)
    assert (await cedar.send(amber, raw)).status_code == 202
    await amber.reaches(transfer_id, "Aborted")
    (told,) = await amber.rows(
        "SELECT key, data FROM event WHERE type = 'transfer.supplement-received.v1'"
    )
    data = json.loads(told["data"])
    assert (told["key"], data["k"], data["sender"]) == (subject, 1, "cedar")
    applied = {
        "transfer_id": transfer_id,
        "subject_id": subject,
        "sender": "cedar",
        "incarnation": 1,
        "k": 1,
        "new": 0,
        "duplicates": 0,
        "quarantined": 1,
        "first_quarantined": {
            "issuer": "amber",
            "entry_id": entry["body"]["entry_id"],
            "version": 1,
            "code": "TR-404",
        },
    }
    await amber.tell("records.supplement-applied.v1", subject, applied)
    said = await eventually(
        lambda: cedar.told(transfer_id, "supplement-received"), "cedar was answered"
    )
    assert (said["k"], said["quarantined"]) == (1, 1)
    clarify = await eventually(lambda: cedar.told(transfer_id, "notice"), "cedar is asked")
    assert (clarify["kind"], clarify["text"]) == ("clarify", "TR-404")
    assert clarify["entry"]["entry_id"] == entry["body"]["entry_id"]


async def test_a_gap_in_the_channel_is_asked_for_and_closed(  # O29b, D25, B18
    amber: City,
    cedar: ScriptedCity,
) -> None:
    transfer_id, subject, vote = await offered(amber, cedar)
    until = wire(cedar.clock.now() + timedelta(hours=1))
    raw = cedar.message(amber, transfer_id, "accepted", vote, expires_at=until)
    await cedar.send(amber, raw)
    await amber.reaches(transfer_id, "Released")
    contents, previous = [], None
    for k in (1, 2):
        content = {
            "k": k,
            "prev_supplement": previous,
            "subject_id": subject,
            "entries": [amber.sign_entry(subject, f"{20 + k:026d}")],
            "hops": ["cedar"],
        }
        contents.append(content)
        previous = supplement_digest(canonical(content))
    second = cedar.message(amber, transfer_id, "supplement", contents[1])
    await cedar.send(amber, second)
    assert await received(amber) == []
    await cedar.send(amber, cedar.message(amber, transfer_id, "supplement", contents[0]))
    assert await received(amber) == [1, 2]


async def received(city: City) -> list[int]:
    rows = await city.rows(
        "SELECT data FROM event WHERE type = 'transfer.supplement-received.v1' ORDER BY position"
    )
    return [json.loads(row["data"])["k"] for row in rows]


async def test_in_doubt_the_origin_is_asked_and_answers_with_the_release(  # D17, D19, F12
    cities: tuple[City, City], monkeypatch: pytest.MonkeyPatch
) -> None:
    amber, birch = cities
    subject, ref = secrets.token_hex(16), secrets.token_hex(16)
    amber.open_dossier(subject)
    amber.persons[code_id_of(ref)] = subject
    # The line from amber to birch is cut for the release alone: the courier cannot deliver it.
    mend = cut(amber, "release", monkeypatch)
    transfer_id = (await apply(birch, amber, ref))["transfer_id"]
    await amber.reaches(transfer_id, "Released")
    assert await birch.state(transfer_id) == "Accepted"
    birch.clock.jump(timedelta(minutes=5, seconds=1))
    await birch.reaches(transfer_id, "Active")
    (doubt,) = await birch.rows(
        "SELECT data FROM event WHERE type = 'transfer.transfer-in-doubt.v1'"
    )
    assert json.loads(doubt["data"])["applicant_ref"] == ref
    mend()
    await amber.reaches(transfer_id, "Settling")


def cut(city: City, kind: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Nobody answers this city's messages of this type until the returned function is called."""
    original, is_cut = courier.Courier.deliver, True

    async def deliver(self: courier.Courier, row: Delivery) -> None:
        if is_cut and row.type == kind and self._key.kid.startswith(city.name):
            # As the courier does where nobody answers: due again after a delay.
            await self._postpone(row, str(Unreachable("cut")))
            return
        await original(self, row)

    monkeypatch.setattr(courier.Courier, "deliver", deliver)

    def mend() -> None:
        nonlocal is_cut
        is_cut = False

    return mend


async def test_a_large_dossier_comes_in_several_bundles_and_is_given_out_no_longer(  # M5, E2
    cities: tuple[City, City],
) -> None:
    amber, birch = cities
    transfer_id, subject, _ = await moved(amber, birch, entries=1203)
    (view,) = await birch.rows("SELECT view FROM transfer WHERE transfer_id = $1", transfer_id)
    assert json.loads(view["view"])["entries"] == 1203
    assert len(birch.dossiers[subject].entries) == 1203
    assert await amber.house.bundles.find(transfer_id, 0, "birch") is None
    for city in (amber, birch):
        assert await city.rows("SELECT * FROM bundle") == []


async def test_an_entry_that_cannot_be_read_stops_at_the_origin(  # O10, TR-505
    cities: tuple[City, City],
) -> None:
    amber, birch = cities
    subject, ref = secrets.token_hex(16), secrets.token_hex(16)
    dossier = amber.open_dossier(subject)
    amber.persons[code_id_of(ref)] = subject
    good = amber.head(dossier)
    dossier.entries[1] = amber.sign_entry(subject, f"{1:026d}", minutes=61)

    def frozen(message: Any) -> list[tuple[str, dict[str, Any]]]:
        data = {
            "subject_id": subject,
            "transfer_id": message.data["transfer_id"],
            "epoch": 1,
            "log_id": dossier.log_id,
            "head": good,
        }
        return [("records.dossier-frozen.v1", data)]

    amber.instead["transfer.transfer-admitted.v1"] = frozen
    transfer_id = (await apply(birch, amber, ref))["transfer_id"]
    await amber.reaches(transfer_id, "Aborted")
    await birch.reaches(transfer_id, "Aborted")
    (row,) = await birch.rows("SELECT view FROM transfer WHERE transfer_id = $1", transfer_id)
    assert json.loads(row["view"])["code"] == "TR-505"
    (alarm,) = await amber.rows("SELECT about FROM alarm WHERE kind = 'dossier-not-offered'")
    assert json.loads(alarm["about"])["code"] == "TR-505"


async def test_a_death_ends_the_open_move(cities: tuple[City, City]) -> None:  # O16, S42, TR-307
    amber, birch = cities
    subject, ref, later = (secrets.token_hex(16) for _ in range(3))
    amber.open_dossier(subject)
    for each in (ref, later):
        amber.persons[code_id_of(each)] = subject
    amber.silent.add("transfer.transfer-admitted.v1")
    transfer_id = (await apply(birch, amber, ref))["transfer_id"]
    await amber.reaches(transfer_id, "Admitted")
    await amber.tell("registry.volunteer-died.v1", subject, {"subject_id": subject})
    await amber.reaches(transfer_id, "Aborted")
    second = (await apply(birch, amber, later))["transfer_id"]
    await birch.reaches(second, "Refused")
    rows = await birch.rows("SELECT view FROM transfer ORDER BY requested_at")
    assert [json.loads(row["view"])["code"] for row in rows] == ["TR-307", "TR-307"]


async def test_two_releases_of_one_origin_are_found(  # D30, TR-406, F36
    cities: tuple[City, City],
) -> None:
    amber, birch = cities
    transfer_id, _, _ = await moved(amber, birch)
    (kept,) = await birch.rows(
        "SELECT document FROM certificate WHERE transfer_id = $1 AND kind = 'release'", transfer_id
    )
    body = json.loads(kept["document"])["body"] | {"reason": "another"}
    certificate = amber.house.signers.sign("jiexu-certificate-v1", body)
    state = await amber.house.moves.state(transfer_id, "origin")
    message = envelopes.body(
        type="release",
        message_id=envelopes.message_id(transfer_id, "amber", 1, 99),
        transfer_id=transfer_id,
        sender="amber",
        receiver="birch",
        incarnation=1,
        seq=99,
        prev=state.course.wire.prev,
        in_reply_to=None,
        issued_at=wire(amber.clock.now()),
        expires_at=envelopes.NEVER,
        content={"certificate": certificate},
    )
    raw = canonical(amber.house.signers.sign("jiexu-envelope-v1", message))
    async with httpx.AsyncClient() as client:
        answer = await client.post(
            f"http://127.0.0.1:{birch.ports['federation']}/federation/v1/messages",
            content=raw,
            headers={"content-type": "application/json"},
        )
    assert answer.status_code == 202
    (found,) = await birch.rows(
        "SELECT data FROM event WHERE type = 'transfer.equivocation-found.v1'"
    )
    (evidence,) = await birch.rows("SELECT digest, code FROM evidence")
    assert json.loads(found["data"])["evidence_digest"] == evidence["digest"]
    assert evidence["digest"] == digest(certificate)
    assert evidence["code"] == "TR-406"
    assert await birch.state(transfer_id) == "Active"
