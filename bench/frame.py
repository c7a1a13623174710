"""How is a figure taken beside its reference, and how is it judged?

Machines differ and drift: so each figure is a ratio to a reference that runs beside it, in turn
with it, in the same minutes. The median of the pairs is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bench.city import City

ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a figure should come to: ``of`` the ratio, or of our own figure in its unit."""

    of: Literal["ratio", "ours"]
    at_least: float | None = None
    at_most: float | None = None

    def met(self, ours: float, ratio: float | None) -> bool | None:
        """None: without its reference a ratio cannot be judged."""
        value = ours if self.of == "ours" else ratio
        if value is None:
            return None
        low = self.at_least is None or value >= self.at_least
        return low and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        bounds = (("≥", self.at_least), ("≤", self.at_most))
        said = " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)
        return f"{self.of} {said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row of the table. ``reference``: what runs beside it, if anything."""

    name: str
    unit: str
    reference: str | None
    reach: Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was seen of one measure: every run of ours and of its reference, in pairs.

    ``not_run`` says why there is no figure of ours, or none of the reference.
    """

    measure: Measure
    ours: Sequence[float] = ()
    reference: Sequence[float] = ()
    note: str = ""
    not_run: str | None = None

    @property
    def ratio(self) -> float | None:
        """The median of ours ÷ reference, pair by pair."""
        if not self.ours or not self.reference:
            return None
        return median(a / b for a, b in zip(self.ours, self.reference, strict=True))

    @property
    def met(self) -> bool | None:
        """Whether the reach is met; None where it could not be judged."""
        return self.measure.reach.met(median(self.ours), self.ratio) if self.ours else None

    def row(self) -> dict[str, Any]:
        """As it stands in the JSON document."""
        return {
            "name": self.measure.name,
            "unit": self.measure.unit,
            "ours": median(self.ours) if self.ours else None,
            "reference": median(self.reference) if self.reference else None,
            "reference_is": self.measure.reference,
            "ratio": self.ratio,
            "reach": str(self.measure.reach),
            "met": self.met,
            "runs": {"ours": list(self.ours), "reference": list(self.reference)},
            "note": self.note,
            "not_run": self.not_run,
        }


@dataclass
class Bench:
    """What a measure is given: a place of its own, a running city, and how thorough to be."""

    root: Path
    quick: bool
    say: Callable[[str], None]
    _cities: dict[str, City] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        """How often each side runs."""
        return 1 if self.quick else ROUNDS

    def scaled(self, full: int, quick: int) -> int:
        """A size or a number of seconds."""
        return quick if self.quick else full

    @property
    def city(self) -> City:
        """The city that measures share: broker and database run, services as a measure asks."""
        return self.city_named("500000", "重庆")

    def city_named(self, code: str, name: str) -> City:
        """One more city, begun when it is first asked for."""
        from bench.city import City

        if code not in self._cities:
            self.say(f"starting broker and database of {code}")
            self._cities[code] = City.begin(self.root / "cities", code, name)
        return self._cities[code]

    def close(self) -> None:
        """Every process of every city."""
        for city in self._cities.values():
            city.close()
        self._cities.clear()


@contextmanager
def bench_in(root: Path, *, quick: bool, say: Callable[[str], None]) -> Iterator[Bench]:
    """A bench whose processes are gone afterwards."""
    made = Bench(root, quick, say)
    try:
        yield made
    finally:
        made.close()


def alternate(rounds: int, sides: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Runs every side once a round, forwards and backwards in turn; the figures of each.

    So a machine that grows faster or slower meanwhile favours none.
    """
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        names = list(sides) if number % 2 == 0 else list(sides)[::-1]
        for name in names:
            figures[name].append(sides[name]())
    return figures
