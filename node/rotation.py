"""How does a key of the node directory give way to the next?

The next lies beside it as ``USE.key.next``, is listed seven days before its first use, and then
takes its place; the one before is kept as ``USE.key.KID`` (the last 16 digits). The directory
lists all of them for ever, so that what they signed still verifies (protocol.md 3.4).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from node import directory, keys
from node.directory import DirectoryIsWrong
from node.keys import SEAL, USES, VALID_DAYS, Validity, moment
from node.layout import Node, write_whole
from node.terminal import Exit, Failure

LISTED_DAYS_BEFORE = 7
# Which service has the key of which use.
SERVICE = {**{use: service for service, use in USES}, SEAL: "registry"}
State = Literal["in use", "next", "before"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A key as ``entry.json`` has it; ``signed``: the directory lists it too."""

    use: str
    kid: str
    not_before: str
    not_after: str
    state: State
    signed: bool


def listed(node: Node) -> list[Listed]:
    """Every key of the node's entry, use by use, the newest first. Raises ``Failure``."""
    entry = _entry(node)
    signed = _signed(node)
    found = []
    for use in SERVICE:
        current, following = _kid(node, _file(node, use)), _kid(node, _next(node, use))
        for item in sorted(_of(entry, use), key=lambda item: item["not_before"], reverse=True):
            state: State = ("in use" if item["kid"] == current else
                            "next" if item["kid"] == following else "before")
            found.append(Listed(use, item["kid"], item["not_before"], item["not_after"], state,
                                item["kid"] in signed))
    return found


def add(node: Node, use: str, at: datetime) -> dict[str, Any]:
    """Make the next key for this use and list it in ``entry.json``; returns what is listed.

    A key that was made but not listed, for the command was killed between, is listed now.
    Raises ``Failure``.
    """
    entry, file = _entry(node), _next(node, use)
    if not _file(node, use).parent.is_dir():
        raise Failure(Exit.ASKED_WRONGLY, f"{file.parent} 不在本机:密钥须在其所在处生成",
                      f"{file.parent} is not here: a key is made where it lies")
    if not file.exists():
        keys.write_private(file, X25519PrivateKey.generate() if use == SEAL
                           else Ed25519PrivateKey.generate())
    begins = at + timedelta(days=LISTED_DAYS_BEFORE)
    item = keys.listed(node.code, use, _public(file), Validity(
        moment(begins), moment(begins + timedelta(days=VALID_DAYS))))
    if any(item["kid"] == other["kid"] for other in _of(entry, use)):
        raise Failure(Exit.ASKED_WRONGLY, f"{file.name} 已列入:先启用它(jiexu keys use {use})",
                      f"{file.name} is listed already: take it into use first "
                      f"(jiexu keys use {use})")
    entry[_list_of(use)].append(item)
    write_whole(node.home / "entry.json", json.dumps(entry, indent=2, ensure_ascii=False))
    return item


def take_into_use(node: Node, use: str, now: datetime) -> Path:
    """Put the next key in the place of the current one; returns where that one is kept.

    Raises ``Failure``: a key is not here, the directory does not list the next, or not yet for now.
    """
    current, following = _file(node, use), _next(node, use)
    if not following.is_file():
        raise Failure(Exit.ASKED_WRONGLY, f"没有 {following}:先运行 jiexu keys add {use}",
                      f"there is no {following}: jiexu keys add {use} makes one")
    before, kid = _kid(node, current), _kid(node, following)
    if before is None:
        raise Failure(Exit.ASKED_WRONGLY, f"没有 {current}:请在密钥所在处启用",
                      f"there is no {current}: a key is taken into use where keys lie")
    item = _signed(node).get(kid or "")
    if item is None:
        raise Failure(Exit.ASKED_WRONGLY, f"名录中还没有 {kid}:请把 entry.json 交给联盟办公室",
                      f"the directory does not list {kid} yet: give entry.json to the office")
    if not item["not_before"] <= moment(now) < item["not_after"] or item.get("revoked_at"):
        raise Failure(Exit.ASKED_WRONGLY,
                      f"{kid} 只在 {item['not_before']} 至 {item['not_after']} 间有效",
                      f"{kid} is valid from {item['not_before']} to {item['not_after']} alone"
                      + (", and revoked" if item.get("revoked_at") else ""))
    kept = current.with_name(f"{current.name}.{before.rpartition(':')[2]}")
    # At no moment is there no key: the name of the old one goes over to the new one at once.
    if not kept.exists():  # it does, where we were killed between the two
        os.link(current, kept)
    following.replace(current)
    return kept


def _file(node: Node, use: str) -> Path:
    if use not in SERVICE:
        known = ", ".join(SERVICE)
        raise Failure(Exit.ASKED_WRONGLY, f"没有用途 {use};可选:{known}",
                      f"no key is for {use}; keys are for {known}")
    return node.keys / SERVICE[use] / f"{use}.key"


def _next(node: Node, use: str) -> Path:
    file = _file(node, use)
    return file.with_name(f"{file.name}.next")


def _public(file: Path) -> bytes:
    try:
        return keys.public_bytes(keys.read_private(file))
    except (OSError, ValueError, TypeError):
        raise Failure(Exit.ASKED_WRONGLY, f"{file} 不是无密码的 PEM 私钥",
                      f"{file} is no private key in PEM without a password") from None


def _kid(node: Node, file: Path) -> str | None:
    """The id of the key in this file; ``None`` where there is none."""
    return keys.kid(node.code, _public(file)) if file.exists() else None


def _list_of(use: str) -> str:
    return "seal_keys" if use == SEAL else "keys"


def _of(entry: dict[str, Any], use: str) -> list[dict[str, Any]]:
    return [item for item in entry[_list_of(use)] if use == SEAL or use in item["uses"]]


def _entry(node: Node) -> dict[str, Any]:
    path = node.home / "entry.json"
    try:
        entry = directory.read_entry(path)
        if entry["city"] != node.code:
            raise DirectoryIsWrong(f"{path} is the entry of another node")
        for use in SERVICE:
            for item in _of(entry, use):
                assert {"kid", "not_before", "not_after"} <= item.keys()
        return entry
    except OSError:
        raise Failure(Exit.ASKED_WRONGLY, f"没有 {path}", f"there is no {path}") from None
    except DirectoryIsWrong as wrong:
        raise Failure(Exit.ASKED_WRONGLY, f"条目有误:{wrong}", str(wrong)) from None
    except (AssertionError, AttributeError, KeyError, TypeError):
        raise Failure(Exit.ASKED_WRONGLY, f"{path} 的密钥清单有误",
                      f"{path}: its lists of keys are not what jiexu init writes") from None


def _signed(node: Node) -> dict[str, dict[str, Any]]:
    """What the directory lists of this node, by kid; nothing where it is not there yet."""
    path = Path(node.directory)
    if not path.is_file():
        return {}
    try:
        signed = directory.read(path)
        directory.verify(signed, node.directory_keys)
    except DirectoryIsWrong as wrong:
        raise Failure(Exit.ASKED_WRONGLY, f"名录有误:{wrong}", str(wrong)) from None
    return {item["kid"]: item for entry in signed["body"]["nodes"] if entry["city"] == node.code
            for item in (*entry["keys"], *entry["seal_keys"])}
