"""Which requests does registry take? All routes of the API port, put together."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from services.registry.edge import (
    api_applicants,
    api_codes,
    api_organisations,
    api_policies,
    api_tokens,
    api_volunteers,
    welcome,
)
from services.registry.edge.desk import Desk
from shared.requests import Surroundings, new_app

DESCRIPTION = (
    "志愿者、组织与政策的登记。个人信息只存在加密库中；对外只有随机编号。\n\n"
    "Registry of volunteers, organisations and policies. Personal values live in the encrypted "
    "vault alone; outside there is only a random subject id. Every POST takes an "
    "`Idempotency-Key`; every refusal is a problem document (RFC 9457)."
)


def build(surroundings: Surroundings, desk: Desk, welcome_file: Path | None) -> FastAPI:
    """The application of the API port."""
    app = new_app(surroundings, title="registry 登记", description=DESCRIPTION)
    app.include_router(welcome.router(desk.node, welcome_file))
    for routes in (
        api_tokens.router(desk),
        api_volunteers.router(desk),
        api_codes.router(desk),
        api_applicants.router(desk),
        api_organisations.router(desk),
        api_policies.router(desk),
    ):
        app.include_router(routes)
    return app
