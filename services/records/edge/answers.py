"""How does a decision, or a row, look as JSON?"""

from __future__ import annotations

from typing import Any

from services.records.domain.dossiers import commands as c
from services.records.domain.dossiers import events as e
from services.records.domain.dossiers.recording import claim_keys, natural_key
from shared.ledger import Answer, Decided, Target


def entry_changed(decided: Decided) -> Answer:
    """201 for a new version, 202 where it is held, 200 where the same fact stood here already."""
    event = next((each for each in decided.events if isinstance(each, e.EntryEvent)), None)
    if event is None:
        return _repeat(decided)
    version = event.version
    held = isinstance(event, e.LateChangeHeld)
    return Answer(
        202 if held else 201,
        {
            "issuer": version.issuer,
            "entry_id": version.entry_id,
            "version": version.version,
            "kind": version.kind,
            "state": version.state,
            "minutes": version.minutes,
            "counted_minutes": version.counted_minutes,
            "occurred_on": version.occurred_on.isoformat(),
            "due_on": version.due_on.isoformat() if version.due_on else None,
            "late": version.late,
            "review_tier": version.review_tier,
            "digest": version.digest,
            "held": held,
            "repeat": False,
        },
    )


def _repeat(decided: Decided) -> Answer:
    """The same fact with the same content: the entry that stands for it."""
    command = decided.command
    assert isinstance(command, c.RecordService | c.RecordTraining | c.RecordStar)
    dossier = decided.states[Target("dossier", command.subject_id)]
    keys, _ = claim_keys(command, natural_key(command))
    claims = dossier.window.claims
    entry_id = next(claims[key].entry_id for key in keys if key in claims)
    return Answer(200, {"entry_id": entry_id, "repeat": True})


def listed(row: Any) -> dict[str, Any]:
    """One entry of a list: what stands, what of it counts, what earlier entries share."""
    item = {
        "issuer": row["issuer"],
        "entry_id": row["entry_id"],
        "subject_id": row["subject_id"],
        "version": row["version"],
        "kind": row["kind"],
        "state": row["state"],
        "minutes": row["minutes"],
        "counted_minutes": row["counted"],
        "shared_minutes": row["shared"],
        "credited_minutes": row["counted"] - row["shared"],
        "occurred_on": row["occurred_on"].isoformat(),
        "organisation_id": row["organisation_id"],
        "region_code": row["region_code"],
        "review_tier": row["review_tier"],
        "late": row["late"],
        "due_on": row["due_on"].isoformat() if row["due_on"] else None,
    }
    for name in ("tier", "yours"):
        if name in row:
            item[name] = row[name]
    return item


def position(row: Any) -> tuple[str | int, ...]:
    return (row["ulid"], row["issuer"])
