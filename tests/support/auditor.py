"""Do the books of several cities add up? A second opinion, from the tables alone.

It shares no code with the services but the canonical form, the tree and the signature. Minutes
are counted the slow way, second by second as sets (INV-2); every signature, digest and root is
reckoned again; a subject is at home in exactly one city (INV-3); and every entry that a client was
told of stands there, once, in the state it was told (INV-1).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.canonical import canonical

ENTRY_DOMAIN = b"jiexu-entry-v1\n"


@dataclass
class Journal:
    """What clients were told: per subject, entry id → the last state and minutes acknowledged."""

    told: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)

    def note(self, subject_id: str, entry_id: str, state: str, minutes: int) -> None:
        self.told.setdefault(subject_id, {})[entry_id] = (state, minutes)


@dataclass(frozen=True)
class Dossier:
    """One city's dossier of one subject, as its tables have it."""

    city: str
    status: str
    row: Mapping[str, Any]
    entries: Sequence[Mapping[str, Any]]


@dataclass
class Report:
    """What was found wrong, and the sums of what was right."""

    wrong: list[str] = field(default_factory=list)
    entries: int = 0
    credited_minutes: int = 0
    homes: dict[str, str] = field(default_factory=dict)


async def audit(cities: Mapping[str, str], keys: Mapping[str, bytes], journal: Journal) -> Report:
    """``cities``: by code the URL of its database; ``keys``: by kid the public entry key."""
    report = Report()
    found: dict[str, list[Dossier]] = {}
    for code, url in cities.items():
        for subject, dossier in (await _dossiers(code, url)).items():
            found.setdefault(subject, []).append(dossier)
    for subject in sorted(found.keys() | journal.told.keys()):
        here = [one for one in found.get(subject, []) if one.status == "home"]
        elsewhere = [one for one in found.get(subject, []) if one.status == "frozen"]
        if len(here) != 1 or elsewhere:
            states = {one.city: one.status for one in found.get(subject, [])}
            report.wrong.append(f"{subject} is at home in {len(here)} cities: {states}")
            continue
        report.homes[subject] = here[0].city
        _one(here[0], subject, keys, journal.told.get(subject, {}), report)
    return report


async def _dossiers(city: str, url: str) -> dict[str, Dossier]:
    connection = await asyncpg.connect(url, server_settings={"search_path": "records"})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rows = await connection.fetch(
                "SELECT id, state::text AS state FROM aggregate WHERE kind = 'dossier'"
            )
            dossiers = {}
            for row in rows:
                state = json.loads(row["state"])
                log_id = state.get("log", {}).get("log_id")
                entries = await connection.fetch(
                    """SELECT v.signed, l.leaf_index FROM leaf AS l
                    JOIN entry_version AS v USING (issuer, entry_id, version)
                    WHERE l.log_id = $1 ORDER BY l.leaf_index""",
                    log_id,
                )
                dossiers[row["id"]] = Dossier(
                    city, state["status"], state, [json.loads(one["signed"]) for one in entries]
                )
            return dossiers
    finally:
        await connection.close()


def _one(
    dossier: Dossier,
    subject: str,
    keys: Mapping[str, bytes],
    told: Mapping[str, tuple[str, int]],
    report: Report,
) -> None:
    log = dossier.row["log"]
    if log["count"] != len(dossier.entries):
        report.wrong.append(
            f"{subject}: {len(dossier.entries)} leaves, the row says {log['count']}"
        )
    digests = [hashlib.sha256(canonical(one["body"])).digest() for one in dossier.entries]
    keys_seen = [_key(one["body"]) for one in dossier.entries]
    if len(set(keys_seen)) != len(keys_seen):
        report.wrong.append(f"{subject}: an entry version stands twice in one log")
    for one in dossier.entries:
        if not _signed_by_its_issuer(one, keys):
            report.wrong.append(f"{subject}: {one['body']['entry_id']} has no valid signature")
    root = _root(digests)
    if root != _root_of_frontier(log["frontier"], len(digests)):
        report.wrong.append(f"{subject}: the tree of the leaves has another root")
    standing = _standing(dossier.entries)
    credited = _credited(dossier.entries, standing)
    if credited != log["totals"]["credited_minutes"]:
        report.wrong.append(
            f"{subject}: {credited} minutes second by second, "
            f"{log['totals']['credited_minutes']} in the row"
        )
    for entry_id, (state, minutes) in told.items():
        body = standing.get(entry_id)
        if body is None:
            report.wrong.append(f"{subject}: {entry_id} was acknowledged and is not there")
        elif (body["state"], body["minutes"]) != (state, minutes):
            report.wrong.append(
                f"{subject}: {entry_id} is {body['state']} {body['minutes']}, "
                f"told was {state} {minutes}"
            )
    invented = {
        entry_id for entry_id, body in standing.items() if body["kind"] == "service"
    } - told.keys()
    if invented:
        report.wrong.append(f"{subject}: {len(invented)} entries that nobody submitted")
    report.entries += len(standing)
    report.credited_minutes += credited


