"""What is a standing after an event? Folding never fails: the event has already happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.rewards.domain.standings import events as e
from services.rewards.domain.standings.state import (
    Absent,
    Adopting,
    Application,
    Cell,
    CellMinutes,
    Departed,
    Frozen,
    HeldStarReview,
    Holdings,
    Home,
    PolicyStanding,
    Standing,
    Star,
    StarRef,
    TransferOutcome,
    View,
)


def evolve(view: View, event: e.StandingEvent) -> View:
    """The view after an event; the window stands still, for no event of a standing moves it."""
    return View(standing=_fold(view.standing, event, view.window.node), window=view.window)


def _fold(standing: Standing, event: e.StandingEvent, node: str) -> Standing:
    match event:
        case e.PersonNoted(person=person):
            return replace(_present(standing), person=person)
        case e.RewardsFrozen(transfer_id=transfer, epoch=epoch):
            present = _present(standing)
            return Frozen(
                epoch=epoch,
                transfer_id=transfer,
                person=present.person,
                holdings=present.holdings if isinstance(present, Home | Frozen) else Holdings(),
                transfers=_seen(standing, transfer, "open"),
            )
        case e.RewardsThawed(transfer_id=transfer) if isinstance(standing, Frozen):
            return Home(
                epoch=standing.epoch,
                person=standing.person,
                holdings=standing.holdings,
                transfers=_seen(standing, transfer, "ended"),
            )
        case e.RewardsThawed(transfer_id=transfer) | e.TransferEndNoted(transfer_id=transfer):
            return replace(standing, transfers=_seen(standing, transfer, "ended"))
        case e.RewardsDeparted(transfer_id=transfer, new_epoch=epoch, home=home):
            return Departed(
                new_epoch=epoch,
                home=home,
                person=_present(standing).person,
                transfers=_seen(standing, transfer, "released"),
            )
        case e.CellsWanted():
            return Adopting(
                new_epoch=event.new_epoch,
                transfer_id=event.transfer_id,
                fence=_fence(standing, event.new_epoch),
                person=_present(standing).person,
                transfers=standing.transfers,
            )
        case e.RewardsAdopted():
            return _adopted(standing, event)
        case _:
            present = _present(standing)
            if not isinstance(present, Home | Frozen):
                return standing
            return replace(present, holdings=_holdings(present.holdings, event, node))


def _fence(standing: Standing, new_epoch: int) -> str | None:
    """The freeze of the next move, where it was read before this adoption: it stays."""
    match standing:
        case Frozen(epoch=epoch, transfer_id=transfer) if epoch == new_epoch:
            return transfer
        case Adopting(fence=fence):
            return fence
        case _:
            return None


def _present(standing: Standing) -> Home | Frozen | Departed | Adopting:
    """An absent subject becomes one at home here, in its first epoch, with the first event."""
    return Home(transfers=standing.transfers) if isinstance(standing, Absent) else standing


def _seen(
    standing: Standing, transfer_id: str, outcome: TransferOutcome
) -> Mapping[str, TransferOutcome]:
    return {**standing.transfers, transfer_id: outcome}


def _adopted(standing: Standing, event: e.RewardsAdopted) -> Standing:
    person = replace(_present(standing).person, first_registered_on=event.first_registered_on)
    holdings = Holdings(cells=event.cells, stars=event.stars)
    transfers = _seen(standing, event.transfer_id, "active")
    if (fence := _fence(standing, event.new_epoch)) is not None:
        return Frozen(
            epoch=event.new_epoch,
            transfer_id=fence,
            person=person,
            holdings=holdings,
            transfers=transfers,
        )
    return Home(epoch=event.new_epoch, person=person, holdings=holdings, transfers=transfers)


def _holdings(holdings: Holdings, event: e.StandingEvent, node: str) -> Holdings:
    match event:
        case e.MinutesMoved(differences=differences):
            return replace(holdings, cells=add(holdings.cells, differences))
        case e.StandingChanged():
            return _restand(holdings, event, event.policy_id)
        case e.StarBecameEligible():
            return _restand(holdings, event, event.policy_id, announced=event.level)
        case e.StarApplied():
            application = Application(
                policy_id=event.policy_id,
                policy_version=event.policy_version,
                level=event.level,
                cutoff_on=event.cutoff_on,
                basis_minutes=event.basis_minutes,
                applied_on=event.applied_on,
                due_on=event.due_on,
            )
            return replace(holdings, applications=(*holdings.applications, application))
        case e.StarReviewed(policy_id=policy_id, outcome=outcome):
            return _stage(holdings, policy_id, stage="passed" if outcome == "pass" else "failed")
        case e.StarPublicised(policy_id=policy_id, until=until):
            return _stage(holdings, policy_id, stage="publicised", publicised_until=until)
        case e.StarLapsed(policy_id=policy_id) | e.StarRefused(policy_id=policy_id):
            return _close(holdings, policy_id)
        case e.StarAwarded():
            return _close(_with_star(holdings, _star(event, node)), event.policy_id)
        case e.StarDemoted():
            return _unreview(_with_star(holdings, _star(event, node)), event.policy_id)
        case e.StarKept(policy_id=policy_id):
            return _unreview(holdings, policy_id)
        case e.HeldStarReviewOpened():
            review = HeldStarReview(cause=event.cause, level=event.level, opened_on=event.opened_on)
            return _put(holdings, event.policy_id, review=review)
        case e.StarNoted(star=star, stands=stands):
            return _note(holdings, star, stands)
        case _:
            return holdings


def add(
    cells: tuple[CellMinutes, ...], differences: tuple[CellMinutes, ...]
) -> tuple[CellMinutes, ...]:
    """Sums after differences; a cell whose sum is zero is left out, so equal sums are equal."""
    sums = {one.cell: one.minutes for one in cells}
    for one in differences:
        sums[one.cell] = sums.get(one.cell, 0) + one.minutes
    return tuple(
        CellMinutes(cell=cell, minutes=sums[cell])
        for cell in sorted(sums, key=Cell.order)
        if sums[cell]
    )


def _restand(
    holdings: Holdings,
    event: e.StandingChanged | e.StarBecameEligible,
    policy_id: str,
    **changes: Any,
) -> Holdings:
    return _put(
        holdings,
        policy_id,
        policy_version=event.policy_version,
        eligible_minutes=event.eligible_minutes,
        **changes,
    )


def _put(holdings: Holdings, policy_id: str, **changes: Any) -> Holdings:
    before = holdings.standings.get(policy_id) or PolicyStanding(
        policy_version=1, eligible_minutes=0
    )
    return replace(
        holdings, standings={**holdings.standings, policy_id: replace(before, **changes)}
    )


def _unreview(holdings: Holdings, policy_id: str) -> Holdings:
    return _put(holdings, policy_id, review=None)


def _stage(holdings: Holdings, policy_id: str, **changes: Any) -> Holdings:
    return replace(
        holdings,
        applications=tuple(
            replace(one, **changes) if one.policy_id == policy_id else one
            for one in holdings.applications
        ),
    )


def _close(holdings: Holdings, policy_id: str) -> Holdings:
    return replace(
        holdings,
        applications=tuple(one for one in holdings.applications if one.policy_id != policy_id),
    )


def _with_star(holdings: Holdings, star: Star) -> Holdings:
    return replace(holdings, stars=(*holdings.stars, star))


def _star(event: e.StarDecision, node: str) -> Star:
    return Star(
        issuer=node,
        own=True,
        entry_id=None,
        award_id=event.award_id,
        level=event.level,
        policy_id=event.policy_id,
        policy_version=event.policy_version,
        basis_minutes=event.basis_minutes,
        occurred_on=event.awarded_on,
        award_mode=event.award_mode,
        lowers=StarRef(issuer=event.lowers.issuer, entry_id=event.lowers.entry_id)
        if event.lowers
        else None,
    )


def _note(holdings: Holdings, star: Star, stands: bool) -> Holdings:
    """Puts in a star entry, gives an own award its entry id, or takes one out that is revoked."""
    stars = list(holdings.stars)
    for index, known in enumerate(stars):
        if _same(known, star):
            if stands:
                stars[index] = replace(star, award_id=known.award_id)
            else:
                del stars[index]
            return replace(holdings, stars=tuple(stars))
    return replace(holdings, stars=(*stars, star)) if stands else holdings


def _same(known: Star, star: Star) -> bool:
    if known.issuer != star.issuer:
        return False
    if known.entry_id is not None:
        return known.entry_id == star.entry_id
    return (known.policy_id, known.policy_version, known.level, known.occurred_on) == (
        star.policy_id,
        star.policy_version,
        star.level,
        star.occurred_on,
    )
