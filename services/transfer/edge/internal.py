"""What may records read here? Objects under their SHA-256: plain bundles, lists, supplements."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import Response

from services.transfer.edge import sealing
from services.transfer.edge.codec import state_of
from services.transfer.edge.keys import Wrapping
from shared.internal_http import calls_from
from shared.postgres import Database
from shared.problems import not_found

_SUPPLEMENT = "SELECT content FROM supplement WHERE object_digest = $1 AND k IS NOT NULL LIMIT 1"
_LIST = "SELECT body FROM bundle_list WHERE digest = $1 LIMIT 1"
_BUNDLE = """SELECT b.transfer_id, b.n, b.sealed, s.wrapped, a.state FROM bundle AS b
    JOIN seal_key AS s USING (transfer_id)
    JOIN aggregate AS a ON a.kind = 'transfer' AND a.id = 'destination:' || b.transfer_id
    WHERE b.plain_digest = $1 LIMIT 1"""


def router(database: Database, wrapping: Wrapping) -> APIRouter:
    """The routes for the node's other services."""
    routes = APIRouter()

    @routes.get("/objects/{digest}")
    async def objects(
        digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$")],
        _: Annotated[str, Depends(calls_from("records"))],
    ) -> Response:
        """The bytes whose SHA-256 this is; gone once the seal key of their move is destroyed."""
        found = await _found(database, wrapping, digest)
        if found is None or hashlib.sha256(found).hexdigest() != digest:
            raise not_found()
        return Response(found, media_type="application/octet-stream")

    return routes


async def _found(database: Database, wrapping: Wrapping, digest: str) -> bytes | None:
    async with database.reading() as connection:
        content = await connection.fetchval(_SUPPLEMENT, digest)
        if content is not None:
            return bytes(content.encode("utf-8"))
        body = await connection.fetchval(_LIST, digest)
        if body is not None:
            return bytes(body)
        row = await connection.fetchrow(_BUNDLE, digest)
    if row is None:
        return None
    # A bundle lies sealed, as it came; it is opened for records alone, and only while it may be.
    state = state_of(json.loads(row["state"]))
    private = wrapping.unwrap(row["transfer_id"], bytes(row["wrapped"]))
    offer = getattr(state, "offer", None)
    if offer is None:
        return None
    key = sealing.shared_key(private, offer.seal_key, row["transfer_id"])
    return sealing.unseal(key, row["transfer_id"], row["n"], bytes(row["sealed"]))
