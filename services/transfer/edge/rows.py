"""Which rows of the service's own tables does a batch leave behind? Written in its transaction.

Everything is told by the decider's steps; nothing is decided here. Rows go in order of their
keys, tables in one fixed order, so that two batches never wait for each other crosswise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from services.transfer.domain import commands, steps
from services.transfer.domain.events import Role
from services.transfer.edge.views import transfer_row
from shared.canonical import canonical
from shared.canonical import digest as digest_of
from shared.ledger import Decided
from shared.postgres import Connection

S = TypeVar("S")
# Statements of one table take their rows in pages of this many, to bound a message to the server.
PAGE = 500


async def save(connection: Connection, decided: Sequence[Decided]) -> None:
    """All rows of these decisions."""
    await _transfers(connection, decided)
    await _applications(connection, decided)
    await _inbox(connection, decided)
    await _outbox(connection, decided)
    await _resend(connection, decided)
    await _certificates(connection, decided)
    await _supplements(connection, decided)
    await _seals(connection, decided)
    await _books(connection, decided)


def _all(decided: Sequence[Decided], shape: type[S]) -> Iterator[tuple[Decided, S]]:
    for one in decided:
        for event in one.events:
            if isinstance(event, shape):
                yield one, event


async def _transfers(connection: Connection, decided: Sequence[Decided]) -> None:
    last: dict[tuple[str, Role], steps.Moved] = {
        (moved.transfer_id, moved.role): moved for _, moved in _all(decided, steps.Moved)
    }
    if last:
        # A key that an ended move frees must be free before another takes it.
        ended = ("Aborted", "Refused", "Released")
        ordered = sorted(last.items(), key=lambda each: each[1].state.status not in ended)
        await connection.executemany(
            """INSERT INTO transfer AS t (transfer_id, role, peer, applicant_ref, purpose, state,
                   since, requested_at, subject_id, epoch, attempt, view)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb)
               ON CONFLICT (transfer_id, role) DO UPDATE SET state = excluded.state,
                   since = excluded.since, subject_id = excluded.subject_id,
                   epoch = excluded.epoch, view = excluded.view""",
            [transfer_row(moved.state) for _, moved in ordered],
        )


async def _applications(connection: Connection, decided: Sequence[Decided]) -> None:
    made = [
        (c.applicant_ref, c.actor.actor_id, c.origin, _text(c.consent), c.code_id, c.at)
        for c in (one.command for one in decided)
        if isinstance(c, commands.ApplyForTransfer) and c.attempt == 1
    ]
    if made:
        await connection.executemany(
            """INSERT INTO application (applicant_ref, actor_id, origin, consent, code_id,
                   applied_at) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (applicant_ref) DO UPDATE SET origin = excluded.origin,
                   consent = excluded.consent, code_id = excluded.code_id,
                   applied_at = excluded.applied_at""",
            sorted(made),
        )


async def _inbox(connection: Connection, decided: Sequence[Decided]) -> None:
    taken = []
    for one, event in _all(decided, steps.MessageTaken):
        command = one.command
        assert isinstance(command, commands.TakeMessage)
        taken.append(
            (
                event.message_id,
                event.transfer_id,
                event.sender,
                event.incarnation,
                event.seq,
                event.type,
                event.digest,
                command.receipt,
                command.raw,
                command.at,
            )
        )
    if taken:
        await connection.executemany(
            """INSERT INTO inbox (message_id, transfer_id, sender, incarnation, seq, type, digest,
                   receipt, raw, received_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
            sorted(taken),
        )


async def _outbox(connection: Connection, decided: Sequence[Decided]) -> None:
    sent = [
        (
            each.transfer_id,
            each.incarnation,
            each.seq,
            each.peer,
            each.type,
            each.message_id,
            each.digest,
            each.wire,
            each.supplement_k,
            each.gives_up_at,
            each.held_ms,
        )
        for _, each in _all(decided, steps.MessageSent)
    ]
    for page in _pages(sorted(sent, key=lambda row: row[:3])):
        await connection.executemany(
            """INSERT INTO peer_outbox (transfer_id, incarnation, seq, peer, type, message_id,
                   digest, wire, supplement_k, gives_up_at, due_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
                   now() + $11::integer * interval '1 millisecond')""",
            page,
        )


