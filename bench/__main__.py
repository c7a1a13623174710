"""``python -m bench [--quick] [MEASURE…]``: every measure, or those whose module is named."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from rich.console import Console

from bench import machine, report
from bench.frame import Bench, Result, bench_in
from bench.measures import MODULES

# Two ledgers are most of a minute to fill, and small ones say nothing; it may be asked for by name.
LEFT_OUT_WHEN_QUICK = ("growth",)


def main(arguments: Sequence[str]) -> int:
    """0: every measure asked for was taken, whether it met its reach or not; 1: one failed."""
    names = {short_name(module): module for module in MODULES}
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="about 3 minutes, one round")
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    asked = parser.parse_args(arguments)
    if unknown := sorted(set(asked.measures) - set(names)):
        parser.error(f"no such measure: {', '.join(unknown)}; there are {', '.join(names)}")
    every = [name for name in names if not (asked.quick and name in LEFT_OUT_WHEN_QUICK)]
    wanted = [names[name] for name in names if name in (asked.measures or every)]
    console = Console(width=None if sys.stdout.isatty() else 140)
    begun, began_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - begun:6.1f} s] {text}", highlight=False, markup=False)

    with tempfile.TemporaryDirectory(prefix="jiexu-bench-") as directory:
        root = Path(directory)
        found = machine.describe(root)
        with bench_in(root, quick=asked.quick, say=say) as bench:
            city = bench.city
            durability = asyncio.run(machine.durability(city.postgres.url, city.kafka.bootstrap))
            results = [result for module in wanted for result in taken(module, bench)]
    report.show(results, console, judged=not asked.quick)
    report.write(
        asked.out,
        report.document(
            results,
            found,
            durability,
            quick=asked.quick,
            began_at=began_at,
            seconds=time.monotonic() - begun,
        ),
    )
    say(f"written to {asked.out}")
    return 1 if any(is_failure(result) for result in results) else 0


def short_name(module: ModuleType) -> str:
    """``recording`` of ``bench.measures.recording``."""
    return module.__name__.rpartition(".")[2]


FAILED = "failed: "


def taken(module: ModuleType, bench: Bench) -> Iterator[Result]:
    """What a module measures; what it could not, with the reason, so that none is left out."""
    told = set()
    problem = "it told nothing of this one"
    bench.say(short_name(module))
    try:
        for result in module.take(bench):
            told.add(result.measure)
            bench.say(
                f"  {result.measure.name}: "
                + (result.not_run or f"{result.row()['ours']:,.4g} {result.measure.unit}")
            )
            yield result
    except Exception as error:  # noqa: BLE001 - the other measures are still worth taking
        bench.say(traceback.format_exc())
        problem = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    for measure in module.MEASURES:
        if measure not in told:
            yield Result(measure=measure, not_run=FAILED + problem)


def is_failure(result: Result) -> bool:
    """Whether something went wrong, other than what this machine has not."""
    return (result.not_run or "").startswith(FAILED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
