"""The protocol's published vectors: test keys, a signed directory, and wire images."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.transfer.domain import envelopes
from services.transfer.domain.directory import Directory, read_directory
from shared.canonical import canonical
from shared.signing import kid

MESSAGE_KEYS = {"amber": "amber:3f5d45756011d07b", "birch": "birch:f624a90919910879"}
PROTOCOL = Path(__file__).parent.parent / "data" / "protocol"


@cache
def _text(name: str) -> str:
    return (PROTOCOL / f"{name}.json").read_text("utf-8")


def vectors(name: str) -> Any:
    """A fresh copy of one file."""
    return json.loads(_text(name))


def directory_file(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The directory of serial 7, with a case's changes of keys, status, address, and cities added.

    A changed one is no longer signed: where signatures matter, sign it again.
    """
    file = copy.deepcopy(vectors("directory"))
    changes = changes or {}
    nodes = file["body"]["nodes"]
    for node in nodes:
        for key in node["keys"]:
            key.update(changes.get("keys", {}).get(key["kid"], {}))
        for name in ("status", "base_url"):
            node[name] = changes.get(name, {}).get(node["city"], node[name])
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
    changes: Mapping[str, Any] | None = None, **body: Any
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """``directory_file`` signed by a key of this test, and that key pinned.

    Members of the body (``serial``) may be given.
    """
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = key.public_key().public_bytes_raw()
    name = kid("directory", public)
    file = directory_file(changes)
    file["body"].update(body)
    message = b"jiexu-directory-v1\n" + canonical(file["body"])
    file["sigs"] = [{"kid": name, "sig": key.sign(message).hex()}]
    return file, {name: public}


def contents() -> dict[str, dict[str, Any]]:
    """A content of every message type: published ones, and by hand what was not published."""
    found = {
        entry["envelope"]["body"]["type"]: entry["envelope"]["body"]["content"]
        for entry in vectors("transfer")["messages"]
    }
    for case in vectors("negative")["cases"]:
        if case["expect"] in ("stored", "answered"):
            body = json.loads(bytes.fromhex(case["wire_hex"]))["body"]
            found.setdefault(body["type"], body["content"])
    found["aborted"] = {"certificate": vectors("transfer")["abort_certificate_example"]}
    found["bundle-get"] = {"n": 0, "digest": vectors("bundle")["digest"]}
    found["status-reply"] = {
        "state": "Released",
        "decision": message("M7")["body"]["content"]["certificate"],
        "last_seq_sent": 3,
        "applied": 0,
        "stored": 2,
        "receipted": 3,
        "transfers": [
            {
                "transfer_id": vectors("transfer")["transfer_id"],
                "role": "origin",
                "state": "Released",
                "subject_id": vectors("transfer")["subject_id"],
                "epoch": 1,
                "applied": 0,
            }
        ],
        "certificates": [vectors("transfer")["abort_certificate_example"]],
        "next": None,
    }
    return found


def envelope_of(type: str, content: Mapping[str, Any], **header: Any) -> dict[str, Any]:
    """A rightly signed envelope of this type in the transfer of the worked example.

    From the side that sends this type; members of the header may be given.
    """
    from_origin = type in ("request-received", "offer", "release", "aborted", "residual-closed")
    sender, receiver = ("amber", "birch") if from_origin else ("birch", "amber")
    issued = "2027-03-01T02:00:07Z"
    life = {"status-query": 60, "status-reply": 60, "bundle-get": 60}.get(type)
    expires = "2027-03-01T02:01:07Z" if life else "9999-12-31T23:59:59Z"
    if type in ("transfer-request", "request-received", "offer", "accepted"):
        expires = "2027-03-04T02:00:07Z"
    transfer = vectors("transfer")["transfer_id"]
    if type == "notice" and content["kind"] == "correction-request":
        transfer = envelopes.transfer_id(
            receiver, sender, "correction", content["ref"], content["nonce"]
        )
    numbered = type not in envelopes.UNNUMBERED
    body = envelopes.body(
        **{
            "type": type,
            "message_id": envelopes.message_id(transfer, sender, 1, 9) if numbered else "ab" * 16,
            "transfer_id": transfer,
            "sender": sender,
            "receiver": receiver,
            "incarnation": 1,
            "seq": 9 if numbered else 0,
            "prev": None,
            "in_reply_to": None,
            "issued_at": issued,
            "expires_at": expires,
            "content": content,
            **header,
        }
    )
    return resigned(body, MESSAGE_KEYS[sender], "jiexu-envelope-v1")
