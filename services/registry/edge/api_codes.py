"""HTTP: transfer codes, with which another city may ask for a dossier."""

from __future__ import annotations

import secrets
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from services.registry.domain import ages, identity
from services.registry.domain.identity import Secrets
from services.registry.domain.rejections import CodeHasChanged
from services.registry.domain.volunteers.commands import IssueTransferCode
from services.registry.domain.volunteers.permissions import CODE_LIFETIME
from services.registry.domain.volunteers.state import registration
from services.registry.edge import api_examples as examples
from services.registry.edge import bodies, cursors, presenting
from services.registry.edge.api_volunteers import own
from services.registry.edge.desk import Desk
from services.registry.edge.shapes import state_of_text
from services.registry.edge.vault import identities_of
from shared.auth import require
from shared.clock import wire_exact
from shared.ledger import Answer, Decided, Outcome
from shared.ledger import Request as LedgerRequest
from shared.messages import Actor, Rejection
from shared.problems import of_rejection
from shared.requests import CommandContext, Page, command, page, page_of
from shared.requests.commands import answered

# The latest of a code; whoever shows it more often is told of in the count.
TRIES_SHOWN: Final = 50
_CODES = """
    SELECT i.position, i.code_id, i.issued_at, a.state::text AS state
    FROM code_issued AS i JOIN aggregate AS a ON a.kind = 'code' AND a.id = i.code_id
    WHERE i.subject_id = $1 AND i.position < $2 ORDER BY i.position DESC LIMIT $3
"""
_TRIES = """
    SELECT t.* FROM unnest($1::text[]) AS x(code_id) CROSS JOIN LATERAL (
        SELECT code_id, city, outcome, at, count(*) OVER () AS in_all FROM code_try
        WHERE code_id = x.code_id ORDER BY at DESC, transfer_id LIMIT $2) AS t
    ORDER BY t.code_id, t.at DESC
"""

# Two requests of one person in the same moment, and one more.
TRIES: Final = 3


def router(desk: Desk) -> APIRouter:
    """The routes /transfer-codes and /volunteers/me/transfer-codes."""
    routes = APIRouter(tags=["transfer codes 转移码"])

    @routes.post("/transfer-codes", status_code=201, responses=examples.CODE)
    async def transfer_code(
        body: bodies.TransferCodeBody,
        context: Annotated[CommandContext, Depends(command("volunteer", strong=True))],
    ) -> Response:
        """转移码 · IssueTransferCode: shown once, seven days, three a day; a new one cancels."""
        code = secrets.token_bytes(identity.CODE_BYTES)
        for _ in range(TRIES):
            outcome = await _issue(desk, body, context, code)
            if not isinstance(outcome, CodeHasChanged):
                break
        if isinstance(outcome, Rejection):
            raise of_rejection(outcome)
        return answered(outcome)

    @routes.get("/volunteers/me/transfer-codes", responses=examples.CODES)
    async def my_codes(
        actor: Annotated[Actor, Depends(require("volunteer"))],
        asked: Annotated[Page, Depends(page)],
    ) -> dict[str, Any]:
        """我的转移码 · my transfer codes, the newest first, and every request made with each.

        The other city hears of a match or of none; here stands the true cause. Codes that nobody
        issued belong to nobody: they are not listed.
        """
        await own(desk, actor)
        before = cursors.number(asked)
        async with desk.database.reading() as connection:
            rows = await connection.fetch(_CODES, actor.subject_id, before, asked.fetch)
            shown = [row["code_id"] for row in rows]
            found = await connection.fetch(_TRIES, shown, TRIES_SHOWN)
        tries = {code_id: list(of) for code_id, of in groupby(found, key=itemgetter("code_id"))}
        now = desk.clock.now()

        def item(row: Any) -> dict[str, Any]:
            code = state_of_text("code", row["state"])
            return presenting.code(code, row["issued_at"], tries.get(row["code_id"], []), now)

        return page_of(rows, asked, item, lambda row: (row["position"],))

    return routes


async def _issue(
    desk: Desk, body: bodies.TransferCodeBody, context: CommandContext, code: bytes
) -> Outcome:
    state = registration(await own(desk, context.actor))
    assert state is not None
    actor_id = context.actor.actor_id
    person = (await desk.profile(state.subject_id, actor_id, "transfer code")).person
    wish = IssueTransferCode(
        **context.meta(),
        subject_id=state.subject_id,
        code_id=identity.code_id(code),
        city=desk.node,
        previous_code_id=state.codes[-1].code_id if state.codes else None,
        purpose=body.purpose,
        receiver=body.receiver,
        needs_guardian=ages.age_on(desk.today(), person.birth_date) < ages.ADULT_FROM,
        guardian_consented=body.guardian_consented,
        secrets=Secrets(identity.code_key(code), identities_of(person)),
    )

    def respond(_: Decided) -> Answer:
        return Answer(
            201,
            {
                "id": wish.code_id,
                "code_text": identity.code_text(code),
                "purpose": body.purpose,
                "receiver": body.receiver,
                "expires_at": wire_exact(context.at + CODE_LIFETIME),
            },
        )

    request = LedgerRequest(digest=context.digest, respond=respond, secret=True)
    return await desk.ledger.submit(wish, request=request)
