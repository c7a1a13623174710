"""How does a message of another city become an input of a move? The inbox behind the 24 checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.transfer.domain import commands, envelopes
from services.transfer.domain.certificates import seal_of
from services.transfer.domain.directory import Directory
from services.transfer.domain.envelopes import Envelope
from services.transfer.domain.events import Role
from services.transfer.domain.rejections import SubjectBecameKnown
from services.transfer.domain.verify_offer import judge_offer
from services.transfer.edge.ports import Received, Side, Stored
from shared.canonical import load_canonical
from shared.ids import request_command_id
from shared.ledger import LedgerApi, Outcome
from shared.messages import Rejection, Unavailable, system
from shared.postgres import Database

# A move learns its subject once; a second surprise is a defect.
LOOKS = 3
ROLES: Mapping[str, Role] = {"O": "origin", "D": "destination"}
ACTOR = system("transfer")


class StoredInbox:
    """See ``ports.Inbox`` and ``ports.Transfers``."""

    def __init__(self, database: Database, ledger: Any, directory: Any, city: str) -> None:
        self._database = database
        self._ledger = ledger
        self._directory = directory
        self._city = city

    async def find(self, message_id: str) -> Stored | None:
        """What stands under this id."""
        async with self._database.reading() as connection:
            row = await connection.fetchrow(
                "SELECT digest, receipt FROM inbox WHERE message_id = $1", message_id
            )
        return Stored(row["digest"], bytes(row["receipt"])) if row else None

    async def store(self, received: Received) -> Stored:
        """Inbox row and effects in one transaction; then what stands there."""
        envelope = received.envelope
        command_id = request_command_id(
            f"city:{envelope.sender}", "E1", f"{envelope.message_id}:{envelope.digest}"
        )
        for _ in range(LOOKS):
            role, subject_id = await self._place(envelope)
            flaw = await self._flaw(received)
            outcome = await self._submit(
                commands.TakeMessage(
                    command_id=command_id,
                    actor=ACTOR,
                    at=received.received_at,
                    causation_id=envelope.message_id,
                    correlation_id=envelope.transfer_id,
                    transfer_id=envelope.transfer_id,
                    role=role,
                    subject_id=subject_id,
                    envelope=envelope,
                    genuine=received.genuine,
                    flaw=flaw,
                    raw=received.raw,
                    receipt=received.receipt,
                )
            )
            if not isinstance(outcome, SubjectBecameKnown):
                break
        if isinstance(outcome, Rejection):
            raise Unavailable(f"the transfer is moving on ({outcome.slug()})")
        stored = await self.find(envelope.message_id)
        if stored is None:
            raise RuntimeError("a message was taken and is not in the inbox")
        return stored

    async def redrive(self, transfer_id: str, peer: str) -> None:
        """Undelivered replies are due now (O32, D31)."""
        for side in await self.sides(transfer_id):
            if side.other == peer:
                async with self._database.reading() as connection:
                    await connection.execute(
                        """UPDATE peer_outbox SET due_at = now()
                           WHERE transfer_id = $1 AND delivered_at IS NULL
                               AND stuck_at IS NULL AND given_up_at IS NULL""",
                        transfer_id,
                    )

    async def sides(self, transfer_id: str) -> Sequence[Side]:
        """The roles in which this node knows the transfer, and who is on the other side."""
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                "SELECT role, peer FROM transfer WHERE transfer_id = $1", transfer_id
            )
        return [Side(ROLES[row["role"]], row["peer"]) for row in rows]

    async def barrier(self, city: str) -> int:
        """The lowest incarnation of that city that is heard."""
        async with self._database.reading() as connection:
            found = await connection.fetchval(
                "SELECT incarnation FROM barrier WHERE city = $1", city
            )
        return int(found or 0)

    async def _submit(self, command: commands.TakeMessage) -> Outcome:
        ledger: LedgerApi = self._ledger()
        return await ledger.submit(command)

    async def _place(self, envelope: Envelope) -> tuple[Role, str | None]:
        """Our role in this conversation, and the subject as far as it is known here."""
        if envelope.type == envelopes.REQUEST:
            return "origin", None
        async with self._database.reading() as connection:
            row = await connection.fetchrow(
                """SELECT role, subject_id FROM transfer
                   WHERE transfer_id = $1 AND peer = $2""",
                envelope.transfer_id,
                envelope.sender,
            )
        if row is None:
            # A correction asked for: a conversation of its own, without a row.
            return "origin", None
        role = ROLES[row["role"]]
        subject_id = row["subject_id"]
        if subject_id is None and envelope.type == envelopes.OFFER and role == "destination":
            subject_id = envelope.content["subject_id"]
        return role, subject_id

    async def _flaw(self, received: Received) -> commands.Flaw | None:
        envelope = received.envelope
        if envelope.type == envelopes.REQUEST:
            return self._entitlement(envelope)
        if envelope.type == envelopes.OFFER:
            return await self._offer(received)
        return None

    def _entitlement(self, envelope: Envelope) -> commands.Flaw | None:
        """TR-202: the directory lists the asker as an active node of this protocol."""
        directory: Directory = self._directory()
        node = directory.cities.get(envelope.sender)
        speaks = node is not None and any(each.startswith("jiexu/1.") for each in node.protocols)
        if node is None or not node.active or not speaks or envelope.sender == self._city:
            return commands.Flaw(code="TR-202")
        return None

    async def _offer(self, received: Received) -> commands.Flaw | None:
        """Checks 1–6 of section 8, with what this city knows of the subject."""
        envelope = received.envelope
        async with self._database.reading() as connection:
            requests = await connection.fetch(
                """SELECT message_id, wire FROM peer_outbox
                   WHERE transfer_id = $1 AND type = 'transfer-request' ORDER BY seq""",
                envelope.transfer_id,
            )
            known = await connection.fetch(
                """SELECT epoch, digest, own, kind FROM certificate
                   WHERE subject_id = $1 AND kind <> 'abort'""",
                envelope.content["subject_id"],
            )
        if not requests:
            # Not asked for by this side: no row takes it.
            return None
        content = load_canonical(bytes(requests[0]["wire"]))["body"]["content"]
        flaw = judge_offer(
            envelope,
            request=content,
            request_ids=[row["message_id"] for row in requests],
            genuine=lambda signed: seal_of(signed) in received.genuine,
            known=[(row["epoch"], row["digest"]) for row in known],
            own=[(_held(row), row["digest"]) for row in known if row["own"]],
        )
        if flaw is None:
            return None
        return commands.Flaw(
            code=flaw.code,
            evidence_digest=flaw.evidence_digest,
            evidence={"message_id": envelope.message_id, "digest": envelope.digest},
        )


def _held(row: Mapping[str, Any]) -> int:
    """The epoch under which this city kept the dossier when it signed: a release names the next."""
    epoch: int = row["epoch"]
    return epoch - 1 if row["kind"] == "release" else epoch
