"""How is the story told to two embedded nodes, made for it and stopped with it?"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from node.control import NodeDidNotStart
from node.demo import cities, ending
from node.demo.cast import Story
from node.demo.cities import City
from node.kafka_jars import class_path
from node.terminal import Exit, Failure, out, progress, say

DATA = Path("data") / "demo"


class Embedded:
    """Both cities as processes of this machine, below ``data``, made anew each time."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._pair: tuple[City, ...] = ()

    def begin(self) -> tuple[City, City]:
        """Make them, start them, wait until they are ready.

        Raises ``Failure``, ``NoPorts``, ``NotOurs``, ``StillRuns``.
        """
        _fetch()
        self._pair = first, second = cities.make(self.data)
        for city in self._pair:
            city.node = cities.welcome(city.node, {"city": {"zh": city.node.name_zh,
                                                            "en": city.node.name_en}})
        for city in self._pair:
            city.start()
        with progress(say("启动两座城市", "starting two cities")) as step:
            for index, city in enumerate(self._pair):
                try:
                    city.wait_until_ready(
                        lambda state, city=city, index=index: step(  # type: ignore[misc]
                            index, 2, text=f"{city.node.code} {cities.progress_line(state)}"))
                except NodeDidNotStart as problem:
                    raise Failure(Exit.NODE_STATE, f"{city.name} 未能启动:{problem}",
                                  f"{city.name} did not start: {problem}") from None
        return first, second

    def welcome(self, story: Story) -> None:
        """What the page at / of each node says of the people of the story."""
        for city in (story.chongqing, story.chengdu):
            cities.welcome(city.node, ending.welcome(story, city))

    def logs(self) -> str:
        """Where to read what went wrong."""
        return ", ".join(str(city.node.logs) for city in self._pair)

    def last_words(self) -> str:
        """What to try now."""
        return say(
            f"\n试试:JIEXU_DATA={self.data} .venv/bin/jiexu status -n 500000(events tail、token、"
            "import …);Ctrl-C 结束",
            f"\ntry: JIEXU_DATA={self.data} .venv/bin/jiexu status -n 500000 (events tail, token, "
            "import …); Ctrl-C ends")

    def stay(self) -> None:
        """Until Ctrl-C, or until a supervisor ends."""
        while all(city.supervisor is not None and city.supervisor.running for city in self._pair):
            time.sleep(0.5)

    def end(self) -> None:
        """Stop every process of both."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        for city in self._pair:
            city.ask_to_stop()
        for city in self._pair:
            city.stop()


def _fetch() -> None:
    begun = time.monotonic()
    fetched: list[bool] = []
    class_path(lambda: fetched.append(True))
    if fetched:
        out().print(say(f"下载 Kafka 用时 {time.monotonic() - begun:.0f} 秒",
                        f"fetching Kafka took {time.monotonic() - begun:.0f} s"))
