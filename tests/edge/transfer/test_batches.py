"""Do n inputs of a move in one batch give what the same n give in n batches? (INV-11, B42)"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.transfer.domain import channel, commands
from services.transfer.edge.deciding import TransferDomain
from services.transfer.wiring import MIGRATIONS
from shared.canonical import digest
from shared.ledger import Ledger
from shared.postgres import Database, migrate
from tests.domain.transfer.test_every_pair import letter, m3, m11, offer, take
from tests.domain.transfer.test_the_published_move import M4, WIRE, cities
from tests.support.batches import Twins, twins
from tests.support.moves import City, office

# What the database numbers and dates by itself.
UNLIKE: Mapping[str, frozenset[str]] = {
    "peer_outbox": frozenset({"id", "due_at"}),
    "supplement": frozenset({"id", "stored_at"}),
    "certificate": frozenset({"kept_at"}),
    "notice": frozenset({"kept_at"}),
    "alarm": frozenset({"id", "at"}),
    "evidence": frozenset({"id", "at"}),
}
TIMES = [f"2027-03-01T02:00:{second:02d}Z" for second in range(60)]


def inputs(amber: City) -> list[commands.TransferCommand]:
    """The origin's side of a move in its order, then what may come at any time."""
    times = iter(TIMES)

    def base(known: bool = True) -> dict[str, Any]:
        return amber.base(next(times), known=known)

    late = [
        amber_entry
        for name in ("M11 k=1", "M11 k=2")
        for amber_entry in WIRE[name]["body"]["content"]["entries"]
    ]
    natural: list[commands.TransferCommand] = [
        take(base(known=False), WIRE["M1"]),
        commands.ConfirmIdentity(**base()),
        commands.NoteFrozen(**base(), epoch=1, log_id="log", head=M4["head"]),
        commands.ForwardLateChange(**base(), entry=late[0], digest=digest(late[0]["body"])),
        offer(amber, next(times)),
        take(base(), letter("accepted", "birch", WIRE["M6"]["body"]["content"], seq=2)),
        take(base(), letter("activated", "birch", WIRE["M9"]["body"]["content"], seq=3)),
        commands.ForwardLateChange(**base(), entry=late[1], digest=digest(late[1]["body"])),
        commands.ForwardLateChange(**base(), entry=late[1], digest=digest(late[1]["body"])),
        take(base(), letter("supplement", "birch", m11(1, None), seq=4)),
        take(base(), letter("supplement", "birch", m11(3, "0" * 64), seq=5)),
        commands.NoteSupplementApplied(
            **base(), sender="birch", incarnation=1, k=1, new=1, duplicates=0, quarantined=0
        ),
        take(base(), letter("supplement", "birch", m11(1, None), seq=6)),
    ]
    anytime: list[commands.TransferCommand] = [
        take(base(), letter("refused", "birch", m3("TR-502", "T"), seq=7)),
        take(base(), letter("notice", "birch", channel.notice("withdraw-request"), seq=8)),
        take(base(), letter("notice", "birch", channel.notice("remind"), seq=9)),
        take(base(), letter("notice", "birch", channel.notice("remind"), seq=9)),
        commands.WithdrawTransfer(**base()),
        commands.FireTimer(**base(), timer="freeze"),
        commands.FireTimer(**base(), timer="review-target"),
        commands.FireTimer(**base(), timer="activate"),
        commands.TakeStatusQuery(**base(), applied=0),
        commands.NoteFrozen(**base(), epoch=1, log_id="log", head=M4["head"]),
    ]
    return [fixed(each, n) for n, each in enumerate(natural + anytime)]


def fixed(command: commands.TransferCommand, n: int) -> commands.TransferCommand:
    """The same id in every run."""
    return replace(command, command_id=uuid5(UUID(int=3), str(n)))


NATURAL = 13


@asynccontextmanager
async def made(url: str, schema: str) -> AsyncIterator[tuple[Database, Ledger]]:
    await migrate(url, schema, MIGRATIONS)
    async with Database(url, schema) as database:
        ledger = Ledger(database, TransferDomain(office("amber")))
        yield database, ledger
        await ledger.close()


@pytest.fixture
async def pair(database: str) -> AsyncIterator[Twins]:
    async with twins(database, made) as both:
        yield both


@given(
    prefix=st.integers(0, NATURAL),
    more=st.lists(st.integers(0, NATURAL + 9), max_size=6, unique=True),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_inputs_in_one_batch_do_what_they_do_one_by_one(  # INV-11
    pair: Twins, prefix: int, more: list[int]
) -> None:
    amber, _ = cities()
    pool = inputs(amber)
    order = list(range(prefix))
    # A few come out of their turn, between the others.
    for n, place in enumerate(more):
        if place not in order:
            order.insert((n * 5) % (len(order) + 1), place)
    await pair.empty()
    await pair.same_together_and_apart([pool[n] for n in order], unlike=UNLIKE)
