"""``python -m node.demo [--exit] [--json]``: two cities, one volunteer, everything checked."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

from rich.markup import escape

from node.demo import chongqing, cities, compose, embedded, ending, move
from node.demo import people as persons
from node.demo.cast import Story
from node.demo.cities import City
from node.demo.stage import CheckFailed, Flow, Stage
from node.demo.subscriber import Subscriber
from node.demo.target import Target
from node.layout import SERVICES
from node.process import DidNotStart
from node.terminal import Exit, Failure, err, print_json, say

STEPS: tuple[Callable[[Story], None], ...] = (
    chongqing.organisations, chongqing.policy, chongqing.registrations, chongqing.imports,
    chongqing.approval, chongqing.same_again, move.code, move.application, move.arrival,
    move.late_hour, move.second_after, ending.subscriber, ending.verdict, ending.conservation,
)
TARGETS: Mapping[str, tuple[Callable[[Path], Target], Path]] = {
    "embedded": (embedded.Embedded, embedded.DATA), "compose": (compose.Compose, compose.DATA),
}
Report = Callable[[dict[str, Any]], None]


class Interrupted(Exception):
    """Ctrl-C, or SIGTERM."""


def main(arguments: Sequence[str]) -> int:
    """Tell the story; 0: every check held.

    ``--json``: it is told on standard error, and what it came to is one JSON document on standard
    output, once it is told.
    """
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--exit", action="store_true", help="stop after the story")
    parser.add_argument("--target", choices=TARGETS, default="embedded",
                        help="embedded nodes, or the containers of docker-compose.yml")
    parser.add_argument("--data", type=Path, help="made anew at each run")
    parser.add_argument("--json", action="store_true", help="what it came to, for scripts")
    asked = parser.parse_args(arguments)
    kind, data = TARGETS[asked.target]
    target, stays, results = kind((asked.data or data).absolute()), not asked.exit, sys.stdout
    if not asked.json:
        return _tell(target, lambda _: None, stays=stays)

    def report(document: dict[str, Any]) -> None:
        with contextlib.redirect_stdout(results):
            print_json(document)
        results.flush()

    with contextlib.redirect_stdout(sys.stderr):
        return _tell(target, report, stays=stays)


def _tell(target: Target, report: Report, *, stays: bool) -> int:
    begun = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return _run(target, _begin(target), begun, report, stays=stays)
    except Interrupted:
        return 130
    finally:
        target.end()


def _begin(target: Target) -> tuple[City, City]:
    try:
        return target.begin()
    except cities.NotOurs as problem:
        raise Failure(Exit.ASKED_WRONGLY, f"不清空别人的目录,请另选 --data:{problem}",
                      f"{problem}: choose another --data") from None
    except cities.StillRuns as problem:
        raise Failure(Exit.NODE_STATE, f"演示仍在运行:{problem}", str(problem)) from None
    except cities.NoPorts as problem:
        raise Failure(Exit.UNAVAILABLE, f"没有空闲端口:{problem}", str(problem)) from None


def _run(target: Target, pair: tuple[City, City], begun: float, report: Report, *,
         stays: bool) -> int:
    first, second = pair
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()
    heard = Subscriber()
    flow = Flow([city.node for city in pair], heard.take)
    stage = Stage(flow)
    work = target.data / "files"
    work.mkdir()
    story = Story(stage, first, second, today, work, list(persons.people(today)), heard)
    stage.console.print(say(
        f"两座城市各自的 Kafka、PostgreSQL 和四个服务已就绪,用时 {time.monotonic() - begun:.0f} 秒",
        f"two cities run, each with its own Kafka, PostgreSQL and four services, after "
        f"{time.monotonic() - begun:.0f} s"))
    try:
        tell(story, target)
        target.welcome(story)
        stage.show_events()
        stage.console.print(say(f"\n故事讲完,用时 {time.monotonic() - begun:.0f} 秒",
                                f"\nthe story took {time.monotonic() - begun:.0f} s"))
        if stays:
            ending.urls(story)
            stage.console.print(target.last_words())
        stage.console.print(f"{stage.passed} passed, {stage.failed} failed")
        report({
            "passed": stage.passed, "failed": stage.failed,
            "seconds": round(time.monotonic() - begun, 1),
            "steps": stage.steps, "checks": stage.checks,
            "cities": [{"code": city.node.code, "home": str(city.node.home),
                        "api": {name: city.node.api_url(name) for name in SERVICES}}
                       for city in pair]})
        if stays:
            with contextlib.suppress(Interrupted):
                target.stay()
    finally:
        flow.close()
    return Exit.FOUND_WRONG if stage.failed else Exit.DONE


def tell(story: Story, target: Target) -> None:
    """Every step in order; a step that cannot go on ends the story, and counts as failed."""
    for step in STEPS:
        try:
            step(story)
        except CheckFailed:
            break
        except Failure as problem:
            story.stage.check(False, f"{step.__name__}:{problem.zh}",
                              f"{step.__name__}: {problem.en}")
            break
    else:
        return
    story.stage.note(f"故事到此中断;日志在 {target.logs()}",
                     f"the story ends here; logs are in {target.logs()}")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise Interrupted


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Failure, DidNotStart) as failure:
        err().print(f"[red]{escape(str(failure))}[/red]")
        sys.exit(int(failure.code) if isinstance(failure, Failure) else 1)
