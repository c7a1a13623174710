"""Does a dossier that comes back come back whole, under the next epoch, by the same chain?"""

from __future__ import annotations

import secrets
from typing import Any

from shared.canonical import digest
from tests.edge.transfer.test_a_move import moved
from tests.support.cities import City, apply, code_id_of
from tests.support.infrastructure import eventually


def held(city: City, transfer_id: str, subject: str, entry: dict[str, Any]) -> dict[str, Any]:
    """records tells of a late change of this city, and keeps its bytes ready."""
    found = digest(entry["body"])
    city.dossiers[subject].late[found] = entry
    return {
        "transfer_id": transfer_id,
        "subject_id": subject,
        "issuer": entry["body"]["issuer"],
        "entry_id": entry["body"]["entry_id"],
        "version": entry["body"]["version"],
        "digest": found,
        "path": f"/internal/v1/objects/{found}",
    }


async def test_a_dossier_goes_and_comes_back_under_the_third_epoch(  # S29, R38, A→B→A
    cities: tuple[City, City],
) -> None:
    amber, birch = cities
    first, subject, _ = await moved(amber, birch)
    birch.dossiers[subject].entries.append(birch.sign_entry(subject, f"{50:026d}"))

    ref = secrets.token_hex(16)
    birch.persons[code_id_of(ref)] = subject
    back = (await apply(amber, birch, ref))["transfer_id"]  # within 72 h: nothing to wait for
    await amber.reaches(back, "Active")
    await birch.reaches(back, "Settling")
    entries = amber.dossiers[subject].entries
    assert [entry["body"]["issuer"] for entry in entries] == ["amber"] * 3 + ["birch"]
    chain = await amber.house.moves.chain(subject)
    assert [link["body"]["epoch"] for link in chain] == [1, 2, 3]
    assert [link["body"]["home"] for link in chain] == ["amber", "birch", "amber"]
    assert chain == await birch.house.moves.chain(subject)

    # What birch recorded late follows by the way back; what is late for the first move (a
    # supplement of amber's then) has nowhere else to go than the channel of birch's release.
    late = birch.sign_entry(subject, f"{60:026d}")
    await birch.tell("records.late-change-held.v1", subject, held(birch, back, subject, late))
    await eventually(
        lambda: len(amber.dossiers[subject].entries) == 5, "birch's late entry is in amber"
    )
    assert await amber.state(first) == "Settling"

    # And a second move to birch would begin at epoch 3: the next certificate has epoch 4.
    (custody,) = await amber.rows(
        "SELECT state ->> 'moved_in_from' AS came FROM aggregate WHERE kind = 'custody'"
    )
    assert custody["came"] == "birch"
