"""Which directory does this node go by, and when does it take a newer one?

The federation office's file, static or put there by an operator. A file is taken whole or not at
all: enough pinned keys must have signed it, and its serial never falls, also over a restart. Past
its expiry what is released goes on; new requests wait.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from services.transfer.domain.directory import Directory, endorsements, read_directory
from services.transfer.edge.ports import Journal, Serials
from services.transfer.edge.signatures import verify_signature
from shared.canonical import load
from shared.clock import Clock, wire
from shared.messages import Unavailable, Unreadable

MAX_FILE_BYTES: Final = 4 * 1_048_576
REFRESH_SECONDS: Final = 900
_PIN: Final = re.compile(r"([a-z0-9][a-z0-9-]{1,30}:[0-9a-f]{16}):([0-9a-f]{64})", re.ASCII)
_log = structlog.get_logger(__name__)


class DirectoryIsWrong(Exception):
    """A file that cannot be taken; the text says why and names no value."""


@dataclass(frozen=True, slots=True)
class Held:
    """A directory that was taken: as read, and byte for byte as other cities may fetch it."""

    directory: Directory
    raw: bytes
    etag: str


def pinned_keys(settings: Sequence[str]) -> dict[str, bytes]:
    """``kid:hex`` of each pinned directory key → raw public key by kid; raises ``ValueError``."""
    keys: dict[str, bytes] = {}
    for pin in settings:
        match = _PIN.fullmatch(pin)
        if match is None:
            raise ValueError("a pinned directory key is not of the form kid:64 hex digits")
        keys[match[1]] = bytes.fromhex(match[2])
    return keys


class DirectoryFile:
    """The directory as held. ``load`` before anything else; ``current`` afterwards."""

    def __init__(
        self,
        path: Path,
        pinned: Mapping[str, bytes],
        *,
        threshold: int,
        clock: Clock,
        serials: Serials,
        journal: Journal,
    ) -> None:
        if not 1 <= threshold <= len(pinned):
            raise ValueError("the threshold is not between 1 and the number of pinned keys")
        self._path = path
        self._pinned = pinned
        self._threshold = threshold
        self._clock = clock
        self._serials = serials
        self._journal = journal
        self._held: Held | None = None
        self._reported: tuple[str, str] | None = None
        # One load at a time: an older file that was read earlier may not be taken later.
        self._loading = asyncio.Lock()

    @property
    def held(self) -> Held:
        """What was taken last; raises ``Unavailable`` before the first."""
        if self._held is None:
            raise Unavailable("no directory was taken yet")
        return self._held

    def current(self) -> Directory:
        """See ``held``."""
        return self.held.directory

    def look(self) -> None:
        """Raises ``DirectoryIsWrong`` where the file could not be taken; takes nothing."""
        self._judged(self._read())

    async def load(self) -> Directory:
        """Takes the file, or raises ``DirectoryIsWrong``."""
        async with self._loading:
            return await self._load()

    async def _load(self) -> Directory:
        raw = await asyncio.to_thread(self._read)
        etag = sha256(raw).hexdigest()
        if self._held is not None and self._held.etag == etag:
            return self._held.directory
        directory = self._judged(raw)
        highest = await self._serials.highest()
        if directory.serial < highest:
            raise DirectoryIsWrong("its serial is lower than one that was taken before")
        await self._serials.raise_to(directory.serial)
        self._held = Held(directory, raw, etag)
        _log.info("directory taken", serial=directory.serial, cities=len(directory.cities))
        return directory

    async def refresh(self) -> Directory:
        """Takes a newer file if there is one; else goes on with the one held, and alarms once."""
        try:
            await self.load()
        except DirectoryIsWrong as wrong:
            await self._report("directory-is-wrong", str(wrong))
        if not self.current().fresh(wire(self._clock.now())):
            await self._report("directory-is-stale", str(self.current().serial))
        return self.current()

    async def at_least(self, serial: int) -> Directory:
        """A peer signed under this serial: looks for a newer file where ours is older."""
        return self.current() if self.current().serial >= serial else await self.refresh()

    async def keep_fresh(self, every_seconds: float = REFRESH_SECONDS) -> None:
        """A chore of the process, without end."""
        while True:
            await asyncio.sleep(every_seconds)
            try:
                await self.refresh()
            except Unavailable as away:
                _log.warning("directory not looked at", reason=str(away))

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                raw = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            raise DirectoryIsWrong(f"the file cannot be read: {error.strerror}") from None
        if len(raw) > MAX_FILE_BYTES:
            raise DirectoryIsWrong(f"the file is longer than {MAX_FILE_BYTES} bytes")
        return raw

    def _judged(self, raw: bytes) -> Directory:
        try:
            file = load(raw)
            directory = read_directory(file)
        except Unreadable as unreadable:
            raise DirectoryIsWrong(str(unreadable)) from None
        signed = endorsements(file, self._pinned, verify_signature)
        if signed < self._threshold:
            raise DirectoryIsWrong(f"{signed} of {self._threshold} pinned keys signed it")
        return directory

    async def _report(self, kind: str, why: str) -> None:
        if self._reported != (kind, why):
            self._reported = (kind, why)
            _log.error(kind, reason=why)
            await self._journal.alarm(kind, None, {"reason": why})
