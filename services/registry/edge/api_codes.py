"""HTTP: transfer codes, with which another city may ask for a dossier."""

from __future__ import annotations

import secrets
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from services.registry.domain import ages, identity
from services.registry.domain.identity import Secrets
from services.registry.domain.rejections import CodeHasChanged
from services.registry.domain.volunteers.commands import IssueTransferCode
from services.registry.domain.volunteers.permissions import CODE_LIFETIME
from services.registry.domain.volunteers.state import registration
from services.registry.edge import api_examples as examples
from services.registry.edge import bodies
from services.registry.edge.api_volunteers import own
from services.registry.edge.desk import Desk
from services.registry.edge.vault import identities_of
from shared.clock import wire_exact
from shared.ledger import Answer, Decided, Outcome
from shared.ledger import Request as LedgerRequest
from shared.messages import Rejection
from shared.problems import of_rejection
from shared.requests import CommandContext, command
from shared.requests.commands import answered

# Two requests of one person in the same moment, and one more.
TRIES: Final = 3


def router(desk: Desk) -> APIRouter:
    """The route /transfer-codes."""
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
