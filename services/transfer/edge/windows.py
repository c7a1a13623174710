"""What must a decision see beside the row? One bounded query each, for a whole batch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from services.transfer.domain import commands
from services.transfer.domain.blocks import Supplement
from services.transfer.domain.case import File, Office, PairPolicy, Window
from services.transfer.domain.state import State
from services.transfer.edge import codec
from shared.clock import local_day
from shared.ledger import Target
from shared.messages import Command
from shared.postgres import Connection


def target_of(command: commands.TransferCommand) -> Target:
    return Target("transfer", f"{command.role}:{command.transfer_id}")


async def load(
    connection: Connection,
    office: Office,
    batch: Sequence[Command],
    rows: Mapping[Target, Mapping[str, Any] | None],
) -> dict[Target, File]:
    """The file of each move that the batch reaches."""
    moves = [each for each in batch if isinstance(each, commands.TransferCommand)]
    if not moves:
        return {}
    inbox = await _inbox(connection, moves)
    settled = await _settled(connection, moves)
    noted = await _noted(connection, moves)
    forwarded = await _forwarded(connection, moves)
    policies = await _policies(connection)
    open_attempts = await _open_attempts(connection, moves)
    incarnation = await connection.fetchval("SELECT number FROM node_incarnation")
    found: dict[Target, File] = {}
    for command in moves:
        target = target_of(command)
        if target in found:
            continue
        row = rows[target]
        state = codec.state_of(row) if row else None
        found[target] = File(
            state=state,
            window=Window(
                inbox=inbox,
                settled=tuple(settled.get(command.transfer_id, ())),
                noted=tuple(noted.get(command.transfer_id, ())),
                forwarded=frozenset(forwarded.get(command.transfer_id, ())),
                pair=pair_of(policies, _cities(office, command, state), local_day(command.at)),
                incarnation=incarnation,
                open_attempt=command.transfer_id in open_attempts,
            ),
        )
    return found


def _cities(
    office: Office, command: commands.TransferCommand, state: State | None
) -> tuple[str, str]:
    if state is not None:
        return state.course.origin, state.course.destination
    if isinstance(command, commands.ApplyForTransfer):
        return command.origin, command.destination
    if isinstance(command, commands.TakeMessage):
        return office.city, command.envelope.sender
    return office.city, office.city


async def _open_attempts(
    connection: Connection, moves: Sequence[commands.TransferCommand]
) -> frozenset[str]:
    """Of the attempts that begin: those whose application has another one, not ended."""
    asked = [m for m in moves if isinstance(m, commands.ApplyForTransfer)]
    if not asked:
        return frozenset()
    rows = await connection.fetch(
        """SELECT x.transfer_id FROM unnest($1::text[], $2::text[]) AS x(transfer_id, ref)
        WHERE EXISTS (SELECT FROM transfer AS t WHERE t.applicant_ref = x.ref
            AND t.role = 'D' AND t.transfer_id <> x.transfer_id
            AND t.state NOT IN ('Refused', 'Aborted'))""",
        [m.transfer_id for m in asked],
        [m.applicant_ref for m in asked],
    )
    return frozenset(row["transfer_id"] for row in rows)


async def _inbox(
    connection: Connection, moves: Sequence[commands.TransferCommand]
) -> frozenset[str]:
    ids = [m.envelope.message_id for m in moves if isinstance(m, commands.TakeMessage)]
    if not ids:
        return frozenset()
    found = await connection.fetch(
        "SELECT message_id FROM inbox WHERE message_id = ANY ($1::text[])", ids
    )
    return frozenset(row["message_id"] for row in found)


async def _settled(
    connection: Connection, moves: Sequence[commands.TransferCommand]
) -> dict[str, list[Supplement]]:
    """Applied supplements under the numbers that came again."""
    asked = [
        (m.transfer_id, m.envelope.sender, m.envelope.incarnation, m.envelope.content["k"])
        for m in moves
        if isinstance(m, commands.TakeMessage) and m.envelope.type == "supplement"
    ]
    found: dict[str, list[Supplement]] = {}
    if not asked:
        return found
    for row in await connection.fetch(
        """SELECT t.* FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
               AS x(transfer_id, sender, incarnation, k)
           JOIN supplement AS t USING (transfer_id, sender, incarnation, k)
           WHERE t.applied_at IS NOT NULL""",
        *(list(column) for column in zip(*asked, strict=True)),
    ):
        found.setdefault(row["transfer_id"], []).append(supplement_of(row))
    return found


def supplement_of(row: Mapping[str, Any]) -> Supplement:
    """A row as the domain knows it."""
    return Supplement(
        k=row["k"],
        incarnation=row["incarnation"],
        digest=row["digest"],
        previous=row["previous"],
        object_digest=row["object_digest"],
        message_id=row["message_id"] or "",
        entries=row["entries"],
        new=row["new"],
        duplicates=row["duplicates"],
        quarantined=row["quarantined"],
    )


async def _noted(
    connection: Connection, moves: Sequence[commands.TransferCommand]
) -> dict[str, list[tuple[Any, str, Any]]]:
    """Late changes that wait, where a vote is judged; at most as many as records holds."""
    ids = [
        m.transfer_id
        for m in moves
        if isinstance(m, commands.TakeMessage) and m.envelope.type == "accepted"
    ]
    found: dict[str, list[tuple[Any, str, Any]]] = {}
    if not ids:
        return found
    for row in await connection.fetch(
        """SELECT transfer_id, issuer, entry_id, version, digest, content FROM supplement
           WHERE transfer_id = ANY ($1::text[]) AND k IS NULL ORDER BY id""",
        ids,
    ):
        key = (row["issuer"], row["entry_id"], row["version"])
        entry = json.loads(row["content"])
        found.setdefault(row["transfer_id"], []).append((key, row["digest"], entry))
    return found


async def _forwarded(
    connection: Connection, moves: Sequence[commands.TransferCommand]
) -> dict[str, list[tuple[str, str, int]]]:
    late = [(m.transfer_id, *m.key) for m in moves if isinstance(m, commands.ForwardLateChange)]
    found: dict[str, list[tuple[str, str, int]]] = {}
    if not late:
        return found
    columns = [list(column) for column in zip(*late, strict=True)]
    for table, more in (("forwarded_entry", ""), ("supplement", "AND t.k IS NULL")):
        for row in await connection.fetch(
            f"""SELECT x.* FROM unnest($1::text[], $2::text[], $3::text[], $4::integer[])
                    AS x(transfer_id, issuer, entry_id, version)
                JOIN {table} AS t ON t.transfer_id = x.transfer_id AND t.issuer = x.issuer
                    AND t.entry_id = x.entry_id AND t.version = x.version {more}""",
            *columns,
        ):
            key = (row["issuer"], row["entry_id"], row["version"])
            found.setdefault(row["transfer_id"], []).append(key)
    return found


async def _policies(connection: Connection) -> list[Mapping[str, Any]]:
    """Every version of the pair policies: a handful of rows."""
    return [
        {
            "jurisdiction": row["jurisdiction"],
            "effective_from": row["effective_from"],
            "version": row["version"],
            "content": json.loads(row["content"]),
        }
        for row in await connection.fetch(
            "SELECT * FROM policy WHERE kind = 'transfer_pair' ORDER BY effective_from, version"
        )
    ]


def pair_of(
    policies: Sequence[Mapping[str, Any]], cities: tuple[str, str], day: date
) -> PairPolicy:
    """The policy of the pair itself, else that of everybody, else the defaults (7.2)."""
    chosen: Mapping[str, Any] | None = None
    for jurisdiction in (["*"], sorted(cities)):
        for policy in policies:
            matches = sorted(policy["jurisdiction"]) == jurisdiction
            if matches and policy["effective_from"] <= day:
                chosen = policy["content"]
    if chosen is None:
        return PairPolicy()
    default = PairPolicy()
    ceilings = chosen.get("ceilings_working_days", {})
    return PairPolicy(
        review_target_working_days=chosen.get(
            "review_target_working_days", default.review_target_working_days
        ),
        ceiling_working_days=ceilings.get("origin_agree", default.ceiling_working_days),
        cooling_off_days=chosen.get("cooling_off_days", default.cooling_off_days),
        late_change_window_days=chosen.get(
            "late_change_window_days", default.late_change_window_days
        ),
    )
