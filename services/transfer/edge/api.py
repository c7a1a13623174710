"""What may be asked of transfer by HTTP, and by whom?

The volunteer applies, reads and withdraws what is her own; officers of the node see all moves.
Someone else's move is no more to be seen than one that does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Path, Query
from fastapi.responses import Response, StreamingResponse

from services.transfer.domain import commands, rejections
from services.transfer.edge import api_examples as examples
from services.transfer.edge.applying import OFFICERS, Desk, application
from services.transfer.edge.bodies import ApplicationBody
from services.transfer.edge.deciding import transfer_target
from services.transfer.edge.exporting import Exports
from services.transfer.edge.inbox import ROLES
from services.transfer.edge.queries import Queries, Rows, book_json
from shared.auth import any_token, public, require
from shared.ledger import Answer, Decided, LedgerApi
from shared.messages import Actor
from shared.problems import not_found, of_rejection
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

READERS = (*OFFICERS, "auditor")
_GONE = frozenset({"Released", "Settling", "Closing", "Closed", "Activating", "Active"})
_ENDED = frozenset({"Refused", "Aborted"})

Ref = Annotated[str, Path(pattern="^[0-9a-f]{32}$", examples=["65b2ce054cf80e9f1ca5c6edb487e95a"])]
Subject = Annotated[
    str, Path(pattern="^[0-9a-f]{32}$", examples=["ad19f606e2c579ee04a48dbaf59f5897"])
]
Asked = Annotated[Page, Depends(page)]
# Whoever applies may be new here: a login is enough; officers may help at the counter.
Applicant = Annotated[CommandContext, Depends(command("login", "volunteer", "guardian", *OFFICERS))]
Caller = Annotated[Actor, Depends(any_token())]
Officer = Annotated[Actor, Depends(require(*READERS))]
State = Annotated[str | None, Query(pattern="^[A-Z][A-Za-z]{2,20}$", examples=["Requested"])]


def build(
    surroundings: Surroundings,
    ledger: Callable[[], LedgerApi],
    desk: Desk,
    queries: Queries,
    exports: Exports,
) -> FastAPI:
    """The public API of this service."""
    app = new_app(
        surroundings,
        title="Jiexu transfer 转移接续",
        description="转移申请、进度、撤回与档案导出 · applications, progress, withdrawal, export.",
    )
    app.include_router(_moves(ledger, desk, queries))
    app.include_router(_office(queries))
    app.include_router(_exports(exports))

    @app.get("/", include_in_schema=False)
    def root(_: Annotated[Actor, Depends(public())]) -> dict[str, str]:
        return {"service": "transfer", "city": desk.city, "documents": "docs"}

    return app


def _moves(ledger: Callable[[], LedgerApi], desk: Desk, queries: Queries) -> APIRouter:
    routes = APIRouter(tags=["transfers 转移"])

    @routes.post("/transfers", status_code=201, responses=examples.APPLIED)
    async def apply(body: ApplicationBody, context: Applicant) -> Response:
        """申请转入 · applies for a record that another city keeps, with its transfer code."""
        wish = await application(desk, context, body.model_dump())

        def respond(decided: Decided) -> Answer:
            return Answer(
                201,
                {
                    "id": wish.transfer_id,
                    "applicant_ref": wish.applicant_ref,
                    "transfer_id": wish.transfer_id,
                    "origin": wish.origin,
                    "destination": wish.destination,
                    "status": "applied",
                },
            )

        return await submit(ledger(), wish, context, respond)

    @routes.get("/transfers", responses=examples.LISTED)
    async def listed(
        actor: Caller,
        asked: Asked,
        state: State = None,
        peer: Annotated[str | None, Query(pattern="^[a-z0-9][a-z0-9-]{1,30}$")] = None,
    ) -> dict[str, Any]:
        """转移列表 · officers see all moves of this node, a volunteer her own."""
        subject_id = None
        if not actor.has(*READERS):
            if actor.subject_id is None:
                return {"items": [], "next": None}
            subject_id = actor.subject_id
        rows = await queries.listed(asked, subject_id=subject_id, state=state, peer=peer)
        return page_of(
            rows,
            asked,
            queries.item,
            lambda row: (row["requested_at"].isoformat(), row["transfer_id"], row["role"]),
        )

    @routes.get("/transfers/{applicant_ref}", responses=examples.APPLICATION)
    async def status(applicant_ref: Ref, actor: Caller) -> dict[str, Any]:
        """进度 · status, whose move it is and since when, what is due, and why it ended."""
        return queries.application(await _own(queries, actor, applicant_ref))

    @routes.post("/transfers/{applicant_ref}/withdraw", responses=examples.WITHDRAWN)
    async def withdraw(applicant_ref: Ref, context: Applicant) -> Response:
        """撤回 · takes the consent back; possible until the old city has released the record."""
        rows = await _own(queries, context.actor, applicant_ref)
        newest = rows[0]
        role = ROLES[newest["role"]]
        wish = commands.WithdrawTransfer(
            **context.meta() | {"correlation_id": newest["transfer_id"]},
            transfer_id=newest["transfer_id"],
            role=role,
            subject_id=newest["subject_id"],
        )
        if not await _was_answered(desk, context):
            _judge_withdrawal(queries, rows)

        def respond(decided: Decided) -> Answer:
            file = decided.states[transfer_target(wish.transfer_id, role)]
            word: Literal["withdrawn", "asked", "moved"] = "asked"
            if file.status in _ENDED:
                word = "withdrawn"
            elif file.status in _GONE:
                word = "moved"
            return Answer(
                202 if word == "asked" else 200,
                {"applicant_ref": applicant_ref, "outcome": word, "state": file.status},
            )

        return await submit(ledger(), wish, context, respond)

    return routes


async def _own(queries: Queries, actor: Actor, applicant_ref: str) -> Rows:
    rows = await queries.attempts(applicant_ref)
    if not rows or not (actor.has(*READERS) or queries.is_own(actor, rows)):
        raise not_found()
    return rows


async def _was_answered(desk: Desk, context: CommandContext) -> bool:
    async with desk.database.reading() as connection:
        found = await connection.fetchval(
            "SELECT true FROM answer WHERE command_id = $1", context.command_id
        )
    return bool(found)


def _judge_withdrawal(queries: Queries, rows: Rows) -> None:
    newest = rows[0]
    item = queries.item(newest)
    if newest["state"] in _GONE:
        raise of_rejection(rejections.CustodyHasMoved(home=item["destination"]))
    if newest["state"] in _ENDED:
        raise of_rejection(rejections.TransferHasEnded(code=item["refusal"]["code"]))


def _office(queries: Queries) -> APIRouter:
    routes = APIRouter(tags=["office 管理"])

    @routes.get("/alarms", responses=examples.ALARMS)
    async def alarms(_: Officer, asked: Asked) -> dict[str, Any]:
        """告警 · what the office must look at."""
        rows = await queries.alarms(asked)
        return page_of(rows, asked, book_json, lambda row: (row["id"],))

    @routes.get("/notices", responses=examples.NOTICES)
    async def notices(_: Officer, asked: Asked) -> dict[str, Any]:
        """来函 · notices of other cities' offices."""
        rows = await queries.notices(asked)
        return page_of(rows, asked, book_json, lambda row: (row["id"],))

    return routes


def _exports(exports: Exports) -> APIRouter:
    routes = APIRouter(tags=["exports 导出"])

    @routes.get("/exports/{subject_id}", response_class=Response, responses=examples.EXPORT)
    async def export(subject_id: Subject, actor: Caller) -> Response:
        """档案导出 · the whole dossier: entries, a head signed now, the custody chain.

        Anybody who has the directory can verify it offline.
        """
        if not actor.has("volunteer") or actor.subject_id != subject_id:
            raise not_found()
        document = await exports.of(subject_id)
        return StreamingResponse(document, media_type="application/json")

    return routes
