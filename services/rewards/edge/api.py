"""What may be asked of rewards by HTTP, and by whom?

Volunteers read their own standing and apply; reviewers of the region review, award, refuse, keep
and lower. Someone else's standing is no more to be seen than one that does not exist.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.rewards.domain.policies.model import region_holds
from services.rewards.domain.standings import commands as c
from services.rewards.edge import answers
from services.rewards.edge import api_examples as examples
from services.rewards.edge.queries import Queries
from shared.auth import public, require
from shared.ledger import LedgerApi
from shared.messages import Actor
from shared.problems import not_found
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

REVIEWERS = ("county_reviewer", "city_reviewer", "province_reviewer")

Subject = Annotated[
    str,
    Path(pattern="^[0-9a-f]{32}$", examples=["ad19f606e2c579ee04a48dbaf59f5897"]),
]
PolicyId = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,63}$", examples=["cn-default"])]
ReviewerContext = Annotated[CommandContext, Depends(command(*REVIEWERS))]
Reviewer = Annotated[Actor, Depends(require(*REVIEWERS, "auditor"))]
Asked = Annotated[Page, Depends(page)]
Reasons = Annotated[str, Field(max_length=200, examples=["时间与质量均符合要求"])]


class Body(BaseModel):
    """No member too many: what we do not know, we do not ignore."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Application(Body):
    policy_id: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,63}$", examples=["cn-default"])
    level: int = Field(ge=1, le=9, examples=[1])


class Review(Body):
    outcome: Literal["pass", "fail"] = Field(examples=["pass"])
    reasons: Reasons
    step: str = Field(default="review", pattern="^[a-z_]{1,40}$")


class Award(Body):
    decision_id: str = Field(min_length=1, max_length=100, examples=["渝中民政〔2026〕17号"])


class Refusal(Body):
    reasons: Reasons


class Keeping(Body):
    reasons: Reasons


class Demotion(Body):
    new_level: int = Field(ge=0, le=4, examples=[2])
    cause: Literal["revocation", "redemption", "violation"] = Field(examples=["revocation"])
    reasons: Reasons
    decision_id: str = Field(min_length=1, max_length=100, examples=["渝中民政〔2026〕18号"])


class Recognition(Body):
    issuer: str = Field(pattern="^[a-z0-9][a-z0-9-]{1,30}$", examples=["510100"])
    entry_id: str = Field(max_length=80, examples=["510100-01KK3BW1GM4V7N0Q6E2P8R5T3X"])


def build(surroundings: Surroundings, ledger: LedgerApi, queries: Queries) -> FastAPI:
    """The public API of this service."""
    app = new_app(
        surroundings,
        title="Jiexu rewards 星级认定",
        description="星级状况、申请、审核与认定。Standing, stars, applications and awards.",
    )
    app.include_router(_for_volunteers(ledger, queries))
    app.include_router(_for_reviewers(ledger))
    app.include_router(_lists(queries))
    return app


def _for_volunteers(ledger: LedgerApi, queries: Queries) -> APIRouter:
    router = APIRouter(tags=["本人 volunteer"])

    @router.get("/standing", summary="我的星级状况 · my standing", responses=examples.STANDING)
    async def mine(actor: Annotated[Actor, Depends(require("volunteer"))]) -> dict[str, Any]:
        if actor.subject_id is None:
            raise not_found()
        return await queries.standing(actor.subject_id)

    @router.post(
        "/applications",
        status_code=201,
        summary="申请星级 · apply for a star",
        responses=examples.APPLIED,
    )
    async def apply(
        body: Application,
        context: Annotated[CommandContext, Depends(command("volunteer"))],
    ) -> Response:
        if context.actor.subject_id is None:
            raise not_found()
        wish = c.ApplyForStar(
            **context.meta(),
            subject_id=context.actor.subject_id,
            policy_id=body.policy_id,
            level=body.level,
        )
        return await submit(ledger, wish, context, answers.applied)

    return router


