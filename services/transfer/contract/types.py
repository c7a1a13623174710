"""Under which name does each event travel? Written by hand: a class may be renamed, a type never.

Fields travel under their own names; only ``refusal_class`` is ``class`` on the wire.
"""

from __future__ import annotations

from services.transfer.contract.topics import ENDINGS, TRANSFERS
from services.transfer.domain import events as e

TYPES: dict[str, type[e.TransferEvent]] = {
    "transfer.transfer-requested.v1": e.TransferRequested,
    "transfer.transfer-admitted.v1": e.TransferAdmitted,
    "transfer.dossier-offered.v1": e.DossierOffered,
    "transfer.dossier-released.v1": e.DossierReleased,
    "transfer.transfer-settling.v1": e.TransferSettling,
    "transfer.transfer-closed.v1": e.TransferClosed,
    "transfer.transfer-aborted.v1": e.TransferAborted,
    "transfer.transfer-refused.v1": e.TransferRefused,
    "transfer.transfer-ended.v1": e.TransferEnded,
    "transfer.supplement-sent.v1": e.SupplementSent,
    "transfer.supplement-received.v1": e.SupplementReceived,
    "transfer.transfer-applied.v1": e.TransferApplied,
    "transfer.transfer-pending.v1": e.TransferPending,
    "transfer.transfer-receiving.v1": e.TransferReceiving,
    "transfer.transfer-in-doubt.v1": e.TransferInDoubt,
    "transfer.dossier-verified.v1": e.DossierVerified,
    "transfer.dossier-accepted.v1": e.DossierAccepted,
    "transfer.release-received.v1": e.ReleaseReceived,
    "transfer.dossier-activated.v1": e.DossierActivated,
    "transfer.review-overdue.v1": e.ReviewOverdue,
    "transfer.equivocation-found.v1": e.EquivocationFound,
}
NAMES: dict[type[e.TransferEvent], str] = {shape: name for name, shape in TYPES.items()}

# On the internal topic alone; all others are on TRANSFERS.
ON_ENDINGS = frozenset({"transfer.transfer-ended.v1"})

# On the public topic for the sake of order, but for the node's own services: subscribers pass over.
NODE_INTERNAL = frozenset(
    {
        "transfer.transfer-requested.v1",
        "transfer.transfer-admitted.v1",
        "transfer.dossier-verified.v1",
        "transfer.release-received.v1",
        "transfer.supplement-received.v1",
    }
)


def topic_of(name: str) -> str:
    """The topic (without the node's prefix) that carries this type."""
    return ENDINGS.name if name in ON_ENDINGS else TRANSFERS.name
