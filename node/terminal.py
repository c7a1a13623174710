"""How does a command speak: language, tables, JSON, progress bars, exit codes?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Literal, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

Language = Literal["zh", "en"]
# Of a pipe or a file, where nothing is to be folded.
PIPED_WIDTH = 200


class Exit(IntEnum):
    """What a script learns from the exit code of ``jiexu``.

    FOUND_WRONG: the command did its work, and what it looked at is not right (a dossier that does
    not verify, rows that were held, a failed check of the demo).
    """

    DONE = 0
    FOUND_WRONG = 1
    ASKED_WRONGLY = 2
    NODE_STATE = 3
    REFUSED = 4
    UNAVAILABLE = 5


class Failure(Exception):
    """Why a command ends without having done it; said in the reader's language."""

    def __init__(self, code: Exit, zh: str, en: str) -> None:
        super().__init__(en)
        self.code, self.zh, self.en = code, zh, en

    def __str__(self) -> str:
        return say(self.zh, self.en)


def language() -> Language:
    """``zh`` where the environment says Chinese (LC_ALL, LC_MESSAGES, LANG in this order)."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


def say(zh: str, en: str) -> str:
    """The text in the reader's language."""
    return zh if language() == "zh" else en


def out() -> Console:
    """Where results go; never cut to the width of a terminal that is none."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


def err() -> Console:
    """Where progress and complaints go, so that results can be piped."""
    return Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table of texts; ``None`` is shown as a dash."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for header in headers:
        made.add_column(header, overflow="fold")
    for row in rows:
        made.add_row(*("–" if value is None else str(value) for value in row))
    return made


class Step(Protocol):
    """Tells a progress bar how far it is."""

    def __call__(self, done: int, total: int | None = None, /, text: str | None = None) -> None: ...


@contextmanager
def progress(text: str, total: int | None = None, *, quiet: bool = False) -> Iterator[Step]:
    """A bar on standard error for what may take longer than two seconds; gone when done."""
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn(
            "{task.completed:.0f}/{task.total}" if total is not None else ""),
        TimeElapsedColumn(), console=err(), transient=True, disable=quiet)
    with bar:
        task = bar.add_task(text, total=total)

        def step(done: int, total: int | None = None, /, text: str | None = None) -> None:
            bar.update(task, completed=done, total=total, description=text)

        yield step
