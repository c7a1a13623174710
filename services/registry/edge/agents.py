"""Which topics does registry read, and by which adapter?"""

from __future__ import annotations

from services.registry.domain.policy import react
from shared.reader import Source


def sources() -> tuple[Source, ...]:
    """Transfer's two topics: what happens to a move, and why one ended."""
    return (
        Source("transfer.transfers.v1", react, adapter="faust"),
        Source("transfer.endings.v1", react, adapter="faust"),
    )
