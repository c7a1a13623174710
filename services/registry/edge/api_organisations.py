"""HTTP: organisations, registered or filed, and decisions against them."""

from __future__ import annotations

import secrets
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from services.registry.domain import uscc
from services.registry.domain.organisations.commands import (
    FileOrganisation,
    RegisterOrganisation,
    SanctionOrganisation,
)
from services.registry.domain.organisations.events import Filing
from services.registry.edge import api_examples as examples
from services.registry.edge import bodies_organisations as bodies
from services.registry.edge import cursors
from services.registry.edge.api_volunteers import REVIEWERS, prefix_of
from services.registry.edge.desk import Desk
from services.registry.edge.reach import organisation
from shared.auth import public
from shared.ledger import Answer, Decided
from shared.problems import not_found
from shared.requests import CommandContext, Page, command, page, page_of, submit

OrganisationId = Annotated[
    str, Path(pattern=r"^[0-9A-Za-z-]{1,64}$", examples=[examples.ORGANISATION])
]

_COLUMNS = """organisation_id, name, kind, uscc, filing_office, filing_number, seat_region, scope,
    established_on, charity, supervising_body_id, standing"""
_ONE = f"SELECT {_COLUMNS} FROM organisation WHERE organisation_id = $1"
_LIST = f"""
    SELECT {_COLUMNS} FROM organisation
    WHERE ($1::text IS NULL OR name LIKE '%' || $1 || '%')
        AND ($2::text IS NULL OR seat_region LIKE $2 || '%')
        AND ($3::date IS NULL OR established_on >= $3)
        AND ($4::date IS NULL OR established_on <= $4)
        AND ($5::text IS NULL OR (name, organisation_id) > ($5, $6))
    ORDER BY name, organisation_id LIMIT $7
"""


def router(desk: Desk) -> APIRouter:
    """The routes under /organisations and /filings."""
    routes = APIRouter(tags=["organisations 组织"])

    @routes.post("/organisations", status_code=201, responses=examples.ORGANISATION_REGISTERED)
    async def register(
        body: bodies.OrganisationBody,
        context: Annotated[CommandContext, Depends(command(*REVIEWERS))],
    ) -> Response:
        """登记组织 · RegisterOrganisation: a body with a unified social credit code."""
        judged = uscc.judge(body.uscc)
        wish = RegisterOrganisation(
            **context.meta(),
            organisation_id=secrets.token_hex(16),
            name=body.name,
            kind=body.kind,
            uscc=body.uscc,
            uscc_key=judged.canonical or "?",
            seat_region=body.seat_region,
            scope=body.scope,
            established_on=body.established_on,
            charity=body.charity,
            supervising_body_id=body.supervising_body_id,
            direct_category=body.direct_category,
            responsible_person=body.responsible(),
        )
        warning = judged.reason if judged.reason == "ok_subject_code_check_differs" else None
        return await submit(
            desk.ledger,
            wish,
            context,
            lambda decided: _created(decided, wish.organisation_id, warning),
        )

    @routes.post("/filings", status_code=201, responses=examples.ORGANISATION_FILED)
    async def file(
        body: bodies.FilingBody,
        context: Annotated[CommandContext, Depends(command(*REVIEWERS))],
    ) -> Response:
        """备案 · FileOrganisation: a body without a code, accepted by an office."""
        wish = FileOrganisation(
            **context.meta(),
            organisation_id=secrets.token_hex(16),
            name=body.name,
            kind=body.kind,
            filing=Filing(body.filing_office, body.filing_number),
            seat_region=body.seat_region,
            scope=body.scope,
            established_on=body.established_on,
            charity=body.charity,
            supervising_body_id=body.supervising_body_id,
            responsible_person=body.responsible(),
        )
        return await submit(
            desk.ledger,
            wish,
            context,
            lambda decided: _created(decided, wish.organisation_id, None),
        )

    @routes.post(
        "/organisations/{organisation_id}/sanctions", status_code=201, responses=examples.SANCTIONED
    )
    async def sanction(
        organisation_id: OrganisationId,
        body: bodies.SanctionBody,
        context: Annotated[CommandContext, Depends(command(*REVIEWERS))],
    ) -> Response:
        """处罚 · SanctionOrganisation: a decision with its number."""
        wish = SanctionOrganisation(
            **context.meta(),
            organisation_id=organisation_id,
            kind=body.kind,
            begins=body.begins,
            until=body.until,
            law_article=body.law_article,
            decision_id=body.decision_id,
            public=body.public,
        )
        return await submit(
            desk.ledger,
            wish,
            context,
            lambda decided: _created(decided, organisation_id, None),
        )

    @routes.get("/organisations", responses=examples.ORGANISATIONS)
    async def listed(
        _: Annotated[Any, Depends(public())],
        asked: Annotated[Page, Depends(page)],
        name: Annotated[
            str | None,
            Query(
                min_length=1,
                max_length=100,
                pattern=r"^[^\x00]*$",
                description="名称含 · name holds",
            ),
        ] = None,
        seat: Annotated[str | None, Query(pattern=r"^[0-9]{6}$", description="所在区域")] = None,
        established_from: date | None = None,
        established_until: date | None = None,
    ) -> dict[str, Any]:
        """查询组织 · organisations by name, seat and dates; open to everybody (CQ Art 14)."""
        after = cursors.texts(asked, 2)
        async with desk.database.reading() as connection:
            rows = await connection.fetch(
                _LIST,
                None if name is None else _literally(name),
                None if seat is None else prefix_of(seat),
                established_from,
                established_until,
                after[0],
                after[1],
                asked.fetch,
            )
        return page_of(rows, asked, _shown, lambda row: (row["name"], row["organisation_id"]))

    @routes.get("/organisations/{organisation_id}", responses=examples.ORGANISATION_SHOWN)
    async def one(
        organisation_id: OrganisationId, _: Annotated[Any, Depends(public())]
    ) -> dict[str, Any]:
        """组织信息 · one organisation."""
        async with desk.database.reading() as connection:
            row = await connection.fetchrow(_ONE, organisation_id)
        if row is None:
            raise not_found()
        return _shown(row)

    return routes


def _created(decided: Decided, organisation_id: str, warning: str | None) -> Answer:
    state = decided.states[organisation(organisation_id)]
    body = {
        "id": organisation_id,
        "organisation_id": organisation_id,
        "name": state.name,
        "kind": state.kind,
        "registration": state.status,
        "status": state.standing,
    }
    return Answer(201, body if warning is None else {**body, "warning": warning})


def _shown(row: Any) -> dict[str, Any]:
    filed = row["filing_number"] is not None
    return {
        "organisation_id": row["organisation_id"],
        "name": row["name"],
        "kind": row["kind"],
        "uscc": row["uscc"],
        "filing": (
            {"office": row["filing_office"], "number": row["filing_number"]} if filed else None
        ),
        "seat_region": row["seat_region"],
        "scope": row["scope"],
        "established_on": row["established_on"].isoformat(),
        "charity": row["charity"],
        "supervising_body_id": row["supervising_body_id"],
        "status": row["standing"],
    }


def _literally(text: str) -> str:
    """For LIKE: what the caller typed is no pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
