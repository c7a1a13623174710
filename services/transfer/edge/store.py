"""What do the wire modules, people and jobs ask of this service's tables?

Bundles, status answers, the node's own condition, journal and directory serial for the wire
(``ports``); addresses of moves for jobs; seal keys.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from services.transfer.domain.events import Role
from services.transfer.edge.codec import state_of
from services.transfer.edge.inbox import ROLES
from services.transfer.edge.ports import RefusedInput, SealedBundle, Standing
from shared.clock import Clock
from shared.messages import Unavailable
from shared.postgres import Connection, Database

# Asked at every message; a second old is new enough (check 2).
STANDING_SECONDS = 1.0
DISK_FREE_SHARE = 0.05
_log = structlog.get_logger(__name__)
REFUSED_KEPT_DAYS = 90
REFUSED_PAGE = 1000
SWEEP_SECONDS = 3600.0
# Only while an offer or a release waits are the origin's bundles given out (check 22).
GIVEN_OUT = ("Offered", "Released")


class StoredBundles:
    """See ``ports.Bundles``; also what jobs keep of bundles on both sides."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, transfer_id: str, n: int, peer: str) -> SealedBundle | None:
        """Only for the other side of an offer of ours that still stands."""
        async with self._database.reading() as connection:
            row = await connection.fetchrow(
                """SELECT b.digest, b.sealed FROM bundle AS b
                   JOIN transfer AS t ON t.transfer_id = b.transfer_id
                   WHERE b.transfer_id = $1 AND b.n = $2 AND t.role = 'O' AND t.peer = $3
                       AND t.state = ANY ($4::text[])""",
                transfer_id,
                n,
                peer,
                list(GIVEN_OUT),
            )
        return SealedBundle(row["digest"], bytes(row["sealed"])) if row else None

    async def keep(
        self,
        transfer_id: str,
        n: int,
        *,
        entries: int,
        digest: str,
        sealed: bytes,
        plain_digest: str | None = None,
    ) -> None:
        """One bundle's row; the same again changes nothing."""
        async with self._database.reading() as connection:
            await connection.execute(
                """INSERT INTO bundle (transfer_id, n, entries, digest, bytes, sealed,
                       plain_digest) VALUES ($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (transfer_id, n) DO UPDATE SET entries = excluded.entries,
                       digest = excluded.digest, bytes = excluded.bytes,
                       sealed = excluded.sealed, plain_digest = excluded.plain_digest""",
                transfer_id,
                n,
                entries,
                digest,
                len(sealed),
                sealed,
                plain_digest,
            )

    async def held(self, transfer_id: str) -> Mapping[int, str]:
        """n → digest of the bundles that are here."""
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                "SELECT n, digest FROM bundle WHERE transfer_id = $1", transfer_id
            )
        return {row["n"]: row["digest"] for row in rows}

    async def sealed(self, transfer_id: str, n: int) -> bytes | None:
        """The sealed bytes of one bundle that is here."""
        async with self._database.reading() as connection:
            found = await connection.fetchval(
                "SELECT sealed FROM bundle WHERE transfer_id = $1 AND n = $2", transfer_id, n
            )
        return bytes(found) if found is not None else None

    async def note_plain(
        self, transfer_id: str, digests: list[str], list_digest: str, body: bytes
    ) -> None:
        """The SHA-256 of each plain bundle, and their list, under which records reads them."""
        async with self._database.reading() as connection, connection.transaction():
            await connection.executemany(
                "UPDATE bundle SET plain_digest = $3 WHERE transfer_id = $1 AND n = $2",
                [(transfer_id, n, digest) for n, digest in enumerate(digests)],
            )
            await connection.execute(
                """INSERT INTO bundle_list (transfer_id, digest, body) VALUES ($1, $2, $3)
                   ON CONFLICT (transfer_id) DO UPDATE SET digest = excluded.digest,
                       body = excluded.body""",
                transfer_id,
                list_digest,
                body,
            )

    async def keep_seal(self, transfer_id: str, public: str, wrapped: bytes) -> tuple[str, bytes]:
        """The seal pair of a move at its origin: the first that was kept stands."""
        async with self._database.reading() as connection:
            await connection.execute(
                """INSERT INTO seal_key (transfer_id, public, wrapped) VALUES ($1, $2, $3)
                   ON CONFLICT (transfer_id) DO NOTHING""",
                transfer_id,
                public,
                wrapped,
            )
            row = await connection.fetchrow(
                "SELECT public, wrapped FROM seal_key WHERE transfer_id = $1", transfer_id
            )
        assert row is not None
        return row["public"], bytes(row["wrapped"])

    async def seal_of(self, transfer_id: str) -> bytes | None:
        """The wrapped private half; None once destroyed."""
        async with self._database.reading() as connection:
            found = await connection.fetchval(
                "SELECT wrapped FROM seal_key WHERE transfer_id = $1", transfer_id
            )
        return bytes(found) if found is not None else None