async def _resend(connection: Connection, decided: Sequence[Decided]) -> None:
    wanted = [each for _, each in _all(decided, steps.ResendWanted)]
    for each in sorted(wanted, key=lambda step: step.transfer_id):
        # What was never tried is due already, or held: nobody may bring that forward.
        await connection.execute(
            """UPDATE peer_outbox SET due_at = now()
               WHERE transfer_id = $1 AND delivered_at IS NULL AND stuck_at IS NULL
                   AND given_up_at IS NULL AND attempts > 0""",
            each.transfer_id,
        )
        if each.above is not None:
            await connection.execute(
                """UPDATE peer_outbox SET due_at = now(), delivered_at = NULL
                   WHERE transfer_id = $1 AND supplement_k > $2
                       AND incarnation = (SELECT number FROM node_incarnation)""",
                each.transfer_id,
                each.above,
            )


async def _certificates(connection: Connection, decided: Sequence[Decided]) -> None:
    own = [
        _certificate(each.document, each.digest, True)
        for _, each in _all(decided, steps.CertificateSigned)
    ]
    kept = [
        _certificate(document, None, False)
        for _, each in _all(decided, steps.CertificatesKept)
        for document in each.documents
    ]
    # An own one that stands already is a defect or a lost race: the constraint says so.
    if own:
        await connection.executemany(_CERTIFICATE, sorted(own))
    if kept:
        await connection.executemany(_CERTIFICATE + " ON CONFLICT DO NOTHING", sorted(kept))


_CERTIFICATE = """INSERT INTO certificate (digest, kind, own, subject_id, epoch, transfer_id,
    document) VALUES ($1, $2, $3, $4, $5, $6, $7)"""


def _certificate(document: Mapping[str, Any], digest: str | None, own: bool) -> tuple[Any, ...]:
    body = document["body"]
    kind = "abort" if body["v"] == "abort/1" else body["kind"]
    return (
        digest or digest_of(body),
        kind,
        own,
        body["subject_id"],
        body["epoch"],
        body["transfer_id"],
        _text(document),
    )


async def _supplements(connection: Connection, decided: Sequence[Decided]) -> None:
    made: list[tuple[Any, ...]] = []
    keys: list[tuple[Any, ...]] = []
    for one, each in _all(decided, steps.SupplementMade):
        made.append(_supplement(one, each, each.content, parked=False))
        keys += [(each.transfer_id, *key, each.supplement.k) for key in each.keys]
    for one, stored in _all(decided, steps.SupplementStored):
        made.append(_supplement(one, stored, stored.content, parked=stored.parked))
    forgotten = sorted({each.transfer_id for _, each in _all(decided, steps.NotesForgotten)})
    if forgotten:
        await connection.execute(
            "DELETE FROM supplement WHERE transfer_id = ANY ($1::text[]) AND k IS NULL", forgotten
        )
    for page in _pages(sorted(made, key=lambda row: row[:4])):
        await connection.executemany(
            """INSERT INTO supplement (transfer_id, sender, incarnation, k, digest, previous,
                   object_digest, message_id, entries, content, subject_id, parked)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)""",
            page,
        )
    for page in _pages(sorted(keys)):
        await connection.executemany(
            """INSERT INTO forwarded_entry (transfer_id, issuer, entry_id, version, k)
               VALUES ($1, $2, $3, $4, $5)""",
            page,
        )
    await _applied(connection, decided)
    await _noted(connection, decided, frozenset(forgotten))


def _supplement(
    one: Decided,
    step: steps.SupplementMade | steps.SupplementStored,
    content: Mapping[str, Any],
    *,
    parked: bool,
) -> tuple[Any, ...]:
    each = step.supplement
    sender = step.sender if isinstance(step, steps.SupplementStored) else _city_of(one, step)
    return (
        step.transfer_id,
        sender,
        each.incarnation,
        each.k,
        each.digest,
        each.previous,
        each.object_digest,
        each.message_id,
        each.entries,
        _text(content),
        step.subject_id,
        parked,
    )


def _city_of(one: Decided, step: steps.Step) -> str:
    moved = next(event for event in one.events if isinstance(event, steps.Moved))
    assert moved.transfer_id == step.transfer_id
    return moved.state.course.city


