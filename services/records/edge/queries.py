"""What do the GETs of records read? Its own tables, a page at a time, each in one snapshot."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any, Final

from services.records.domain.dossiers.state import (
    Absent,
    Departed,
    Frozen,
    Home,
    Present,
    Row,
    held_count,
)
from services.records.domain.heads import head_body, state_digest, totals_json
from services.records.domain.overlap import cell_of, covered_by
from services.records.domain.rejections import DossierIsElsewhere
from services.records.domain.totting import cells_of
from services.records.edge.dossiers import DossierPart
from services.records.edge.rows import card_of_row, dossier_row
from services.records.edge.wire import cells_json
from shared import merkle
from shared.clock import Clock
from shared.postgres import Connection, Database
from shared.problems import not_found, of_rejection

# What a volunteer is shown of what waits for the end of her move.
HELD_SHOWN: Final = 50
MAX_ENTRY_VERSIONS_SHOWN: Final = 200


class Queries:
    """Reads of this service; raises the 404 problem for what is not there."""

    def __init__(self, database: Database, dossiers: DossierPart, clock: Clock) -> None:
        self.database = database
        self.dossiers = dossiers
        self.clock = clock

    @property
    def node(self) -> str:
        return self.dossiers.node

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Several reads that belong together."""
        async with (
            self.database.reading() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    async def present(self, connection: Connection, subject_id: str) -> Home | Frozen | Departed:
        """The dossier's row; 404 where none is or was here."""
        row = await read_row(connection, subject_id)
        if isinstance(row, Absent):
            raise not_found()
        return row

    async def dossier(self, subject_id: str) -> dict[str, Any]:
        """Status, totals, sums by kind and state with the shared minutes, what is held."""
        async with self.snapshot() as connection:
            row = await self.present(connection, subject_id)
            sums = await connection.fetch(
                """SELECT kind, state, count(*) AS entries, sum(minutes)::bigint AS minutes,
                          sum(counted)::bigint AS counted_minutes,
                          sum(shared)::bigint AS shared_minutes,
                          sum(counted - shared)::bigint AS credited_minutes
                   FROM standing WHERE log_id = $1 GROUP BY kind, state ORDER BY kind, state""",
                row.log.log_id,
            )
            held = await connection.fetch(
                """SELECT signed FROM entry_version
                   WHERE subject_id = $1 AND held_epoch = $2 AND held_order IS NOT NULL
                   ORDER BY held_order LIMIT $3""",
                subject_id,
                row.epoch,
                HELD_SHOWN,
            )
        return {
            "subject_id": subject_id,
            "status": row.status,
            "epoch": row.epoch,
            "home": row.home if isinstance(row, Departed) else self.node,
            "first_registered_on": row.first_registered_on.isoformat(),
            "leaves": row.log.count,
            "totals": totals_json(row.log.totals),
            "sums": [dict(each) for each in sums],
            "held": held_count(row),
            "held_first": [_held(json.loads(each["signed"])["body"]) for each in held],
        }

    async def history(self, issuer: str, entry_id: str) -> list[dict[str, Any]]:
        """Every version that is or was here, oldest first, with its signed body; [] if none."""
        async with self.database.reading() as connection:
            rows = await connection.fetch(
                """SELECT v.signed, v.digest, v.held_order IS NOT NULL AS held, v.subject_id
                   FROM entry_version AS v
                   WHERE v.issuer = $1 AND v.entry_id = $2 AND (v.brought_by IS NULL OR EXISTS (
                       SELECT FROM leaf AS l
                       JOIN aggregate AS a ON a.kind = 'dossier' AND a.id = v.subject_id
                           AND a.state -> 'log' ->> 'log_id' = l.log_id
                       WHERE l.issuer = v.issuer AND l.entry_id = v.entry_id
                           AND l.version = v.version))
                   ORDER BY v.version LIMIT $3""",
                issuer,
                entry_id,
                MAX_ENTRY_VERSIONS_SHOWN,
            )
        return [
            {
                "subject_id": row["subject_id"],
                "digest": row["digest"],
                "held": row["held"],
                "signed": json.loads(row["signed"]),
            }
            for row in rows
        ]

    async def shared_with(
        self, subject_id: str, issuer: str, entry_id: str
    ) -> dict[str, Any] | None:
        """Counted, shared and credited minutes of an entry, and the earlier ones that cover it."""
        async with self.snapshot() as connection:
            row = await self.present(connection, subject_id)
            own = await connection.fetchrow(
                """SELECT standing, counting, counted, shared FROM standing
                   WHERE log_id = $1 AND issuer = $2 AND entry_id = $3""",
                row.log.log_id,
                issuer,
                entry_id,
            )
            if own is None:
                return None
            card = card_of_row(own["standing"], own["counting"])
            others = await connection.fetch(
                """SELECT standing, counting FROM standing WHERE log_id = $1
                   AND started_at < $3 AND ended_at > $2""",
                row.log.log_id,
                card.counting.started_at,
                card.counting.ended_at,
            )
        near = [card_of_row(each["standing"], each["counting"]) for each in others]
        return {
            "counted_minutes": own["counted"],
            "shared_minutes": own["shared"],
            "credited_minutes": own["counted"] - own["shared"],
            "shared_with": [
                {"issuer": key[0], "entry_id": key[1]} for key in covered_by(card, near)
            ],
        }

    async def receipt(
        self, subject_id: str, issuer: str, entry_id: str, version: int
    ) -> dict[str, Any]:
        """That this version is a leaf of the log, under a head signed now (protocol.md 3.2)."""
        async with self.snapshot() as connection:
            row = await self.present(connection, subject_id)
            if isinstance(row, Departed):
                # Only the home signs heads; the receipts given here before still verify.
                raise of_rejection(DossierIsElsewhere(row.home))
            leaf = await connection.fetchrow(
                """SELECT leaf_index, digest FROM leaf WHERE log_id = $1 AND issuer = $2
                   AND entry_id = $3 AND version = $4""",
                row.log.log_id,
                issuer,
                entry_id,
                version,
            )
            if leaf is None:
                raise not_found()
            digests = await connection.fetch(
                "SELECT digest FROM leaf WHERE log_id = $1 ORDER BY leaf_index", row.log.log_id
            )
        leaves = [bytes.fromhex(each["digest"]) for each in digests]
        path = merkle.inclusion_path(leaves, leaf["leaf_index"])
        return {
            "entry_digest": leaf["digest"],
            "index": leaf["leaf_index"],
            "inclusion_path": [each.hex() for each in path],
            "head": self._head(row, None),
        }

    # -- for the node's other services ----------------------------------------------------------

    async def object(self, digest: str) -> bytes | None:
        async with self.database.reading() as connection:
            signed = await connection.fetchval(
                "SELECT signed FROM entry_version WHERE digest = $1 LIMIT 1", digest
            )
            if signed is not None:
                return str(signed).encode("utf-8")
            found: bytes | None = await connection.fetchval(
                "SELECT bytes FROM object WHERE sha256 = $1", digest
            )
            return found

    async def leaves(
        self, subject_id: str, log_id: str, after: int, limit: int
    ) -> list[dict[str, Any]]:
        """Signed entries in log order; a log of another subject has none."""
        async with self.database.reading() as connection:
            rows = await connection.fetch(
                """SELECT v.signed FROM leaf AS l JOIN entry_version AS v ON v.issuer = l.issuer
                       AND v.entry_id = l.entry_id AND v.version = l.version
                   WHERE l.log_id = $1 AND l.leaf_index > $2 AND v.subject_id = $3
                   ORDER BY l.leaf_index LIMIT $4""",
                log_id,
                after,
                subject_id,
                limit,
            )
        return [json.loads(row["signed"]) for row in rows]

    async def head(self, subject_id: str) -> dict[str, Any]:
        """The head of the log as it stands, signed now, with its state digest."""
        async with self.snapshot() as connection:
            row = await self.present(connection, subject_id)
            if isinstance(row, Departed):
                raise of_rejection(DossierIsElsewhere(row.home))
            lines = await connection.fetch(
                "SELECT line FROM standing WHERE log_id = $1", row.log.log_id
            )
        found = state_digest(each["line"] for each in lines)
        return {"head": self._head(row, found), "log_id": row.log.log_id}

    async def sums(self, subject_id: str, until: str | None) -> dict[str, Any]:
        """Credited minutes per cell; by the entries of up to that day."""
        last = date.max if until is None else _day(until)
        async with self.snapshot() as connection:
            row = await self.present(connection, subject_id)
            rows = await connection.fetch(
                """SELECT standing, counting, shared FROM standing WHERE log_id = $1
                   AND kind IN ('service', 'adjustment') AND counted <> 0""",
                row.log.log_id,
            )
        cards = {}
        credited = {}
        for each in rows:
            card = card_of_row(each["standing"], each["counting"])
            cards[card.key] = card
            credited[card.key] = card.counted - each["shared"]
        cells = cells_of(
            (cell_of(card, cards, self.node), credited[key])
            for key, card in cards.items()
            if card.counting.occurred_on <= last
        )
        return {"subject_id": subject_id, "until": until, "cells": cells_json(cells)}

    def _head(self, row: Present, digest: str | None) -> dict[str, Any]:
        return self.dossiers.sign_head(
            head_body(
                subject_id=row.subject_id,
                epoch=row.epoch,
                home=self.node,
                first_registered_on=row.first_registered_on,
                log=row.log,
                state_digest=digest,
                at=self.clock.now(),
            )
        )


async def read_row(connection: Connection, subject_id: str) -> Row:
    text = await connection.fetchval(
        "SELECT state::text FROM aggregate WHERE kind = 'dossier' AND id = $1", subject_id
    )
    return dossier_row(subject_id, None if text is None else json.loads(text))


def _held(body: dict[str, Any]) -> dict[str, Any]:
    return {
        name: body[name]
        for name in ("issuer", "entry_id", "version", "kind", "state", "minutes", "occurred_on")
    }


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise not_found() from None
