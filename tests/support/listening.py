"""An ASGI app on a real socket, for tests of what only a connection shows."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def listening(app: Any, **options: Any) -> AsyncIterator[int]:
    """The app on a real socket of its own; ``options`` are uvicorn's (``ssl_certfile``)."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", **options))
    running = asyncio.create_task(server.serve(sockets=[held]))
    try:
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
        yield held.getsockname()[1]
    finally:
        server.should_exit = True
        async with asyncio.timeout(10):
            await running
        held.close()
