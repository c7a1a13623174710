"""What do all routes of registry have at hand, and how do they read a person or a state?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.registry.domain.consents import Rules
from services.registry.edge import shapes, shelf
from services.registry.edge.store import sealed_of
from services.registry.edge.vault import Profile, Vault
from services.registry.edge.verification import Checker
from services.registry.settings import IssuerSettings
from shared.auth import OidcVerifier
from shared.clock import Clock, local_day
from shared.ledger import LedgerApi
from shared.messages import Rejection
from shared.postgres import Database
from shared.problems import Problem, not_found, of_rejection

_STATES = """
    SELECT t.id, t.state::text AS state FROM unnest($2::text[]) AS x(id)
    JOIN aggregate AS t ON t.kind = $1 AND t.id = x.id
"""
_PROFILES = """
    SELECT p.ref, v.vault_id, v.wrapped_key, v.profile FROM unnest($1::text[]) AS x(ref)
    JOIN person AS p ON p.ref = x.ref JOIN vault AS v ON v.vault_id = p.vault_id
"""
_ACCESS = "INSERT INTO vault_access (actor_id, purpose, refs) VALUES ($1, $2, $3)"


@dataclass(frozen=True, slots=True)
class Desk:
    """The tools of the routes; one per process."""

    node: str
    ledger: LedgerApi
    database: Database
    clock: Clock
    vault: Vault
    checker: Checker
    token_key: Ed25519PrivateKey
    issuers: dict[str, IssuerSettings]
    oidc: OidcVerifier

    def today(self) -> date:
        """The local day."""
        return local_day(self.clock.now())

    async def rules(self, residence_region: str) -> Rules:
        """The policies in force today for a person of that region."""
        async with self.database.reading() as connection:
            return await shelf.rules(connection, self.today(), residence_region, self.node)

    async def state(self, kind: str, ref: str) -> Any:
        """The state of one aggregate, or None."""
        return (await self.states(kind, [ref])).get(ref)

    async def states(self, kind: str, refs: Sequence[str]) -> dict[str, Any]:
        """The states that there are, by id."""
        if not refs:
            return {}
        async with self.database.reading() as connection:
            rows = await connection.fetch(_STATES, kind, list(refs))
        return {row["id"]: shapes.state_of_text(kind, row["state"]) for row in rows}

    async def profiles(
        self, refs: Sequence[str], actor_id: str, purpose: str
    ) -> dict[str, Profile]:
        """Out of the vault; who read it, and why, is kept before it is shown."""
        if not refs:
            return {}
        async with self.database.reading() as connection:
            await connection.execute(_ACCESS, actor_id, purpose, list(refs))
            rows = await connection.fetch(_PROFILES, list(refs))
        return {row["ref"]: self.vault.open(sealed_of(row)) for row in rows}

    async def profile(self, ref: str, actor_id: str, purpose: str) -> Profile:
        """Of one person; 404 where there is none."""
        found = (await self.profiles([ref], actor_id, purpose)).get(ref)
        if found is None:
            raise not_found()
        return found


def refused(rejection: Rejection) -> Problem:
    """The problem of a refusal that the edge itself finds."""
    return of_rejection(rejection)