def _for_reviewers(ledger: LedgerApi) -> APIRouter:
    router = APIRouter(
        prefix="/standings/{subject_id}/policies/{policy_id}", tags=["审核 reviewer"]
    )

    @router.post("/review", summary="审核申请 · review an application", responses=examples.REVIEWED)
    async def review(
        subject_id: Subject, policy_id: PolicyId, body: Review, context: ReviewerContext
    ) -> Response:
        wish = c.ReviewStar(
            **context.meta(),
            subject_id=subject_id,
            policy_id=policy_id,
            outcome=body.outcome,
            reasons=body.reasons,
            step=body.step,
        )
        return await submit(ledger, wish, context, answers.done)

    @router.post(
        "/award", status_code=201, summary="认定星级 · award a star", responses=examples.AWARDED
    )
    async def award(
        subject_id: Subject, policy_id: PolicyId, body: Award, context: ReviewerContext
    ) -> Response:
        wish = c.AwardStar(
            **context.meta(),
            subject_id=subject_id,
            policy_id=policy_id,
            decision_id=body.decision_id,
        )
        return await submit(ledger, wish, context, answers.awarded)

    @router.post("/refuse", summary="不予认定 · refuse an application", responses=examples.REFUSED)
    async def refuse(
        subject_id: Subject, policy_id: PolicyId, body: Refusal, context: ReviewerContext
    ) -> Response:
        wish = c.RefuseStar(
            **context.meta(), subject_id=subject_id, policy_id=policy_id, reasons=body.reasons
        )
        return await submit(ledger, wish, context, answers.done)

    @router.post("/keep", summary="保留星级 · keep a star under review", responses=examples.KEPT)
    async def keep(
        subject_id: Subject, policy_id: PolicyId, body: Keeping, context: ReviewerContext
    ) -> Response:
        wish = c.KeepStar(
            **context.meta(), subject_id=subject_id, policy_id=policy_id, reasons=body.reasons
        )
        return await submit(ledger, wish, context, answers.done)

    @router.post(
        "/demote",
        status_code=201,
        summary="降低星级 · lower a star under review",
        responses=examples.DEMOTED,
    )
    async def demote(
        subject_id: Subject, policy_id: PolicyId, body: Demotion, context: ReviewerContext
    ) -> Response:
        wish = c.DemoteStar(
            **context.meta(),
            subject_id=subject_id,
            policy_id=policy_id,
            new_level=body.new_level,
            cause=body.cause,
            reasons=body.reasons,
            decision_id=body.decision_id,
        )
        return await submit(ledger, wish, context, answers.awarded)

    @router.post(
        "/recognise",
        summary="承认外地星级 · recognise a star of another city",
        responses=examples.RECOGNISED,
    )
    async def recognise(
        subject_id: Subject, policy_id: PolicyId, body: Recognition, context: ReviewerContext
    ) -> Response:
        wish = c.RecogniseStar(
            **context.meta(),
            subject_id=subject_id,
            policy_id=policy_id,
            issuer=body.issuer,
            entry_id=body.entry_id,
        )
        return await submit(ledger, wish, context, answers.done)

    return router


def _lists(queries: Queries) -> APIRouter:
    router = APIRouter(tags=["名单 lists"])

    @router.get(
        "/standings/{subject_id}",
        summary="某人的星级状况 · a subject's standing",
        responses=examples.STANDING,
    )
    async def standing(subject_id: Subject, actor: Reviewer) -> dict[str, Any]:
        found = await queries.standing(subject_id)
        if not _sees(actor, str(found["region"])):
            raise not_found()
        return found

    @router.get(
        "/applications",
        summary="待办申请 · open applications of my regions",
        responses=examples.APPLICATIONS,
    )
    async def applications(
        actor: Reviewer,
        asked: Asked,
        stage: Annotated[
            Literal["applied", "passed", "failed", "publicised"] | None, Query()
        ] = None,
        past_term: Annotated[bool, Query(description="仅超期 · past their term only")] = False,
    ) -> dict[str, Any]:
        rows = await queries.applications(regions(actor), asked, stage, past_term)
        return page_of(rows, asked, answers.application, answers.application_position)

    @router.get(
        "/held-star-reviews",
        summary="待复核的星级 · held stars under review",
        responses=examples.HELD_REVIEWS,
    )
    async def held(actor: Reviewer, asked: Asked) -> dict[str, Any]:
        rows = await queries.held_reviews(regions(actor), asked)
        return page_of(rows, asked, answers.held_review, answers.held_review_position)

    @router.get(
        "/levels",
        summary="各地区星级人数 · people per level in a region",
        responses=examples.LEVELS,
    )
    async def levels(
        actor: Reviewer,
        policy_id: Annotated[str, Query(pattern="^[a-z0-9][a-z0-9-]{0,63}$")],
        region: Annotated[str, Query(pattern="^[0-9]{6}$", examples=["500103"])],
    ) -> dict[str, Any]:
        if not _sees(actor, region):
            raise not_found()
        return await queries.levels(policy_id, region)

    @router.get(
        "/policies", summary="星级办法 · star policies kept here", responses=examples.POLICIES
    )
    async def policies(_: Annotated[Actor, Depends(public())], asked: Asked) -> dict[str, Any]:
        rows = await queries.policies(asked)
        return page_of(rows, asked, answers.policy, answers.policy_position)

    return router


def regions(actor: Actor) -> tuple[str, ...]:
    """The region codes that a reviewer or auditor answers for; ``*``: all of the node."""
    return tuple(sorted({grant.region or "*" for grant in actor.holding(*REVIEWERS, "auditor")}))


def _sees(actor: Actor, region: str) -> bool:
    return any(region_holds(code, region) for code in regions(actor))
