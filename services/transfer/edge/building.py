"""How does a frozen dossier become an offer? Read, judged, cut, sealed, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.transfer.domain.bundles import Plain, cut
from services.transfer.domain.channel import UNDECIDED
from services.transfer.domain.directory import Directory
from services.transfer.domain.state import Frozen
from services.transfer.edge import sealing
from services.transfer.edge.records import LogIsBroken, Records, line
from services.transfer.edge.store import StoredBundles
from services.transfer.edge.verification import verify_bundles
from shared.internal_http import Refused


class NotReadable(Exception):
    """An entry cannot be read, or the log is not what its head says (TR-505)."""


class TooLarge(Exception):
    """Larger than the destination's limits (TR-408)."""


@dataclass
class Built:
    """What M4 lists, and which own entries leave undecided."""

    bundles: list[dict[str, Any]] = field(default_factory=list)
    pending: dict[str, int] = field(default_factory=dict)

    def note(self, city: str, entry: Mapping[str, Any]) -> None:
        """Follows each own entry to its highest version."""
        body = entry["body"]
        if body["issuer"] != city:
            return
        if body["state"] in UNDECIDED:
            self.pending[body["entry_id"]] = body["version"]
        elif self.pending.get(body["entry_id"], 0) < body["version"]:
            self.pending.pop(body["entry_id"], None)


async def build(
    state: Frozen,
    *,
    records: Records,
    bundles: StoredBundles,
    key: bytes,
    chain: Sequence[Mapping[str, Any]],
    directory: Directory,
) -> Built:
    """Seals every bundle into its row; raises ``NotReadable``, ``TooLarge``, ``Unavailable``.

    The log is judged as the destination will judge it (checks 8–13), so that what cannot pass
    there is repaired here.
    """
    limits = state.course.request.limits
    head = state.freeze.head
    if head["body"]["count"] > limits["max_entries"]:
        raise TooLarge
    built = Built()
    transfer_id = state.course.transfer_id

    async def sealed() -> AsyncIterator[tuple[bytes, int]]:
        async for plain in _plain(state, records, built, limits["max_bundle_bytes"]):
            if plain.n >= limits["max_bundles"]:
                raise TooLarge
            closed, digest = sealing.seal(key, transfer_id, plain.n, plain.data)
            await bundles.keep(
                transfer_id, plain.n, entries=plain.leaves, digest=digest, sealed=closed
            )
            built.bundles.append(
                {
                    "n": plain.n,
                    "first_index": plain.first_index,
                    "entries": plain.leaves,
                    "bytes": len(closed),
                    "digest": digest,
                }
            )
            yield plain.data, plain.leaves

    try:
        verdict = await verify_bundles(
            sealed(), head=head, custody_chain=chain, directory=directory
        )
    except (LogIsBroken, Refused) as broken:
        raise NotReadable(type(broken).__name__) from broken
    if verdict.flaw is not None:
        raise NotReadable(verdict.flaw.code)
    return built


async def _plain(
    state: Frozen, records: Records, built: Built, max_bytes: int
) -> AsyncIterator[Plain]:
    """The log cut into bundles; only the last page and one open bundle are in memory."""
    count = state.freeze.head["body"]["count"]
    done = index = 0
    open_lines: list[bytes] = []
    subject_id = state.subject.subject_id
    async for page in records.log(subject_id, state.freeze.log_id, count):
        for entry in page:
            built.note(state.course.city, entry)
            open_lines.append(line(entry))
        closed = list(cut(open_lines, max_bytes))
        for one in closed[:-1]:
            yield Plain(done + one.n, index + one.first_index, one.leaves, one.data)
        last = closed[-1]
        open_lines = open_lines[last.first_index :]
        done, index = done + last.n, index + last.first_index
    for one in cut(open_lines, max_bytes):
        yield Plain(done + one.n, index + one.first_index, one.leaves, one.data)
