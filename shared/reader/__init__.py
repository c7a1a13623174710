"""How do a neighbour's events become acts of this service, each once, in order, none lost?"""

from __future__ import annotations

from shared.reader.draining import forget_cut, redrive
from shared.reader.limits import Limits
from shared.reader.plan import Raw, React, Source
from shared.reader.running import Reader, first_sources_were_read
from shared.reader.settlement import dead_letters

__all__ = [
    "Limits",
    "Raw",
    "React",
    "Reader",
    "Source",
    "dead_letters",
    "first_sources_were_read",
    "forget_cut",
    "redrive",
]
