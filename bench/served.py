"""A farm's pages and API on loopback, in this process, for benchmarks that look at them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from farm.domain.access import EVERYTHING
from farm.wiring import Farm
from serve_app.api import build_api
from serve_app.services import open_services


@asynccontextmanager
async def served(farm: Farm, store_url: str) -> AsyncIterator[tuple[str, str]]:
    """Yields the address and a key that opens everything."""
    _, token = await farm.keys.create(tenant="default", scopes=EVERYTHING, name="bench")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    app = build_api(farm.settings, lambda: open_services(farm.settings, store_url=store_url))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="on"))
    serving = asyncio.create_task(server.serve())
    try:
        yield f"http://127.0.0.1:{port}", token
    finally:
        server.should_exit = True
        await serving
