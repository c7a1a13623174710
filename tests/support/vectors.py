"""The protocol's published vectors: test keys, a signed directory, and wire images."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.transfer.domain.directory import Directory, read_directory
from shared.canonical import canonical
from shared.signing import kid

PROTOCOL = Path(__file__).parent.parent / "data" / "protocol"


@cache
def _text(name: str) -> str:
    return (PROTOCOL / f"{name}.json").read_text("utf-8")


def vectors(name: str) -> Any:
    """A fresh copy of one file."""
    return json.loads(_text(name))


def directory_file(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The directory of serial 7, with a case's changes of keys, status, and cities added.

    A changed one is no longer signed: where signatures matter, sign it again.
    """
    file = copy.deepcopy(vectors("directory"))
    changes = changes or {}
    nodes = file["body"]["nodes"]
    for node in nodes:
        for key in node["keys"]:
            key.update(changes.get("keys", {}).get(key["kid"], {}))
        node["status"] = changes.get("status", {}).get(node["city"], node["status"])
    nodes.extend(changes.get("add", []))
    return file


def directory(changes: Mapping[str, Any] | None = None) -> Directory:
    """See ``directory_file``."""
    return read_directory(directory_file(changes))


@cache
def private_key(key_id: str) -> Ed25519PrivateKey:
    """A published test key by its id."""
    for key in vectors("keys")["ed25519"]:
        if key["kid"] == key_id:
            return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key["seed"]))
    raise KeyError(key_id)


def resigned(body: Mapping[str, Any], key_id: str, domain: str) -> dict[str, Any]:
    """The body signed by this test key under this domain."""
    message = domain.encode("ascii") + b"\n" + canonical(body)
    return {"body": body, "kid": key_id, "sig": private_key(key_id).sign(message).hex()}


def message(name: str) -> dict[str, Any]:
    """The envelope of one of the twelve messages of the worked example (``M11 k=1``)."""
    for entry in vectors("transfer")["messages"]:
        if entry["name"] == name:
            return entry["envelope"]
    raise KeyError(name)


def resigned_directory(
    changes: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """``directory_file`` signed by a key of this test, and that key pinned."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = key.public_key().public_bytes_raw()
    name = kid("directory", public)
    file = directory_file(changes)
    message = b"jiexu-directory-v1\n" + canonical(file["body"])
    file["sigs"] = [{"kid": name, "sig": key.sign(message).hex()}]
    return file, {name: public}
