"""On which grounds does a move end, with which code, and what is said beside it?"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.transfer.domain import commands, events, steps
from services.transfer.domain.custody import Custody, Link, RequestLog
from services.transfer.domain.events import Hold
from services.transfer.domain.refusals import GROUNDS
from shared.canonical import load_canonical
from tests.domain.transfer.test_every_pair import (
    ABORT,
    AFTER_THE_OFFER,
    LATER,
    PLAYED,
    SUBJECT,
    WIRE,
    letter,
    staged,
    take,
)
from tests.domain.transfer.test_the_published_move import cities
from tests.support.moves import City, at, sent
from tests.support.vectors import resigned

REQUESTED_AT = "2027-03-01T02:00:01Z"
COURT = Hold(authority="渝中区人民法院", until=date(2027, 6, 30))


def fresh(role: str, status: str) -> City:
    return copy.deepcopy(PLAYED[role, status])  # type: ignore[index]


def ended(city: City) -> tuple[str, Any]:
    """The code under which it ended, and M3's content if this side sent one."""
    told = [event for event in city.told if isinstance(event, events.TransferEnded)]
    refusal = getattr(city.file.state, "refusal", None)
    assert refusal is not None and told[-1].code == refusal.code
    last = [event for event in city.told if isinstance(event, steps.MessageSent)][-1]
    content = load_canonical(last.wire)["body"]["content"] if last.number == "M3" else None
    return refusal.code, content


# --- at the origin: the request ------------------------------------------------------------------


def request(change: Callable[[dict[str, Any]], None] | None = None, **more: Any) -> City:
    amber, _ = cities()
    wire = copy.deepcopy(WIRE["M1"])
    if change is not None:
        change(wire["body"]["content"])
        wire = resigned(wire["body"], wire["kid"], "jiexu-envelope-v1")
    amber.hear(wire, REQUESTED_AT, **more)
    return amber


