"""Which services are recorded under load? Two hours a person and day, no two alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.city import REGION, City
from bench.load import post


@dataclass
class Hours:
    """An endless supply: from yesterday back, every person once a day; never one twice.

    ``first`` and ``last``: which of the city's people.
    """

    city: City
    first: int
    last: int
    given: int = 0

    def requests(self) -> Iterator[bytes]:
        """One POST after another, by the organisation's recorder."""
        token = self.city.recorder
        while True:
            subject, body = self.next()
            yield post(f"/dossiers/{subject}/services", body, token)

    def next(self) -> tuple[str, dict[str, Any]]:
        """Whose service, and its body."""
        count = self.last - self.first
        who, back = self.first + self.given % count, 1 + self.given // count
        self.given += 1
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        day = midnight - timedelta(days=back)
        return self.city.subjects[who], {
            "organisation_id": self.city.organisation,
            "evidence_class": "leader_entry",
            "activity_name": "社区清洁",
            "place": {"region_code": REGION, "name": "晨光社区志愿服务站"},
            "started_at": f"{day:%Y-%m-%d}T01:00:00Z",
            "ended_at": f"{day:%Y-%m-%d}T03:00:00Z",
            "content": "清理楼道和绿地",
        }
