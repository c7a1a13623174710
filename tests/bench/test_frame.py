"""Is the bench whole, are its figures judged as they should be, and does its document say it all?

Nothing is timed here: speed is judged by ``make bench`` on an idle machine.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import report
from bench.__main__ import FAILED, is_failure, main, taken
from bench.frame import Bench, Measure, Reach, Result, alternate
from bench.measures import MODULES

FIELDS = {
    "name", "ours", "reference", "ratio", "unit", "reach", "met", "machine", "durability",
    "reference_is", "runs", "note", "not_run",
}  # fmt: skip
# What is promised: the measure, and what each of its figures must reach.
PROMISED = {
    "recording": ["ratio ≥ 0.5", "ratio ≥ 0.3"],
    "processes": ["ratio ≥ 0.8", "ratio ≥ 0.8"],
    "latency": ["ours ≤ 20", "ours ≤ 50", "ours ≤ 20"],
    "replay": ["ratio ≥ 0.05", "ratio ≥ 3", "ratio ≥ 0.6", "ratio ≤ 0.6"],
    "relay": ["ratio ≥ 0.3"],
    "importing": ["ours ≥ 700", "ratio ≤ 1.2"],
    "moving": ["ours ≤ 10", "ours ≤ 4"],
    "resting": ["ours ≤ 140", "ours ≤ 1300", "ours ≤ 30", "ours ≤ 10"],
    "growth": ["ratio ≤ 1.2"],
}
SPEED = Measure(
    name="speed", unit="events/s", reference="raw", reach=Reach(of="ratio", at_least=0.5)
)


def test_every_promised_measure_is_taken_with_its_reach() -> None:
    found = {
        module.__name__.rpartition(".")[2]: [str(each.reach) for each in module.MEASURES]
        for module in MODULES
    }
    assert found == PROMISED
    names = [each.name for module in MODULES for each in module.MEASURES]
    assert len(set(names)) == len(names)


def test_every_ratio_has_a_reference() -> None:
    for module in MODULES:
        for measure in module.MEASURES:
            assert measure.reach.of == "ours" or measure.reference, measure.name


@pytest.mark.parametrize(
    ("ours", "reference", "ratio", "met"),
    [
        ([50, 60, 70], [100, 100, 100], 0.6, True),
        ([40, 60, 40], [100, 100, 100], 0.4, False),
        # Pair by pair: the machine was slow in the second round, and both sides felt it.
        ([60, 6, 60], [100, 10, 100], 0.6, True),
        ([60], [], None, None),
        ([], [], None, None),
    ],
)
def test_a_ratio_is_the_median_of_its_pairs(
    ours: list[float], reference: list[float], ratio: float | None, met: bool | None
) -> None:
    found = Result(measure=SPEED, ours=ours, reference=reference)
    assert (found.ratio, found.met) == (ratio, met)


def test_a_figure_by_itself_is_judged_without_a_reference() -> None:
    memory = Measure(name="m", unit="MiB", reference=None, reach=Reach(of="ours", at_most=140))
    assert Result(measure=memory, ours=[140]).met is True
    assert Result(measure=memory, ours=[141]).met is False


def test_sides_run_in_turn_forwards_and_backwards() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = alternate(3, {"a": lambda: side("a"), "b": lambda: side("b")})
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_the_document_holds_every_field_of_every_measure(tmp_path: Path) -> None:
    results = [
        Result(measure=SPEED, ours=[1.0], reference=[2.0]),
        Result(measure=SPEED, not_run="this machine has 2 cores"),
    ]
    seen = {"began_at": "t", "seconds": 1}
    small = report.document(results, {}, {}, quick=True, **seen)["measures"]  # type: ignore[arg-type]
    assert [each["met"] for each in small] == [None, None], "reaches are meant for full sizes"
    path = tmp_path / "build" / "bench.json"
    report.write(
        path,
        report.document(
            results, {"cores": 2}, {"kafka": {"acks": "all"}}, quick=False, began_at="t", seconds=1
        ),
    )
    measures = json.loads(path.read_text("utf-8"))["measures"]
    assert [set(each) for each in measures] == [FIELDS, FIELDS]
    assert (measures[0]["ratio"], measures[0]["met"]) == (0.5, True)
    assert measures[0]["machine"] == {"cores": 2}
    assert measures[1]["not_run"] == "this machine has 2 cores"


def test_what_a_measure_could_not_take_is_told_and_fails_the_run(tmp_path: Path) -> None:
    class Broken:
        __name__ = "bench.measures.broken"
        MEASURES = (SPEED,)

        @staticmethod
        def take(bench: Bench) -> list[Result]:
            raise RuntimeError("the broker is gone\nand more")

    said: list[str] = []
    found = list(taken(Broken, Bench(tmp_path, True, said.append)))  # type: ignore[arg-type]
    assert [each.not_run for each in found] == [f"{FAILED}RuntimeError: the broker is gone"]
    assert is_failure(found[0])
    assert not is_failure(Result(measure=SPEED, not_run="this machine has 2 cores"))


def test_a_measure_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["spede"])
    assert "no such measure: spede" in capsys.readouterr().err
