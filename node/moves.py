"""Which moves of this node are open, and whose turn is it in each?"""

from __future__ import annotations

from typing import Any

import httpx

from node import tokens
from node.client import Api
from node.layout import Node

# What transfer calls a move that is not over; it lists moves by one state at a time.
OPEN_STATES = (
    "Requested", "Admitted", "Frozen", "Offered", "Released", "Settling", "Closing", "Receiving",
    "Verifying", "Staging", "Accepted", "InDoubt", "Activating", "Active",
)
# Of each state so many are listed; beyond this an office looks at transfer's own list.
MAX_MOVES_PER_STATE = 200
# Who asks how the node stands does not wait for a service that hangs.
TIMEOUT = httpx.Timeout(5.0)
_SHOWN = ("transfer_id", "role", "origin", "destination", "state", "status", "status_text",
          "whose_turn", "since", "due_on", "overdue")


def open_moves(node: Node) -> dict[str, Any]:
    """The open moves as the node's transfer service tells them, the longest waiting first.

    ``whose_turn``: the node code of the city that has the next move; ``more``: there are more than
    are listed. Raises ``Failure``.
    """
    found: list[dict[str, Any]] = []
    more = False
    with Api(node.api_url("transfer"), lambda: tokens.token(node, "status", ["auditor"]),
             timeout=TIMEOUT) as api:
        for state in OPEN_STATES:
            page = api.get("/transfers", patient=False, state=state, limit=MAX_MOVES_PER_STATE)
            found += [{name: item[name] for name in _SHOWN} for item in page["items"]]
            more = more or page["next"] is not None
    return {"open": sorted(found, key=lambda move: str(move["since"])), "more": more}
