"""Does a process end when a part of it has failed, though its reader would go on? And does it say
once what its start waits for?"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.ledger import Gate
from shared.messages import Unavailable
from shared.relay import open_when_compared, own_topics
from shared.roles.process import Process


class _Failed(Exception):
    """What ended the active worker."""


class _HalfDead(Process):
    """A process whose reader reads until it is told to stop, and whose worker fails."""

    def __init__(self) -> None:
        self.role = "serve"
        self.listeners = []
        self.left = False
        self._sources: Any = ("a source",)
        self.reader = None
        self.parts: Any = SimpleNamespace(database=SimpleNamespace(as_the_only_one=self._alone))

    async def _open(self) -> bool:
        return True

    async def _read(self, stop: asyncio.Event) -> None:
        self.reader: Any = object()
        await stop.wait()
        self.left = True

    async def _alone(self, _role: str, _work: Any) -> None:
        await asyncio.sleep(0.01)
        raise _Failed


async def test_a_worker_that_fails_ends_the_process_and_the_reader_leaves_its_group() -> None:
    process = _HalfDead()
    async with asyncio.timeout(5):
        with pytest.raises(_Failed):
            await process._run_parts(asyncio.Event())
    assert process.left


async def test_what_a_start_waits_for_is_logged_when_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = iter(["away", "away", "refused", "refused", None])

    async def compare(*_: object) -> int:
        if why := next(asked):
            raise Unavailable(why)
        return 0

    monkeypatch.setattr(own_topics, "compare", compare)
    monkeypatch.setattr(own_topics, "RETRY_SECONDS", 0)
    nothing: Any = None
    with capture_logs() as logged:
        await open_when_compared(Gate(), nothing, "broker", "500000", [])
    assert [(each["event"], each["reason"]) for each in logged] == [
        ("start.waits", "away"),
        ("start.waits", "refused"),
    ]