def consent(**changed: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        body = content["consent"]["body"] | changed
        content["consent"] = resigned(body, "birch:f624a90919910879", "jiexu-consent-v1")

    return change


def test_a_request_is_refused_for_its_consent() -> None:  # TR-201, R40
    for changed in (
        {"expires_at": "2027-03-01T02:00:00Z"},
        {"provider": "cedar"},
        {"purpose": "visit"},
        {"applicant_ref": "0" * 32},
        {"guardian": {"relation": "father", "verified": False}},
    ):
        assert ended(request(consent(**changed)))[0] == "TR-201"


def test_a_consent_that_nobody_signed_is_refused() -> None:  # TR-204
    def forged(content: dict[str, Any]) -> None:
        content["consent"]["sig"] = "0" * 128

    assert ended(request(forged))[0] == "TR-204"


def test_a_city_without_title_is_refused() -> None:  # TR-202
    assert ended(request(flaw=commands.Flaw(code="TR-202")))[0] == "TR-202"


def test_what_a_first_release_does_not_do_is_refused() -> None:  # TR-401
    for changed in ({"purpose": "visit"}, {"suites": ["sm-1"]}, {"protocols": ["jiexu/2.0"]}):
        assert ended(request(lambda content, changed=changed: content.update(changed)))[0] == (
            "TR-401"
        )


def test_a_city_that_asks_too_often_waits_until_midnight() -> None:  # TR-205
    amber, _ = cities()
    day = date(2027, 3, 1)
    amber.log = RequestLog(count=40, day=day, by_peer={"birch": 2000})
    amber.hear(WIRE["M1"], REQUESTED_AT)
    code, said = ended(amber)
    # 10:00:01 in Shanghai, so 24:00 is 14 hours less one second away.
    assert (code, said["class"], said["retry_after_seconds"]) == ("TR-205", "T", 50_399)


# --- at the origin: the person and the dossier ---------------------------------------------------


@pytest.mark.parametrize("code", ["TR-101", "TR-102", "TR-103", "TR-104", "TR-105"])
def test_registry_denies(code: str) -> None:
    amber = fresh("origin", "Requested")
    amber.do(commands.DenyIdentity(**amber.base(LATER, known=False), code=code))
    found, said = ended(amber)
    assert (found, said["class"], said["stage"]) == (code, GROUNDS[code].refusal_class, "review")


@pytest.mark.parametrize("after_ms, held_ms", [(0, 200), (50, 150), (200, 0), (60_000, 0)])
def test_a_denial_leaves_200_ms_after_its_request(after_ms: int, held_ms: int) -> None:
    amber = fresh("origin", "Requested")
    asked = amber.file.state.course.request.at
    base = amber.base(LATER, known=False) | {"at": asked + timedelta(milliseconds=after_ms)}
    amber.do(commands.DenyIdentity(**base, code="TR-102"))
    last = [event for event in amber.told if isinstance(event, steps.MessageSent)][-1]
    assert (last.number, last.held_ms) == ("M3", held_ms)


def link(epoch: int, home: str, issuer: str, kind: Any = "release") -> Link:
    return Link(
        epoch=epoch, home=home, issuer=issuer, kind=kind, digest=f"{epoch:064d}", at=at(LATER)
    )


GENESIS = link(1, "amber", "amber", "genesis")
STANDING = Custody(subject_id=SUBJECT, links=(GENESIS,))


def confirmed(custody: Custody, *holds: Hold, when: str = LATER) -> City:
    amber = fresh("origin", "Requested")
    amber.custody = custody
    amber.do(commands.ConfirmIdentity(**amber.base(when), holds=holds))
    return amber


@pytest.mark.parametrize(
    "code, custody, holds",
    [
        ("TR-203", replace(STANDING, links=(GENESIS, link(2, "cedar", "birch"))), ()),
        ("TR-301", replace(STANDING, open_transfer="f" * 64, open_since=date(2027, 2, 28)), ()),
        ("TR-303", replace(STANDING, foreign_epoch=2), ()),
        ("TR-305", STANDING, (COURT,)),
        ("TR-306", replace(STANDING, links=(GENESIS, link(2, "birch", "amber"))), ()),
        ("TR-307", replace(STANDING, closed=True), ()),
    ],
)
def test_the_dossier_is_not_to_be_had(code: str, custody: Custody, holds: Any) -> None:
    amber = confirmed(custody, *holds)
    found, said = ended(amber)
    assert (found, amber.status) == (code, "Refused")
    assert (said["pointer"] is not None) == (code in ("TR-203", "TR-306"))
    assert (said["hold"] is not None) == (code == "TR-305")
    assert said["open_since"] == ("2027-02-28" if code == "TR-301" else None)
    assert (said["appeal_until"] is not None) == (said["class"] in ("F", "R"))


def test_who_moved_in_days_ago_waits_out_the_rest() -> None:  # TR-304
    came = at(LATER) - timedelta(days=5)
    custody = replace(STANDING, moved_in_at=came, moved_in_from="cedar")
    code, said = ended(confirmed(custody))
    assert (code, said["retry_after_seconds"]) == ("TR-304", 2 * 86_400)
    assert confirmed(replace(custody, moved_in_at=came - timedelta(days=2))).status == "Admitted"


def test_who_goes_back_at_once_does_not_wait() -> None:  # 11: withdrawn after the release
    custody = replace(STANDING, moved_in_from="birch", moved_in_at=at(LATER) - timedelta(hours=71))
    assert confirmed(custody).status == "Admitted"
    late = replace(custody, moved_in_at=at(LATER) - timedelta(hours=73))
    assert ended(confirmed(late))[0] == "TR-304"


# --- at the origin: before the release -----------------------------------------------------------


def test_what_is_not_frozen_or_read_in_time_is_aborted() -> None:  # TR-308, TR-505, TR-408
    for status, command, code in (
        ("Admitted", "freeze", "TR-308"),
        ("Frozen", "freeze", "TR-505"),
        ("Frozen", "unreadable", "TR-505"),
        ("Frozen", "limits", "TR-408"),
    ):
        amber = fresh("origin", status)
        base = amber.base(LATER)
        amber.do(
            {
                "freeze": commands.FireTimer(**base, timer="freeze"),
                "unreadable": commands.ReportUnreadable(**base, reason="broken"),
                "limits": commands.ReportLimits(**base),
            }[command]
        )
        assert (amber.status, ended(amber)[0]) == ("Aborted", code)
        assert amber.custody is not None and amber.custody.open_transfer is None


def vote(**changed: Any) -> City:
    amber = fresh("origin", "Offered")
    content = copy.deepcopy(WIRE["M6"]["body"]["content"]) | changed
    amber.do(take(amber.base(LATER), letter("accepted", "birch", content)))
    return amber


def test_the_first_difference_of_a_vote_names_the_code() -> None:  # O13, B11
    zeros = "0" * 64
    totals = dict(WIRE["M6"]["body"]["content"]["totals"]) | {"credited_minutes": 96}
    for code, changed in (
        ("TR-402", {"count": 4, "totals": totals, "root": zeros}),
        ("TR-409", {"totals": totals, "state_digest": zeros}),
        ("TR-413", {"state_digest": zeros, "root": zeros}),
        ("TR-403", {"root": zeros}),
        ("TR-403", {"offer_digest": zeros}),
        ("TR-403", {"epoch": 2}),
    ):
        amber = vote(**changed)
        assert (amber.status, ended(amber)[0]) == ("Aborted", code)
    assert vote().status == "Released"


def test_an_offer_that_lapses_says_whether_it_was_ever_heard() -> None:  # O14
    for receipted, code in ((True, "TR-502"), (False, "TR-503")):
        amber = fresh("origin", "Offered")
        amber.do(
            commands.FireTimer(**amber.base(AFTER_THE_OFFER), timer="offer", m4_receipted=receipted)
        )
        assert ended(amber)[0] == code


def test_a_death_or_a_suspension_ends_an_open_move() -> None:  # O16, S42
    for status in ("Admitted", "Frozen", "Offered"):
        amber = fresh("origin", status)
        amber.do(commands.NoteDeath(**amber.base(LATER)))
        assert ended(amber)[0] == "TR-307"
        amber = fresh("origin", status)
        amber.do(commands.NoteSuspension(**amber.base(LATER), hold=COURT))
        assert ended(amber)[0] == "TR-305"
        told = [e for e in amber.told if isinstance(e, events.TransferEnded)]
        assert told[-1].hold == COURT


# --- at the destination --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["TR-204", "TR-303", "TR-401", "TR-402", "TR-405", "TR-406", "TR-408"]
)
def test_an_offer_with_a_flaw_is_refused(code: str) -> None:  # section 8, 1–6
    birch = fresh("destination", "Requested")
    flaw = commands.Flaw(code=code, evidence_digest="0" * 64, evidence={"digest": "0" * 64})
    birch.do(take(birch.base(LATER), WIRE["M4"], flaw=flaw))
    found, said = ended(birch)
    assert (birch.status, found) == ("Refused", code)
    # Section 7 lets the origin alone say TR-303: the peer is told that the chain is broken.
    assert said["code"] == ("TR-405" if code == "TR-303" else code)
    assert any(isinstance(event, steps.EvidenceKept) for event in birch.told)


