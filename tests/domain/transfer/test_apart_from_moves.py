"""What is decided of custody, policies and barriers, apart from any move?"""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from services.transfer.domain import commands, decider, steps
from services.transfer.domain.case import PairPolicy
from services.transfer.domain.custody import Custody
from services.transfer.domain.office_commands import (
    CloseSubject,
    NotePolicy,
    RaiseBarrier,
    SignGenesis,
)
from services.transfer.domain.rejections import DossierIsNotHere, SubjectBecameKnown
from services.transfer.edge.windows import pair_of
from shared.messages import system
from tests.domain.transfer.test_every_pair import LATER, PLAYED, SUBJECT
from tests.domain.transfer.test_refusals import GENESIS, STANDING, link
from tests.support.moves import at, office
from tests.support.vectors import vectors


def meta() -> dict[str, Any]:
    return {"command_id": UUID(int=9), "actor": system("transfer"), "at": at(LATER)}


# --- custody -------------------------------------------------------------------------------------


def test_an_export_signs_the_first_certificate_once() -> None:  # 2.6, genesis
    wish = SignGenesis(**meta() | {"at": at("2027-01-02T01:00:00Z")}, subject_id=SUBJECT)
    made = decider.sign_genesis(office("amber"), None, wish)
    assert isinstance(made, tuple)
    signed, changed = made
    assert isinstance(signed, steps.CertificateSigned)
    assert signed.digest == vectors("transfer")["genesis_digest"]
    assert isinstance(changed, steps.CustodyChanged)
    assert decider.sign_genesis(office("amber"), changed.custody, wish) == ()


def test_a_dossier_of_another_city_is_not_certified_here() -> None:
    wish = SignGenesis(**meta(), subject_id=SUBJECT)
    gone = replace(STANDING, links=(GENESIS, link(2, "birch", "amber")))
    assert decider.sign_genesis(office("amber"), gone, wish) == DossierIsNotHere(home="birch")
    heard_of = Custody(subject_id=SUBJECT, foreign_epoch=3)
    assert isinstance(decider.sign_genesis(office("amber"), heard_of, wish), DossierIsNotHere)


def test_a_death_closes_the_dossier_and_tells_the_open_move() -> None:  # S42
    custody = replace(STANDING, open_transfer="f" * 64)
    wish = CloseSubject(**meta(), subject_id=SUBJECT, cause="died")
    changed, stop = decider.close_subject(custody, wish)
    assert isinstance(changed, steps.CustodyChanged) and changed.custody.closed
    assert isinstance(stop, steps.StopWanted) and stop.transfer_id == "f" * 64
    assert decider.close_subject(replace(STANDING, closed=True), wish) == ()


def test_a_suspension_ends_and_a_death_does_not() -> None:
    held = CloseSubject(
        **meta(), subject_id=SUBJECT, cause="suspended", authority="court", until=date(2027, 6, 1)
    )
    (changed,) = decider.close_subject(STANDING, held)
    assert isinstance(changed, steps.CustodyChanged)
    assert (changed.custody.suspended, changed.custody.closed) == (True, False)
    free = CloseSubject(**meta(), subject_id=SUBJECT, cause="resumed")
    (changed,) = decider.close_subject(changed.custody, free)
    assert isinstance(changed, steps.CustodyChanged) and not changed.custody.suspended


# --- what the edge could not know ----------------------------------------------------------------


def test_a_command_made_before_the_subject_was_known_is_made_again() -> None:
    amber = copy.deepcopy(PLAYED["origin", "Admitted"])
    wish = commands.WithdrawTransfer(**amber.base(LATER, known=False))
    outcome = decider.decide(office("amber"), amber.file, amber.custody, amber.log, wish)
    assert outcome == SubjectBecameKnown()
    assert SubjectBecameKnown.waits


# --- policies and barriers -----------------------------------------------------------------------


def test_a_policy_version_is_noted_once() -> None:
    wish = NotePolicy(
        **meta(),
        policy_id="pair-default",
        version=1,
        kind="transfer_pair",
        jurisdiction=("*",),
        effective_from=date(1990, 1, 1),
        content={"cooling_off_days": 7},
    )
    (noted,) = decider.note_policy({}, wish)
    assert isinstance(noted, steps.PolicyNoted)
    assert decider.note_policy({"1": "1990-01-01"}, wish) == ()


def policy(days: int, *cities: str, since: str = "1990-01-01", version: int = 1) -> dict[str, Any]:
    return {
        "jurisdiction": list(cities),
        "effective_from": date.fromisoformat(since),
        "version": version,
        "content": {
            "cooling_off_days": days,
            "ceilings_working_days": {"origin_agree": days + 1},
        },
    }


def test_a_policy_of_the_pair_itself_wins() -> None:  # domain 7.2, R48
    day = date(2027, 3, 1)
    cities = ("510100", "500000")
    assert pair_of([], cities, day) == PairPolicy()
    everybody, pair = policy(7, "*"), policy(3, "500000", "510100")
    assert pair_of([everybody], cities, day).cooling_off_days == 7
    found = pair_of([everybody, pair], cities, day)
    assert (found.cooling_off_days, found.ceiling_working_days) == (3, 4)
    # What the policy does not name is as in the default.
    assert found.review_target_working_days == 10
    newer = policy(5, "500000", "510100", since="2027-03-02", version=2)
    assert pair_of([everybody, pair, newer], cities, day).cooling_off_days == 3
    assert pair_of([everybody, pair, newer], cities, date(2027, 3, 2)).cooling_off_days == 5
    assert pair_of([policy(1, "500000", "320100")], cities, day) == PairPolicy()


def test_a_barrier_only_rises() -> None:  # 11 (a), B37
    wish = RaiseBarrier(**meta(), city="birch", incarnation=2)
    assert decider.raise_barrier({}, wish) == (steps.BarrierRaised(city="birch", incarnation=2),)
    assert decider.raise_barrier({"incarnation": 2}, wish) == ()
    assert decider.raise_barrier({"incarnation": 3}, wish) == ()
