"""Do two cities move a dossier over mutual TLS, and is whoever shows less kept out? (2.7)"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.access import client_context
from tests.edge.transfer.test_a_move import moved
from tests.support.certificates import Authority
from tests.support.cities import City, Office, ShiftedClock, apply, code_id_of, running
from tests.support.infrastructure import eventually


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The federation's: it signs what cities show."""
    return Authority(tmp_path, "federation")


@pytest.fixture
async def cities(
    tmp_path: Path, databases: list[str], authority: Authority
) -> AsyncIterator[tuple[City, City]]:
    """amber and birch; each demands a certificate that the directory lists, and shows one."""
    office, clock = Office(tmp_path / "directory.json"), ShiftedClock()
    made = []
    for name, database in zip(("amber", "birch"), databases, strict=True):
        city = City(name, tmp_path / name, office, database, clock)
        # What it shows to callers and what it shows when it calls may differ: here they do.
        server, caller = authority.sign(f"{name}-server"), authority.sign(f"{name}-caller")
        city.access = {
            "federation_certificate": server.certificate,
            "federation_certificate_key": server.key,
            "federation_client_ca": authority.ca,
            "federation_client_certificates": "required",
            "peer_ca": authority.ca,
            "peer_certificate": caller.certificate,
            "peer_certificate_key": caller.key,
        }
        city.shows = (caller.sha256,)
        made.append(city)
    amber, birch = made
    async with running(amber), running(birch):
        for city in made:
            await city.house.directory.load()
        yield amber, birch


async def heard(port: int, tls: ssl.SSLContext, scheme: str = "https") -> bool:
    async with httpx.AsyncClient(verify=tls, trust_env=False, timeout=10) as client:
        try:
            answer = await client.get(f"{scheme}://127.0.0.1:{port}/federation/v1/health")
        except httpx.TransportError:
            return False
    assert answer.status_code == 200
    return True


async def test_a_dossier_moves_over_mutual_tls(cities: tuple[City, City]) -> None:
    amber, birch = cities
    _, subject, _ = await moved(amber, birch)
    assert birch.dossiers[subject].entries == amber.dossiers[subject].entries
    assert amber.office.nodes["amber"]["base_url"].startswith("https://")


async def test_a_certificate_that_the_directory_does_not_list_is_refused(  # check 11
    cities: tuple[City, City],
) -> None:
    amber, birch = cities
    birch.office.nodes["birch"]["tls_client_sha256"] = ["0" * 64]
    birch.office.publish()
    await amber.house.directory.load()
    subject, applicant_ref = secrets.token_hex(16), secrets.token_hex(16)
    amber.open_dossier(subject)
    amber.persons[code_id_of(applicant_ref)] = subject
    transfer_id = (await apply(birch, amber, applicant_ref))["transfer_id"]
    stuck = "SELECT reason FROM peer_outbox WHERE transfer_id = $1 AND stuck_at IS NOT NULL"
    rows = await eventually(lambda: birch.rows(stuck, transfer_id), "birch was refused")
    assert [row["reason"] for row in rows] == ["unknown-key"]
    kept = await amber.rows("SELECT peer, claimed, problem FROM rejected_input")
    # Known by its certificate: amber counts what it sends, and keeps what it refused.
    assert [tuple(row) for row in kept] == [(birch.shows[0], "birch", "unknown-key")]
    assert await amber.state(transfer_id) is None


async def test_nobody_is_heard_without_a_certificate_or_in_plain_http(
    cities: tuple[City, City], authority: Authority, tmp_path: Path
) -> None:
    amber, birch = cities
    port, pair = amber.ports["federation"], ("peer_certificate", "peer_certificate_key")
    shown = [birch.access[name] for name in pair]
    assert await heard(port, client_context(authority.ca, *shown))
    assert not await heard(port, client_context(authority.ca))
    stranger = Authority(tmp_path, "stranger").sign("cedar")
    assert not await heard(port, client_context(authority.ca, stranger.certificate, stranger.key))
    assert not await heard(port, client_context(authority.ca, *shown), "http")
    older = client_context(authority.ca, *shown)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert not await heard(port, older)