@pytest.mark.parametrize(
    "code",
    ["TR-401", "TR-402", "TR-403", "TR-404", "TR-406", "TR-409", "TR-410", "TR-411", "TR-412"],
)
def test_a_check_that_fails_names_the_code(code: str) -> None:  # section 8, 8–13
    birch = fresh("destination", "Verifying")
    flaw = commands.Flaw(code=code, evidence_digest="1" * 64)
    birch.do(commands.FailCheck(**birch.base(LATER), flaw=flaw))
    found, said = ended(birch)
    assert (found, said["evidence_digest"], said["stage"]) == (code, "1" * 64, "verify")
    assert any(isinstance(event, steps.SealDestroyed) for event in birch.told)


def test_a_bundle_that_is_bad_five_times_ends_it() -> None:  # TR-407
    birch = fresh("destination", "Receiving")
    for tries in range(5):
        assert birch.status == "Receiving", tries
        birch.do(commands.TakeBundle(**birch.base(LATER), n=0, good=False))
    assert ended(birch)[0] == "TR-407"


def test_records_cannot_stage() -> None:  # TR-411, TR-413, TR-506, TR-502
    birch = fresh("destination", "Staging")
    for command, code in (
        (commands.NoteStagingFailed(**birch.base(LATER), code="TR-411"), "TR-411"),
        (commands.NoteStagingFailed(**birch.base(LATER), code="TR-506"), "TR-506"),
        (staged(birch, LATER, "0" * 64), "TR-413"),
        (staged(birch, "2027-03-04T01:56:00Z"), "TR-502"),
        (commands.FireTimer(**birch.base(LATER), timer="stage"), "TR-506"),
        (commands.FireTimer(**birch.base(LATER), timer="lapse"), "TR-502"),
    ):
        side = fresh("destination", "Staging")
        side.do(command)
        assert ended(side)[0] == code


