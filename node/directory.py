"""How does the federation office tell every node who takes part, and under which keys?

The static directory of protocol.md 3.4: one signed file, made from the entries of the nodes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from node import keys
from node.layout import write_whole
from shared.canonical import canonical

DOMAIN = b"jiexu-directory-v1\n"
VALID_DAYS = 180


class DirectoryIsWrong(Exception):
    """A directory or an entry that cannot be taken; the text says why."""


class Office:
    """The federation office on this machine: its key and the directory it signed last.

    One key signs (threshold 1 of 1), as fits a trial; production holds three and asks for two.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.key_file = home / "keys" / "directory" / "directory.key"
        self.file = home / "directory.json"

    def key(self) -> Ed25519PrivateKey:
        """The directory key, made at its first use."""
        if not self.key_file.exists():
            self.key_file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            keys.write_private(self.key_file, Ed25519PrivateKey.generate())
        key = keys.read_private(self.key_file)
        assert isinstance(key, Ed25519PrivateKey), "a directory key signs"
        return key

    def pin(self) -> str:
        """What each node pins in its settings: ``kid:public key in hex``."""
        public = keys.public_bytes(self.key())
        return f"{keys.kid('directory', public)}:{public.hex()}"

    def sign(self, entries: Sequence[dict[str, Any]], at: datetime,
             valid_days: int = VALID_DAYS) -> dict[str, Any]:
        """Sign and store a directory of these nodes; its serial is one above the last.

        Keys that were listed before stay listed for ever, so that old entries verify.
        Raises ``DirectoryIsWrong``.
        """
        last = read(self.file)["body"] if self.file.exists() else None
        key = self.key()
        body = {
            "v": "directory/1", "serial": 1 + (last["serial"] if last else 0),
            "issued_at": keys.moment(at),
            "expires_at": keys.moment(at + timedelta(days=valid_days)),
            "witness_threshold": 0,
            "nodes": _nodes(entries, {} if last is None
                            else {node["city"]: node for node in last["nodes"]}),
        }
        signed = {"body": body, "sigs": [{
            "kid": keys.kid("directory", keys.public_bytes(key)),
            "sig": key.sign(DOMAIN + canonical(body)).hex()}]}
        write_whole(self.file, canonical(signed).decode("utf-8"))
        return signed


def read_entry(path: Path) -> dict[str, Any]:
    """What a node asks to be listed with. Raises ``DirectoryIsWrong``."""
    try:
        entry = json.loads(path.read_text("utf-8"))
    except ValueError:
        raise DirectoryIsWrong(f"{path} is no JSON") from None
    if not isinstance(entry, dict) or not {"city", "base_url", "keys", "seal_keys"} <= entry.keys():
        raise DirectoryIsWrong(f"{path} is no entry of a node")
    return entry


def read(path: Path) -> dict[str, Any]:
    """The directory of a file, not verified yet. Raises ``DirectoryIsWrong``."""
    try:
        signed = json.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise DirectoryIsWrong(f"{path} cannot be read ({problem.strerror})") from None
    except ValueError:
        raise DirectoryIsWrong(f"{path} is no JSON") from None
    if not _is_directory(signed):
        raise DirectoryIsWrong(f"{path} is no signed directory: get it from the federation office")
    found: dict[str, Any] = signed
    return found


def _is_directory(signed: Any) -> bool:
    """Whether it has the parts that every reader here asks for."""
    match signed:
        case {"body": {"serial": int(), "expires_at": str(), "nodes": [*nodes]}, "sigs": [*sigs]}:
            return all(isinstance(node, dict) and "city" in node for node in nodes) and all(
                isinstance(sig, dict) and {"kid", "sig"} <= sig.keys() for sig in sigs)
    return False


def verify(signed: dict[str, Any], pins: Sequence[str]) -> None:
    """Check that a pinned key signed this directory. Raises ``DirectoryIsWrong``."""
    known = {pin.rpartition(":")[0]: bytes.fromhex(pin.rpartition(":")[2]) for pin in pins}
    message = DOMAIN + canonical(signed["body"])
    for item in signed["sigs"]:
        if item["kid"] not in known:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(known[item["kid"]]).verify(
                bytes.fromhex(item["sig"]), message)
            return
        except InvalidSignature:
            raise DirectoryIsWrong(f"the signature of {item['kid']} does not hold") from None
    raise DirectoryIsWrong("no pinned key signed it")


def _nodes(entries: Sequence[dict[str, Any]],
           before: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    cities = [entry.get("city") for entry in entries]
    if None in cities or len(set(cities)) != len(cities):
        raise DirectoryIsWrong("each entry names a city, and each city once")
    merged = []
    for entry in sorted(entries, key=lambda entry: str(entry["city"])):
        old = before.get(entry["city"], {"keys": [], "seal_keys": []})
        merged.append(entry | {
            name: entry[name] + [key for key in old[name]
                                 if key["kid"] not in {new["kid"] for new in entry[name]}]
            for name in ("keys", "seal_keys")})
    # A city that is not named again stays as it was: its entries must verify for ever.
    merged += [node for city, node in sorted(before.items()) if city not in set(cities)]
    return merged
