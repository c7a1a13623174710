"""Who does what in the story, and what has been learnt of them so far?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from node.client import Api
from node.demo.cities import City
from node.demo.people import Person
from node.demo.sheet import Planned
from node.demo.stage import Stage
from node.demo.subscriber import Subscriber

# Districts: where the organisation has its seat, and where Li Hua lives before and after.
YUZHONG, JINJIANG = "500103", "510104"


@dataclass
class Story:
    """Everything that one step hands to the next."""

    stage: Stage
    chongqing: City
    chengdu: City
    today: date
    work: Path
    people: list[Person]
    subscriber: Subscriber
    subjects: list[str] = field(default_factory=list)
    organisations: dict[str, str] = field(default_factory=dict)
    planned: Planned | None = None
    sheet: Path | None = None
    batch_id: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    # By node: what each city said of her before the move (``reading.Books``).
    books_before: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    applicant_ref: str = ""
    late_entry: str = ""
    # (entries, minutes) of the exported dossier, as its verifier adds them up.
    proven: tuple[int, int] | None = None

    @property
    def li_hua(self) -> Person:
        """The volunteer whose record follows her."""
        return self.people[0]

    @property
    def subject(self) -> str:
        """Li Hua's pseudonym; she has one in every city, the same."""
        return self.subjects[0]

    @property
    def organisation(self) -> str:
        """The organisation in Chongqing."""
        return self.organisations["500000"]

    def county(self, city: City) -> Api:
        """The county's reviewer at registry."""
        region = YUZHONG if city is self.chongqing else JINJIANG
        return city.api("registry", f"reviewer-{region}", [f"county_reviewer/{region}"])

    def recorder(self, city: City, language: str | None = None) -> Api:
        """The organisation's recorder at records."""
        return city.api("records", "staff-recorder",
                        [f"recorder@{self.organisations[city.node.code]}"], language=language)

    def approver(self, city: City) -> Api:
        """A second person of the organisation at records."""
        return city.api("records", "staff-approver",
                        [f"approver@{self.organisations[city.node.code]}"])

    def volunteer(self, city: City, service: str, index: int = 0, *, strong: bool = False) -> Api:
        """A volunteer, logged in, at a service."""
        return city.api(service, f"login-{index}", ["volunteer", "login"],
                        subject_id=self.subjects[index], strong=strong)
