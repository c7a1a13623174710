"""What do all HTTP APIs have in common? Bounds, problem documents, metrics, documentation."""

from __future__ import annotations

import asyncio
import mimetypes
import time
from collections.abc import MutableMapping
from importlib import resources
from typing import Annotated, Any, Final, Protocol

from fastapi import Depends, FastAPI, Path, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import iter_route_contexts
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import problems
from shared.auth import TokenVerifier, public
from shared.canonical import load
from shared.clock import Clock
from shared.messages import Unreadable
from shared.requests.commands import KEY_HEADER
from shared.telemetry import Metrics

# A page of 500 import rows stays below; what is larger comes in parts.
MAX_BODY_BYTES: Final = 1_048_576
# A slow sender holds a connection no longer than this (protocol.md 4.2 has the same).
BODY_SECONDS: Final = 30.0
MAX_BODY_DEPTH: Final = 16
# Shipped by the package fastapi-offline: many cities have no way to a content network.
_ASSETS: Final = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")


class Surroundings(Protocol):
    """What an API needs around it; ``shared.roles.Parts`` is one."""

    @property
    def clock(self) -> Clock: ...
    @property
    def verifier(self) -> TokenVerifier: ...
    @property
    def digest_key(self) -> bytes: ...
    @property
    def metrics(self) -> Metrics: ...


def new_app(
    surroundings: Surroundings,
    *,
    title: str,
    description: str,
    version: str = "1",
    max_body_bytes: int = MAX_BODY_BYTES,
) -> FastAPI:
    """An application with everything but its routes; documents at ``/docs`` and
    ``/openapi.json``."""
    app = _Documented(
        title=title,
        description=description,
        version=version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        responses=PROBLEM_RESPONSES,
    )
    app.state.clock = surroundings.clock
    app.state.verifier = surroundings.verifier
    app.state.digest_key = surroundings.digest_key
    app.add_middleware(Intake, max_body_bytes=max_body_bytes)
    problems.install(app)
    app.add_middleware(Counted, metrics=surroundings.metrics)
    _add_documents(app)
    return app


PROBLEM_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "RFC 9457 problem document, in zh or en by Accept-Language",
        "content": {
            "application/problem+json": {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status", "detail", "instance"],
                    "properties": {
                        "type": {"type": "string", "examples": ["urn:jiexu:problem:not-found"]},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "instance": {"type": "string"},
                    },
                }
            }
        },
    }
}


class Intake:
    """Reads a body whole before the application sees it: length, time, and JSON that is JSON.

    Depth, duplicate members and texts that no database takes are refused here, once for all.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await self._read(receive)
            if body and _is_json(scope):
                load(body, max_depth=MAX_BODY_DEPTH)
        except TimeoutError:
            body = None
            refused = problems.Problem(
                status=408,
                slug="too-slow",
                zh="请求内容未能及时送达。请重试。",
                en="The request body did not arrive in time. Try again.",
                headers={"Connection": "close"},
            )
        except Unreadable:
            body = None
            refused = problems.body_is_unreadable()
        except _TooLarge:
            body = None
            refused = problems.too_large(self._limit)
        if body is None:
            answer = problems.response(refused, problems.language_of(Request(scope)))
            await answer(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b"".join(pieces)
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._limit:
                raise _TooLarge
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)


class Counted:
    """Counts requests and their time by route, method and status; ids never become labels."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._seconds = metrics.histogram(
            "http_request_seconds", "Time to answer a request.", "method", "route", "status"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = problems.route_of(scope)
            method = scope["method"] if scope["method"] in _METHODS else "OTHER"
            self._seconds.labels(method, route, status).observe(time.perf_counter() - began)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _TooLarge(Exception):
    pass


def _is_json(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-type":
            kind: bytes = value.partition(b";")[0].strip().lower()
            return kind.endswith((b"/json", b"+json"))
    return False


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_required_keys(document: dict[str, Any]) -> dict[str, Any]:
    # The header is optional to FastAPI alone, so that its absence gets our own problem.
    for operations in document.get("paths", {}).values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == KEY_HEADER:
                    parameter["required"] = True
    return document


class _Documented(FastAPI):
    """An application whose document shows what requests and answers are in full."""

    def openapi(self) -> dict[str, Any]:
        return _with_whole_examples(self, _with_required_keys(super().openapi()))


def _with_whole_examples(app: FastAPI, document: dict[str, Any]) -> dict[str, Any]:
    # FastAPI drops every null of an example, and with it a member that the answer has.
    for route in iter_route_contexts(app.routes):
        operations = document["paths"].get(route.path, {})
        for status, answer in (getattr(route, "responses", None) or {}).items():
            for method in route.methods or ():
                told = operations.get(method.lower(), {}).get("responses", {}).get(str(status), {})
                for kind, content in answer.get("content", {}).items():
                    shown = {name: content[name] for name in content if name.startswith("example")}
                    told.get("content", {}).get(kind, {}).update(shown)
    return document


def _add_documents(app: FastAPI) -> None:
    everybody = [Depends(public())]

    @app.get("/openapi.json", include_in_schema=False, dependencies=everybody)
    def openapi() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False, dependencies=everybody)
    def docs() -> HTMLResponse:
        # Relative addresses: behind a gateway the API may stand under a prefix.
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="docs/favicon.png",
        )

    @app.get("/docs/{asset}", include_in_schema=False, dependencies=everybody)
    def asset(asset: Annotated[str, Path(max_length=64)]) -> Response:
        if asset not in _ASSETS:
            raise problems.not_found()
        content = resources.files("fastapi_offline").joinpath("static", asset).read_bytes()
        kind = mimetypes.guess_type(asset)[0] or "application/octet-stream"
        return Response(content, media_type=kind, headers={"Cache-Control": "max-age=86400"})
