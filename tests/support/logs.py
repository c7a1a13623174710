"""Rightly signed logs of any length, made from the published test keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from services.transfer.domain.codes import hkdf
from services.transfer.domain.entry_form import judge_leaf
from services.transfer.domain.verify_sums import MemoryScratch, state_digest, sums
from services.transfer.edge.signatures import verify_signature
from shared import merkle
from shared.canonical import canonical
from shared.ids import ulid
from tests.support.vectors import directory, message, resigned, vectors

SUBJECT = vectors("transfer")["subject_id"]
ENTRY_KEYS = {"amber": "amber:46472d9396e7ca95", "birch": "birch:d8eb42866e33949e"}
START = datetime(2027, 1, 4, 1, tzinfo=UTC)
CHAIN: Sequence[Mapping[str, Any]] = message("M4")["body"]["content"]["custody_chain"]


def entry(
    number: int, *, version: int = 1, issuer: str = "amber", **members: Any
) -> dict[str, Any]:
    """Entry ``number`` as this version; by default an hour of service, approved at once."""
    at = START + timedelta(hours=number % 1200)
    body = {
        "v": "entry/1",
        "kind": "service",
        "issuer": issuer,
        "subject_id": SUBJECT,
        "entry_id": f"{issuer}-{ulid(at, hkdf(number.to_bytes(4, 'big'), b'', b'test', 10))}",
        "version": version,
        "state": "approved",
        "minutes": 60,
        "counted_minutes": 60,
        "occurred_on": "2027-01-04",
        "recorded_at": "2027-02-15T03:00:00Z",
        "reason": None if version == 1 else "approved",
        "detail": {
            "recorder": {"organisation_id": "org-7", "name": "琥珀市长者服务协会"},
            "evidence_class": "auto_qr",
            "body": {
                "activity_name": "社区长者陪伴",
                "started_at": at.isoformat().replace("+00:00", "Z"),
                "ended_at": (at + timedelta(hours=1)).isoformat().replace("+00:00", "Z"),
                "break_minutes": 0,
                "place": {"region_code": "500103", "region_as_of": "2027-01-01"},
            },
        },
        "salt": hashlib.sha256(number.to_bytes(4, "big")).hexdigest()[:32],
        **members,
    }
    return resigned(body, ENTRY_KEYS[issuer], "jiexu-entry-v1")


def log(leaves: int) -> Iterator[dict[str, Any]]:
    """Entries of two leaves each: recorded, then approved."""
    for number in range((leaves + 1) // 2):
        yield entry(number, state="pending", counted_minutes=0)
        if number * 2 + 1 < leaves:
            yield entry(number, version=2)


def head_over(entries: Sequence[Mapping[str, Any]], **members: Any) -> dict[str, Any]:
    """A rightly signed head of amber over these entries, whatever they are."""
    book, scratch, frontier = directory(), MemoryScratch(), ()
    kinds = dict.fromkeys(message("M4")["body"]["content"]["head"]["body"]["kinds"], 0)
    for count, signed in enumerate(entries):
        leaf = judge_leaf(
            canonical(signed), subject_id=SUBJECT, directory=book, verify=verify_signature
        )
        scratch.add([leaf])
        frontier = merkle.append(count, frontier, leaf.digest)
        kinds[leaf.kind] += 1
    totals = sums(scratch)
    body = {
        "v": "head/1",
        "subject_id": SUBJECT,
        "epoch": 1,
        "home": "amber",
        "first_registered_on": "2024-05-06",
        "count": len(entries),
        "root": merkle.root(frontier).hex(),
        "totals": asdict(totals),
        "kinds": kinds,
        "state_digest": state_digest(scratch),
        "at": "2027-03-01T02:00:03Z",
        **members,
    }
    return resigned(body, ENTRY_KEYS["amber"], "jiexu-head-v1")