def test_an_origin_that_does_not_answer_is_tried_again_for_three_days() -> None:  # TR-504
    birch = fresh("destination", "Requested")
    birch.do(commands.FireTimer(**birch.base("2027-03-01T05:00:00Z"), timer="request"))
    code, said = ended(birch)
    assert (code, said["code"]) == ("TR-504", "TR-502")
    (retry,) = (event for event in birch.told if isinstance(event, steps.RetryWanted))
    assert (retry.due_at, retry.attempt) == (at("2027-03-01T06:00:00Z"), 2)
    late = fresh("destination", "Requested")
    late.do(commands.FireTimer(**late.base("2027-03-04T02:00:00Z"), timer="request"))
    assert not any(isinstance(event, steps.RetryWanted) for event in late.told)


def test_the_review_at_the_origin_does_not_count_against_the_retries() -> None:  # 12, retry
    birch = fresh("destination", "Requested")
    birch.hear(WIRE["M2"], "2027-03-01T02:00:02Z")
    content = {
        **dict.fromkeys(("evidence_digest", "pointer", "hold", "open_since", "appeal_until")),
        "code": "TR-301",
        "class": "T",
        "stage": "review",
        "retry_after_seconds": 3600,
    }
    birch.hear(letter("refused", "amber", content), "2027-03-20T02:00:02Z")
    (retry,) = (event for event in birch.told if isinstance(event, steps.RetryWanted))
    assert retry.due_at == at("2027-03-20T03:00:02Z")
    assert retry.reviewed_seconds == 19 * 86_400


def test_withdrawn_ends_it_for_good() -> None:  # TR-501, R40
    birch = fresh("destination", "Receiving")
    birch.do(commands.WithdrawTransfer(**birch.base(LATER)))
    assert ended(birch)[0] == "TR-501"
    assert not any(isinstance(event, steps.RetryWanted) for event in birch.told)
    amber = fresh("origin", "Offered")
    amber.do(commands.WithdrawTransfer(**amber.base(LATER)))
    assert ended(amber)[0] == "TR-501"


def test_after_the_vote_a_withdrawal_is_only_a_wish() -> None:  # D16
    birch = fresh("destination", "Accepted")
    said = sent(birch.do(commands.WithdrawTransfer(**birch.base(LATER))))
    assert [each.number for each in said] == ["M14"]
    assert birch.status == "Accepted"
    assert birch.file.state is not None and birch.file.state.course.withdrawn


def test_after_the_release_nothing_ends_it() -> None:  # O24a, B08, R37
    for status in ("Released", "Settling", "Closing", "Closed"):
        amber = fresh("origin", status)
        before = amber.file.state
        for timer in ("freeze", "offer"):
            amber.do(commands.FireTimer(**amber.base(AFTER_THE_OFFER), timer=timer))
        amber.do(commands.WithdrawTransfer(**amber.base(LATER)))
        assert amber.file.state == before


# --- certificates that are kept ------------------------------------------------------------------


def test_the_origins_certificates_are_kept_by_the_destination() -> None:  # D18, D18c
    aborted = letter("aborted", "amber", {"certificate": ABORT})
    for status in ("Receiving", "Accepted"):
        birch = fresh("destination", status)
        birch.do(take(birch.base(LATER), aborted))
        kept = [event for event in birch.told if isinstance(event, steps.CertificatesKept)]
        assert (birch.status, kept[-1].documents) == ("Aborted", (ABORT,))
    birch = fresh("destination", "Refused")
    birch.do(take(birch.base(LATER), aborted))
    kept = [event for event in birch.told if isinstance(event, steps.CertificatesKept)]
    assert (birch.status, kept[-1].documents) == ("Refused", (ABORT,))


def test_a_release_after_an_end_raises_the_epoch_seen() -> None:  # D29, TR-303
    birch = fresh("destination", "Aborted")
    birch.custody = Custody(subject_id=SUBJECT, foreign_epoch=1)
    made = birch.do(take(birch.base(LATER), WIRE["M7"]))
    assert any(isinstance(each, events.EquivocationFound) for each in made)
    assert birch.custody.foreign_epoch == 2
    # An abort after the release names no new epoch.
    birch = fresh("destination", "Activating")
    birch.custody = Custody(subject_id=SUBJECT, foreign_epoch=1)
    birch.do(take(birch.base(LATER), letter("aborted", "amber", {"certificate": ABORT})))
    assert birch.custody.foreign_epoch == 1
