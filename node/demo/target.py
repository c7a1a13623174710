"""To which two cities is the story told: where do they come from, and what becomes of them?"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from node.demo.cast import Story
from node.demo.cities import City


class Target(Protocol):
    """Two cities that know nobody yet. ``data``: a folder of the story's own."""

    data: Path

    def begin(self) -> tuple[City, City]: ...
    def welcome(self, story: Story) -> None: ...
    def logs(self) -> str: ...
    def last_words(self) -> str: ...
    def stay(self) -> None: ...
    def end(self) -> None: ...
