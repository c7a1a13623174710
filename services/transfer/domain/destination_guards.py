"""What must hold at the city that takes over? The guards of section 6.2, each named by its row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.transfer.domain import channel, decisions
from services.transfer.domain.case import Case
from services.transfer.domain.refusals import GROUNDS
from shared.canonical import digest

# The destination's part ends this long before the offer does (12, lapse).
LAPSE = timedelta(minutes=5)
BUNDLE_TRIES = 5


def refusal_is_temporary(case: Case) -> bool:
    return GROUNDS[case.content["code"]].refusal_class == "T"


def refusal_is_not_temporary(case: Case) -> bool:
    return not refusal_is_temporary(case)


def offer_is_good(case: Case) -> bool:
    """Checks 1–6 of section 8: made at the edge, which holds directory and certificates."""
    subject: str | None = case.command.subject_id
    return case.command.flaw is None and case.content["subject_id"] == subject


def offer_has_bundles(case: Case) -> bool:
    return offer_is_good(case) and bool(case.content["bundles"])


def offer_is_empty(case: Case) -> bool:
    return offer_is_good(case) and not case.content["bundles"]


def offer_is_flawed(case: Case) -> bool:
    flaw: object | None = case.command.flaw
    return flaw is not None


def _counts(case: Case) -> bool:
    n: int = case.command.n
    return 0 <= n < len(case.state.offer.bundles)


def bundle_is_not_last(case: Case) -> bool:
    """D7: a good one with others missing, or a bad one that may be tried again."""
    if not _counts(case):
        return False
    if case.command.good:
        return len(case.state.arrived | {case.command.n}) < len(case.state.offer.bundles)
    return tries(case) < BUNDLE_TRIES


def bundle_is_last(case: Case) -> bool:
    return (
        _counts(case)
        and case.command.good
        and len(case.state.arrived | {case.command.n}) == len(case.state.offer.bundles)
    )


def bundle_is_hopeless(case: Case) -> bool:
    return _counts(case) and not case.command.good and tries(case) >= BUNDLE_TRIES


def tries(case: Case) -> int:
    """How often this bundle has come bad, with this time."""
    so_far: int = case.state.bad.get(case.command.n, 0)
    return so_far + 1


def computed_is_offered(case: Case) -> bool:
    """D9: what was recomputed is what the head says; the pass itself made checks 8–13."""
    head = case.state.offer.body
    command = case.command
    return bool(
        command.root == head["root"]
        and command.count == head["count"]
        and dict(command.totals) == head["totals"]
        and command.state_digest == head["state_digest"]
    )


def is_before_lapse(case: Case) -> bool:
    return bool(case.at < case.state.offer.expires_at - LAPSE)


def staged_as_computed(case: Case) -> bool:
    """D11: records computed the same from its rows, and there is time for a promise."""
    computed = case.state.computed
    return bool(
        is_before_lapse(case)
        and case.command.state_digest == computed["state_digest"]
        and case.command.count == computed["count"]
    )


def is_late_or_differs(case: Case) -> bool:
    """D12: each timer in the state it belongs to, a failure, or a stage too late or wrong."""
    name, status = case.command.name, case.file.status
    if name == "timer verify":
        return status == "Verifying"
    if name == "timer stage":
        return status == "Staging"
    if name == "timer lapse":
        return True
    if status != "Staging":
        return False
    return name == "StagingFailed" or not staged_as_computed(case)


def was_not_answered(case: Case) -> bool:
    """D14: no M2 came."""
    return case.state.review_due is None


def was_answered(case: Case) -> bool:
    return case.state.review_due is not None


def refusal_was_ours(case: Case) -> bool:
    """D15."""
    return bool(case.state.refusal.by == "destination" and case.state.refusal.content is not None)


# --- decisions of the origin --------------------------------------------------------------------


def decision(case: Case) -> Mapping[str, Any] | None:
    """The signed certificate in an M7, M8 or status-reply."""
    content = case.content
    found = content.get("certificate") or content.get("decision")
    return found if found is None else dict(found)


def release_fits(case: Case) -> bool:
    """D17: signed by the origin, names our vote and what it promised, and continues the chain."""
    document, state = decision(case), case.state
    return document is not None and decisions.release_fits(
        document,
        transfer_id=state.course.transfer_id,
        origin=state.course.origin,
        destination=state.course.destination,
        vote=state.computed,
        vote_digest=state.vote.digest,
        last_link_digest=state.offer.chain[-1].digest,
        genuine=case.genuine,
    )


def abort_fits(case: Case) -> bool:
    """D18: the origin's signed word that this transfer, between these two, has ended."""
    document, course = decision(case), case.state.course
    return document is not None and decisions.abort_fits(
        document,
        transfer_id=course.transfer_id,
        origin=course.origin,
        destination=course.destination,
        genuine=case.genuine,
    )


def decision_does_not_fit(case: Case) -> bool:
    """D17b: a certificate came, and it is neither the release of our vote nor a valid abort."""
    return decision(case) is not None and not release_fits(case) and not abort_fits(case)


def abort_does_not_fit(case: Case) -> bool:
    """D18d: before a vote no release can fit."""
    return decision(case) is not None and not abort_fits(case)


def release_is_another(case: Case) -> bool:
    """D30: an abort, or a release that is not the one acted upon."""
    document = decision(case)
    if document is None:
        return False
    acted_upon: str = case.state.release.digest
    return digest(document["body"]) != acted_upon


def release_is_the_same(case: Case) -> bool:
    """D30a."""
    return not release_is_another(case)


def adopted_as_staged(case: Case) -> bool:
    """D21: what stands here is what was verified, under the new epoch."""
    return bool(
        case.command.state_digest == case.state.computed["state_digest"]
        and case.command.new_epoch == case.state.subject.epoch + 1
    )


def closing_is_equal(case: Case) -> bool:
    """D27: everything but closed_at, recomputed, and all of it applied here."""
    flow = case.state.course.inflow
    content = case.content
    return bool(
        content["supplements"] == flow.k
        and content["entries"] == flow.entries
        and content["last_digest"] == flow.last_digest
        and content["root"] == channel.root_of(flow.frontier)
        and flow.applied == flow.k
        and not flow.waiting
    )


def closing_differs(case: Case) -> bool:
    return not closing_is_equal(case)
