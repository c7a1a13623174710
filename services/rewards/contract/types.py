"""Under which name does each event travel? Written by hand: a class may be renamed, a type never.

Fields travel under their own names.
"""

from __future__ import annotations

from services.rewards.domain.policies import keeping as k
from services.rewards.domain.standings import events as e
from shared.messages import Event

PUBLIC: dict[str, type[Event]] = {
    "rewards.standing-changed.v1": e.StandingChanged,
    "rewards.star-became-eligible.v1": e.StarBecameEligible,
    "rewards.star-applied.v1": e.StarApplied,
    "rewards.star-lapsed.v1": e.StarLapsed,
    "rewards.star-reviewed.v1": e.StarReviewed,
    "rewards.star-publicised.v1": e.StarPublicised,
    "rewards.star-refused.v1": e.StarRefused,
    "rewards.star-awarded.v1": e.StarAwarded,
    "rewards.star-demoted.v1": e.StarDemoted,
    "rewards.star-kept.v1": e.StarKept,
    "rewards.star-recognised.v1": e.StarRecognised,
    "rewards.held-star-review-opened.v1": e.HeldStarReviewOpened,
    "rewards.rewards-frozen.v1": e.RewardsFrozen,
    "rewards.rewards-thawed.v1": e.RewardsThawed,
    "rewards.rewards-departed.v1": e.RewardsDeparted,
    "rewards.rewards-adopted.v1": e.RewardsAdopted,
}

# On the public topic for the sake of order, but for the node's own services: subscribers pass over.
NODE_INTERNAL = frozenset(
    {
        "rewards.rewards-frozen.v1",
        "rewards.rewards-thawed.v1",
        "rewards.rewards-departed.v1",
        "rewards.rewards-adopted.v1",
    }
)

# On no topic: rows of the event table, kept for audit.
OWN: dict[str, type[Event]] = {
    "rewards.person-noted.v1": e.PersonNoted,
    "rewards.minutes-moved.v1": e.MinutesMoved,
    "rewards.star-noted.v1": e.StarNoted,
    "rewards.cells-wanted.v1": e.CellsWanted,
    "rewards.transfer-end-noted.v1": e.TransferEndNoted,
    "rewards.policy-kept.v1": k.PolicyKept,
    "rewards.policy-advanced.v1": k.PolicyAdvanced,
}

NAMES: dict[type[Event], str] = {shape: name for name, shape in (PUBLIC | OWN).items()}

# What stands in a row of this service alone: an adoption's table is the dossier's own event.
LEFT_OUT: dict[type[Event], frozenset[str]] = {e.RewardsAdopted: frozenset({"cells", "stars"})}