def _key(body: Mapping[str, Any]) -> tuple[str, str, int]:
    return body["issuer"], body["entry_id"], body["version"]


def _signed_by_its_issuer(signed: Mapping[str, Any], keys: Mapping[str, bytes]) -> bool:
    kid = signed["kid"]
    if kid not in keys or kid.split(":")[0] != signed["body"]["issuer"]:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(keys[kid]).verify(
            bytes.fromhex(signed["sig"]), ENTRY_DOMAIN + canonical(signed["body"])
        )
    except InvalidSignature:
        return False
    return True


def _standing(entries: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """By entry id the highest version; ids of two issuers differ by their beginning."""
    standing: dict[str, Mapping[str, Any]] = {}
    for one in entries:
        body = one["body"]
        known = standing.get(body["entry_id"])
        if known is None or known["version"] < body["version"]:
            standing[body["entry_id"]] = body
    return standing


def _credited(
    entries: Sequence[Mapping[str, Any]], standing: Mapping[str, Mapping[str, Any]]
) -> int:
    """Each service gives the whole minutes of its seconds that no earlier one covers."""
    covered: set[int] = set()
    total = 0
    services = [
        body
        for body in standing.values()
        if body["kind"] == "service" and body["counted_minutes"] > 0
    ]
    for body in sorted(services, key=lambda one: (one["entry_id"][-26:], one["issuer"])):
        seconds = _seconds(entries, body)
        shared = 0
        if seconds:
            fresh = len(seconds - covered)
            shared = min(body["counted_minutes"], len(seconds) // 60 - fresh // 60)
            covered |= seconds
        total += body["counted_minutes"] - shared
    adjustments = (b["counted_minutes"] for b in standing.values() if b["kind"] == "adjustment")
    return total + sum(adjustments)


def _seconds(entries: Sequence[Mapping[str, Any]], standing: Mapping[str, Any]) -> set[int]:
    """The seconds of an entry's interval: of its highest approved version, else as it stands."""
    approved = [
        one["body"]
        for one in entries
        if one["body"]["entry_id"] == standing["entry_id"] and one["body"]["state"] == "approved"
    ]
    body = max(approved, key=lambda one: one["version"], default=standing)
    inner = body["detail"].get("body", {})
    started, ended = inner.get("started_at"), inner.get("ended_at")
    if not started or not ended:
        return set()
    first, last = (int(datetime.fromisoformat(text).timestamp()) for text in (started, ended))
    return set(range(first, last))


def _root(digests: Sequence[bytes]) -> str:
    """RFC 9162, 2.1, by its definition."""
    return _subtree([hashlib.sha256(b"\x00" + one).digest() for one in digests]).hex()


def _subtree(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = _subtree(hashes[:split]), _subtree(hashes[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def _root_of_frontier(frontier: Sequence[str], count: int) -> str:
    """The row's roots of perfect subtrees, largest first, put together from the smallest."""
    if count == 0:
        return hashlib.sha256(b"").hexdigest()
    hashes = [bytes.fromhex(one) for one in frontier]
    root = hashes.pop()
    while hashes:
        root = hashlib.sha256(b"\x01" + hashes.pop() + root).digest()
    return root.hex()
