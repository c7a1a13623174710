"""n commands in one batch give what the same n give in n batches (architecture.md 3, INV-11)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.registry.edge.ledger_side import RegistryDomain
from services.registry.edge.store import Store
from services.registry.edge.vault import Vault
from services.registry.wiring import MIGRATIONS
from shared.ledger import Ledger
from shared.messages import Command
from shared.postgres import Database, migrate
from tests.domain.registry import world as w
from tests.domain.registry.test_every_pair import COMMANDS, STORIES
from tests.support.batches import Twins, twins

# What ``prepare`` draws at random: keys, nonces, and the names of vault rows.
RANDOM = {
    "vault": frozenset({"vault_id", "wrapped_key", "profile"}),
    "person": frozenset({"vault_id"}),
    "organisation": frozenset({"vault_id"}),
    "transfer_code": frozenset({"sealed_key"}),
    "application_code": frozenset({"sealed_key"}),
}


@asynccontextmanager
async def make(url: str, schema: str) -> AsyncIterator[tuple[Database, Ledger]]:
    await migrate(url, schema, MIGRATIONS)
    async with Database(url, schema) as database:
        ledger = Ledger(database, RegistryDomain(Store(Vault(b"v" * 32, b"p" * 32))))
        yield database, ledger
        await ledger.close()


def numbered(commands: list[Any]) -> list[Command]:
    """Each place a command of its own: the same wish twice is two requests."""
    return [
        replace(command, command_id=uuid5(NAMESPACE_OID, f"place {place}"))
        for place, command in enumerate(commands)
    ]


@pytest.fixture
async def pair(database: str) -> AsyncIterator[Twins]:
    async with twins(database, make) as both:
        yield both


@given(
    story=st.sampled_from(sorted(STORIES)),
    more=st.lists(st.sampled_from(COMMANDS), max_size=12),
)
@example(story="with a code", more=[w.check_identity(), w.take_code(w.OTHER_CODE, w.CODE)])
@example(story="applied", more=list(STORIES["linked"]))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_together_and_apart_are_the_same(pair: Twins, story: str, more: list[Any]) -> None:
    await pair.empty()
    commands = numbered([*STORIES[story], *more])
    await pair.same_together_and_apart(commands, unlike=RANDOM)
