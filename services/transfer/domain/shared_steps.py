"""What do both sides do alike? Notices, questions, repeats and supplements ahead of their turn."""

from __future__ import annotations

from services.transfer.domain import channel, steps
from services.transfer.domain.draft import Draft


def park_and_ask(draft: Draft) -> None:
    """O29b, D25: one before it is missing."""
    channel.park(draft)
    draft.ask()


def keep_notice(draft: Draft) -> None:
    """O37, D38: stored, shown to the office."""
    envelope = draft.case.envelope
    draft.step(
        steps.NoticeKept,
        kind=draft.case.content["kind"],
        message_id=envelope.message_id,
        content=draft.case.content,
    )


def drive_again(draft: Draft) -> None:
    """O32, D31: what is undelivered is due now."""
    draft.step(steps.ResendWanted)


def answer_query(draft: Draft) -> None:
    """O33, D32: supplements above those applied there are due again; the edge replies."""
    draft.step(steps.ResendWanted, above=draft.case.command.applied)
