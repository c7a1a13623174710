"""Of which kinds are the alarms of a move, what does each mean, and what does the office do?

A row of the table ``alarm`` says which transfer and what about it; the counter ``jiexu_alarms``
counts them by kind. docs/operators.md lists them from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Alarm:
    """What has happened, and what mends it."""

    meaning: str
    remedy: str


_EVIDENCE: Final = "Both documents are kept as evidence: the two offices compare them."

ALARMS: Final[Mapping[str, Alarm]] = {
    "activation-differs": Alarm(
        "The destination says that it activated another dossier than was released.", _EVIDENCE
    ),
    "bad-signature": Alarm(
        "A message under another city's name does not verify.",
        "Once: somebody tries. Again and again: ask that city whether it changed its key before "
        "the directory listed it.",
    ),
    "calendar-missing": Alarm(
        "The working calendar of a year is not loaded; its due days count Monday to Friday.",
        "Put a newer calendar in place and name it in JIEXU_CALENDAR.",
    ),
    "certificate-does-not-fit": Alarm(
        "A decision of the origin fits no offer that we accepted.", _EVIDENCE
    ),
    "closing-differs": Alarm(
        "At the closing the two sides count different late changes.",
        "Compare the supplements of the transfer on both sides; what is missing is sent again.",
    ),
    "delivery-strange": Alarm(
        "Another city answers a delivery in a form that is none, several times.",
        "Tell its operator; a proxy of ours or theirs may answer in its place.",
    ),
    "delivery-stuck": Alarm(
        "Another city refuses a delivery for a reason that trying again does not change.",
        "Read the problem in the alarm; tell that city's operator. Nothing is lost meanwhile.",
    ),
    "directory-is-stale": Alarm(
        "The node directory has expired; only what is released already goes on.",
        "Get the newer file from the federation's office.",
    ),
    "directory-is-wrong": Alarm(
        "The directory file is unreadable, older than the one held, or not signed by enough keys.",
        "Put back the right file; the one held before stays in force meanwhile.",
    ),
    "dossier-not-offered": Alarm(
        "A dossier was not frozen, or could not be read, in time; its move was aborted.",
        "See whether records is up and read; the applicant may ask again.",
    ),
    "entries-quarantined-here": Alarm(
        "Entries of a late change failed their judgement and stay apart.",
        "See records' quarantine; a newer directory often mends it, else ask the origin.",
    ),
    "entries-quarantined-there": Alarm(
        "The destination could not take entries of a late change.",
        "Ask the destination's office what it lacks: mostly a newer directory.",
    ),
    "equivocation": Alarm(
        "A city signed two decisions that contradict each other (TR-406).", _EVIDENCE
    ),
    "in-doubt": Alarm(
        "No decision has come on a dossier that we accepted; it is asked for again and again.",
        "Ring the origin's office: its transfer service is down, or cannot reach us.",
    ),
    "not-activated": Alarm(
        "The destination has not confirmed a dossier that was released to it.",
        "Ring the destination's office: its transfer service is down, or cannot reach us.",
    ),
    "not-adopted": Alarm(
        "Our records has not yet taken up a dossier that is ours; it is told again.",
        "See whether records is up, and its lag.",
    ),
    "not-staged-in-time": Alarm(
        "An arriving dossier was not verified or staged in time; the move was refused.",
        "See records' lag and log; the applicant may ask again.",
    ),
    "not-tried-again": Alarm(
        "A move that failed was not tried again, for the person's proof no longer holds.",
        "The person takes a new transfer code and asks again.",
    ),
    "question-not-answered": Alarm(
        "Another city refused to say how a transfer stands.",
        "Read the problem in the alarm; tell that city's operator.",
    ),
    "refused-after-release": Alarm(
        "The destination refuses a dossier after it was released to it.",
        "Released is released: the two offices repair the reason, and it is sent again.",
    ),
    "review-overdue": Alarm(
        "A request for a move waits longer for our answer than the rules allow.",
        "A reviewer decides it.",
    ),
    "supplement-differs": Alarm("A late change came a second time with other content.", _EVIDENCE),
    "supplement-not-parked": Alarm(
        "Late changes come out of order, and more than we keep waiting.",
        "The missing one is asked for; if it lasts, ring the other office.",
    ),
    "supplement-of-another-subject": Alarm(
        "A late change of a transfer speaks of another person.", _EVIDENCE
    ),
}
