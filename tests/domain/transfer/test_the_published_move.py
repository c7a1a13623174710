"""Does the published transfer, replayed through the deciders, end with these very bytes?"""

from __future__ import annotations

from typing import Any

from services.transfer.domain import commands, events, steps
from services.transfer.domain.custody import Custody, RequestLog
from services.transfer.domain.draft import link_of
from shared.canonical import canonical, digest
from tests.support.moves import LIMITS, City, at, sent
from tests.support.vectors import vectors

TRANSFER = vectors("transfer")
WIRE = {message["name"]: message["envelope"] for message in TRANSFER["messages"]}
AFTER = {message["name"]: message["state_after"] for message in TRANSFER["messages"]}
M1, M4 = WIRE["M1"]["body"]["content"], WIRE["M4"]["body"]["content"]
HEAD = M4["head"]["body"]


def cities() -> tuple[City, City]:
    """amber holds the dossier since its genesis; 40 requests came before."""
    about: dict[str, Any] = {
        "transfer_id": TRANSFER["transfer_id"],
        "subject_id": TRANSFER["subject_id"],
    }
    amber = City(name="amber", role="origin", **about)
    amber.custody = Custody(subject_id=amber.subject_id).with_links(
        (link_of(M4["custody_chain"][0]),)
    )
    amber.log = RequestLog(count=40)
    return amber, City(name="birch", role="destination", **about)


def check(amber: City, birch: City, name: str, made: tuple[Any, ...]) -> bytes:
    """The step sent this message, byte for byte, and both sides stand as published."""
    wires = [each.wire for each in sent(made)]
    assert wires == [canonical(WIRE[name])]
    return wires[0]


def stand(amber: City, birch: City, name: str) -> None:
    assert {"amber": amber.status, "birch": birch.status} == AFTER[name]


def apply(birch: City) -> tuple[Any, ...]:
    return birch.do(
        commands.ApplyForTransfer(
            **birch.base("2027-03-01T02:00:00Z", known=False),
            origin="amber",
            destination="birch",
            applicant_ref=M1["applicant_ref"],
            nonce=M1["nonce"],
            code_id=M1["code_id"],
            proof=M1["proof"],
            consent=M1["consent"]["body"],
            seal_key=M1["seal_key"],
            wrapped_seal=b"wrapped",
            limits=LIMITS,
        )
    )


