"""Who else asks for a dossier that is on its way, or gone, and what is that city told?"""

from __future__ import annotations

import secrets
from typing import Any

from tests.edge.transfer.test_a_move import moved
from tests.support.cities import City, apply, code_id_of
from tests.support.infrastructure import eventually
from tests.support.scripted_city import ScriptedCity


async def refused(cedar: ScriptedCity, transfer_id: str) -> dict[str, Any]:
    return await eventually(
        lambda: cedar.told(transfer_id, "refused"), f"cedar was refused {transfer_id[:8]}"
    )


async def test_while_a_move_is_open_another_city_is_refused(  # TR-301, R29, S26
    cities: tuple[City, City], cedar: ScriptedCity
) -> None:
    amber, birch = cities
    subject, first, second = (secrets.token_hex(16) for _ in range(3))
    amber.open_dossier(subject)
    amber.persons[code_id_of(first)] = subject
    amber.persons[code_id_of(second)] = subject
    amber.silent.add("transfer.transfer-admitted.v1")  # records is slow to freeze
    transfer_id = (await apply(birch, amber, first))["transfer_id"]
    await amber.reaches(transfer_id, "Admitted")
    other = await cedar.request(amber, code_id_of(second), second)
    said = await refused(cedar, other)
    assert said["code"] == "TR-301"
    assert said["class"] == "T"
    assert said["open_since"] is not None
    assert await amber.state(transfer_id) == "Admitted"
    assert await amber.state(other) == "Refused"


async def test_after_the_release_another_city_gets_the_pointer(  # TR-306, S26
    cities: tuple[City, City], cedar: ScriptedCity
) -> None:
    amber, birch = cities
    _, subject, _ = await moved(amber, birch)
    code = secrets.token_hex(16)
    amber.persons[code_id_of(code)] = subject  # even with a fresh code
    transfer_id = await cedar.request(amber, code_id_of(code), code)
    said = await refused(cedar, transfer_id)
    assert said["code"] == "TR-306"
    pointer = said["pointer"]["body"]
    assert (pointer["home"], pointer["epoch"], pointer["subject_id"]) == ("birch", 2, subject)
    assert said["appeal_until"] is not None


async def test_a_request_for_what_a_first_release_does_not_do_is_refused(  # TR-401
    cities: tuple[City, City], cedar: ScriptedCity
) -> None:
    amber, _ = cities
    for changed in ({"purpose": "visit"}, {"suites": ["sm-1"]}, {"protocols": ["jiexu/9.0"]}):
        said = await refused(cedar, await cedar.request(amber, secrets.token_hex(16), **changed))
        assert (said["code"], said["stage"]) == ("TR-401", "request")


async def test_a_consent_for_another_city_is_none(  # TR-201, TR-204
    cities: tuple[City, City], cedar: ScriptedCity
) -> None:
    amber, _ = cities
    code = secrets.token_hex(16)
    other = await cedar.request(amber, code, consent={"receiver": "birch"})
    # It is signed by cedar, not by the receiver that it names.
    assert (await refused(cedar, other))["code"] == "TR-204"
    other = await cedar.request(amber, code, consent={"provider": "birch"})
    assert (await refused(cedar, other))["code"] == "TR-201"


async def test_the_same_message_again_gets_the_same_receipt_and_changes_nothing(  # F14
    cities: tuple[City, City], cedar: ScriptedCity
) -> None:
    amber, _ = cities
    transfer_id = await cedar.request(amber, secrets.token_hex(16))
    said = await refused(cedar, transfer_id)
    assert said["code"] == "TR-102"
    (row,) = await amber.rows("SELECT raw, receipt FROM inbox WHERE transfer_id = $1", transfer_id)
    before = await amber.rows("SELECT count(*) AS n FROM event")
    again = await cedar.send(amber, bytes(row["raw"]))
    assert (again.status_code, again.content) == (200, bytes(row["receipt"]))
    assert await amber.rows("SELECT count(*) AS n FROM event") == before


async def test_a_city_asks_only_about_its_own_transfers(  # F36, B48
    cities: tuple[City, City], cedar: ScriptedCity
) -> None:
    amber, birch = cities
    transfer_id, _, _ = await moved(amber, birch)
    content = {
        "code": "TR-501",
        "class": "F",
        "stage": "request",
        "evidence_digest": None,
        "pointer": None,
        "hold": None,
        "retry_after_seconds": None,
        "open_since": None,
        "appeal_until": None,
    }
    answer = await cedar.send(amber, cedar.message(amber, transfer_id, "refused", content))
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:jiexu:problem:unknown-transfer"
    assert await amber.state(transfer_id) == "Settling"
