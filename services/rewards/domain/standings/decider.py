"""What does a standing answer to a command? One screen per kind of asker.

``decide`` is pure; the local day comes from ``at`` (for facts: the time of the event, R48).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from services.rewards.domain.policies.model import in_force
from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings import events as e
from services.rewards.domain.standings import rejections as r
from services.rewards.domain.standings.folding import evolve
from services.rewards.domain.standings.judging import counts_as, judge, standing_stars
from services.rewards.domain.standings.reviewing import decide_application
from services.rewards.domain.standings.state import (
    Absent,
    Adopting,
    Departed,
    Frozen,
    Home,
    Person,
    View,
)
from shared.messages import Rejection

SHANGHAI = ZoneInfo("Asia/Shanghai")
Decision = tuple[e.StandingEvent, ...] | Rejection


def local_day(at: datetime) -> date:
    """The legal day of an instant, in Asia/Shanghai (R2)."""
    return at.astimezone(SHANGHAI).date()


def decide(view: View, command: c.StandingCommand) -> Decision:
    """Events, silence (no events), or the reason why not."""
    if isinstance(view.standing, Adopting) and isinstance(
        command, c.RecomputeStanding | c.NoteStar | c.FreezeRewards
    ):
        return r.CellsAreMissing()
    match command:
        case c.NotePerson():
            return _note_person(view, command)
        case c.RecomputeStanding():
            return _recompute(view, command)
        case c.NoteStar():
            return _note_star(view, command)
        case c.FreezeRewards():
            return _freeze(view, command)
        case c.ThawRewards():
            return _thaw(view, command)
        case c.DepartRewards():
            return _depart(view, command)
        case c.FetchCells() | c.AdoptRewards():
            return _adopt(view, command)
        case _:
            return decide_application(view, command, local_day(command.at))


def _then_judged(view: View, command: c.StandingCommand, *first: e.StandingEvent) -> Decision:
    """The events, and what follows from them under every policy in force."""
    after = _folded(view, first)
    return (
        *first,
        *judge(after, command.subject_id, local_day(command.at), command.command_id),
    )


def _folded(view: View, events: Iterable[e.StandingEvent]) -> View:
    for event in events:
        view = evolve(view, event)
    return view


def _note_person(view: View, command: c.NotePerson) -> Decision:
    standing = view.standing
    known = Person() if isinstance(standing, Absent) else standing.person
    person = Person(
        residence_region=command.residence_region or known.residence_region,
        first_registered_on=known.first_registered_on or command.first_registered_on,
        claimed=known.claimed if command.claimed is None else command.claimed,
    )
    if person == known:
        return ()
    return _then_judged(view, command, e.PersonNoted(subject_id=command.subject_id, person=person))


def _recompute(view: View, command: c.RecomputeStanding) -> Decision:
    if isinstance(view.standing, Departed):
        return ()
    differences = tuple(one for one in command.differences if one.minutes)
    if not differences:
        return _then_judged(view, command)
    moved = e.MinutesMoved(subject_id=command.subject_id, differences=differences)
    return _then_judged(view, command, moved)


def _note_star(view: View, command: c.NoteStar) -> Decision:
    if isinstance(view.standing, Departed):
        return ()
    noted = e.StarNoted(subject_id=command.subject_id, star=command.star, stands=command.stands)
    after = evolve(view, noted)
    if after == view:
        return ()
    recognised = () if command.star.own or not command.stands else _recognised(after, command)
    return _then_judged(view, command, noted, *recognised)


def _recognised(view: View, command: c.StandingCommand) -> tuple[e.StarRecognised, ...]:
    """One event for each standing star of another city and each policy that takes it over."""
    standing = view.standing
    if not isinstance(standing, Home | Frozen):
        return ()
    policies = in_force(view.window.policies, local_day(command.at), view.region())
    return tuple(
        e.StarRecognised(
            subject_id=command.subject_id,
            issuer=star.issuer,
            entry_id=star.entry_id or "",
            level=star.level,
            award_mode=star.award_mode,
            star_policy_id=star.policy_id,
            basis_minutes=star.basis_minutes,
            policy_id=policy.policy_id,
            counts_as_level=counts_as(policy, star),
        )
        for star in standing_stars(standing.holdings.stars)
        if not star.own and star.level > 0
        if not isinstance(command, c.NoteStar) or star.entry_id == command.star.entry_id
        for policy in policies
        if policy.recognises_stars
    )


def _freeze(view: View, command: c.FreezeRewards) -> Decision:
    standing = view.standing
    if standing.transfers.get(command.transfer_id, "open") != "open":
        return ()
    match standing:
        case Frozen(transfer_id=transfer) if transfer != command.transfer_id:
            return ()  # the fence is never overwritten; the former end is still to be read
        case Home(epoch=epoch) if command.epoch < epoch:
            return ()
        case Departed(new_epoch=epoch) if command.epoch < epoch:
            return ()
        case Home(holdings=holdings):
            lapsed = tuple(
                e.StarLapsed(
                    subject_id=command.subject_id,
                    policy_id=one.policy_id,
                    level=one.level,
                    cutoff_on=one.cutoff_on,
                    transfer_id=command.transfer_id,
                )
                for one in holdings.applications
            )
        case _:
            lapsed = ()
    frozen = e.RewardsFrozen(
        subject_id=command.subject_id, transfer_id=command.transfer_id, epoch=command.epoch
    )
    return (*lapsed, frozen)


def _thaw(view: View, command: c.ThawRewards) -> Decision:
    standing = view.standing
    if isinstance(standing, Frozen) and standing.transfer_id == command.transfer_id:
        thawed = e.RewardsThawed(subject_id=command.subject_id, transfer_id=command.transfer_id)
        return _then_judged(view, command, thawed)
    if command.transfer_id in standing.transfers:
        return ()
    return (e.TransferEndNoted(subject_id=command.subject_id, transfer_id=command.transfer_id),)


def _depart(view: View, command: c.DepartRewards) -> Decision:
    match view.standing:
        case Departed(new_epoch=epoch) if epoch > command.new_epoch:
            return ()
        case Home(epoch=epoch) | Frozen(epoch=epoch) | Adopting(new_epoch=epoch) if (
            epoch >= command.new_epoch
        ):
            return ()  # the subject has come back since
    return (
        e.RewardsDeparted(
            subject_id=command.subject_id,
            transfer_id=command.transfer_id,
            new_epoch=command.new_epoch,
            home=command.home,
        ),
    )


def _adopt(view: View, command: c.FetchCells | c.AdoptRewards) -> Decision:
    standing = view.standing
    match standing:
        case Departed(new_epoch=epoch) if epoch >= command.new_epoch:
            return ()  # released again since; an older snapshot revives nothing
        case Home(epoch=epoch) if epoch > command.new_epoch:
            return ()
        case Frozen(epoch=epoch) if epoch > command.new_epoch:
            return ()
        case Home(epoch=epoch, transfers=transfers) | Frozen(epoch=epoch, transfers=transfers) if (
            epoch == command.new_epoch and transfers.get(command.transfer_id) == "active"
        ):
            return ()
        case Adopting(new_epoch=epoch) if epoch > command.new_epoch:
            return ()
    if isinstance(command, c.FetchCells):
        return (
            e.CellsWanted(
                subject_id=command.subject_id,
                transfer_id=command.transfer_id,
                new_epoch=command.new_epoch,
                first_registered_on=command.first_registered_on,
                stars=command.stars,
                digest=command.digest,
                path=command.path,
            ),
        )
    adopted = e.RewardsAdopted(
        subject_id=command.subject_id,
        transfer_id=command.transfer_id,
        new_epoch=command.new_epoch,
        first_registered_on=command.first_registered_on,
        cells=command.cells,
        stars=command.stars,
    )
    after = evolve(view, adopted)
    return _then_judged(view, command, adopted, *_recognised(after, command))
