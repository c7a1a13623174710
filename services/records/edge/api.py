"""What may be asked of records by HTTP, and by whom?

Recorders record, approvers of the recorder approve, reviewers of the place decide on long days, a
volunteer reads her own dossier. Somebody else's is no more to be seen than one that does not exist.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Path, Query
from fastapi.responses import Response

from services.records.domain import tiers
from services.records.domain.dossiers import commands as c
from services.records.domain.entries import KINDS
from services.records.domain.knowledge import TierBody
from services.records.edge import answers, lists, waiting
from services.records.edge import api_examples as examples
from services.records.edge import bodies_in as b
from services.records.edge.queries import Queries
from shared.auth import require
from shared.ledger import LedgerApi
from shared.messages import Actor
from shared.problems import field_is_wrong, not_found
from shared.requests import (
    CommandContext,
    Page,
    Surroundings,
    command,
    new_app,
    page,
    page_of,
    submit,
)

READERS = ("volunteer", "recorder", "approver", "org_admin", *tiers.REVIEWERS, "auditor")

Subject = Annotated[
    str, Path(pattern="^[0-9a-f]{32}$", examples=["ad19f606e2c579ee04a48dbaf59f5897"])
]
Issuer = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{1,30}$", examples=["500000"])]
EntryId = Annotated[
    str,
    Path(
        pattern="^[a-z0-9][a-z0-9-]{1,30}-[0-9A-Z]{26}$",
        examples=["500000-01KK362VM09TDRMAB20MBC0B5C"],
    ),
]
EntryVersion = Annotated[int, Path(ge=1, le=9999)]
Recorder = Annotated[CommandContext, Depends(command("recorder"))]
Approver = Annotated[CommandContext, Depends(command("approver", *tiers.REVIEWERS))]
Corrector = Annotated[CommandContext, Depends(command("recorder", "city_reviewer"))]
Reader = Annotated[Actor, Depends(require(*READERS))]
Asked = Annotated[Page, Depends(page)]

ENTRY = "/dossiers/{subject_id}/entries/{issuer}/{entry_id}"


def build(surroundings: Surroundings, ledger: LedgerApi, queries: Queries) -> FastAPI:
    """The public API of this service; other aggregates add their routers to it."""
    app = new_app(
        surroundings,
        title="Jiexu records 志愿服务记录",
        description="服务记录、审核、更正、撤销与档案。Entries, their approval, and dossiers.",
    )
    app.include_router(_recording(ledger))
    app.include_router(_changing(ledger))
    app.include_router(_reading(queries))
    return app


def _recording(ledger: LedgerApi) -> APIRouter:
    router = APIRouter(tags=["记录 recording"])

    @router.post(
        "/dossiers/{subject_id}/services",
        status_code=201,
        summary="记录服务 · record a service",
        responses=examples.SERVICE_RECORDED,
    )
    async def record_service(subject_id: Subject, body: b.ServiceIn, context: Recorder) -> Response:
        wish = c.RecordService(
            **context.meta(),
            subject_id=subject_id,
            salt=secrets.token_hex(16),
            organisation_id=body.organisation_id,
            evidence_class=body.evidence_class,
            evidence_id=body.evidence_id,
            team_id=body.team_id,
            facts=body.facts(),
            source=_source(body.source),
        )
        return await submit(ledger, wish, context, answers.entry_changed)

    @router.post(
        "/dossiers/{subject_id}/trainings",
        status_code=201,
        summary="记录培训 · record a training",
        responses=examples.TRAINING_RECORDED,
    )
    async def record_training(
        subject_id: Subject, body: b.TrainingIn, context: Recorder
    ) -> Response:
        wish = c.RecordTraining(
            **context.meta(),
            subject_id=subject_id,
            salt=secrets.token_hex(16),
            organisation_id=body.organisation_id,
            evidence_class=body.evidence_class,
            evidence_id=body.evidence_id,
            team_id=body.team_id,
            facts=body.facts(),
            source=_source(body.source),
        )
        return await submit(ledger, wish, context, answers.entry_changed)

    return router


def _changing(ledger: LedgerApi) -> APIRouter:
    router = APIRouter(prefix=ENTRY, tags=["审核与更正 approval and correction"])

    @router.post(
        "/approve", status_code=201, summary="审核通过 · approve", responses=examples.APPROVED
    )
    async def approve(
        subject_id: Subject,
        issuer: Issuer,
        entry_id: EntryId,
        context: Approver,
    ) -> Response:
        wish = c.ApproveEntry(**context.meta(), **_entry(subject_id, issuer, entry_id))
        return await submit(ledger, wish, context, answers.entry_changed)

    @router.post(
        "/reject", status_code=201, summary="不予通过 · reject", responses=examples.REJECTED
    )
    async def reject(
        subject_id: Subject,
        issuer: Issuer,
        entry_id: EntryId,
        body: b.RejectionIn,
        context: Approver,
    ) -> Response:
        wish = c.RejectEntry(
            **context.meta(),
            **_entry(subject_id, issuer, entry_id),
            reason_code=body.reason_code,
        )
        return await submit(ledger, wish, context, answers.entry_changed)

    @router.post(
        "/correct", status_code=201, summary="更正 · correct", responses=examples.CORRECTED
    )
    async def correct(
        subject_id: Subject,
        issuer: Issuer,
        entry_id: EntryId,
        body: b.CorrectionIn,
        context: Corrector,
    ) -> Response:
        wish = c.CorrectEntry(
            **context.meta(),
            **_entry(subject_id, issuer, entry_id),
            from_version=body.from_version,
            changes=body.changes,
            reason=body.reason,
            evidence_id=body.evidence_id,
            decision_id=body.decision_id,
        )
        return await submit(ledger, wish, context, answers.entry_changed)

    @router.post("/revoke", status_code=201, summary="撤销 · revoke", responses=examples.REVOKED)
    async def revoke(
        subject_id: Subject,
        issuer: Issuer,
        entry_id: EntryId,
        body: b.RevocationIn,
        context: Corrector,
    ) -> Response:
        wish = c.RevokeEntry(
            **context.meta(),
            **_entry(subject_id, issuer, entry_id),
            reason=body.reason,
            evidence_id=body.evidence_id,
            decision_id=body.decision_id,
        )
        return await submit(ledger, wish, context, answers.entry_changed)

    return router


def _reading(queries: Queries) -> APIRouter:
    router = APIRouter(tags=["查询 reading"])

    @router.get("/dossier", summary="我的档案 · my dossier", responses=examples.DOSSIER)
    async def mine(actor: Annotated[Actor, Depends(require("volunteer"))]) -> dict[str, Any]:
        if actor.subject_id is None:
            raise not_found()
        return await queries.dossier(actor.subject_id)

    @router.get("/dossiers/{subject_id}", summary="档案 · a dossier", responses=examples.DOSSIER)
    async def dossier(subject_id: Subject, actor: Reader) -> dict[str, Any]:
        if not lists.sight_of(actor, subject_id).whole:
            raise not_found()
        return await queries.dossier(subject_id)

    @router.get(
        "/dossiers/{subject_id}/entries",
        summary="档案中的记录 · its entries",
        responses=examples.ENTRIES,
    )
    async def entries(
        subject_id: Subject,
        actor: Reader,
        asked: Asked,
        state: Annotated[b.EntryStateName | None, Query()] = None,
        kind: Annotated[str | None, Query(max_length=20, examples=["service"])] = None,
        year: Annotated[int | None, Query(ge=1949, le=2200)] = None,
        issuer: Annotated[str | None, Query(pattern="^[a-z0-9][a-z0-9-]{1,30}$")] = None,
    ) -> dict[str, Any]:
        if kind is not None and kind not in KINDS:
            raise field_is_wrong("kind", "unknown")
        sight = lists.sight_of(actor, subject_id)
        rows = await lists.entries_of(
            queries, subject_id, sight, asked, state=state, kind=kind, year=year, issuer=issuer
        )
        return page_of(rows, asked, answers.listed, answers.position)

    @router.get(ENTRY, summary="一条记录的历史 · an entry's history", responses=examples.HISTORY)
    async def history(
        subject_id: Subject, issuer: Issuer, entry_id: EntryId, actor: Reader
    ) -> dict[str, Any]:
        versions = await queries.history(issuer, entry_id)
        versions = [each for each in versions if each.pop("subject_id") == subject_id]
        if not lists.sees(lists.sight_of(actor, subject_id), versions):
            raise not_found()
        minutes = await queries.shared_with(subject_id, issuer, entry_id)
        return {"versions": versions, "minutes": minutes}

    @router.get(
        ENTRY + "/{version}/receipt", summary="回执 · a receipt", responses=examples.RECEIPT
    )
    async def receipt(
        subject_id: Subject,
        issuer: Issuer,
        entry_id: EntryId,
        version: EntryVersion,
        actor: Annotated[Actor, Depends(require("volunteer", "auditor"))],
    ) -> dict[str, Any]:
        if not lists.sight_of(actor, subject_id).whole:
            raise not_found()
        return await queries.receipt(subject_id, issuer, entry_id, version)

    @router.get(
        "/entries/awaiting",
        summary="待审核的记录 · entries awaiting approval",
        responses=examples.AWAITING,
    )
    async def awaiting(
        actor: Annotated[Actor, Depends(require("approver", *tiers.REVIEWERS, "auditor"))],
        asked: Asked,
        tier: Annotated[
            TierBody | None, Query(description="按现在的审核层级 · by the tier as it is now")
        ] = None,
        late: Annotated[bool, Query(description="仅迟录 · only those recorded late")] = False,
    ) -> dict[str, Any]:
        rows = await waiting.awaiting(queries, actor, asked, tier=tier, late=late)
        return page_of(rows, asked, answers.listed, answers.position)

    return router


def _entry(subject_id: str, issuer: str, entry_id: str) -> dict[str, Any]:
    return {
        "subject_id": subject_id,
        "issuer": issuer,
        "entry_id": entry_id,
        "salt": secrets.token_hex(16),
    }


def _source(source: b.SourceIn | None) -> c.Source | None:
    return None if source is None else c.Source(system=source.system, id=source.id)
