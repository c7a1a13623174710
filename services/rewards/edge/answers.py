"""How does a decision, or a row, look as JSON?"""

from __future__ import annotations

from typing import Any

import asyncpg

from services.rewards.domain.standings import events as e
from shared.ledger import Answer, Decided


def applied(decided: Decided) -> Answer:
    """201: under which policy version, from which day, due when."""
    event = _event(decided, e.StarApplied)
    return Answer(
        201,
        {
            "subject_id": event.subject_id,
            "policy_id": event.policy_id,
            "policy_version": event.policy_version,
            "level": event.level,
            "basis_minutes": event.basis_minutes,
            "cutoff_on": event.cutoff_on.isoformat(),
            "due_on": event.due_on.isoformat() if event.due_on else None,
        },
    )


def awarded(decided: Decided) -> Answer:
    """201: the decision, by the id under which the dossier will name it."""
    event = _event(decided, e.StarDecision)
    return Answer(
        201,
        {
            "subject_id": event.subject_id,
            "award_id": event.award_id,
            "policy_id": event.policy_id,
            "level": event.level,
            "name": event.name,
            "awarded_on": event.awarded_on.isoformat(),
        },
    )


def done(decided: Decided) -> Answer:
    """200: what happened, by name; nothing where it had happened before."""
    return Answer(200, {"happened": [type(event).__name__ for event in decided.events]})


def _event(decided: Decided, kind: type[Any]) -> Any:
    return next(event for event in decided.events if isinstance(event, kind))


def application(row: asyncpg.Record) -> dict[str, Any]:
    """One open application, as reviewers see it: no name, no number."""
    return {key: _plain(value) for key, value in row.items()}


def application_position(row: asyncpg.Record) -> tuple[str | int, ...]:
    return row["applied_on"].isoformat(), row["subject_id"], row["policy_id"]


def held_review(row: asyncpg.Record) -> dict[str, Any]:
    """One held star whose minutes fell."""
    return {key: _plain(value) for key, value in row.items()}


def held_review_position(row: asyncpg.Record) -> tuple[str | int, ...]:
    return row["opened_on"].isoformat(), row["subject_id"], row["policy_id"]


def policy(row: asyncpg.Record) -> dict[str, Any]:
    """One version of a star policy."""
    return {key: _plain(value) for key, value in row.items()}


def policy_position(row: asyncpg.Record) -> tuple[str | int, ...]:
    return row["policy_id"], row["version"]


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
