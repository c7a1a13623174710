"""Which city signs entries with which key? The federation's signed file, read again as it changes.

The same file that transfer reads, read by our own few lines (decisions/0002):
of it we need entry keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.canonical import canonical, load
from shared.messages import Unreadable

SIGNED_AS: Final = b"jiexu-directory-v1\n"
# 4,000 nodes with their keys stay far below.
MAX_FILE_BYTES: Final = 32 * 1024 * 1024


class DirectoryIsWrong(Exception):
    """The file cannot be read, is not signed by enough pinned keys, or is older than one held."""


@dataclass(frozen=True, slots=True)
class EntryKey:
    """A key of a city that signs entries; instants as text, which sort as they do."""

    public: Ed25519PublicKey
    not_before: str
    not_after: str
    revoked_at: str | None
    compromised_since: str | None

    def signs(self, at: str) -> bool:
        """Whether what it signed at this instant counts."""
        return (
            self.not_before <= at < self.not_after
            and (self.revoked_at is None or at < self.revoked_at)
            and self.compromised_since is None
        )


@dataclass(frozen=True, slots=True)
class Directory:
    """``serial`` only rises. ``known``: every kid listed, whatever it may sign."""

    serial: int
    keys: Mapping[tuple[str, str], EntryKey]
    known: frozenset[str]


EMPTY: Final = Directory(0, {}, frozenset())


class DirectoryFile:
    """The file as held: asked for at each use, read again when it has changed."""

    def __init__(self, path: Path | None, pins: Sequence[str], threshold: int = 1) -> None:
        self._path = path
        self._pins = dict(_pin(each) for each in pins)
        self._threshold = threshold
        self._held = EMPTY
        self._stamp: tuple[int, int] | None = None

    def current(self) -> Directory:
        """Raises ``DirectoryIsWrong`` when a changed file cannot be taken; the old one stays."""
        if self._path is None:
            return EMPTY
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp == self._stamp:
                return self._held
            raw = self._path.read_bytes()
        except OSError as error:
            raise DirectoryIsWrong(f"the directory cannot be read: {error.strerror}") from None
        directory = read_directory(raw, self._pins, self._threshold)
        if directory.serial < self._held.serial:
            raise DirectoryIsWrong("the directory is older than the one held")
        self._held, self._stamp = directory, stamp
        return directory


def read_directory(raw: bytes, pins: Mapping[str, bytes], threshold: int) -> Directory:
    """The directory of these bytes, if so many pinned keys signed it."""
    if len(raw) > MAX_FILE_BYTES:
        raise DirectoryIsWrong(f"the directory is longer than {MAX_FILE_BYTES} bytes")
    try:
        file = load(raw, max_depth=32)
        body, signatures = file["body"], file["sigs"]
        message = SIGNED_AS + canonical(body)
        good = {each["kid"] for each in signatures if _holds(pins.get(each["kid"]), each, message)}
        if len(good) < threshold:
            raise DirectoryIsWrong("the directory is not signed by enough pinned keys")
        return _directory(body)
    except (Unreadable, KeyError, TypeError, ValueError, json.JSONDecodeError):
        raise DirectoryIsWrong("the directory is not of its form") from None


def _directory(body: Mapping[str, Any]) -> Directory:
    keys: dict[tuple[str, str], EntryKey] = {}
    known: set[str] = set()
    for node in body["nodes"]:
        for key in node["keys"]:
            known.add(key["kid"])
            if "entry" in key["uses"]:
                public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key["public"]))
                keys[(node["city"], key["kid"])] = EntryKey(
                    public,
                    key["not_before"],
                    key["not_after"],
                    key["revoked_at"],
                    key["compromised_since"],
                )
    return Directory(int(body["serial"]), keys, frozenset(known))


def _pin(text: str) -> tuple[str, bytes]:
    kid, _, public = text.rpartition(":")
    return kid, bytes.fromhex(public)


def _holds(public: bytes | None, signature: Mapping[str, Any], message: bytes) -> bool:
    if public is None:
        return False
    try:
        key = Ed25519PublicKey.from_public_bytes(public)
        key.verify(bytes.fromhex(signature["sig"]), message)
    except (InvalidSignature, ValueError):
        return False
    return True
