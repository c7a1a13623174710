"""What may this node's other services read of records? Bodies, logs, heads, sums (10.1)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response

from services.records.edge.queries import Queries
from shared.internal_http import calls_from
from shared.problems import not_found

MAX_PAGE: Final = 500

Subject = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
LogId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


def router(queries: Queries) -> APIRouter:
    """Mounted at ``/internal/v1``."""
    routes = APIRouter()

    @routes.get("/objects/{digest}")
    async def objects(
        digest: Digest, _: Annotated[str, Depends(calls_from("transfer", "rewards"))]
    ) -> Response:
        """A signed entry under the digest of its body, or other bytes under their SHA-256."""
        found = await queries.object(digest)
        if found is None:
            raise not_found()
        return Response(found, media_type="application/json")

    @routes.get("/dossiers/{subject_id}/log/{log_id}")
    async def log(
        subject_id: Subject,
        log_id: LogId,
        _: Annotated[str, Depends(calls_from("transfer"))],
        after: Annotated[int, Query(ge=-1)] = -1,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    ) -> dict[str, Any]:
        """Signed entries in log order, from the leaf after ``after``."""
        return {"items": await queries.leaves(subject_id, log_id, after, limit)}

    @routes.get("/dossiers/{subject_id}/head")
    async def head(
        subject_id: Subject, _: Annotated[str, Depends(calls_from("transfer"))]
    ) -> dict[str, Any]:
        """``{head, log_id}``: signed now, with state digest."""
        return await queries.head(subject_id)

    @routes.get("/dossiers/{subject_id}/sums")
    async def sums(
        subject_id: Subject,
        _: Annotated[str, Depends(calls_from("rewards", "transfer"))],
        until: Annotated[str | None, Query(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] = None,
    ) -> dict[str, Any]:
        """Credited minutes per cell of what was done up to a local day."""
        return await queries.sums(subject_id, until)

    return routes
