"""Does a dossier move between two real services over HTTP and PostgreSQL, whole and once?"""

from __future__ import annotations

import secrets
from datetime import timedelta

from shared.canonical import digest
from tests.support.cities import City, apply, client, code_id_of
from tests.support.infrastructure import eventually


async def moved(amber: City, birch: City, entries: int = 3) -> tuple[str, str, str]:
    """A whole move; gives transfer id, subject, application."""
    subject, applicant_ref = secrets.token_hex(16), secrets.token_hex(16)
    amber.open_dossier(subject, entries)
    amber.persons[code_id_of(applicant_ref)] = subject
    answer = await apply(birch, amber, applicant_ref)
    transfer_id = answer["transfer_id"]
    await birch.reaches(transfer_id, "Active")
    await amber.reaches(transfer_id, "Settling")
    return transfer_id, subject, applicant_ref


async def all_delivered(city: City) -> bool:
    return not await city.rows("SELECT 1 FROM peer_outbox WHERE delivered_at IS NULL")


async def test_a_dossier_moves_and_a_late_entry_follows(cities: tuple[City, City]) -> None:  # S21
    amber, birch = cities
    transfer_id, subject, applicant_ref = await moved(amber, birch)
    assert birch.dossiers[subject].entries == amber.dossiers[subject].entries

    late = amber.sign_entry(subject, f"{7:026d}", minutes=90, counted_minutes=90)
    entry_digest = digest(late["body"])
    amber.dossiers[subject].late[entry_digest] = late
    held = {
        "transfer_id": transfer_id,
        "subject_id": subject,
        "issuer": "amber",
        "entry_id": late["body"]["entry_id"],
        "version": 1,
        "digest": entry_digest,
        "path": f"/internal/v1/objects/{entry_digest}",
    }
    for _ in range(3):  # S23: sent again and again, it is there once
        await amber.tell("records.late-change-held.v1", subject, held)
    await eventually(
        lambda: len(birch.dossiers[subject].entries) == 4, "the late entry is in birch"
    )
    sent = await amber.rows("SELECT * FROM supplement WHERE transfer_id = $1", transfer_id)
    assert len(sent) == 1
    # What is still on its way when half a year passes is given up.
    for city in (amber, birch):
        await eventually(lambda city=city: all_delivered(city), f"{city.name} owes no answer")

    amber.clock.jump(timedelta(days=181))
    await amber.reaches(transfer_id, "Closed")
    await birch.reaches(transfer_id, "Closed")
    async with client(birch, birch.token("login", actor_id=f"login-{applicant_ref}")) as person:
        status = (await person.get(f"/transfers/{applicant_ref}")).json()
    assert status["status"] == "done"
    assert status["entries"] == 3
    assert status["supplements"] == 1
