"""What runs out soon: keys, certificates, and the directory itself?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from node.directory import DirectoryIsWrong, read, read_entry
from node.keys import USES, kid, moment, public_bytes, read_private
from node.layout import Node

WARN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Expiry:
    """Something that ends, and in how many whole days (below 0: it has ended)."""

    what: str
    at: str
    days: int


def expiries(node: Node, now: datetime) -> list[Expiry]:
    """The directory and this node's keys in it, the soonest to end first.

    Raises ``DirectoryIsWrong``.
    """
    try:
        return sorted(_expiries(node, now), key=lambda item: item.days)
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        raise DirectoryIsWrong(f"what {node.directory} or entry.json lists of {node.code} "
                               "cannot be read, or is not in its form") from None


def _expiries(node: Node, now: datetime) -> Iterator[Expiry]:
    directory, own = Path(node.directory), node.home / "entry.json"
    listed = []
    if directory.is_file():
        body = read(directory)["body"]
        yield _expiry("directory", body["expires_at"], now)
        listed = [entry for entry in body["nodes"] if entry["city"] == node.code]
    if not listed and own.is_file():
        listed = [read_entry(own)]
    for entry in listed:
        for use, key in _current(node, entry):
            yield _expiry(f"{use} key {key['kid']}", key["not_after"], now)


def certificates(node: Node, now: datetime) -> list[Expiry]:
    """The certificates in the node's settings that end within 30 days, or have; the soonest first.

    What is no certificate is passed over: the service whose setting it is names it.
    """
    found = []
    for name, path in node.extra.items():
        if name.endswith("_CERTIFICATE"):
            with suppress(OSError, ValueError):
                chain = x509.load_pem_x509_certificates(Path(path).read_bytes())
                end = min(each.not_valid_after_utc for each in chain)
                found.append(_expiry(f"certificate {name}", moment(end), now))
    return sorted((item for item in found if item.days <= WARN_DAYS), key=lambda item: item.days)


def _current(node: Node, entry: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each use the key whose private half is in its place, else the one that ends last: those
    before stay listed for ever, and the next does not help until it is taken into use.

    The seal key is passed over: nothing of this release is sealed to it.
    """
    listed: dict[str, list[dict[str, Any]]] = {}
    for key in entry["keys"]:
        if key["revoked_at"] is None:
            listed.setdefault("+".join(key["uses"]), []).append(key)
    here = set(_kids_here(node))
    for use, several in listed.items():
        last = max(several, key=lambda key: str(key["not_after"]))
        yield use, next((key for key in several if key["kid"] in here), last)


def _kids_here(node: Node) -> Iterator[str]:
    for service, use in USES:
        # Keys may lie elsewhere, or not be ours to read.
        with suppress(OSError, ValueError, TypeError):
            yield kid(node.code, public_bytes(read_private(node.keys / service / f"{use}.key")))


def soon(node: Node, now: datetime) -> list[Expiry]:
    """Those within 30 days, or past."""
    return [item for item in expiries(node, now) if item.days <= WARN_DAYS]


def _expiry(what: str, at: str, now: datetime) -> Expiry:
    end = datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return Expiry(what, at, (end - now).days)
