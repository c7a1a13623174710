"""How is rewards run with one adapter? ``python -m bench.adapter loop serve``

``loop`` or ``faust`` for all but policies, then the role. Everything else is as it is shipped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal, cast, get_args

from services.rewards.settings import Settings
from services.rewards.wiring import assemble
from shared.roles import Service
from shared.roles.main import main as run

Adapter = Literal["loop", "faust"]


def read_by(adapter: Adapter, settings: Settings) -> Service:
    """Rewards, its later sources read by this adapter; policies are read first, as ever."""
    service = assemble(settings)
    return replace(
        service,
        sources=lambda parts: tuple(
            source if source.first else replace(source, adapter=adapter)
            for source in service.sources(parts)
        ),
    )


def main(arguments: Sequence[str]) -> int:
    """As ``python -m services.rewards ROLE``."""
    adapter, *role = arguments
    assert adapter in get_args(Adapter), f"no such adapter: {adapter}"
    put_together: Callable[[Settings], Service] = partial(read_by, cast(Adapter, adapter))
    return run(Settings, put_together, role)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
