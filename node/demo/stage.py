"""How is the story told: steps, checks that are counted, answers, and the events that flowed?"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from kafka.errors import KafkaError
from rich.console import Console
from rich.markup import escape

from node.broker import brokers_of
from node.commands.looking import line
from node.events import Seen, Tail
from node.layout import Node
from node.terminal import Failure, out, say

T = TypeVar("T")
POLL_SECONDS = 0.1
# A step takes a second or two; on a machine that does much else, many times that.
WAIT_SECONDS = 180.0
# No event for so long: what a step set off has flowed.
QUIET_SECONDS = 0.6
SHOWN_EVENTS = 10
SHOWN_ANSWER_CHARACTERS = 400


class CheckFailed(Exception):
    """A check on which the rest of the story depends did not hold."""


class Flow:
    """Every event of every node, as one tail per node sees it, from the first on."""

    def __init__(self, nodes: Sequence[Node], *hearers: Callable[[Seen], None]) -> None:
        self._seen: list[Seen] = []
        self._shown = 0
        self._last = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._hearers = hearers
        self.problem: str | None = None
        self._threads = [threading.Thread(target=self._listen, args=(node,), daemon=True)
                         for node in nodes]
        for thread in self._threads:
            thread.start()

    def since(self) -> list[Seen]:
        """What came since the last call."""
        with self._lock:
            new = self._seen[self._shown:]
            self._shown = len(self._seen)
            return new

    def all(self) -> list[Seen]:
        """Everything so far."""
        with self._lock:
            return list(self._seen)

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until nothing has come for a moment, ``seconds`` at most."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and time.monotonic() - self._last < QUIET_SECONDS:
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """End every tail."""
        self._ended.set()
        for thread in self._threads:
            thread.join(10)

    def _listen(self, node: Node) -> None:
        try:
            tail = Tail(node.code, brokers_of(node), from_beginning=True)
            try:
                while not self._ended.is_set():
                    for seen in tail.poll():
                        self._take(seen)
            finally:
                tail.close()
        except (KafkaError, OSError) as problem:
            self.problem = f"{node.code}: {type(problem).__name__}"

    def _take(self, seen: Seen) -> None:
        with self._lock:
            self._seen.append(seen)
            self._last = time.monotonic()
            for hear in self._hearers:
                hear(seen)


@dataclass
class Stage:
    """Tells each step, counts its checks, shows what the services answered and what flowed.

    ``steps`` and ``checks`` are what a script reads: the sentences, and what each check found.
    """

    flow: Flow
    console: Console = field(default_factory=out)
    passed: int = 0
    failed: int = 0
    steps: list[dict[str, str]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    _begun: float = field(default_factory=time.monotonic)

    def step(self, zh: str, en: str) -> None:
        """A sentence of the story."""
        self.show_events()
        self.steps.append({"zh": zh, "en": en})
        self.console.print(f"\n[bold]{len(self.steps)}. {escape(say(zh, en))}[/bold]"
                           f"  [dim]{time.monotonic() - self._begun:.0f} s[/dim]")

    def note(self, zh: str, en: str) -> None:
        """A remark."""
        self.console.print(f"   {escape(say(zh, en))}")

    def answer(self, what: str, told: Any) -> None:
        """What a service answered."""
        text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
        if len(text) > SHOWN_ANSWER_CHARACTERS:
            text = f"{text[:SHOWN_ANSWER_CHARACTERS]} …"
        self.console.print(f"   [dim]{escape(what)}[/dim] → {escape(text)}")

    def check(self, holds: bool, zh: str, en: str, *, seen: Any = None,
              needed: bool = False) -> bool:
        """Count one check. ``needed``: without it the story cannot go on."""
        text = escape(say(zh, en))
        self.checks.append({"step": len(self.steps), "holds": holds, "zh": zh, "en": en,
                            "seen": None if holds else seen})
        if holds:
            self.passed += 1
            self.console.print(f"   [green]✓[/green] {text}")
            return True
        self.failed += 1
        shown = "" if seen is None else f"  ({say('实际', 'seen')}: {escape(str(seen))})"
        self.console.print(f"   [red]✗ {text}[/red]{shown}")
        if needed:
            raise CheckFailed(say(zh, en))
        return False

    def eventually(self, ask: Callable[[], T | None], zh: str, en: str, *,
                   seconds: float = WAIT_SECONDS, needed: bool = True) -> T | None:
        """Wait until ``ask`` gives something true, and count it as a check.

        A service that refuses meanwhile is asked again: its neighbour's fact may be under way.
        """
        deadline = time.monotonic() + seconds
        last: Any = None
        while True:
            try:
                found = ask()
                if found:
                    self.check(True, zh, en)
                    return found
                last = found
            except Failure as refused:
                last = refused
            if time.monotonic() > deadline:
                self.check(False, zh, en, seen=last, needed=needed)
                return None
            time.sleep(POLL_SECONDS)

    def show_events(self) -> None:
        """The events that flowed since they were last shown: node, topic, type, subject."""
        self.flow.settle()
        new = self.flow.since()
        if not new:
            return
        self.console.print(f"   [dim]{say('事件', 'events')}[/dim]")
        few = new if len(new) <= SHOWN_EVENTS else _first_of_each(new)
        for seen in few:
            self.console.print(f"     {line(seen)}")
        left = Counter((seen.node, seen.topic, seen.type) for seen in new)
        left.subtract(Counter((seen.node, seen.topic, seen.type) for seen in few))
        for (node, topic, kind), count in sorted(left.items()):
            if count:
                self.console.print(f"     [dim]… {node} {topic} {kind} × {count}[/dim]")


def _first_of_each(new: Sequence[Seen]) -> list[Seen]:
    """The first event of each kind, where there are too many to show all."""
    firsts: dict[tuple[str, str, str], Seen] = {}
    for seen in new:
        firsts.setdefault((seen.node, seen.topic, seen.type), seen)
    return list(firsts.values())


def fields(told: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The named members of an answer, to be shown."""
    return {name: told[name] for name in names if name in told}
