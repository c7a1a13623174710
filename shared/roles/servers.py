"""How does a process listen? Its API, its internal port, and of transfer the federation port."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse, Response

from shared import problems
from shared.internal_http import routes_without_caller
from shared.requests.app import Intake
from shared.roles.callers import NamesCaller
from shared.roles.parts import Parts
from shared.settings import variable

BACKLOG: Final = 512
# Beyond this a process only makes everybody wait; the balancer has others.
MAX_CONNECTIONS: Final = 1_024
KEEP_ALIVE_SECONDS: Final = 20
# A request that is still running when we are told to stop; then it is cut off.
GRACE_SECONDS: Final = 1

Reasons = Callable[[], Awaitable[tuple[str, ...]]]


_MENDS: Final = {
    errno.EADDRINUSE: "end what listens there, or choose another",
    errno.EACCES: "choose a port above 1023",
}


class CannotListen(Exception):
    """An address is not ours or a port is taken; the text names the settings."""


def bind(name: str, host: str, port: int) -> socket.socket:
    """A socket that listens; raises ``CannotListen``. ``name`` as of a ``Listener``."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        settings = " and ".join(variable(f"{name}_{part}") for part in ("host", "port"))
        number = (isinstance(error, OSError) and error.errno) or 0
        # Python adds the address to what the system says; a name's errors are below 0.
        said = os.strerror(number) if number > 0 else getattr(error, "strerror", "no name")
        mend = _MENDS.get(number, "name an address of this machine")
        raise CannotListen(
            f"{settings}: {host}:{port} cannot be listened on ({said}): {mend}"
        ) from error


class Listener:
    """One server on one socket; bound at once, so that a taken port is told before all else.

    ``name`` is the part of the settings' names: ``api`` for JIEXU_API_HOST and JIEXU_API_PORT.
    With ``tls`` it speaks nothing else.
    """

    def __init__(
        self, name: str, app: FastAPI, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self.name = name
        self._socket = bind(name, host, port)
        self.port: int = self._socket.getsockname()[1]
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                http=NamesCaller,
                ssl_context_factory=None if tls is None else lambda *_: tls,
            )
        )

    async def run(self) -> None:
        """Serves until ``stop``."""
        structlog.get_logger(__name__).info("listening", port=self.port, what=self.name)
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Takes no more and ends what runs within ``GRACE_SECONDS``."""
        self._server.should_exit = True

    def close(self) -> None:
        self._socket.close()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Signals are the process's: it stops several servers and what runs beside them.
        yield


def internal_app(parts: Parts, router: APIRouter | None, reasons: Reasons) -> FastAPI:
    """Health, metrics, and what the node's other services may ask under ``/internal/v1``."""
    app = FastAPI(title=f"{parts.service}, internal", openapi_url=None)
    app.state.clock = parts.clock
    app.state.internal_verifier = parts.internal_verifier
    app.add_middleware(Intake)
    problems.install(app)

    @app.get("/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        found = await reasons()
        return JSONResponse(
            {"ready": not found, "reasons": list(found)}, status_code=503 if found else 200
        )

    @app.get("/metrics")
    async def metrics() -> Response:
        text, kind = parts.metrics.render()
        return Response(text, media_type=kind)

    if router is not None:
        inner = FastAPI(openapi_url=None)
        inner.include_router(router)
        open_routes = routes_without_caller(inner)
        if open_routes:
            raise RuntimeError(f"internal routes that let everybody in: {', '.join(open_routes)}")
        app.include_router(router, prefix="/internal/v1")
    return app