def test_the_published_move_ends_closed_on_both_sides_with_the_published_bytes() -> None:
    amber, birch = cities()

    wire = check(amber, birch, "M1", apply(birch))
    wire = check(amber, birch, "M2", amber.hear(wire, "2027-03-01T02:00:01Z"))
    stand(amber, birch, "M1")
    birch.hear(wire, "2027-03-01T02:00:02Z")
    stand(amber, birch, "M2")

    amber.do(commands.ConfirmIdentity(**amber.base("2027-03-01T02:00:02Z")))
    assert amber.status == "Admitted"
    amber.do(
        commands.NoteFrozen(
            **amber.base("2027-03-01T02:00:03Z"), epoch=1, log_id="log", head=M4["head"]
        )
    )
    assert amber.status == "Frozen"
    offered = amber.do(
        commands.OfferDossier(
            **amber.base("2027-03-01T02:00:04Z"),
            bundles=tuple(M4["bundles"]),
            chain=tuple(M4["custody_chain"]),
            seal_key=M4["seal_key"],
            directory_serial=7,
            pending=("amber-45PZRECSC5BC475BZG25B0FVXN",),
        )
    )
    wire = check(amber, birch, "M4", offered)
    birch.hear(wire, "2027-03-01T02:00:05Z")
    stand(amber, birch, "M4")

    birch.do(commands.TakeBundle(**birch.base("2027-03-01T02:00:05Z"), n=0, good=True))
    assert birch.status == "Verifying"
    birch.do(
        commands.PassChecks(
            **birch.base("2027-03-01T02:00:05Z"),
            root=HEAD["root"],
            count=3,
            totals=HEAD["totals"],
            state_digest=HEAD["state_digest"],
            list_digest="0" * 64,
        )
    )
    assert birch.status == "Staging"
    voted = birch.do(
        commands.NoteStaged(
            **birch.base("2027-03-01T02:00:06Z"), state_digest=HEAD["state_digest"], count=3
        )
    )
    wire = check(amber, birch, "M6", voted)
    stand(amber, birch, "M6")

    wire = check(amber, birch, "M7", amber.hear(wire, "2027-03-01T02:00:07Z"))
    assert amber.file.state is not None
    assert amber.file.state.release.digest == TRANSFER["certificate_digest"]
    birch.hear(wire, "2027-03-01T02:00:08Z")
    stand(amber, birch, "M7")

    adopted = birch.do(
        commands.NoteAdopted(
            **birch.base("2027-03-01T02:00:09Z"),
            new_epoch=2,
            state_digest=HEAD["state_digest"],
            totals=HEAD["totals"],
        )
    )
    wire = check(amber, birch, "M9", adopted)
    amber.hear(wire, "2027-03-01T02:00:10Z")
    stand(amber, birch, "M9")

    for k, sent_at, received_at in (
        (1, "2027-03-03T03:00:02Z", "2027-03-03T03:00:03Z"),
        (2, "2027-03-05T03:00:02Z", "2027-03-05T03:00:03Z"),
    ):
        (entry,) = WIRE[f"M11 k={k}"]["body"]["content"]["entries"]
        made = amber.do(
            commands.ForwardLateChange(
                **amber.base(sent_at), entry=entry, digest=digest(entry["body"])
            )
        )
        wire = check(amber, birch, f"M11 k={k}", made)
        told = birch.hear(wire, received_at)
        (received,) = (e for e in told if isinstance(e, events.SupplementReceived))
        assert (received.k, received.sender) == (k, "amber")
        stand(amber, birch, f"M11 k={k}")
        made = birch.do(
            commands.NoteSupplementApplied(
                **birch.base(received_at),
                sender="amber",
                incarnation=1,
                k=k,
                new=1,
                duplicates=0,
                quarantined=0,
            )
        )
        wire = check(amber, birch, f"M11r k={k}", made)
        amber.hear(wire, received_at)
        stand(amber, birch, f"M11r k={k}")
    (second,) = (
        each.supplement.digest
        for each in amber.told
        if isinstance(each, steps.SupplementMade) and each.supplement.k == 2
    )
    assert second == TRANSFER["supplement_digests"][1]

    made = amber.do(commands.FireTimer(**amber.base("2027-08-28T02:00:10Z"), timer="residual"))
    wire = check(amber, birch, "M12", made)
    stand(amber, birch, "M12")
    wire = check(amber, birch, "M13", birch.hear(wire, "2027-08-28T02:00:11Z"))
    amber.hear(wire, "2027-08-28T02:00:12Z")
    stand(amber, birch, "M13")
    assert (amber.status, birch.status) == ("Closed", "Closed")


def test_the_published_abort_is_what_an_offer_that_lapses_says() -> None:
    amber, birch = cities()
    amber.hear(check(amber, birch, "M1", apply(birch)), "2027-03-01T02:00:01Z")
    amber.do(commands.ConfirmIdentity(**amber.base("2027-03-01T02:00:02Z")))
    amber.do(
        commands.NoteFrozen(
            **amber.base("2027-03-01T02:00:03Z"), epoch=1, log_id="log", head=M4["head"]
        )
    )
    amber.do(
        commands.OfferDossier(
            **amber.base("2027-03-01T02:00:04Z"),
            bundles=tuple(M4["bundles"]),
            chain=tuple(M4["custody_chain"]),
            seal_key=M4["seal_key"],
            directory_serial=7,
        )
    )
    amber.do(commands.FireTimer(**amber.base("2027-03-04T02:00:05Z"), timer="offer"))
    assert amber.status == "Aborted"
    document = amber.file.state.abort.document
    assert document == TRANSFER["abort_certificate_example"]


def test_after_the_release_a_second_request_gets_the_published_pointer() -> None:  # TR-306
    amber, _ = cities()
    link = link_of(WIRE["M7"]["body"]["content"]["certificate"])
    assert amber.custody is not None
    amber.custody = amber.custody.with_links((link,))
    amber.hear(canonical(WIRE["M1"]), "2027-03-09T23:59:59Z")
    said = amber.do(commands.ConfirmIdentity(**amber.base("2027-03-10T00:00:00Z")))
    (refused,) = sent(said)
    assert refused.number == "M3"
    assert amber.status == "Refused"
    refusal = amber.file.state.refusal
    assert refusal.code == "TR-306"
    assert refusal.pointer == TRANSFER["pointer_example"]
    assert at("2027-03-10T00:00:00Z") == amber.file.state.course.since  # type: ignore[union-attr]
