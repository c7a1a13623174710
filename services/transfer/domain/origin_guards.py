"""What must hold at the city that lets go? The guards of section 6.1, each named by its row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.transfer.domain import channel
from services.transfer.domain.case import Case, EntryKey
from services.transfer.domain.custody import Custody, Link
from services.transfer.domain.draft import instant
from services.transfer.domain.events import Hold
from shared.clock import local_day

# Someone who was moved by mistake or changed her mind may go back at once (11).
WAIVED_HOURS = 72


@dataclass(frozen=True, slots=True)
class Ground:
    """Why a dossier is not admitted: the code and what M3 says with it."""

    code: str
    pointer: Link | None = None
    hold: Hold | None = None
    retry_after: int | None = None
    open_since: date | None = None


def request_ground(case: Case) -> str | None:
    """The code that refuses this M1 at once, or None (O1, O2)."""
    content = case.content
    office = case.office
    if case.command.flaw is not None:
        found: str = case.command.flaw.code
        return found
    if content["purpose"] != "move" or content["assisted"] is not None:
        return "TR-401"
    if not set(content["suites"]) & set(office.suites):
        return "TR-401"
    if not set(content["protocols"]) & set(office.protocols):
        return "TR-401"
    if not case.genuine(content["consent"]):
        return "TR-204"
    if not consent_holds(case):
        return "TR-201"
    day = local_day(case.at)
    if case.log.of_today(case.envelope.sender, day) >= office.daily_requests_per_peer:
        return "TR-205"
    return None


def consent_holds(case: Case) -> bool:
    """Unexpired, of this application, between these two cities, for this purpose (4, M1)."""
    body = case.content["consent"]["body"]
    return bool(
        body["receiver"] == case.envelope.sender
        and body["provider"] == case.office.city
        and body["applicant_ref"] == case.content["applicant_ref"]
        and body["purpose"] == case.content["purpose"]
        and instant(body["given_at"]) <= case.at + timedelta(seconds=300)
        and case.at < instant(body["expires_at"])
        and (body["guardian"] is None or body["guardian"]["verified"])
    )


def request_is_good(case: Case) -> bool:
    return request_ground(case) is None


def request_is_bad(case: Case) -> bool:
    return request_ground(case) is not None


def admission_ground(case: Case) -> Ground | None:
    """Why IdentityConfirmed does not admit (O3, O4), the gravest first; None: it does."""
    custody = case.custody or Custody(subject_id=case.command.subject_id)
    city = case.office.city
    if custody.closed:
        return Ground("TR-307")
    if custody.released_by(city):
        return Ground("TR-306", pointer=custody.links[-1])
    if not custody.is_home(city):
        return Ground("TR-203", pointer=custody.links[-1] if custody.links else None)
    if custody.foreign_epoch > custody.epoch:
        return Ground("TR-303")
    if case.command.holds:
        hold = max(case.command.holds, key=lambda each: each.until)
        ends = case.office.terms.end_of(hold.until)
        return Ground("TR-305", hold=hold, retry_after=_seconds(case, ends))
    if custody.open_transfer is not None:
        return Ground("TR-301", open_since=custody.open_since)
    return _cooling(case, custody)


def _cooling(case: Case, custody: Custody) -> Ground | None:
    if custody.moved_in_at is None:
        return None
    over = custody.moved_in_at + timedelta(days=case.file.window.pair.cooling_off_days)
    goes_back = case.state.course.peer == custody.moved_in_from
    if goes_back and case.at < custody.moved_in_at + timedelta(hours=WAIVED_HOURS):
        return None
    return Ground("TR-304", retry_after=_seconds(case, over)) if case.at < over else None


def _seconds(case: Case, until: datetime) -> int:
    return max(60, int(until.timestamp() - case.at.timestamp()))


def is_admitted(case: Case) -> bool:
    return admission_ground(case) is None


def is_not_admitted(case: Case) -> bool:
    return not is_admitted(case)


def freeze_is_ours(case: Case) -> bool:
    """O8: of this transfer (by its address), this subject and epoch."""
    subject = case.state.subject
    body = case.command.head["body"]
    return bool(
        case.command.epoch == subject.epoch
        and body["subject_id"] == subject.subject_id
        and body["epoch"] == subject.epoch
        and body["home"] == case.office.city
        and body["state_digest"] is not None
    )


def offer_is_whole(case: Case) -> bool:
    """O9: the sealed bundles hold as many leaves as the head counts."""
    counted: int = case.state.freeze.head["body"]["count"]
    offered: int = sum(bundle["entries"] for bundle in case.command.bundles)
    return offered == counted


VOTED = ("root", "subject_id", "epoch", "count", "totals", "state_digest")


def vote_difference(case: Case) -> str | None:
    """The code of the first that differs between M6 and the offer (O13), or None."""
    content, offer = case.content, case.state.offer
    if content["count"] != offer.body["count"]:
        return "TR-402"
    if content["totals"] != offer.body["totals"]:
        return "TR-409"
    if content["state_digest"] != offer.body["state_digest"]:
        return "TR-413"
    same = content["offer_digest"] == offer.digest and all(
        content[name] == offer.body[name] for name in ("root", "subject_id", "epoch")
    )
    return None if same else "TR-403"


def is_in_time(case: Case) -> bool:
    """Received before offer_expires_at, by this city's clock."""
    return bool(case.at < case.state.offer.expires_at)


def vote_releases(case: Case) -> bool:
    """O12: everything equal, in time, and the dossier still this city's to give."""
    custody = case.custody
    return bool(
        is_in_time(case)
        and vote_difference(case) is None
        and custody is not None
        and custody.is_home(case.office.city)
        and custody.open_transfer == case.state.course.transfer_id
    )


def vote_differs(case: Case) -> bool:
    return is_in_time(case) and vote_difference(case) is not None


def is_too_late(case: Case) -> bool:
    """O14: the timer, or a vote after the offer's end."""
    return case.command.name == "timer offer" or not is_in_time(case)


def activation_fits(case: Case) -> bool:
    """O17: M9 names the release and what was released."""
    content = case.content
    state = case.state
    return bool(
        content["release_digest"] == state.release.digest
        and content["state_digest"] == state.offer.body["state_digest"]
        and content["subject_id"] == state.subject.subject_id
        and content["epoch"] == state.subject.epoch + 1
    )


def activation_differs(case: Case) -> bool:
    return not activation_fits(case)


def is_not_forwarded(case: Case) -> bool:
    """O20a: a change that is already in the channel opens nothing."""
    key: EntryKey = case.command.key
    return key not in case.file.window.forwarded


def all_is_acknowledged(case: Case) -> bool:
    """O22: no supplement waits for its answer and no own entry for its decision."""
    flow = case.state.course.outflow
    return not flow.awaiting and not flow.pending


def closing_is_equal(case: Case) -> bool:
    """O23: the destination recomputed count and root."""
    flow = case.state.course.outflow
    content = case.content
    return bool(
        content["supplements"] == flow.k and content["root"] == channel.root_of(flow.frontier)
    )


def restored_asker(case: Case) -> bool:
    """O34: its M1 came from an incarnation that it has forgotten."""
    return bool(case.state.course.request.incarnation < case.command.incarnation)
