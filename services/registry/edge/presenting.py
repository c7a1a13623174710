"""How do a registration, an application and a transfer look in an answer?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from services.registry.domain.applicants.state import (
    Applicant,
    Applied,
    Ended,
    Linked,
    TransferSeen,
)
from services.registry.domain.codes.events import TryOutcome
from services.registry.domain.codes.state import MAX_TRIES, Code, CodeSeen
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
# What a code of hers is, and what she does about it.
CODES: Final[dict[CodeSeen, tuple[str, str]]] = {
    "free": (
        "可以使用。请在到期前交给新城市。",
        "Good. Give it to the new city before it expires.",
    ),
    "bound": (
        "正用于一次转移。请在该转移中查看进度。",
        "In use by a move. Follow it there.",
    ),
    "spent": ("已用于一次完成的转移。", "Used by a move that has been made."),
    "expired": ("已过期。如需转移，请重新取码。", "It has expired. Take a new one to move."),
    "replaced": (
        "已被较新的转移码取代。请使用最新的转移码。",
        "A newer code took its place. Use the newest one.",
    ),
    "burnt": (
        "错误五次，已作废。请重新取码；如果不是您本人所为，请告知本市管理单位。",
        "Five wrong tries have burnt it. Take a new one; if it was not you, tell the office.",
    ),
    "withdrawn": (
        "随撤回的转移作废。如仍需转移，请重新取码。",
        "It ended with the move that was withdrawn. Take a new one if you still want to move.",
    ),
}
# Why a request with a code was taken or not, and what she does about it.
TRIES: Final[dict[TryOutcome, tuple[str, str]]] = {
    "matched": (
        "转移码和身份相符，转移已开始。如果不是您本人申请，请撤回该转移并告知本市管理单位。",
        "Code and identity matched and a move began. If it was not you, withdraw it and tell the "
        "office.",
    ),
    "under_way": (
        "转移码和身份相符，但另一次转移正在办理。请等待其办结或先撤回。",
        "Code and identity matched, but another move is under way. Wait for its end or withdraw "
        "it.",
    ),
    "identity_differs": (
        "姓名或证件号码与本市登记不符。请在新城市核对后重新申请；如果不是您本人所为，请重新取码，"
        "旧码随即作废。",
        "Name or document number differ from what is registered here. Check them in the new city "
        "and apply again; if it was not you, take a new code, which ends this one.",
    ),
    "other_city": (
        "转移码是为另一城市取的。请为该城市重新取码。",
        "The code is for another city. Take one for the city that you apply to.",
    ),
    "other_purpose": (
        "转移码不用于此事项。请重新取码。",
        "The code is for another purpose. Take a new one.",
    ),
    "spent": (
        "转移码已用过。请重新取码。",
        "The code had been used already. Take a new one.",
    ),
    "expired": ("转移码已过期。请重新取码。", "The code had expired. Take a new one."),
    "replaced": (
        "转移码已被较新的取代。请使用最新的转移码。",
        "A newer code had taken its place. Use the newest one.",
    ),
    "burnt": (
        "转移码已因错误五次作废。请重新取码；如果不是您本人所为，请告知本市管理单位。",
        "Five wrong tries had burnt the code. Take a new one; if it was not you, tell the office.",
    ),
    "withdrawn": (
        "转移码已随撤回的转移作废。请重新取码。",
        "The code had ended with a withdrawn move. Take a new one.",
    ),
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


def code(
    each: Code, issued_at: datetime, tries: Sequence[Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    """A code of hers without its secret, and who showed it: ``tries``, the latest first."""
    seen = each.seen_at(now)
    zh, en = CODES[seen]
    return {
        "code_id": each.code_id,
        "purpose": each.purpose,
        "receiver": each.receiver,
        "issued_at": wire_exact(issued_at),
        "expires_at": wire_exact(each.expires_at),
        "state": seen,
        "zh": zh,
        "en": en,
        "wrong_tries": each.tries,
        "wrong_tries_allowed": MAX_TRIES,
        "requests": tries[0]["in_all"] if tries else 0,
        "tries": [
            {
                "at": wire_exact(one["at"]),
                "city": one["city"],
                "outcome": one["outcome"],
                "zh": TRIES[one["outcome"]][0],
                "en": TRIES[one["outcome"]][1],
            }
            for one in tries
        ],
    }


def slice_of(rows: Sequence[T], asked: Page, item: Callable[[T], Any]) -> dict[str, Any]:
    """A page of a list that is short by its nature and read whole; the cursor is a place in it."""
    after = (0,) if asked.after is None else asked.after
    if len(after) != 1 or not isinstance(after[0], int) or after[0] < 0:
        raise field_is_wrong("after", "not_a_cursor")
    first = after[0]
    places = list(enumerate(rows, start=1))[first : first + asked.fetch]
    return page_of(places, asked, lambda each: item(each[1]), lambda each: (each[0],))
