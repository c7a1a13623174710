"""Under which name does each event travel, and in which shape? Written by hand, never derived."""

from __future__ import annotations

from typing import Any, Final

from services.records.contract import shapes as s

# A version that came to be: by the kind of its entry.
RECORDED: Final[dict[str, str]] = {
    "service": "records.service-recorded.v1",
    "training": "records.training-recorded.v1",
    "commendation": "records.commendation-recorded.v1",
    "evaluation": "records.evaluation-recorded.v1",
    "star": "records.star-recorded.v1",
    "complaint": "records.complaint-recorded.v1",
    "consumption": "records.redemption-recorded.v1",
    "donation": "records.donation-recorded.v1",
    "adjustment": "records.adjustment-recorded.v1",
}

SHAPES: Final[dict[str, type[Any]]] = {
    **dict.fromkeys(RECORDED.values(), s.EntryData),
    "records.entry-shown.v1": s.EntryData,
    "records.entry-approved.v1": s.EntryData,
    "records.entry-rejected.v1": s.EntryData,
    "records.entry-corrected.v1": s.EntryData,
    "records.entry-revoked.v1": s.EntryData,
    "records.dispute-opened.v1": s.EntryData,
    "records.late-change-held.v1": s.HeldData,
    "records.dossier-opened.v1": s.OpenedData,
    "records.dossier-frozen.v1": s.FrozenData,
    "records.dossier-thawed.v1": s.ThawedData,
    "records.dossier-departed.v1": s.DepartedData,
    "records.dossier-staged.v1": s.StagedData,
    "records.staging-failed.v1": s.StagingFailedData,
    "records.staging-discarded.v1": s.StagingData,
    "records.staging-missing.v1": s.StagingData,
    "records.dossier-adopted.v1": s.AdoptedData,
    "records.supplement-applied.v1": s.SupplementAppliedData,
}

# On the public topic for the sake of order, but for the node's own services: subscribers pass over.
NODE_INTERNAL: Final = frozenset(
    {
        "records.late-change-held.v1",
        "records.dossier-frozen.v1",
        "records.dossier-thawed.v1",
        "records.dossier-staged.v1",
        "records.staging-failed.v1",
        "records.staging-discarded.v1",
        "records.staging-missing.v1",
        "records.supplement-applied.v1",
    }
)
