"""How do a registration, an application and a transfer look in an answer?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from services.registry.domain.applicants.state import (
    Applicant,
    Applied,
    Ended,
    Linked,
    TransferSeen,
)
from services.registry.domain.consents import Consent
from services.registry.domain.volunteers.state import Departed, Registered, Volunteer
from shared.clock import wire_exact
from shared.problems import field_is_wrong
from shared.requests import Page, page_of

T = TypeVar("T")

# protocol.md 12.
WORDS: Final[dict[str, tuple[str, str]]] = {
    "applied": ("已申请", "Applied"),
    "checking": ("审核中", "Being checked"),
    "frozen": ("冻结中(新记录暂存)", "Frozen, new entries are kept aside"),
    "moving": ("传送中", "Moving"),
    "verifying": ("核验中", "Being verified"),
    "moved": ("已转入", "Moved"),
    "settling": ("清结中", "Late entries follow"),
    "done": ("办结", "Done"),
    "refused": ("不予转移", "Refused, or ended by a deadline: record unchanged"),
    "withdrawn": ("已撤回", "Withdrawn by you"),
}
MOVED_FOR: Final = timedelta(hours=24)


def registration(state: Volunteer) -> dict[str, Any]:
    """What the registry says of a volunteer, nothing personal in it."""
    here = state.was if isinstance(state, Departed) else state
    return {
        "subject_id": here.subject_id,
        "status": state.status,
        "first_registered_on": (
            None if here.first_registered_on is None else here.first_registered_on.isoformat()
        ),
        "residence_region": here.residence_region,
        "age_band": here.age_band,
        "verification": here.verification,
        "registered_via": here.registered_via,
        "organisation_id": here.organisation_id,
        "claimed": here.claimed,
        "home": state.home if isinstance(state, Departed) else None,
    }


def registered(state: Registered) -> dict[str, Any]:
    """The answer to a registration. ``id`` is what a repeat needs."""
    return {"id": state.subject_id, **registration(state)}


def consent(each: Consent) -> dict[str, Any]:
    """A consent as its giver sees it."""
    asked = each.asked
    return {
        "consent_id": each.consent_id,
        "purpose": asked.purpose,
        "receiver": asked.receiver,
        "manner": asked.manner,
        "data_kinds": list(asked.data_kinds),
        "text_id": asked.text_id,
        "text_version": asked.text_version,
        "channel": asked.channel,
        "expires_on": None if asked.expires_on is None else asked.expires_on.isoformat(),
        "given_by": each.given_by,
        "given_at": wire_exact(each.given_at),
        "withdrawn_at": None if each.withdrawn_at is None else wire_exact(each.withdrawn_at),
    }


def application(applicant_ref: str, state: Applicant) -> dict[str, Any]:
    """An application as its login and the offices see it."""
    who: Applied | None = None
    match state:
        case Applied():
            who = state
        case Ended():
            who = state.was
    return {
        "applicant_ref": applicant_ref,
        "status": state.status,
        "subject_id": state.subject_id if isinstance(state, Linked) else None,
        "residence_region": None if who is None else who.residence_region,
        "age_band": None if who is None else who.age_band,
        "verification": None if who is None else who.verification,
        "registered_on": None if who is None else who.registered_on.isoformat(),
    }


def transfer(seen: TransferSeen, now: datetime) -> dict[str, Any]:
    """A transfer as the volunteer sees it: the highest rank heard (protocol.md 12)."""
    shown = seen.shown
    if shown == "moved" and now - seen.since >= MOVED_FOR:
        shown = "settling"
    zh, en = WORDS[shown]
    return {
        "transfer_id": seen.transfer_id,
        "role": seen.role,
        "other_city": seen.other_city,
        "status": shown,
        "zh": zh,
        "en": en,
        "since": wire_exact(seen.since),
        "due": None if seen.due is None else seen.due.isoformat(),
        "class": seen.refusal_class,
        "code": seen.code,
    }


def slice_of(rows: Sequence[T], asked: Page, item: Callable[[T], Any]) -> dict[str, Any]:
    """A page of a list that is short by its nature and read whole; the cursor is a place in it."""
    after = (0,) if asked.after is None else asked.after
    if len(after) != 1 or not isinstance(after[0], int) or after[0] < 0:
        raise field_is_wrong("after", "not_a_cursor")
    first = after[0]
    places = list(enumerate(rows, start=1))[first : first + asked.fetch]
    return page_of(places, asked, lambda each: item(each[1]), lambda each: (each[0],))