async def _applied(connection: Connection, decided: Sequence[Decided]) -> None:
    done = [
        (
            each.transfer_id,
            each.sender,
            each.supplement.incarnation,
            each.supplement.k,
            each.supplement.new,
            each.supplement.duplicates,
            each.supplement.quarantined,
            one.command.at,
        )
        for one, each in _all(decided, steps.SupplementDone)
    ]
    if done:
        await connection.executemany(
            """UPDATE supplement SET new = $5, duplicates = $6, quarantined = $7,
                   applied_at = $8, parked = false
               WHERE transfer_id = $1 AND sender = $2 AND incarnation = $3 AND k = $4""",
            sorted(done),
        )


async def _noted(
    connection: Connection, decided: Sequence[Decided], forgotten: frozenset[str]
) -> None:
    noted = [
        (each.transfer_id, _city_of(one, each), *each.key, each.digest, _text(each.entry))
        for one, each in _all(decided, steps.LateChangeNoted)
        if each.transfer_id not in forgotten
    ]
    if noted:
        await connection.executemany(
            """INSERT INTO supplement (transfer_id, sender, incarnation, k, issuer, entry_id,
                   version, digest, object_digest, content, entries, subject_id)
               VALUES ($1, $2, 0, NULL, $3, $4, $5, $6, $6, $7::text, 1,
                   $7::text::json -> 'body' ->> 'subject_id')""",
            sorted(noted),
        )


async def _seals(connection: Connection, decided: Sequence[Decided]) -> None:
    kept = [
        (each.transfer_id, each.public, each.wrapped) for _, each in _all(decided, steps.SealKept)
    ]
    gone = sorted({each.transfer_id for _, each in _all(decided, steps.SealDestroyed)})
    if kept:
        await connection.executemany(
            "INSERT INTO seal_key (transfer_id, public, wrapped) VALUES ($1, $2, $3)", sorted(kept)
        )
    if gone:
        for table in ("seal_key", "bundle", "bundle_list"):
            await connection.execute(
                f"DELETE FROM {table} WHERE transfer_id = ANY ($1::text[])", gone
            )


async def _books(connection: Connection, decided: Sequence[Decided]) -> None:
    """Evidence, alarms, notices, policies, barriers."""
    evidence = [
        (each.transfer_id, each.code, each.digest, _text(each.document))
        for _, each in _all(decided, steps.EvidenceKept)
    ]
    alarms = [
        (each.kind, each.transfer_id, json.dumps(dict(each.about)))
        for _, each in _all(decided, steps.AlarmRaised)
    ]
    notices = [
        (each.message_id, each.transfer_id, each.kind, _text(each.content))
        for _, each in _all(decided, steps.NoticeKept)
    ]
    policies = [
        (
            each.policy_id,
            each.version,
            each.kind,
            list(each.jurisdiction),
            each.effective_from,
            json.dumps(dict(each.content), ensure_ascii=False),
        )
        for _, each in _all(decided, steps.PolicyNoted)
    ]
    barriers = [(each.city, each.incarnation) for _, each in _all(decided, steps.BarrierRaised)]
    for statement, found in (
        (
            "INSERT INTO evidence (transfer_id, code, digest, document) VALUES ($1, $2, $3, $4)",
            evidence,
        ),
        ("INSERT INTO alarm (kind, transfer_id, about) VALUES ($1, $2, $3::jsonb)", alarms),
        (
            """INSERT INTO notice (message_id, transfer_id, kind, content)
               VALUES ($1, $2, $3, $4)""",
            notices,
        ),
        (
            """INSERT INTO policy (policy_id, version, kind, jurisdiction, effective_from, content)
               VALUES ($1, $2, $3, $4, $5::text::date, $6::jsonb)""",
            policies,
        ),
        (
            """INSERT INTO barrier (city, incarnation) VALUES ($1, $2)
               ON CONFLICT (city) DO UPDATE SET incarnation = excluded.incarnation""",
            barriers,
        ),
    ):
        if found:
            await connection.executemany(statement, sorted(found, key=str))


def _text(document: Mapping[str, Any]) -> str:
    return canonical(dict(document)).decode("utf-8")


def _pages(found: Sequence[tuple[Any, ...]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    for start in range(0, len(found), PAGE):
        yield found[start : start + PAGE]
