"""Where does the demo read what stands in a city, and in what shape does it compare it?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.client import ServiceRefused
from node.demo.cast import Story
from node.demo.cities import City

DEMO_POLICY = "demo-automatic"


def dossier(story: Story, city: City, index: int = 0) -> dict[str, Any] | None:
    """A volunteer's own dossier with its sums; ``None`` where the city has none of hers."""
    try:
        found: dict[str, Any] = story.volunteer(city, "records", index).get("/dossier",
                                                                            patient=False)
    except ServiceRefused as refused:
        if refused.status == 404:
            return None
        raise
    return found


def entries(story: Story, city: City, index: int = 0) -> list[dict[str, Any]]:
    """Every entry of a volunteer, as she sees it."""
    return story.volunteer(city, "records", index).pages(
        f"/dossiers/{story.subjects[index]}/entries")


@dataclass(frozen=True, slots=True)
class Books:
    """What one city says of Li Hua: entries and credited minutes, and whether they count there.

    A city that she has left keeps what it recorded, as history; it counts only where it is home.
    """

    is_home: bool
    entries: int
    minutes: int

    @property
    def counted(self) -> tuple[int, int]:
        """(entries, minutes) that count in this city."""
        return (self.entries, self.minutes) if self.is_home else (0, 0)

    @property
    def kept(self) -> tuple[int, int]:
        """(entries, minutes) that this city keeps as history."""
        return (0, 0) if self.is_home else (self.entries, self.minutes)


def books(story: Story, city: City) -> Books:
    """Li Hua's books in a city, asked of its records now; where she is unknown there are none."""
    found = dossier(story, city)
    if found is None:
        return Books(is_home=False, entries=0, minutes=0)
    return Books(found["status"] == "home", len(entries(story, city)), credited(found))


def credited(found: dict[str, Any] | None) -> int:
    """The credited minutes of a dossier."""
    return 0 if found is None else int(found["totals"]["credited_minutes"])


def standing(story: Story, city: City) -> dict[str, Any] | None:
    """Li Hua's standing under the demo's policy; ``None`` where rewards knows none."""
    try:
        found = story.volunteer(city, "rewards").get("/standing", patient=False)
    except ServiceRefused as refused:
        if refused.status == 404:
            return None
        raise
    return next((dict(one) for one in found.get("policies", ())
                 if one["policy_id"] == DEMO_POLICY), None)
