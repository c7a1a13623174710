"""What registry does when transfer speaks (protocol.md 7), bound to its released examples."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.registry.domain.applicants.commands import NoteTransfer
from services.registry.domain.codes.commands import CheckIdentity, EndCheck
from services.registry.domain.policy import SHOWN, react
from services.registry.domain.volunteers.commands import LinkSubject, MarkDeparted
from shared.messages import Command, Message, Unreadable

EXAMPLES = Path(__file__).parents[3] / "services" / "transfer" / "contract" / "examples"
EVENT = UUID("11111111-1111-5111-8111-111111111111")


def example(kind: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((EXAMPLES / f"transfer.{kind}.v1.json").read_text("utf-8"))
    return data


def message(kind: str, **changes: Any) -> Message:
    return Message(
        topic="transfer.transfers.v1",
        key="k",
        sequence=1,
        event_id=EVENT,
        source="/nodes/500000/transfer",
        type=f"transfer.{kind}.v1",
        time=datetime(2027, 3, 1, 2, 0, tzinfo=UTC),
        data=example(kind) | changes,
        correlation_id="c",
    )


def kinds(commands: tuple[Command, ...]) -> list[str]:
    return [type(each).__name__ for each in commands]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_released_example_of_transfer_is_read(path: Path) -> None:
    kind = path.stem.removeprefix("transfer.").removesuffix(".v1")
    for role in ("origin", "destination"):
        for command in react(message(kind, role=role)):
            assert command.correlation_id == "c" and command.causation_id == str(EVENT)


@pytest.mark.parametrize(
    "kind, changes, expected",
    [
        ("transfer-requested", {"role": "origin"}, ["CheckIdentity", "NoteTransfer"]),
        ("transfer-requested", {"role": "origin", "purpose": "visit"}, ["NoteTransfer"]),
        ("dossier-released", {"role": "origin"}, ["MarkDeparted", "EndCheck", "NoteTransfer"]),
        ("transfer-ended", {"role": "origin"}, ["EndCheck", "NoteTransfer"]),
        ("transfer-ended", {"role": "destination"}, ["NoteTransfer"]),
        ("dossier-activated", {"role": "destination"}, ["LinkSubject", "NoteTransfer"]),
        ("supplement-sent", {}, []),
        ("review-overdue", {}, []),
    ],
)
def test_a_fact_leads_to_its_commands(
    kind: str, changes: dict[str, Any], expected: list[str]
) -> None:
    assert kinds(react(message(kind, **changes))) == expected


def test_a_replay_makes_the_same_commands() -> None:
    assert react(message("dossier-released")) == react(message("dossier-released"))
    ids = {each.command_id for each in react(message("dossier-released"))}
    assert len(ids) == 3


def test_the_request_is_checked_by_its_own_words() -> None:
    data = example("transfer-requested")
    check = react(message("transfer-requested", role="origin"))[0]
    assert isinstance(check, CheckIdentity)
    assert (check.code_id, check.proof) == (data["code_id"], data["proof"])
    assert (check.origin, check.destination) == (data["origin"], data["destination"])
    assisted = react(message("transfer-requested", role="origin", assisted=True))[0]
    assert isinstance(assisted, CheckIdentity)
    assert assisted.code_id is None


@pytest.mark.parametrize("code, outcome", [("TR-501", "burnt"), ("TR-502", "freed")])
def test_a_withdrawal_burns_the_code_and_any_other_end_frees_it(code: str, outcome: str) -> None:
    end, note = react(message("transfer-ended", role="origin", code=code))
    assert isinstance(end, EndCheck) and isinstance(note, NoteTransfer)
    assert end.outcome == outcome
    assert note.shown == ("withdrawn" if code == "TR-501" else "refused")


@pytest.mark.parametrize(
    "role, class_, ends",
    [
        ("destination", "F", True),
        ("destination", "R", True),
        ("destination", "T", False),
        ("origin", "F", False),
    ],
)
def test_only_a_final_end_at_the_destination_ends_the_application(
    role: str, class_: str, ends: bool
) -> None:
    changes = {"role": role, "class": class_}
    (note,) = react(message("transfer-refused", **changes))
    assert isinstance(note, NoteTransfer)
    assert note.ends is ends


def test_release_and_activation_carry_the_new_epoch() -> None:
    departed = react(message("dossier-released"))[0]
    linked = react(message("dossier-activated"))[0]
    assert isinstance(departed, MarkDeparted) and isinstance(linked, LinkSubject)
    assert departed.new_epoch == example("dossier-released")["new_epoch"]
    assert linked.new_epoch == example("dossier-activated")["new_epoch"]


def test_the_verified_dossier_tells_the_day_of_the_first_registration() -> None:
    (noted,) = react(message("dossier-verified", role="destination"))
    assert isinstance(noted, NoteTransfer)
    told = example("dossier-verified")["first_registered_on"]
    assert noted.first_registered_on == date.fromisoformat(told)


@pytest.mark.parametrize(
    "kind, changes",
    [
        ("transfer-requested", {"transfer_id": "xyz"}),
        ("transfer-requested", {"role": "both sides"}),
        ("transfer-requested", {"origin": None}),
        ("transfer-refused", {"class": "ZZ"}),
        ("transfer-applied", {"due": "tomorrow"}),
        ("dossier-released", {"new_epoch": 0}),
        ("dossier-released", {"home": None}),
        ("dossier-activated", {"applicant_ref": None}),
    ],
    ids=str,
)
def test_what_is_no_fact_is_unreadable_and_quotes_nothing(
    kind: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(Unreadable) as error:
        react(message(kind, **changes))
    assert not any(isinstance(v, str) and v in str(error.value) for v in changes.values())


def test_ranks_rise_with_the_stages_of_the_protocol() -> None:  # protocol.md 12
    origin = [
        "transfer-requested",
        "transfer-admitted",
        "dossier-offered",
        "transfer-refused",
        "dossier-released",
        "transfer-settling",
        "transfer-closed",
    ]
    destination = [
        "transfer-applied",
        "transfer-pending",
        "transfer-receiving",
        "dossier-verified",
        "dossier-accepted",
        "transfer-in-doubt",
        "transfer-refused",
        "release-received",
        "dossier-activated",
        "transfer-closed",
    ]
    for role, stages in (("origin", origin), ("destination", destination)):
        ranks = [SHOWN[role, stage][0] for stage in stages]  # type: ignore[index]
        assert ranks == sorted(set(ranks))
