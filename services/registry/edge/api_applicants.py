"""HTTP: applications of people who want their dossier moved here."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response

from services.registry.domain.applicants.commands import RegisterApplicant, VerifyApplicant
from services.registry.domain.applicants.state import Applicant, Linked
from services.registry.domain.applicants.state import application as application_of
from services.registry.domain.authority import reviews
from services.registry.edge import api_examples as examples
from services.registry.edge import bodies, cursors, presenting
from services.registry.edge.api_volunteers import (
    REVIEWERS,
    asked_of,
    submit_registration,
    transfers_of,
)
from services.registry.edge.desk import Desk
from services.registry.edge.reach import applicant
from shared.auth import require
from shared.clock import read, wire_exact
from shared.ledger import Answer, Decided
from shared.messages import Actor, Unreadable
from shared.problems import field_is_wrong, not_found
from shared.requests import CommandContext, Page, command, page, page_of, submit

ApplicantRef = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=[examples.APPLICANT])]

_MINE = """
    SELECT applicant_ref, registered_at FROM application
    WHERE login_id = $1
        AND ($2::timestamptz IS NULL OR (registered_at, applicant_ref) > ($2, $3))
    ORDER BY registered_at, applicant_ref LIMIT $4
"""
_SEEN = """
    SELECT a.state::text AS state FROM transfer_seen AS t
    JOIN aggregate AS a ON a.kind = 'transfer' AND a.id = t.transfer_id
    WHERE t.applicant_ref = $1 ORDER BY t.since DESC, t.transfer_id LIMIT 200
"""


def router(desk: Desk) -> APIRouter:
    """The routes under /applicants."""
    routes = APIRouter(tags=["applicants 申请人"])

    @routes.post("/applicants", status_code=201, responses=examples.APPLIED)
    async def register(
        body: bodies.ApplicantBody,
        context: Annotated[CommandContext, Depends(command("login", "volunteer"))],
    ) -> Response:
        """转入申请人 · RegisterApplicant: no second registration, and no dossier yet."""
        wish = RegisterApplicant(
            **context.meta(),
            applicant_ref=secrets.token_hex(16),
            asked=await asked_of(desk, body, context),
            login_id=context.actor.actor_id,
        )
        ref = wish.applicant_ref

        def respond(decided: Decided) -> Answer:
            state = decided.states[applicant(ref)]
            return Answer(201, {"id": ref, **presenting.application(ref, state)})

        return await submit_registration(desk, wish, context, respond)

    @routes.get("/applicants", responses=examples.APPLICATIONS)
    async def mine(
        actor: Annotated[Actor, Depends(require("login", "volunteer"))],
        asked: Annotated[Page, Depends(page)],
    ) -> dict[str, Any]:
        """我的申请 · the applications of my login."""
        after = cursors.texts(asked, 2)
        try:
            since = None if after[0] is None else read(after[0])
        except Unreadable:
            raise field_is_wrong("after", "not_a_cursor") from None
        async with desk.database.reading() as connection:
            rows = await connection.fetch(_MINE, actor.actor_id, since, after[1], asked.fetch)
        states = await desk.states("applicant", [row["applicant_ref"] for row in rows])
        return page_of(
            rows,
            asked,
            lambda row: presenting.application(row["applicant_ref"], states[row["applicant_ref"]]),
            lambda row: (wire_exact(row["registered_at"]), row["applicant_ref"]),
        )

    @routes.get("/applicants/{applicant_ref}", responses=examples.APPLICATION)
    async def one(
        applicant_ref: ApplicantRef,
        actor: Annotated[Actor, Depends(require("login", "volunteer", *REVIEWERS))],
    ) -> dict[str, Any]:
        """申请进度 · one application with its transfers; to its login and the region's offices."""
        state = await desk.state("applicant", applicant_ref)
        if not _may_see(actor, state):
            raise not_found()
        return {
            **presenting.application(applicant_ref, state),
            "transfers": await transfers_of(desk, _SEEN, applicant_ref),
        }

    @routes.post(
        "/applicants/{applicant_ref}/verifications",
        status_code=201,
        responses=examples.APPLICANT_VERIFIED,
    )
    async def verify(
        applicant_ref: ApplicantRef,
        body: bodies.VerificationBody,
        context: Annotated[CommandContext, Depends(command(*REVIEWERS))],
    ) -> Response:
        """核验 · RecordVerification of an applicant."""
        wish = VerifyApplicant(**context.meta(), applicant_ref=applicant_ref, **body.model_dump())

        def respond(decided: Decided) -> Answer:
            state = decided.states[applicant(applicant_ref)]
            return Answer(201, presenting.application(applicant_ref, state))

        return await submit(desk.ledger, wish, context, respond)

    return routes


def _may_see(actor: Actor, state: Applicant | None) -> bool:
    who = application_of(state)
    if who is not None:
        return who.login_id == actor.actor_id or reviews(actor, who.residence_region)
    return isinstance(state, Linked) and (
        state.login_id == actor.actor_id or state.subject_id == actor.subject_id
    )