class StoredNode:
    """See ``ports.Node``: incarnation, and why E1 and E2 must answer 503."""

    def __init__(self, database: Database, closed: Callable[[], str | None]) -> None:
        self._database = database
        self._closed = closed
        self._known: tuple[float, Standing] | None = None

    async def standing(self) -> Standing:
        """At most a second old."""
        now = time.monotonic()
        if self._known is not None and now - self._known[0] < STANDING_SECONDS:
            return self._known[1]
        async with self._database.reading() as connection:
            row = await connection.fetchrow(
                """SELECT (SELECT number FROM node_incarnation) AS number,
                       pg_is_in_recovery() AS standby"""
            )
        assert row is not None
        reason = self._closed()
        if row["standby"]:
            reason = "the database is read only"
        elif not await asyncio.to_thread(_disk_has_room):
            reason = "the disk is nearly full"
        found = Standing(incarnation=row["number"], reason=reason)
        self._known = (now, found)
        return found


def _disk_has_room() -> bool:
    usage = shutil.disk_usage(tempfile.gettempdir())
    return usage.free >= usage.total * DISK_FREE_SHARE


class StoredJournal:
    """See ``ports.Journal``."""

    def __init__(self, database: Database, count: Callable[[str], None]) -> None:
        self._database = database
        self._count = count

    async def refuse(self, refused: RefusedInput) -> None:
        async with self._database.reading() as connection:
            await connection.execute(
                """INSERT INTO rejected_input (endpoint, peer, claimed, problem, field, instance,
                       raw, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
                refused.endpoint,
                refused.peer,
                refused.claimed,
                refused.problem,
                refused.field,
                refused.instance,
                refused.raw,
                refused.at,
            )

    async def alarm(self, kind: str, transfer_id: str | None, about: Mapping[str, Any]) -> None:
        self._count(kind)
        async with self._database.reading() as connection:
            await connection.execute(
                "INSERT INTO alarm (kind, transfer_id, about) VALUES ($1, $2, $3::jsonb)",
                kind,
                transfer_id,
                json.dumps(dict(about)),
            )


async def sweep_refused(database: Database, clock: Clock) -> None:
    """A chore: what did not pass the checks is kept 90 days (3.3), then goes, page by page."""
    while True:
        try:
            async with database.reading() as connection:
                while await forget_refused(connection, clock.now()) == REFUSED_PAGE:
                    pass
        except Unavailable as away:
            _log.warning("refused input not swept", reason=str(away))
        await asyncio.sleep(SWEEP_SECONDS)


async def forget_refused(connection: Connection, now: datetime) -> int:
    """Deletes a page of refused input older than 90 days; returns how many."""
    deleted = await connection.execute(
        """DELETE FROM rejected_input WHERE id IN (
               SELECT id FROM rejected_input WHERE at < $1 ORDER BY at LIMIT $2)""",
        now - timedelta(days=REFUSED_KEPT_DAYS),
        REFUSED_PAGE,
    )
    return int(deleted.split()[-1])


class StoredSerials:
    """See ``ports.Serials``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def highest(self) -> int:
        async with self._database.reading() as connection:
            found = await connection.fetchval("SELECT serial FROM directory_serial")
        return int(found or 0)

    async def raise_to(self, serial: int) -> None:
        async with self._database.reading() as connection:
            await connection.execute(
                "UPDATE directory_serial SET serial = greatest(serial, $1)", serial
            )


@dataclass(frozen=True, slots=True)
class Address:
    """A move as the edge finds it: role, other side, subject, status."""

    transfer_id: str
    role: Role
    peer: str
    subject_id: str | None
    state: str


class Moves:
    """Finds moves and their states for jobs and people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def at(self, transfer_id: str, role: Role) -> Address | None:
        """One move at one side."""
        async with self._database.reading() as connection:
            row = await connection.fetchrow(
                "SELECT * FROM transfer WHERE transfer_id = $1 AND role = $2",
                transfer_id,
                "O" if role == "origin" else "D",
            )
        return _address(row) if row else None

    async def state(self, transfer_id: str, role: Role) -> Any:
        """The whole state, from the ledger's row; None where there is none."""
        async with self._database.reading() as connection:
            row = await connection.fetchval(
                "SELECT state FROM aggregate WHERE kind = 'transfer' AND id = $1",
                f"{role}:{transfer_id}",
            )
        return state_of(json.loads(row)) if row else None

    async def chain(self, subject_id: str) -> list[dict[str, Any]]:
        """The custody chain as known here, genesis first: signed certificates."""
        async with self._database.reading() as connection:
            custody = await connection.fetchval(
                "SELECT state FROM aggregate WHERE kind = 'custody' AND id = $1", subject_id
            )
            if custody is None:
                return []
        return await self.documents([link["digest"] for link in json.loads(custody)["links"]])

    async def documents(self, digests: Sequence[str]) -> list[dict[str, Any]]:
        """The signed certificates with these body digests, in this order."""
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                "SELECT digest, document FROM certificate WHERE digest = ANY ($1::text[])",
                list(digests),
            )
        found = {row["digest"]: json.loads(row["document"]) for row in rows}
        return [found[each] for each in digests]

    async def offer_was_receipted(self, transfer_id: str) -> bool:
        """Whether M4 ever got its receipt (O14: TR-502, else TR-503)."""
        async with self._database.reading() as connection:
            found = await connection.fetchval(
                """SELECT count(*) FROM peer_outbox
                   WHERE transfer_id = $1 AND type = 'offer' AND receipt IS NOT NULL""",
                transfer_id,
            )
        return bool(found)


def _address(row: Mapping[str, Any]) -> Address:
    return Address(
        row["transfer_id"], ROLES[row["role"]], row["peer"], row["subject_id"], row["state"]
    )
