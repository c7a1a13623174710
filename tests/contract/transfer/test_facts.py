"""Does transfer read its neighbours' events as they release them?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.transfer.domain import commands, office_commands
from services.transfer.domain.facts import FACTS
from services.transfer.edge.agents import reader_of
from shared.clock import FixedClock
from shared.messages import Command, Message, Unreadable

SERVICES = Path(__file__).parents[3] / "services"
NOW = datetime(2027, 3, 1, 2, tzinfo=UTC)
# Registry tells these with a later slice; transfer is ready for them.
LATER = {"registry.volunteer-died.v1", "registry.volunteer-suspended.v1"}
EXPECTED = {
    "registry.identity-confirmed.v1": [commands.ConfirmIdentity],
    "registry.identity-denied.v1": [commands.DenyIdentity],
    # Only pair policies are kept; the released example is a star policy.
    "registry.policy-published.v1": [],
    "records.dossier-frozen.v1": [commands.NoteFrozen],
    "records.late-change-held.v1": [commands.FetchLateChange],
    "records.dossier-staged.v1": [commands.NoteStaged],
    "records.staging-failed.v1": [commands.NoteStagingFailed],
    "records.dossier-adopted.v1": [commands.NoteAdopted],
    "records.supplement-applied.v1": [commands.NoteSupplementApplied] * 2,
}


def example(name: str) -> dict[str, Any]:
    service = name.partition(".")[0]
    path = SERVICES / service / "contract" / "examples" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def read(name: str, data: dict[str, Any]) -> tuple[Command, ...]:
    message = Message(
        topic="any",
        key="any",
        sequence=1,
        event_id=UUID(int=1),
        source="/nodes/500000/any",
        type=name,
        time=NOW,
        data=data,
    )
    return reader_of(FixedClock(NOW))(message)


def test_every_fact_has_an_example_or_comes_later() -> None:
    assert set(FACTS) == set(EXPECTED) | LATER


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_released_example_is_read(name: str) -> None:
    assert [type(each) for each in read(name, example(name))] == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"registry.policy-published.v1"}))
def test_a_fact_without_its_transfer_is_unreadable(name: str) -> None:
    data = example(name)
    del data["transfer_id"]
    with pytest.raises(Unreadable) as wrong:
        read(name, data)
    assert str(wrong.value) == f"{name}: transfer_id"


def test_a_pair_policy_is_kept() -> None:
    data = example("registry.policy-published.v1") | {"kind": "transfer_pair"}
    (kept,) = read("registry.policy-published.v1", data)
    assert isinstance(kept, office_commands.NotePolicy)


def test_the_end_of_a_volunteer_closes_the_dossier() -> None:
    (closed,) = read("registry.volunteer-died.v1", {"subject_id": "0" * 32})
    assert isinstance(closed, office_commands.CloseSubject)
    assert closed.cause == "died"


def test_the_same_event_makes_the_same_command() -> None:
    name = "records.dossier-frozen.v1"
    (one,), (other,) = read(name, example(name)), read(name, example(name))
    assert one.command_id == other.command_id
