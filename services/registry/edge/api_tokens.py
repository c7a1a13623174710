"""HTTP: a token of an outside login service is exchanged for one of this node."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from services.registry.domain.logins.commands import ExchangeToken
from services.registry.edge import api_examples as examples
from services.registry.edge import bodies, tokens
from services.registry.edge.desk import Desk
from shared.auth import LIFETIME, TokenIsWrong, issue_token
from shared.ids import request_command_id
from shared.ledger import Answer
from shared.messages import Actor, Grant
from shared.problems import token_is_wrong
from shared.requests import CommandContext, submit
from shared.requests.commands import Commanding

# Whoever has a token of a listed login service: that token is what is judged.
_ANYBODY = Commanding(None, strong=False, public=True)


def router(desk: Desk) -> APIRouter:
    """The route /tokens."""
    routes = APIRouter(tags=["tokens 令牌"])

    @routes.post("/tokens", status_code=201, responses=examples.TOKEN)
    async def exchange(
        body: bodies.TokenBody,
        request: Request,
        context: Annotated[CommandContext, Depends(_ANYBODY)],
    ) -> Response:
        """换取令牌 · exchanges a login service's token; fifteen minutes, shown once."""
        try:
            claims = await desk.oidc.verify(body.token)
        except TokenIsWrong:
            raise token_is_wrong() from None
        issuer = desk.issuers[claims["iss"]]
        login_id = desk.vault.login_id(claims["iss"], claims["sub"])
        async with desk.database.reading() as connection:
            who = await tokens.bound(connection, login_id)
        roles = tokens.grants(issuer, claims, who)
        acr = claims.get("acr")
        token = issue_token(
            desk.token_key,
            desk.node,
            login_id,
            roles,
            who.subject_id,
            acr if isinstance(acr, str) and 0 < len(acr) <= 256 else None,
            clock=desk.clock,
        )
        wish = ExchangeToken(
            # Only here the caller is known by what he shows: his keys are told apart by it.
            command_id=request_command_id(
                login_id, "POST /tokens", request.headers["idempotency-key"]
            ),
            actor=Actor(login_id),
            at=context.at,
            login_id=login_id,
        )
        answer = {
            "id": login_id,
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(LIFETIME.total_seconds()),
            "subject_id": who.subject_id,
            "applicant_ref": who.applicant_ref,
            "roles": [_role(each) for each in roles],
        }
        return await submit(desk.ledger, wish, context, lambda _: Answer(201, answer), secret=True)

    return routes


def _role(grant: Grant) -> dict[str, Any]:
    return {
        "role": grant.role,
        "organisation_id": grant.organisation_id,
        "region": grant.region,
    }
