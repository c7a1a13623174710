"""Who wins when two things happen at once? One of them, on real PostgreSQL, whoever it is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.transfer.domain import commands
from services.transfer.edge.deciding import TransferDomain
from shared.clock import wire
from shared.ledger import Ledger
from shared.messages import Command, Rejection, system
from shared.postgres import Database
from shared.roles.servers import Listener
from tests.support.cities import City, Office, ShiftedClock, code_id_of, running
from tests.support.infrastructure import eventually
from tests.support.scripted_city import ScriptedCity

ROUNDS = 6


@pytest.fixture
async def amber(tmp_path: Path, databases: list[str]) -> AsyncIterator[City]:
    """One city whose neighbours say only what a test makes them say."""
    office, clock = Office(tmp_path / "directory.json"), ShiftedClock()
    city = City("amber", tmp_path / "amber", office, databases[0], clock)
    async with running(city, neighbours=False):
        yield city


@pytest.fixture
async def cedar(amber: City) -> AsyncIterator[ScriptedCity]:
    city = ScriptedCity("cedar", amber.office, amber.clock)
    listener = Listener("cedar", city.app(), "127.0.0.1", 0)
    city.list(listener.port)
    serving = asyncio.ensure_future(listener.run())
    await amber.house.directory.load()
    yield city
    listener.stop()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    listener.close()


@pytest.fixture
async def other_process(amber: City) -> AsyncIterator[Ledger]:
    """A second ledger on the same schema, with connections of its own."""
    async with Database(amber.database_url, "transfer", name="other") as database:
        ledger = Ledger(database, TransferDomain(amber.house.domain.office))
        yield ledger
        await ledger.close()


def meta(city: City, transfer_id: str, subject: str | None) -> dict[str, Any]:
    return {
        "command_id": uuid4(),
        "actor": system("transfer"),
        "at": city.clock.now(),
        "transfer_id": transfer_id,
        "role": "origin",
        "subject_id": subject,
    }


async def submitted(ledger: Ledger, command: Command) -> None:
    outcome = await ledger.submit(command)
    assert not isinstance(outcome, Rejection), outcome


async def offered(amber: City, cedar: ScriptedCity) -> tuple[str, str, dict[str, Any]]:
    """A dossier of amber, offered to cedar: (transfer id, subject, the content of its M6)."""
    subject, ref = secrets.token_hex(16), secrets.token_hex(16)
    dossier = amber.open_dossier(subject, 2)
    transfer_id = await cedar.request(amber, code_id_of(ref), ref)
    told = {"transfer_id": transfer_id, "subject_id": subject}
    await amber.tell("registry.identity-confirmed.v1", transfer_id, {**told, "holds": []})
    head = amber.head(dossier)
    frozen = {**told, "epoch": 1, "log_id": dossier.log_id, "head": head}
    await amber.tell("records.dossier-frozen.v1", subject, frozen)
    offer = await eventually(lambda: cedar.told(transfer_id, "offer"), "the offer is in cedar")
    digests = await amber.rows(
        "SELECT digest FROM peer_outbox WHERE transfer_id = $1 AND type = 'offer'", transfer_id
    )
    body = offer["head"]["body"]
    names = ("subject_id", "epoch", "root", "count", "totals", "state_digest")
    vote = {
        "offer_digest": digests[0]["digest"],
        **{name: body[name] for name in names},
        "accepted_at": offer["frozen_at"],
        "promise": "activate-iff-released",
    }
    return transfer_id, subject, vote


async def accept(amber: City, cedar: ScriptedCity, transfer_id: str, vote: dict[str, Any]) -> None:
    expires = cedar.clock.now() + timedelta(hours=1)
    raw = cedar.message(amber, transfer_id, "accepted", vote, expires_at=wire(expires))
    answer = await cedar.send(amber, raw)
    assert answer.status_code == 202, answer.text


async def decisions(amber: City, transfer_id: str) -> list[str]:
    rows = await amber.rows(
        "SELECT kind FROM certificate WHERE transfer_id = $1 AND own", transfer_id
    )
    return [row["kind"] for row in rows]


async def test_of_many_admissions_at_once_one_wins(  # O3, R29, F18, INV-3
    amber: City, cedar: ScriptedCity, other_process: Ledger
) -> None:
    subject = secrets.token_hex(16)
    amber.open_dossier(subject)
    transfers = [await cedar.request(amber, secrets.token_hex(16)) for _ in range(8)]
    assert amber.parts is not None
    ledgers = [amber.parts.ledger, other_process] * 4
    await asyncio.gather(
        *(
            submitted(ledger, commands.ConfirmIdentity(**meta(amber, transfer_id, subject)))
            for ledger, transfer_id in zip(ledgers, transfers, strict=True)
        )
    )
    states = [await amber.state(each) for each in transfers]
    assert sorted(states) == ["Admitted"] + ["Refused"] * 7  # type: ignore[type-var]
    losers = [t for t, state in zip(transfers, states, strict=True) if state == "Refused"]
    for transfer_id in losers:
        said = await eventually(
            lambda transfer_id=transfer_id: cedar.told(transfer_id, "refused"), "it was told"
        )
        assert said["code"] == "TR-301"


async def test_a_vote_against_the_end_of_the_offer_has_one_outcome(  # O12, O14, INV-7, B08
    amber: City, cedar: ScriptedCity, other_process: Ledger
) -> None:
    seen = set()
    for _ in range(ROUNDS):
        transfer_id, subject, vote = await offered(amber, cedar)
        timer = commands.FireTimer(**meta(amber, transfer_id, subject), timer="offer")
        await asyncio.gather(
            accept(amber, cedar, transfer_id, vote), submitted(other_process, timer)
        )
        seen.add(await one_outcome(amber, cedar, transfer_id))
    assert seen <= {"release", "abort"} and seen


async def test_a_withdrawal_against_a_vote_has_one_outcome(  # O11, O12, R40, INV-7
    amber: City, cedar: ScriptedCity, other_process: Ledger
) -> None:
    seen = set()
    for _ in range(ROUNDS):
        transfer_id, subject, vote = await offered(amber, cedar)
        wish = commands.WithdrawTransfer(**meta(amber, transfer_id, subject))
        await asyncio.gather(
            accept(amber, cedar, transfer_id, vote), submitted(other_process, wish)
        )
        seen.add(await one_outcome(amber, cedar, transfer_id))
    assert seen <= {"release", "abort"} and seen


async def one_outcome(amber: City, cedar: ScriptedCity, transfer_id: str) -> str:
    """Exactly one certificate; state, and what the other city hears, agree with it."""
    (kind,) = await decisions(amber, transfer_id)
    state, message = {"release": ("Released", "release"), "abort": ("Aborted", "aborted")}[kind]
    assert await amber.state(transfer_id) == state
    heard = await eventually(lambda: cedar.told(transfer_id, message), f"cedar heard {message}")
    code = heard["certificate"]["body"].get("code")
    assert code in (None, "TR-501", "TR-502")
    return kind


async def test_the_constraints_stand_without_the_decider(  # INV-7, B10; transfer 10.5
    amber: City, cedar: ScriptedCity
) -> None:
    transfer_id, subject, vote = await offered(amber, cedar)
    assert amber.parts is not None
    async with amber.parts.database.reading() as connection:
        with pytest.raises(asyncpg.UniqueViolationError) as twice:
            await connection.execute(
                """INSERT INTO transfer SELECT repeat('0', 64), role, peer, applicant_ref, purpose,
                       state, since, requested_at, subject_id, epoch, attempt, view
                   FROM transfer WHERE transfer_id = $1""",
                transfer_id,
            )
        assert twice.value.constraint_name == "transfer_open"
    await accept(amber, cedar, transfer_id, vote)
    await amber.reaches(transfer_id, "Released")
    async with amber.parts.database.reading() as connection:
        for changed, constraint in (
            ("'0', 'abort', own, subject_id, epoch, transfer_id", "certificate_one_decision"),
            ("'0', kind, own, subject_id, epoch, repeat('0', 64)", "certificate_one_release"),
        ):
            with pytest.raises(asyncpg.UniqueViolationError) as both:
                await connection.execute(
                    f"""INSERT INTO certificate (digest, kind, own, subject_id, epoch,
                            transfer_id, document)
                        SELECT {changed}, document FROM certificate
                        WHERE kind = 'release' AND own AND subject_id = $1""",
                    subject,
                )
            assert both.value.constraint_name == constraint
