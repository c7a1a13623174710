"""What may a volunteer and the deciding authority do about a star? Application to award."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from services.rewards.domain.free_text import holds_personal_data
from services.rewards.domain.policies.model import (
    Level,
    StarPolicy,
    Window,
    in_force,
    region_holds,
)
from services.rewards.domain.standings import commands as c
from services.rewards.domain.standings import events as e
from services.rewards.domain.standings import rejections as r
from services.rewards.domain.standings.judging import (
    award,
    award_id,
    counts_as,
    eligible_minutes,
    standing_stars,
    star_held,
)
from services.rewards.domain.standings.state import (
    Absent,
    Adopting,
    Application,
    Departed,
    Frozen,
    Home,
    View,
)
from shared.messages import Actor, Rejection

Decision = tuple[e.StandingEvent, ...] | Rejection

# A reviewer of a level may decide what a lower level may.
REVIEWERS = {
    "county": ("county_reviewer", "city_reviewer", "province_reviewer"),
    "city": ("city_reviewer", "province_reviewer"),
    "province": ("province_reviewer",),
}
REASONS_MAX_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Case:
    """A command on a standing that is at home, under a policy in force on its day."""

    view: View
    home: Home
    policy: StarPolicy
    day: date


def decide_application(view: View, command: c.StandingCommand, day: date) -> Decision:
    """Applications, reviews, awards, recognition, and the review of held stars."""
    if not isinstance(command, c.ShowStar) and (no := _actor_may(view, command)):
        return no
    match view.standing:
        case Absent():
            return r.SubjectIsUnknown()
        case Departed(home=city):
            return r.DossierIsElsewhere(city=city)
        case Frozen():
            return r.DossierIsFrozen()
        case Adopting():
            return r.CellsAreMissing()
        case Home() as home:
            policy = _policy(view, command, day)
            if policy is None:
                return r.FieldIsWrong(field="policy_id", reason="not_in_force")
            return _steps(command)(Case(view, home, policy, day), command)


def _policy(view: View, command: c.StandingCommand, day: date) -> StarPolicy | None:
    policy_id = getattr(command, "policy_id", "")
    in_force_now = in_force(view.window.policies, day, view.region())
    return next((one for one in in_force_now if one.policy_id == policy_id), None)


def _steps(command: c.StandingCommand) -> Callable[[Case, c.StandingCommand], Decision]:
    steps: dict[type[c.StandingCommand], Callable[..., Decision]] = {
        c.ApplyForStar: _apply,
        c.ReviewStar: _review,
        c.ShowStar: _show,
        c.AwardStar: _award,
        c.RefuseStar: _refuse,
        c.RecogniseStar: _recognise,
        c.KeepStar: _keep,
        c.DemoteStar: _demote,
    }
    return steps[type(command)]


def _actor_may(view: View, command: c.StandingCommand) -> Rejection | None:
    """Volunteers ask for themselves; reviewers of the region decide for others (R47)."""
    actor = command.actor
    if isinstance(command, c.ApplyForStar):
        own = actor.has("volunteer") and actor.subject_id == command.subject_id
        return None if own else r.ActorMayNot()
    if not _holding(actor, "county", view.region()):
        return r.ActorMayNot()
    return r.OwnApplication() if actor.subject_id == command.subject_id else None


def _holding(actor: Actor, authority: str, region: str) -> bool:
    return any(
        grant.region is None or region_holds(grant.region, region)
        for grant in actor.holding(*REVIEWERS[authority])
    )


def _tier(case: Case, level: Level | None, actor: Actor) -> Rejection | None:
    if level is None or _holding(actor, level.authority, case.view.region()):
        return None
    return r.TierIsHigher(tier=level.authority)


def _reasons(text: str) -> Rejection | None:
    if not text.strip():
        return r.ReasonIsMissing()
    if len(text) > REASONS_MAX_CHARACTERS:
        return r.FieldIsWrong(field="reasons", reason="too_long")
    return r.TextHoldsPersonalData(field="reasons") if holds_personal_data(text) else None


def _apply(case: Case, command: c.ApplyForStar) -> Decision:
    policy, holdings, day = case.policy, case.home.holdings, case.day
    level = policy.level(command.level)
    if level is None:
        return r.FieldIsWrong(field="level", reason="not_in_policy")
    if not case.home.person.claimed:
        return r.SubjectIsNotClaimed()
    if level.award_mode == "nomination":
        return r.ByNominationOnly()
    if level.award_mode == "selection":
        return r.BySelectionOnly()
    held, _ = star_held(policy, holdings.stars)
    if command.level <= held:
        return r.LevelIsHeld(level=held)
    if policy.strict_sequence and command.level != held + 1:
        return r.LevelIsNotNext(next=held + 1)
    if (open_one := holdings.application(policy.policy_id)) is not None:
        return r.ApplicationIsOpen(level=open_one.level)
    if (opens := _next_window(policy.window, day)) is not None:
        return r.WindowIsClosed(next=opens)
    minutes = eligible_minutes(policy, holdings.cells, day)
    if minutes < level.minutes_min:
        return r.MinutesAreShort(missing=level.minutes_min - minutes)
    since = case.home.person.first_registered_on or day
    if (missing := level.tenure_days_min - (day - since).days) > 0:
        return r.TenureIsShort(missing_days=missing)
    term = policy.review_working_days_max
    return (
        e.StarApplied(
            subject_id=command.subject_id,
            policy_id=policy.policy_id,
            policy_version=policy.version,
            level=command.level,
            cutoff_on=day,
            basis_minutes=minutes,
            applied_on=day,
            due_on=None if term is None else case.view.window.calendar.due_on(day, term),
        ),
    )


def _next_window(window: Window, day: date) -> date | None:
    """None while applications are open, else the day on which they open next."""
    if window.kind == "always" or window.opens is None or window.closes is None:
        return None
    opens, closes = (_in_year(day.year, text) for text in (window.opens, window.closes))
    if opens <= day <= closes:
        return None
    return opens if day < opens else _in_year(day.year + 1, window.opens)


def _in_year(year: int, month_day: str) -> date:
    return date.fromisoformat(f"{year}-{month_day}")


def _open_application(case: Case) -> Application | None:
    return case.home.holdings.application(case.policy.policy_id)


def _review(case: Case, command: c.ReviewStar) -> Decision:
    application = _open_application(case)
    if application is None:
        return r.ApplicationIsUnknown()
    if no := _tier(case, case.policy.level(application.level), command.actor):
        return no
    if no := _reasons(command.reasons):
        return no
    if application.stage != "applied":
        return r.ApplicationIsReviewed()
    return (
        e.StarReviewed(
            subject_id=command.subject_id,
            policy_id=application.policy_id,
            level=application.level,
            outcome=command.outcome,
            step=command.step,
            reviewed_by=command.actor.actor_id,
        ),
    )


def _show(case: Case, command: c.ShowStar) -> Decision:
    application = _open_application(case)
    if application is None or application.stage != "passed" or not case.policy.publicity_days:
        return ()
    return (
        e.StarPublicised(
            subject_id=command.subject_id,
            policy_id=application.policy_id,
            level=application.level,
            until=case.day + timedelta(days=case.policy.publicity_days),
        ),
    )


def _award(case: Case, command: c.AwardStar) -> Decision:
    application = _open_application(case)
    if application is None:
        return r.ApplicationIsUnknown()
    level = case.policy.level(application.level)
    if no := _tier(case, level, command.actor):
        return no
    if not command.decision_id.strip():
        return r.FieldIsWrong(field="decision_id", reason="missing")
    if application.stage in ("applied", "failed") or level is None:
        return r.ApplicationIsNotReviewed()
    shown_until = case.day + timedelta(days=case.policy.publicity_days)
    if application.stage == "passed" and case.policy.publicity_days:
        return r.PublicityIsRunning(until=shown_until)
    if application.publicised_until is not None and case.day <= application.publicised_until:
        return r.PublicityIsRunning(until=application.publicised_until)
    minutes = eligible_minutes(case.policy, case.home.holdings.cells, case.day)
    if minutes < level.minutes_min:
        return r.MinutesAreShort(missing=level.minutes_min - minutes)
    return (
        award(
            case.view,
            case.policy,
            level,
            command.subject_id,
            case.day,
            command.command_id,
            minutes,
            application.cutoff_on,
            command.decision_id,
        ),
    )


def _refuse(case: Case, command: c.RefuseStar) -> Decision:
    application = _open_application(case)
    if application is None:
        return r.ApplicationIsUnknown()
    if no := _tier(case, case.policy.level(application.level), command.actor):
        return no
    if no := _reasons(command.reasons):
        return no
    return (
        e.StarRefused(
            subject_id=command.subject_id,
            policy_id=application.policy_id,
            level=application.level,
            refused_by=command.actor.actor_id,
        ),
    )


def _recognise(case: Case, command: c.RecogniseStar) -> Decision:
    star = next(
        (
            one
            for one in standing_stars(case.home.holdings.stars)
            if not one.own and (one.issuer, one.entry_id) == (command.issuer, command.entry_id)
        ),
        None,
    )
    if star is None:
        return r.StarIsUnknown()
    if not case.policy.recognises_stars:
        return r.PolicyDoesNotRecognise(policy_id=case.policy.policy_id)
    return (
        e.StarRecognised(
            subject_id=command.subject_id,
            issuer=star.issuer,
            entry_id=command.entry_id,
            level=star.level,
            award_mode=star.award_mode,
            star_policy_id=star.policy_id,
            basis_minutes=star.basis_minutes,
            policy_id=case.policy.policy_id,
            counts_as_level=counts_as(case.policy, star),
        ),
    )


def _keep(case: Case, command: c.KeepStar) -> Decision:
    held, _ = star_held(case.policy, case.home.holdings.stars)
    if no := _held_review(case, command, held):
        return no
    return (
        e.StarKept(
            subject_id=command.subject_id,
            policy_id=case.policy.policy_id,
            level=held,
            kept_by=command.actor.actor_id,
        ),
    )


def _held_review(case: Case, command: c.KeepStar | c.DemoteStar, held: int) -> Rejection | None:
    if no := _tier(case, case.policy.level(held), command.actor):
        return no
    if no := _reasons(command.reasons):
        return no
    standing = case.home.holdings.standings.get(case.policy.policy_id)
    if standing is None or standing.review is None:
        return r.ReviewIsNotOpen()
    return None


def _demote(case: Case, command: c.DemoteStar) -> Decision:
    policy = case.policy
    if policy.demotion_on_revocation == "never":
        return r.PolicyForbidsDemotion(policy_id=policy.policy_id)
    held, star = star_held(policy, case.home.holdings.stars)
    if no := _held_review(case, command, held):
        return no
    if star is None or not 0 <= command.new_level < held:
        return r.FieldIsWrong(field="new_level", reason="not_below_held")
    if star.entry_id is None:
        return r.StarEntryIsNotWritten()
    level, former = policy.level(command.new_level), policy.level(held)
    return (
        e.StarDemoted(
            subject_id=command.subject_id,
            award_id=str(award_id(command.command_id, policy.policy_id, command.new_level)),
            level=command.new_level,
            name=level.name if level else "",
            policy_id=policy.policy_id,
            policy_version=policy.version,
            basis_minutes=eligible_minutes(policy, case.home.holdings.cells, case.day),
            cutoff_on=case.day,
            award_mode=former.award_mode if former else "application",
            authority_level=former.authority if former else "county",
            decision_id=command.decision_id,
            awarded_on=case.day,
            decided_by=case.view.window.body,
            lowers=e.Lowers(issuer=star.issuer, entry_id=star.entry_id, cause=command.cause),
        ),
    )
