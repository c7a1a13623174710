"""Does every published dossier get the code it must get, in the order of the checks?"""

from __future__ import annotations

from typing import Any

import pytest

from services.transfer.domain import certificates
from services.transfer.domain.commands import Flaw
from services.transfer.domain.credit import credited
from services.transfer.domain.decisions import abort_fits, release_fits
from services.transfer.domain.verify import Verdict, Verification
from services.transfer.domain.verify_offer import (
    homes_of,
    judge_bundle_list,
    judge_chain,
    judge_head,
    judge_known,
    judge_own,
)
from services.transfer.domain.verify_sums import MemoryScratch, sums
from services.transfer.edge.signatures import verify_signature
from shared.canonical import canonical, digest
from tests.support.vectors import directory, message, vectors

DOSSIERS = vectors("dossiers")
CASES = {case["name"]: case for case in DOSSIERS["cases"]}
BUNDLES = {case["name"]: case for case in DOSSIERS["plain_bundles"]}
DECISIONS = {case["name"]: case for case in DOSSIERS["decisions"]["cases"]}


def judged(case: dict[str, Any]) -> tuple[Flaw | None, Verdict | None, MemoryScratch]:
    """Checks 2–13, as an offer of this dossier meets them."""
    book = directory(case.get("directory"))
    head, chain = case["head"], case["custody_chain"]
    about: dict[str, Any] = {
        "subject_id": DOSSIERS["subject_id"],
        "epoch": case.get("epoch", DOSSIERS["epoch"]),
        "home": case.get("origin", DOSSIERS["origin"]),
        "genuine": lambda signed: certificates.is_genuine(signed, book, verify_signature),
    }
    known = [(c["body"]["epoch"], digest(c["body"])) for c in case.get("known_certificates", ())]
    scratch = MemoryScratch()
    flaw = (
        judge_head(head, **about)
        or judge_chain(chain, **about)
        or judge_known(chain, known)
        or judge_own(chain, ())
        or ("bundles" in case and judge_bundle_list(case["bundles"], head["body"]["count"]))
    )
    if flaw:
        return flaw, None, scratch
    verification = Verification(
        head=head,
        homes=homes_of(chain),
        directory=book,
        verify=verify_signature,
        scratch=scratch,
        receipts=case.get("receipts", ()),
    )
    for entry in case["entries"]:
        flaw = verification.take(verification.examine([canonical(entry)]))
        if flaw:
            return flaw, None, scratch
    verdict = verification.conclude()
    return verdict.flaw, verdict, scratch


@pytest.mark.parametrize("name", CASES)
def test_a_dossier_gets_its_code(name: str) -> None:  # transfer 8, F34
    case = CASES[name]
    flaw, verdict, _ = judged(case)
    assert (flaw.code if flaw else None) == case["code"]
    if flaw is None:
        assert verdict is not None and verdict.totals is not None
        assert verdict.state_digest == case["head"]["body"]["state_digest"]
    elif case["code"] != "TR-405":  # an empty chain has nothing to name
        assert flaw.evidence_digest is not None


@pytest.mark.parametrize("name", [name for name in CASES if "credited" in CASES[name]])
def test_overlapping_time_is_credited_once(name: str) -> None:  # transfer 2.4, B41
    case = CASES[name]
    _, _, scratch = judged(case)
    found = {leaf.entry_id: 0 for leaf in scratch.standing() if leaf.kind == "service"}
    found |= {span.entry_id: minutes for span, minutes in credited(scratch.spans())}
    assert found == case["credited"]


@pytest.mark.parametrize("group", DOSSIERS["same_sums_and_state_digest"], ids=lambda g: g[0])
def test_the_order_of_the_leaves_changes_no_sum(group: list[str]) -> None:  # INV-11
    verdicts = [judged(CASES[name])[1] for name in group]
    figures = {(str(v.totals), v.state_digest) for v in verdicts if v is not None}
    assert len(verdicts) == len(group) and len(figures) == 1
    scratches = [judged(CASES[name])[2] for name in group]
    assert len({sums(scratch) for scratch in scratches}) == 1


@pytest.mark.parametrize("name", BUNDLES)
def test_the_plain_bytes_of_a_bundle_have_one_form(name: str) -> None:  # transfer 8, check 8
    case = BUNDLES[name]
    intact = CASES["intact"]
    verification = Verification(
        head=intact["head"],
        homes=homes_of(intact["custody_chain"]),
        directory=directory(),
        verify=verify_signature,
        scratch=MemoryScratch(),
    )
    flaw = verification.bundle(bytes.fromhex(case["plain_hex"]), case["entries"])
    assert (flaw.code if flaw else None) == case["code"]


@pytest.mark.parametrize("name", DECISIONS)
def test_only_the_certificate_that_our_vote_asked_for_decides(name: str) -> None:  # D17, D18
    decisions, case = DOSSIERS["decisions"], DECISIONS[name]
    book = directory()
    vote = message("M6")["body"]
    assert digest(vote) == decisions["vote_digest"]
    parties: dict[str, Any] = {
        "transfer_id": decisions["transfer_id"],
        "origin": DOSSIERS["origin"],
        "destination": decisions["destination"],
        "genuine": lambda signed: certificates.is_genuine(signed, book, verify_signature),
    }
    if case["input"] == "M7":
        fits = release_fits(
            case["certificate"],
            vote=vote["content"],
            vote_digest=decisions["vote_digest"],
            last_link_digest=digest(decisions["custody_chain"][-1]["body"]),
            **parties,
        )
    else:
        fits = abort_fits(case["certificate"], **parties)
    assert fits is case["fits"]


def test_the_dossiers_reach_every_code_that_a_verifier_says() -> None:  # section 8
    reached = {case["code"] for case in [*CASES.values(), *BUNDLES.values()]} - {None}
    assert reached == {
        *("TR-204", "TR-401", "TR-402", "TR-403", "TR-404", "TR-405", "TR-406"),
        *("TR-409", "TR-410", "TR-411", "TR-412", "TR-413"),
    }
    for code in reached:
        flaws = [judged(case)[0] for case in CASES.values() if case["code"] == code]
        assert flaws and {flaw.code for flaw in flaws if flaw} == {code}
