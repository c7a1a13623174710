"""How do committed events reach Kafka, in an order that skips none, whatever dies meanwhile?"""

from __future__ import annotations

from shared.relay.own_topics import Restored, check_cluster, compare, open_when_compared
from shared.relay.publisher import Relay, republish

__all__ = [
    "Relay",
    "Restored",
    "check_cluster",
    "compare",
    "open_when_compared",
    "republish",
]
