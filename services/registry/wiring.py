"""How is registry put together? The only file that knows everyone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, FastAPI

from services.registry.contract.topics import TOPICS
from services.registry.edge import agents, api, internal, jobs, packs
from services.registry.edge.desk import Desk
from services.registry.edge.ledger_side import RegistryDomain
from services.registry.edge.store import Store
from services.registry.edge.vault import Vault
from services.registry.edge.verification import Checker, RosterFile
from services.registry.settings import RegistrySettings, read_issuers
from shared.auth import OidcVerifier
from shared.roles import Parts, Service
from shared.signing import load_signing_key, load_symmetric_key

MIGRATIONS: Final = Path(__file__).parent / "edge" / "migrations"


def assemble(settings: RegistrySettings) -> Service:
    """The service, with nothing built yet."""
    return Service(
        name="registry",
        settings=settings,
        topics=TOPICS,
        migrations=MIGRATIONS,
        domain=_domain,
        api=_api,
        internal=_internal,
        sources=lambda parts: agents.sources(),
        jobs=lambda parts: jobs.handlers(lambda: desk_of(parts)),
        files=_files,
        provision=lambda parts: packs.publish(parts.ledger, parts.clock),
    )


def desk_of(parts: Parts) -> Desk:
    """One desk a process, made when it is first asked for: by then there is a ledger."""
    if "desk" not in parts.kept:
        settings: RegistrySettings = parts.settings
        issuers = read_issuers(settings.oidc_issuers)
        parts.kept["desk"] = Desk(
            node=parts.node,
            ledger=parts.ledger,
            database=parts.database,
            clock=parts.clock,
            vault=_vault(parts),
            checker=Checker(
                None if settings.roster is None else RosterFile(settings.roster), parts.clock
            ),
            token_key=_token_key(parts),
            issuers={each.issuer: each for each in issuers},
            oidc=OidcVerifier([each.oidc() for each in issuers], parts.http, parts.clock),
        )
    desk: Desk = parts.kept["desk"]
    return desk


def _token_key(parts: Parts) -> Ed25519PrivateKey:
    return load_signing_key(parts.keys / "token.key")


def _files(parts: Parts) -> tuple[str, ...]:
    _token_key(parts)
    return ()


def _vault(parts: Parts) -> Vault:
    if "vault" not in parts.kept:
        parts.kept["vault"] = Vault(
            load_symmetric_key(parts.keys / "vault.key"),
            load_symmetric_key(parts.keys / "pepper.key"),
        )
    vault: Vault = parts.kept["vault"]
    return vault


def _domain(parts: Parts) -> RegistryDomain:
    return RegistryDomain(Store(_vault(parts)))


def _api(parts: Parts) -> FastAPI:
    return api.build(parts, desk_of(parts), parts.settings.welcome)


def _internal(parts: Parts) -> APIRouter:
    return internal.router(desk_of(parts))
