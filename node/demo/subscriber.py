"""Does a subscriber that only reads the public topic get the same totals as the services?

The rule for sums, as a stranger may write it: skip what its key's sequence has passed; drop what
comes under a lower custody epoch than the highest seen of the subject; ``dossier-adopted``
replaces the subject's table of cells; every other entry event moves its cells by
``after − before``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from node.events import Seen

TOPIC = "records.dossiers.v1"
ADOPTED = "records.dossier-adopted.v1"


class Subscriber:
    """Sums of minutes per subject, from the events of every city."""

    def __init__(self) -> None:
        self._sequences: dict[tuple[str, str], int] = {}
        self._epochs: dict[str, int] = {}
        self._cells: dict[str, dict[str, int]] = defaultdict(dict)
        self.taken = 0
        self.passed_over = 0

    def take(self, seen: Seen) -> None:
        """One event, in the order of its key."""
        if seen.topic != TOPIC or seen.sequence is None or not isinstance(seen.data, dict):
            return
        place = (seen.node, seen.key)
        if seen.sequence <= self._sequences.get(place, 0):
            self.passed_over += 1
            return
        self._sequences[place] = seen.sequence
        subject = str(seen.data.get("subject_id", seen.key))
        epoch = seen.epoch if seen.epoch is not None else self._epochs.get(subject, 0)
        if epoch < self._epochs.get(subject, 0):
            self.passed_over += 1
            return
        self._epochs[subject] = epoch
        self.taken += 1
        cells = self._cells[subject]
        if seen.type == ADOPTED:
            cells.clear()
            for row in seen.data["cells"]:
                cells[_name(row["cell"])] = row["minutes"]
            return
        for moved in seen.data.get("moved") or ():
            if moved["cell"] is not None:
                name = _name(moved["cell"])
                cells[name] = cells.get(name, 0) + moved["after"] - moved["before"]

    def minutes(self, subject: str) -> int:
        """The subject's credited minutes."""
        return sum(self._cells[subject].values())

    def epoch(self, subject: str) -> int | None:
        """The highest custody epoch seen of the subject."""
        return self._epochs.get(subject)


def _name(cell: Any) -> str:
    return json.dumps(cell, sort_keys=True)
