"""HTTP: policies proposed by one person, confirmed by another, and read by everybody."""

from __future__ import annotations

import json
import secrets
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query
from fastapi.responses import Response

from services.registry.domain.authority import governs
from services.registry.domain.policies.commands import ConfirmPolicy, ProposePolicy
from services.registry.domain.policies.events import PolicyKind, PolicyProposed
from services.registry.domain.rejections import ContentIsInvalid
from services.registry.edge import api_examples as examples
from services.registry.edge import shelf
from services.registry.edge.desk import Desk, refused
from services.registry.edge.policy_models import judge
from services.registry.edge.presenting import slice_of
from services.registry.edge.reach import policy
from services.registry.edge.shapes import wire
from shared.auth import public, require
from shared.clock import wire_exact
from shared.ledger import Answer, Decided
from shared.messages import Actor
from shared.problems import not_found
from shared.requests import CommandContext, Page, command, page, submit

PolicyId = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{1,63}$", examples=["cn-default"])]
ProposalId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=[examples.CONSENT])]
PUBLISHERS = ("city_reviewer", "province_reviewer")

_VERSION = """
    SELECT content, effective_from, published_at FROM policy_version
    WHERE policy_id = $1 AND version = $2
"""


def router(desk: Desk) -> APIRouter:
    """The routes under /policies."""
    routes = APIRouter(tags=["policies 政策"])

    @routes.post("/policies", status_code=202, responses=examples.PROPOSED)
    async def propose(
        body: Annotated[dict[str, Any], Body(openapi_examples=examples.POLICY_BODY)],
        context: Annotated[CommandContext, Depends(command(*PUBLISHERS))],
    ) -> Response:
        """提议政策版本 · the first of two persons; the body is the whole document."""
        document = judge(body)
        if isinstance(document, ContentIsInvalid):
            raise refused(document)
        wish = ProposePolicy(**context.meta(), proposal_id=secrets.token_hex(16), document=document)
        return await submit(desk.ledger, wish, context, lambda decided: _proposed(decided))

    @routes.post(
        "/policies/{policy_id}/proposals/{proposal_id}/confirm", responses=examples.PUBLISHED
    )
    async def confirm(
        policy_id: PolicyId,
        proposal_id: ProposalId,
        context: Annotated[CommandContext, Depends(command(*PUBLISHERS))],
    ) -> Response:
        """确认并发布 · the second person publishes."""
        wish = ConfirmPolicy(**context.meta(), policy_id=policy_id, proposal_id=proposal_id)

        def respond(decided: Decided) -> Answer:
            state = decided.states[policy(policy_id)]
            latest = state.versions[-1]
            return Answer(
                200,
                {
                    "policy_id": policy_id,
                    "version": latest.version,
                    "effective_from": latest.effective_from.isoformat(),
                },
            )

        return await submit(desk.ledger, wish, context, respond)

    @routes.get("/policies/{policy_id}/proposals/{proposal_id}", responses=examples.PROPOSAL)
    async def proposal(
        policy_id: PolicyId,
        proposal_id: ProposalId,
        actor: Annotated[Actor, Depends(require(*PUBLISHERS))],
    ) -> dict[str, Any]:
        """待确认的提议 · what the second person is to read before confirming."""
        state = await desk.state("policy", policy_id)
        found = None if state is None else state.proposal
        if found is None or found.proposal_id != proposal_id:
            raise not_found()
        if not governs(actor, found.jurisdiction):
            raise not_found()
        return wire(found)

    @routes.get("/policies", responses=examples.POLICIES)
    async def in_force(
        _: Annotated[Any, Depends(public())],
        asked: Annotated[Page, Depends(page)],
        on: Annotated[date | None, Query(description="哪一天 · the day; today by default")] = None,
        region: Annotated[str | None, Query(pattern=r"^[0-9]{6}$")] = None,
        kind: PolicyKind | None = None,
    ) -> dict[str, Any]:
        """某日有效的政策 · the version of each policy that holds there on that day."""
        kinds = shelf.KINDS if kind is None else (kind,)
        async with desk.database.reading() as connection:
            held = await shelf.held(connection, kinds, on or desk.today(), region or desk.node)
        # One item a policy id: a city has dozens. The documents are read one by one.
        return slice_of(held, asked, _held)

    @routes.get("/policies/{policy_id}/versions/{version}", responses=examples.POLICY)
    async def version(
        policy_id: PolicyId,
        version: Annotated[int, Path(ge=1, le=100_000)],
        _: Annotated[Any, Depends(public())],
    ) -> dict[str, Any]:
        """政策全文 · one version, whole."""
        async with desk.database.reading() as connection:
            row = await connection.fetchrow(_VERSION, policy_id, version)
        if row is None:
            raise not_found()
        return {
            "policy_id": policy_id,
            "version": version,
            "effective_from": row["effective_from"].isoformat(),
            "published_at": wire_exact(row["published_at"]),
            "content": json.loads(row["content"]),
        }

    return routes


def _proposed(decided: Decided) -> Answer:
    event = next(each for each in decided.events if isinstance(each, PolicyProposed))
    return Answer(
        202,
        {
            "id": event.proposal_id,
            "proposal_id": event.proposal_id,
            "policy_id": event.policy_id,
            "version": event.version,
            "expires_at": wire_exact(event.expires_at),
        },
    )


def _held(each: shelf.Held) -> dict[str, Any]:
    published = each.published
    return {
        "policy_id": published.policy_id,
        "version": published.version,
        "kind": published.kind,
        "jurisdiction": list(published.jurisdiction),
        "effective_from": published.effective_from.isoformat(),
        "source": each.source,
        "purpose": each.content.get("purpose"),
    }
