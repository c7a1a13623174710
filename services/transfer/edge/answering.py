"""What is another city told when it asks how things stand? M10's answers (O33, D32, 11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.transfer.domain import commands, envelopes, office_commands
from services.transfer.domain.envelopes import Envelope
from services.transfer.edge.inbox import ACTOR, ROLES
from services.transfer.edge.store import Moves
from shared.canonical import load
from shared.clock import Clock
from shared.ids import request_command_id
from shared.messages import Rejection, Unavailable
from shared.postgres import Database

PAGE = 100
_UNDECIDED = ("Requested", "Admitted", "Frozen", "Offered")


class Answers:
    """See ``ports.Status``."""

    def __init__(self, database: Database, ledger: Any, moves: Moves, clock: Clock) -> None:
        self._database = database
        self._ledger = ledger
        self._moves = moves
        self._clock = clock

    async def answer(self, query: Envelope) -> Mapping[str, Any]:
        """The content of the status-reply; what the question shows as missing is due again."""
        content = query.content
        if content["reconcile"] is not None:
            return await self._reconcile(query)
        stored, receipted = await self._counts(query)
        if query.transfer_id == envelopes.NO_TRANSFER:
            return _reply("start", stored=stored, receipted=receipted)
        async with self._database.reading() as connection:
            row = await connection.fetchrow(
                "SELECT * FROM transfer WHERE transfer_id = $1 AND peer = $2",
                query.transfer_id,
                query.sender,
            )
        if row is None:
            raise Unavailable("the transfer is not here yet")
        role = ROLES[row["role"]]
        await self._resend(query, role, row["subject_id"], content["applied"])
        state = await self._moves.state(query.transfer_id, role)
        return _reply(
            row["state"],
            decision=await self._decision(query.transfer_id),
            last_seq_sent=state.course.wire.seq,
            applied=state.course.inflow.applied,
            stored=stored,
            receipted=receipted,
        )

    async def _resend(
        self, query: Envelope, role: Any, subject_id: str | None, applied: int
    ) -> None:
        command = commands.TakeStatusQuery(
            command_id=self._id(query, "resend"),
            actor=ACTOR,
            at=self._clock.now(),
            correlation_id=query.transfer_id,
            transfer_id=query.transfer_id,
            role=role,
            subject_id=subject_id,
            applied=applied,
        )
        await self._submit(command)

    async def _submit(self, command: Any) -> None:
        outcome = await self._ledger().submit(command)
        if isinstance(outcome, Rejection):
            raise Unavailable(f"the transfer is moving on ({outcome.slug()})")

    def _id(self, query: Envelope, part: str) -> UUID:
        return request_command_id(f"city:{query.sender}", f"E3 {part}", query.message_id)

    async def _counts(self, query: Envelope) -> tuple[int, int]:
        """Messages of the asker's incarnation stored here; ours of our incarnation receipted."""
        async with self._database.reading() as connection:
            row = await connection.fetchrow(
                """SELECT
                    (SELECT count(*) FROM inbox WHERE sender = $1 AND incarnation = $2) AS stored,
                    (SELECT count(*) FROM peer_outbox WHERE peer = $1 AND receipt IS NOT NULL
                        AND incarnation = (SELECT number FROM node_incarnation)) AS receipted""",
                query.sender,
                query.incarnation,
            )
        assert row is not None
        return row["stored"], row["receipted"]

    async def _decision(self, transfer_id: str) -> Any:
        """Release or abort of this transfer, whoever signed it."""
        async with self._database.reading() as connection:
            found = await connection.fetchval(
                """SELECT document FROM certificate
                   WHERE transfer_id = $1 AND kind IN ('release', 'abort')
                   ORDER BY own DESC, kept_at LIMIT 1""",
                transfer_id,
            )
        return load(found.encode("utf-8")) if found else None

    # -- a peer that was restored (11) ----------------------------------------------------------

    async def _reconcile(self, query: Envelope) -> Mapping[str, Any]:
        asked = query.content["reconcile"]
        if asked["after"] is None:
            await self._bar(query)
        else:
            await self._page_before(query)
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                """SELECT * FROM transfer WHERE peer = $1 AND transfer_id > $2
                   ORDER BY transfer_id LIMIT $3""",
                query.sender,
                asked["after"] or "",
                PAGE,
            )
            decisions = await connection.fetch(
                """SELECT DISTINCT ON (transfer_id) document FROM certificate
                   WHERE transfer_id = ANY ($1::text[]) AND kind IN ('release', 'abort')
                   ORDER BY transfer_id, own DESC""",
                [row["transfer_id"] for row in rows],
            )
        page = []
        for row in rows:
            state = await self._moves.state(row["transfer_id"], ROLES[row["role"]])
            page.append(
                {
                    "transfer_id": row["transfer_id"],
                    "role": row["role"],
                    "state": row["state"],
                    "subject_id": row["subject_id"],
                    "epoch": row["epoch"],
                    "applied": state.course.inflow.applied,
                }
            )
        stored, receipted = await self._counts(query)
        return _reply(
            "reconcile",
            stored=stored,
            receipted=receipted,
            transfers=page,
            certificates=[load(row["document"].encode("utf-8")) for row in decisions],
            next=rows[-1]["transfer_id"] if rows else None,
        )

    async def _bar(self, query: Envelope) -> None:
        """The barrier first; then what the asker has forgotten is aborted (O34)."""
        await self._submit(
            office_commands.RaiseBarrier(
                command_id=self._id(query, "barrier"),
                actor=ACTOR,
                at=self._clock.now(),
                city=query.sender,
                incarnation=query.incarnation,
            )
        )
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                """SELECT transfer_id, subject_id FROM transfer
                   WHERE peer = $1 AND role = 'O' AND state = ANY ($2::text[])""",
                query.sender,
                list(_UNDECIDED),
            )
        for row in rows:
            await self._submit(
                commands.TakeReconcile(
                    command_id=self._id(query, f"reconcile {row['transfer_id']}"),
                    actor=ACTOR,
                    at=self._clock.now(),
                    correlation_id=row["transfer_id"],
                    transfer_id=row["transfer_id"],
                    role="origin",
                    subject_id=row["subject_id"],
                    incarnation=query.incarnation,
                )
            )

    async def _page_before(self, query: Envelope) -> None:
        """Every supplement above what the asker has applied is due again; named: 0 if not."""
        asked = query.content["reconcile"]
        applied = {each["transfer_id"]: each["k"] for each in asked["applied"]}
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                """SELECT transfer_id, role, subject_id FROM transfer
                   WHERE peer = $1 AND transfer_id <= $2
                   ORDER BY transfer_id DESC LIMIT $3""",
                query.sender,
                asked["after"],
                PAGE,
            )
        for row in rows:
            await self._submit(
                commands.TakeStatusQuery(
                    command_id=self._id(query, f"applied {row['transfer_id']}"),
                    actor=ACTOR,
                    at=self._clock.now(),
                    correlation_id=row["transfer_id"],
                    transfer_id=row["transfer_id"],
                    role=ROLES[row["role"]],
                    subject_id=row["subject_id"],
                    applied=applied.get(row["transfer_id"], 0),
                )
            )


def _reply(state: str, **found: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "state": state,
        "decision": None,
        "last_seq_sent": 0,
        "applied": 0,
        "stored": 0,
        "receipted": 0,
        "transfers": None,
        "certificates": None,
        "next": None,
    }
    return {**empty, **found}
